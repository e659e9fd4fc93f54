//! The writer's queue: bounded, and fair between clients.
//!
//! Each client has a lane, and a batch takes one command from each lane in turn: a flood of one client waits in its own
//! lane and delays nobody else's. What is taken together is decided in the order in which it came. A batch is bounded by
//! the rows that its commands write, too, so that nobody makes it slow for its neighbours with a few large ones.
//!
//! It never looks into a command; it knows nothing of it but its client and how many rows it writes.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use domain::client::ClientKey;

/// One client has at most one part in so many of the queue.
pub const QUEUE_SHARE: usize = 4;

/// Why a command is not taken into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueError {
    /// The queue, or the client's part of it, is full.
    Full,
    /// Nobody takes anything from it any more.
    Closed,
}

/// Makes a queue for so many things, with its two ends.
pub fn queue<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let lanes = Lanes { by_client: HashMap::new(), turns: VecDeque::new(), waiting: 0, arrivals: 0, is_closed: false };
    let capacity = capacity.max(1);
    let queue = Arc::new(Queue { lanes: Mutex::new(lanes), news: Notify::new(), capacity });
    (Sender { queue: Arc::clone(&queue) }, Receiver { queue })
}

struct Queue<T> {
    lanes: Mutex<Lanes<T>>,
    news: Notify,
    capacity: usize,
}

struct Lanes<T> {
    by_client: HashMap<ClientKey, VecDeque<Waiting<T>>>,
    /// Clients who have something waiting, each once, in the order of their turns.
    turns: VecDeque<ClientKey>,
    /// How many things wait in all lanes.
    waiting: usize,
    /// How many have ever come.
    arrivals: u64,
    is_closed: bool,
}

struct Waiting<T> {
    arrival: u64,
    rows: usize,
    thing: T,
}

impl<T> Queue<T> {
    fn lanes(&self) -> MutexGuard<'_, Lanes<T>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lanes().is_closed = true;
        self.news.notify_one();
    }
}

/// The end that things are put in at. When it is dropped, what waits is still taken, and then the other end hears of it.
pub struct Sender<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Sender<T> {
    /// Puts something that writes so many rows at the end of a client's lane. It never waits.
    ///
    /// # Errors
    /// When there is no room for it, or nobody at the other end.
    pub fn send(&self, client: ClientKey, rows: usize, thing: T) -> Result<(), QueueError> {
        let mut lanes = self.queue.lanes();
        let lanes = &mut *lanes;
        if lanes.is_closed {
            return Err(QueueError::Closed);
        }
        if lanes.waiting >= self.queue.capacity {
            return Err(QueueError::Full);
        }
        let arrival = lanes.arrivals;
        let waiting = Waiting { arrival, rows, thing };
        match lanes.by_client.entry(client) {
            Entry::Occupied(lane) if lane.get().len() >= self.queue.capacity.div_ceil(QUEUE_SHARE) => {
                return Err(QueueError::Full);
            }
            Entry::Occupied(mut lane) => lane.get_mut().push_back(waiting),
            Entry::Vacant(lane) => {
                lanes.turns.push_back(lane.key().clone());
                lane.insert(VecDeque::from([waiting]));
            }
        }
        lanes.arrivals += 1;
        lanes.waiting += 1;
        self.queue.news.notify_one();
        Ok(())
    }

    /// How many things may still come.
    pub fn free(&self) -> usize {
        self.queue.capacity.saturating_sub(self.queue.lanes().waiting)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The end that things are taken out at. When it is dropped, nothing waits any more and nothing comes in.
pub struct Receiver<T> {
    queue: Arc<Queue<T>>,
}

impl<T> Receiver<T> {
    /// Waits until there is something, and takes it: at most so many things, which write at most so many rows together
    /// unless a single one writes more. Returns nothing only when nothing will come any more.
    ///
    /// Nothing is lost when it is dropped while it waits.
    pub async fn take(&mut self, most: usize, most_rows: usize) -> Vec<T> {
        loop {
            if let Some(taken) = self.take_now(most, most_rows) {
                return taken;
            }
            self.queue.news.notified().await;
        }
    }

    /// What there is; `None` when there is nothing yet.
    fn take_now(&self, most: usize, most_rows: usize) -> Option<Vec<T>> {
        let mut lanes = self.queue.lanes();
        let taken = lanes.take(most, most_rows);
        (!taken.is_empty() || lanes.is_closed).then_some(taken)
    }

    /// Lets nothing in any more, and returns everything that waits.
    pub fn close(&mut self) -> Vec<T> {
        self.queue.close();
        self.queue.lanes().take(usize::MAX, usize::MAX)
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.queue.lanes().waiting
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut lanes = self.queue.lanes();
        lanes.is_closed = true;
        lanes.turns.clear();
        lanes.by_client.clear();
        lanes.waiting = 0;
    }
}

impl<T> Lanes<T> {
    fn take(&mut self, most: usize, most_rows: usize) -> Vec<T> {
        let mut taken = Vec::with_capacity(most.min(self.waiting));
        let mut rows = 0_usize;
        while taken.len() < most {
            let Some(client) = self.turns.pop_front() else { break };
            let Some(lane) = self.by_client.get_mut(&client) else { continue };
            let fits = |next: &mut Waiting<T>| taken.is_empty() || rows.saturating_add(next.rows) <= most_rows;
            let Some(next) = lane.pop_front_if(fits) else {
                // It is the first to have a turn in the next batch.
                self.turns.push_front(client);
                break;
            };
            if lane.is_empty() {
                self.by_client.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            rows = rows.saturating_add(next.rows);
            taken.push(next);
        }
        self.waiting -= taken.len();
        taken.sort_unstable_by_key(|one| one.arrival);
        taken.into_iter().map(|one| one.thing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::joined;

    fn client(name: &str) -> ClientKey {
        ClientKey::Customer(name.into())
    }

    const ANY: usize = usize::MAX;

    #[tokio::test]
    async fn clients_take_turns_and_what_is_taken_is_in_the_order_of_arrival() {
        let (sender, mut receiver) = queue(100);
        for (who, what) in [("ada", 1), ("ada", 2), ("ada", 3), ("ada", 4), ("bob", 5), ("eve", 6), ("bob", 7)] {
            assert_eq!(sender.send(client(who), 1, what), Ok(()));
        }
        assert_eq!(receiver.take(4, ANY).await, [1, 2, 5, 6]);
        assert_eq!(sender.send(client("eve"), 1, 8), Ok(()));
        assert_eq!(receiver.take(2, ANY).await, [3, 7]);
        assert_eq!(receiver.take(9, ANY).await, [4, 8]);
        assert_eq!(receiver.len(), 0);
    }

    #[tokio::test]
    async fn a_flood_of_one_client_leaves_room_and_turns_for_others() {
        let (sender, mut receiver) = queue(100);
        let sent = (0..1_000).filter(|what| sender.send(client("flood"), 1, *what).is_ok()).count();
        assert_eq!(sent, 25, "a quarter of the queue");
        for who in ["ada", "bob"] {
            assert_eq!(sender.send(client(who), 1, 1_000), Ok(()));
        }
        let taken = receiver.take(3, ANY).await;
        assert_eq!(taken.iter().filter(|what| **what == 1_000).count(), 2, "{taken:?}");
    }

    #[tokio::test]
    async fn the_queue_is_bounded_for_all_together() {
        let (sender, mut receiver) = queue(8);
        let sent = (0..100).map(|n| sender.send(client(&n.to_string()), 1, n)).collect::<Vec<_>>();
        assert!(sent[..8].iter().all(Result::is_ok) && sent[8..].iter().all(|one| *one == Err(QueueError::Full)));
        assert_eq!((sender.free(), receiver.len()), (0, 8));
        assert_eq!(receiver.take(3, ANY).await.len(), 3);
        assert_eq!(sender.free(), 3);
    }

    #[tokio::test]
    async fn rows_bound_a_batch_and_a_single_thing_may_have_more() {
        let (sender, mut receiver) = queue(100);
        for (who, rows, what) in [("ada", 50, 1), ("ada", 50, 2), ("bob", 50, 3), ("eve", 1, 4)] {
            assert_eq!(sender.send(client(who), rows, what), Ok(()));
        }
        assert_eq!(receiver.take(10, 101).await, [1, 3, 4]);
        assert_eq!(receiver.take(10, 10).await, [2]);
    }

    #[tokio::test]
    async fn what_waits_is_taken_when_nobody_sends_any_more() {
        let (sender, mut receiver) = queue(10);
        assert_eq!(sender.send(client("ada"), 1, 1), Ok(()));
        drop(sender);
        assert_eq!(receiver.take(10, ANY).await, [1]);
        assert_eq!(receiver.take(10, ANY).await, [0; 0]);
    }

    #[tokio::test]
    async fn nothing_comes_in_when_nobody_takes_any_more() {
        let (sender, receiver) = queue(10);
        let held = Arc::new(());
        assert_eq!(sender.send(client("ada"), 1, Arc::clone(&held)), Ok(()));
        drop(receiver);
        assert_eq!(Arc::strong_count(&held), 1, "what waited is dropped");
        assert_eq!(sender.send(client("ada"), 1, held), Err(QueueError::Closed));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (sender, mut receiver) = queue(10);
        let taken = joined(async move { receiver.take(10, ANY).await });
        tokio::task::yield_now().await;
        assert_eq!(sender.send(client("ada"), 1, 1), Ok(()));
        assert_eq!(taken.await.unwrap(), [1]);
    }
}
