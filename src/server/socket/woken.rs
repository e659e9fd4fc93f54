//! Polls a thing only after it was woken. Each result of a subscription wakes a socket, and most of what the socket also
//! waits for has nothing to say then. It decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// What remembers whether one thing was woken.
#[derive(Debug)]
pub struct Woken {
    flag: Arc<Flag>,
    waker: Waker,
}

#[derive(Debug)]
struct Flag {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.task.wake();
        }
    }
}

impl Woken {
    /// Returns one for a thing that was not polled yet.
    pub fn new() -> Self {
        let flag = Arc::new(Flag { is_woken: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: Waker::from(Arc::clone(&flag)), flag }
    }

    /// Polls the thing, if it was woken since it was pending. `poll` must be of the same thing each time.
    pub fn poll<T>(&self, context: &Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        // Before it looks: whoever wakes it in between wakes this task.
        self.flag.task.register(context.waker());
        if !self.flag.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = poll(&mut Context::from_waker(&self.waker));
        if polled.is_ready() {
            // There may be more.
            self.flag.is_woken.store(true, Ordering::Release);
        }
        polled
    }

    /// Has the thing polled next time, because it is another one now.
    pub fn renew(&self) {
        self.flag.is_woken.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_thing_is_polled_when_it_was_woken_and_not_otherwise() {
        let task = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&task));
        let context = Context::from_waker(&waker);
        let woken = Woken::new();
        let mut its_waker = None;
        let pending = woken.poll(&context, |context| {
            its_waker = Some(context.waker().clone());
            Poll::<()>::Pending
        });
        assert!(pending.is_pending(), "a new thing is polled");
        assert!(woken.poll(&context, |_| -> Poll<()> { panic!("it was not woken") }).is_pending());
        let its_waker = its_waker.unwrap();
        its_waker.wake_by_ref();
        its_waker.wake_by_ref();
        assert_eq!(task.0.load(Ordering::SeqCst), 1, "the task is woken once");
        assert_eq!(woken.poll(&context, |_| Poll::Ready(7)), Poll::Ready(7));
        assert_eq!(woken.poll(&context, |_| Poll::Ready(8)), Poll::Ready(8), "there may be more after a result");
        assert!(woken.poll(&context, |_| Poll::<()>::Pending).is_pending());
        woken.renew();
        assert_eq!(woken.poll(&context, |_| Poll::Ready(9)), Poll::Ready(9));
    }
}
