//! The way out of a connection. Bytes leave it in the order in which they come: from the task that serves the connection, and
//! whole messages from whoever has one while that task is not in the middle of something. It knows nothing of what they mean.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

/// The way out of one connection, which is shared with those who send whole messages.
#[derive(Debug, Default)]
pub struct Outlet(Mutex<Way>);

#[derive(Debug, Default)]
struct Way {
    /// `None` before it was opened, and after it was closed.
    stream: Option<OwnedWriteHalf>,
    /// The rest of a message that was sent at once: nothing else is written before it.
    rest: Vec<u8>,
    /// Who waits until the rest is written.
    waiting: Option<Waker>,
    /// Whether the task waits to write, or has written a part of what it has to: nobody else writes before it has.
    is_within: bool,
}

/// What became of a message that was to be sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All of it was written.
    All,
    /// A part of it was written. The rest is to be written by [`Outlet::finish`], and nothing is written before it.
    Part,
    /// Nothing of it was written: the client does not read, the task is in the middle of something, or there is no
    /// connection.
    Nothing,
}

impl Outlet {
    fn way(&self) -> MutexGuard<'_, Way> {
        // Nothing that holds this lock can leave the way half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens it.
    pub fn open(&self, stream: OwnedWriteHalf) {
        self.way().stream = Some(stream);
    }

    /// Closes it: nothing is written any more but by whoever gets the stream.
    pub fn close(&self) -> Option<OwnedWriteHalf> {
        let mut way = self.way();
        way.rest = Vec::new();
        way.stream.take()
    }

    /// Writes for the task.
    pub fn poll_write(&self, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut way = self.way();
        way.is_within = true;
        if !way.rest.is_empty() {
            way.waiting = Some(context.waker().clone());
            return Poll::Pending;
        }
        let written = ready!(Pin::new(way.open()?).poll_write_vectored(context, slices))?;
        way.is_within = written < slices.iter().map(|slice| slice.len()).sum();
        Poll::Ready(Ok(written))
    }

    /// Shuts it down for the task.
    pub fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.way().open()?).poll_shutdown(context)
    }

    /// Writes a message of two parts, if that is possible at once.
    pub fn send_at_once(&self, message: [&[u8]; 2]) -> Sent {
        let mut way = self.way();
        if way.is_within || !way.rest.is_empty() {
            return Sent::Nothing;
        }
        // Why it fails is for the task to find out.
        let slices = message.map(io::IoSlice::new);
        let written = way.stream.as_ref().map(|stream| stream.as_ref().try_write_vectored(&slices));
        match written {
            Some(Ok(written)) if written == message[0].len() + message[1].len() => Sent::All,
            Some(Ok(written)) if written > 0 => {
                way.rest = message.concat().split_off(written);
                Sent::Part
            }
            _ => Sent::Nothing,
        }
    }

    /// Writes the rest of a message.
    ///
    /// # Errors
    /// When the client is gone.
    pub async fn finish(&self) -> io::Result<()> {
        std::future::poll_fn(|context| {
            let mut way = self.way();
            while !way.rest.is_empty() {
                let Way { stream: Some(stream), rest, .. } = &mut *way else { break };
                let written = ready!(Pin::new(stream).poll_write(context, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest.drain(..written);
            }
            way.end_rest();
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Gives up in the middle of a message: nothing can be written any more, and who waits is told so.
    pub fn give_up(&self) {
        let mut way = self.way();
        way.stream = None;
        way.end_rest();
    }
}

impl Way {
    fn end_rest(&mut self) {
        self.rest = Vec::new();
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn open(&mut self) -> io::Result<&mut OwnedWriteHalf> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::supervision::joined;

    /// Size of a message, in bytes: not one that fits whole numbers of times into the buffers of a connection.
    const SIZE: usize = 10_007;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    /// The message that comes last, and no other has this byte.
    const LAST: u8 = 255;

    /// What tells the messages apart.
    fn byte(number: usize) -> u8 {
        u8::try_from(number % usize::from(LAST)).unwrap()
    }

    async fn write(outlet: &Outlet, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let slices = [io::IoSlice::new(bytes)];
            let written = poll_fn(|context| outlet.poll_write(context, &slices)).await.unwrap();
            bytes = &bytes[written..];
        }
    }

    /// Somebody sends at once until the client's buffers are full in the middle of a message; then the task writes.
    #[tokio::test]
    async fn messages_of_both_kinds_stay_whole_and_in_order() {
        let (mut client, server) = pair().await;
        let (_reader, writer) = server.into_split();
        let outlet = Arc::new(Outlet::default());
        assert_eq!(outlet.send_at_once([b"a", b"b"]), Sent::Nothing, "it is not open");
        outlet.open(writer);
        write(&outlet, &[byte(0); SIZE]).await;
        let mut sent = 1;
        let last = loop {
            let bytes = [byte(sent); SIZE];
            match outlet.send_at_once(bytes.split_at(3).into()) {
                Sent::All => sent += 1,
                other => break other,
            }
        };
        let total = sent + usize::from(last == Sent::Part);
        assert_eq!(outlet.send_at_once([b"a", b"b"]), Sent::Nothing, "the client does not read");
        let finishing = Arc::clone(&outlet);
        let finishing = joined(async move { finishing.finish().await });
        let writing = Arc::clone(&outlet);
        let writing = joined(async move { write(&writing, &[LAST; SIZE]).await });
        let mut read = vec![0; (total + 1) * SIZE];
        client.read_exact(&mut read).await.unwrap();
        finishing.await.unwrap().unwrap();
        writing.await.unwrap();
        let numbers: Vec<u8> = read.chunks(SIZE).map(|message| message[0]).collect();
        assert!(read.chunks(SIZE).all(|message| message.iter().all(|byte| *byte == message[0])), "each is whole");
        assert_eq!(numbers.last(), Some(&LAST), "what the task writes comes behind");
        assert_eq!(numbers[..total], (0..total).map(byte).collect::<Vec<_>>());
        assert_eq!(outlet.send_at_once([b"a", b"b"]), Sent::All, "the way is free again");
    }

    #[tokio::test]
    async fn nobody_writes_into_the_middle_of_what_the_task_writes() {
        let (mut client, server) = pair().await;
        let (_reader, writer) = server.into_split();
        let outlet = Outlet::default();
        outlet.open(writer);
        let bytes = vec![1; 64 * 1_024 * 1_024];
        let slices = [io::IoSlice::new(&bytes)];
        let written = poll_fn(|context| outlet.poll_write(context, &slices)).await.unwrap();
        assert!(written < bytes.len(), "more than the buffers take");
        let mut read = vec![0; written];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(outlet.send_at_once([b"a", b"b"]), Sent::Nothing, "there is room, but not here");
        assert!(outlet.close().is_some());
        assert_eq!(outlet.send_at_once([b"a", b"b"]), Sent::Nothing, "it is closed");
    }

    /// A client that does not take the rest of a message: whoever waits behind it fails when it is given up.
    #[tokio::test]
    async fn who_waits_behind_a_message_that_is_given_up_fails() {
        let (mut client, server) = pair().await;
        let (_reader, writer) = server.into_split();
        let outlet = Arc::new(Outlet::default());
        outlet.open(writer);
        write(&outlet, b"0").await;
        loop {
            match outlet.send_at_once([&[1; SIZE], b""]) {
                Sent::All => {}
                Sent::Part => break,
                // The buffers are full at the end of a message.
                Sent::Nothing => drop(client.read(&mut [0; SIZE / 2]).await.unwrap()),
            }
        }
        let waiting = Arc::clone(&outlet);
        let waiting = joined(async move {
            let slices = [io::IoSlice::new(b"behind")];
            poll_fn(|context| waiting.poll_write(context, &slices)).await
        });
        tokio::task::yield_now().await;
        outlet.give_up();
        assert!(waiting.await.unwrap().is_err());
        assert!(outlet.close().is_none());
    }
}
