//! The thread of the writer, with a runtime of its own: a commit never waits behind what requests and subscribers have to
//! do, however much of it there is.

use std::panic::AssertUnwindSafe;
use std::thread;

use futures_util::FutureExt;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::supervision::joined;

/// Runs this on a thread of its own, and tells when and why it ended.
pub fn run(
    name: &'static str,
    work: impl Future<Output = Result<(), String>> + Send + 'static,
) -> JoinHandle<Result<(), String>> {
    let (reply, ended) = oneshot::channel();
    let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let ended = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(AssertUnwindSafe(work).catch_unwind()).unwrap_or_else(|_| {
                // The log says where.
                Err(format!("the {name} panicked"))
            }),
            Err(error) => Err(format!("the runtime of the {name} could not be made: {error}")),
        };
        // Whoever waited for it may be gone, as in a process that ends.
        let _ = reply.send(ended);
    });
    joined(async move {
        started.map_err(|error| format!("the thread of the {name} could not be made: {error}"))?;
        ended.await.unwrap_or_else(|_| Err(format!("the {name} ended")))
    })
}
