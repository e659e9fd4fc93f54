//! Holds, delays and ends the process at a point.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;
use uuid::Uuid;

use super::Point;

/// What is planned for a point.
#[derive(Debug)]
pub(super) enum Planned {
    /// Whoever comes next is held, once.
    Hold { key: Option<Uuid>, reached: oneshot::Sender<()>, released: oneshot::Receiver<()> },
    /// Whoever comes waits for so long.
    Delay(Duration),
    /// Whoever comes as the so manieth ends the process, as a power cut would.
    Abort(u32),
}

static PLANNED: Mutex<VecDeque<(Point, Planned)>> = Mutex::new(VecDeque::new());

fn planned() -> MutexGuard<'static, VecDeque<(Point, Planned)>> {
    PLANNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plans something for a point.
pub(super) fn plan(point: Point, what: Planned) {
    planned().push_back((point, what));
}

/// Somebody who is to be held at a point, and is until this is dropped.
#[derive(Debug)]
pub struct Hold {
    reached: Option<oneshot::Receiver<()>>,
    release: Option<oneshot::Sender<()>>,
}

impl Hold {
    /// Waits until somebody is held.
    pub async fn reached(&mut self) {
        if let Some(reached) = self.reached.take() {
            // Who went away after it was reached was there.
            let _ = reached.await;
        }
    }

    /// Lets whoever is held go on.
    pub fn release(mut self) {
        if let Some(release) = self.release.take() {
            // Nobody may have come.
            let _ = release.send(());
        }
    }
}

/// Holds whoever comes to this point next; with a key, whoever comes with that key.
#[must_use]
pub fn hold(point: Point, key: Option<Uuid>) -> Hold {
    let (reached, is_reached) = oneshot::channel();
    let (release, released) = oneshot::channel();
    plan(point, Planned::Hold { key, reached, released });
    Hold { reached: Some(is_reached), release: Some(release) }
}

/// Comes to a point: goes on at once unless something is planned for it.
pub async fn reach(point: Point, key: Uuid) {
    let (held, delay) = take(point, key);
    if let Some((reached, released)) = held
        && reached.send(()).is_ok()
    {
        // A hold that is dropped lets go.
        let _ = released.await;
    }
    // Even no time at all takes a tick of the timer.
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

type Held = (oneshot::Sender<()>, oneshot::Receiver<()>);

fn take(point: Point, key: Uuid) -> (Option<Held>, Duration) {
    let mut planned = planned();
    let mut delay = Duration::ZERO;
    let mut hold = None;
    for (at, (planned_for, what)) in planned.iter_mut().enumerate() {
        if *planned_for != point {
            continue;
        }
        match what {
            Planned::Hold { key: wanted, .. } if hold.is_none() && wanted.is_none_or(|wanted| wanted == key) => {
                hold = Some(at);
            }
            Planned::Hold { .. } => {}
            Planned::Delay(time) => delay += *time,
            Planned::Abort(1) => std::process::abort(),
            Planned::Abort(remaining) => *remaining = remaining.saturating_sub(1),
        }
    }
    let held = hold.and_then(|at| planned.remove(at)).and_then(|(_, what)| match what {
        Planned::Hold { reached, released, .. } => Some((reached, released)),
        Planned::Delay(_) | Planned::Abort(_) => None,
    });
    (held, delay)
}
