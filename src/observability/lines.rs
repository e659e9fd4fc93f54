//! Writes lines to a stream that may have no reader, in a thread of its own: the sender of a line never waits. Lines that do
//! not fit into the queue are dropped and counted, and the stream gets a line with their number once it is read again.
//!
//! It must never block a thread that serves, nor the end of the process for longer than the timeout of a flush.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum number of lines that wait to be written to one stream.
const MAX_WAITING: usize = 8_192;

/// Maximum size of the lines that wait to be written to one stream, in bytes.
const MAX_WAITING_BYTES: u64 = 16 * 1_024 * 1_024;

/// The pause before a write that would block is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines that were dropped since the start of the process, of all streams.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Returns how many lines were dropped since the start of the process.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The queue of lines for a stream. Clones share the stream.
#[derive(Debug, Clone)]
pub struct Lines {
    sender: SyncSender<Message>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes in the queue.
    waiting: AtomicU64,
    /// Lines that were dropped since the last notice.
    unreported: AtomicU64,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread that writes to a stream. `notice` returns the line that says how many were dropped.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn to(stream: impl Write + Send + 'static, notice: fn(u64) -> String) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let state = Arc::<State>::default();
        let lines = Self { sender, state: Arc::clone(&state) };
        thread::Builder::new().name("lines".to_owned()).spawn(move || write(stream, &receiver, &state, notice))?;
        Ok(lines)
    }

    /// Queues a line, or drops it if the queue is full.
    pub fn send(&self, line: Vec<u8>) {
        let size = line.len() as u64;
        let waiting = self.state.waiting.fetch_add(size, Ordering::Relaxed);
        let is_sent = waiting + size <= MAX_WAITING_BYTES && self.sender.try_send(Message::Line(line)).is_ok();
        if !is_sent {
            self.state.waiting.fetch_sub(size, Ordering::Relaxed);
            self.state.lose(1);
        }
    }

    /// Waits until every line that was queued before is written, or until the timeout.
    pub fn flush(&self, at_most: Duration) {
        let deadline = Instant::now() + at_most;
        let (done, is_done) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            message = match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(message)) if Instant::now() < deadline => message,
                Err(_) => return,
            };
            thread::park_timeout(PAUSE);
        }
        // Written in time or not, nothing else can be done.
        let _ = is_done.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl State {
    fn lose(&self, lines: u64) {
        self.unreported.fetch_add(lines, Ordering::Relaxed);
        DROPPED.fetch_add(lines, Ordering::Relaxed);
    }
}

/// Each write is a whole line.
impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut stream: impl Write, receiver: &Receiver<Message>, state: &State, notice: fn(u64) -> String) {
    for message in receiver {
        let line = match message {
            Message::Line(line) => line,
            Message::Flush(done) => {
                // The caller may have stopped waiting.
                let _ = done.try_send(());
                continue;
            }
        };
        let is_written = write_all(&mut stream, &line).is_ok();
        state.waiting.fetch_sub(line.len() as u64, Ordering::Relaxed);
        if !is_written {
            // A closed pipe, or a full disk.
            state.lose(1);
        } else if state.unreported.load(Ordering::Relaxed) > 0 {
            let lost = state.unreported.swap(0, Ordering::Relaxed);
            if write_all(&mut stream, notice(lost).as_bytes()).is_err() {
                state.unreported.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }
}

/// Writes all of it, also to a pipe that another process has made non-blocking.
fn write_all(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(PAUSE),
            Err(error) => return Err(error),
        }
    }
    stream.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// A stream that waits for a permit before each write, and keeps what is written.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
            self.1.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Lines, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let ((permits, wanted), kept) = (channel(), Arc::default());
        let lines = Lines::to(Slow(wanted, Arc::clone(&kept)), |lost| format!("{lost} lost\n")).expect("a thread");
        (lines, permits, kept)
    }

    fn text(kept: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(kept.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("text")
    }

    #[test]
    fn no_sender_waits_for_a_reader_and_dropped_lines_are_reported_once() {
        let (lines, permits, kept) = slow();
        for number in 0..MAX_WAITING * 2 {
            lines.send(format!("{number}\n").into_bytes());
        }
        lines.flush(Duration::from_millis(20));
        assert_eq!(text(&kept), "", "nobody has read anything, and nobody waited for that");
        (0..MAX_WAITING * 3).for_each(|_| permits.send(()).expect("the thread"));
        // There is room only when something was written.
        lines.flush(Duration::from_secs(20));
        lines.send(b"last\n".to_vec());
        lines.flush(Duration::from_secs(20));
        let text = text(&kept);
        assert!(text.starts_with("0\n"), "{text:.40}");
        assert_eq!(text.matches(" lost\n").count(), 1, "{text:.400}");
    }

    #[test]
    fn a_few_large_lines_do_not_fill_the_memory() {
        let (lines, permits, kept) = slow();
        let large = usize::try_from(MAX_WAITING_BYTES / 4).expect("a size");
        (0..8).for_each(|_| lines.send(vec![b'x'; large]));
        (0..9).for_each(|_| permits.send(()).expect("the thread"));
        lines.flush(Duration::from_secs(20));
        assert!(text(&kept).len() <= 4 * large + 20);
    }

    #[test]
    fn a_stream_that_is_gone_ends_nothing() {
        let (lines, permits, _) = slow();
        drop(permits);
        let before = dropped();
        lines.send(b"a line\n".to_vec());
        lines.flush(Duration::from_secs(20));
        assert!(dropped() > before);
    }
}
