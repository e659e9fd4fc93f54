//! Holds up whoever comes to a point, and ends the process there.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::Point;

/// What is planned for a point.
#[derive(Debug)]
pub(super) enum Planned {
    /// Whoever comes next is held, once.
    Hold { key: Option<Uuid>, reached: oneshot::Sender<()>, released: oneshot::Receiver<()> },
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
    if let Some((reached, released)) = take(point, key)
        && reached.send(()).is_ok()
    {
        // A hold that is dropped lets go.
        let _ = released.await;
    }
}

type Held = (oneshot::Sender<()>, oneshot::Receiver<()>);

fn take(point: Point, key: Uuid) -> Option<Held> {
    let mut planned = planned();
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
            Planned::Abort(1) => std::process::abort(),
            Planned::Abort(remaining) => *remaining = remaining.saturating_sub(1),
        }
    }
    match hold.and_then(|at| planned.remove(at)) {
        Some((_, Planned::Hold { reached, released, .. })) => Some((reached, released)),
        _ => None,
    }
}
