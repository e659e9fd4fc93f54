//! Logs, metrics and traces. It decides nothing, and must never block a caller.

pub mod lines;
pub mod logs;
pub mod metrics;
pub mod traces;
