//! The live path: what subscribers watch, and how a change gets to them.
//!
//! It holds the newest state of each watched thing and nothing else: memory per subscriber is one slot, whatever the
//! rate of changes. It must never hand out a state that is not committed, nor an older one after a newer one.

mod availability;
mod coalesced;
mod feed;
mod hub;
mod inbox;
mod slots;
mod streams;

pub use availability::{AvailabilityChange, availability_changes};
pub use coalesced::Coalesced;
pub use feed::{Feed, FeedAge, MAX_FEED_AGE};
pub use hub::{Changes, Hub};
pub use inbox::Direct;
pub use streams::{LogFilter, LogPosition, log_tail, order_changes, stock_changes};
