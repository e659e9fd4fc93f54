//! What the server does by itself now and then: carts expire, idempotency keys are forgotten. Each round is bounded;
//! what is left over waits for the next.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::commands::{ExpireCarts, ForgetKeys};
use crate::domain::party::Party;
use crate::error::Error;

/// How often.
const ROUND: Duration = Duration::from_mins(1);

/// Most carts, and most keys, in one command.
const MAX_ROUND: u64 = 500;

/// How long an idempotency key stands for its answer.
pub const KEY_LIFETIME: Duration = Duration::from_hours(24);

/// Keeps up until it is told to stop. `cart_lifetime` is how long an untouched cart stays open.
pub async fn keep_up(app: App, cart_lifetime: Duration, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = round(&app, cart_lifetime).await {
            tracing::warn!(%error, "upkeep could not be done; the next round tries again");
        }
        tokio::select! {
            () = sleep(ROUND) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One round: everything whose time is over, up to the bound of a command.
///
/// # Errors
/// When the database does not answer.
pub async fn round(app: &App, cart_lifetime: Duration) -> Result<(), Error> {
    let untouched_since = app.clock.now() - cart_lifetime;
    let carts = app.store.untouched_carts(untouched_since, MAX_ROUND).await?;
    if !carts.is_empty() {
        let expired = app.writer.submit(&Party::System, ExpireCarts { carts, untouched_since }).await?;
        tracing::info!(expired, "carts expired");
    }
    let created_before = app.clock.now() - KEY_LIFETIME;
    let keys = app.store.old_keys(created_before, MAX_ROUND).await?;
    if !keys.is_empty() {
        app.writer.submit(&Party::System, ForgetKeys { keys, created_before }).await?;
    }
    Ok(())
}
