//! What an operator sees: in lines of the log, in numbers and in traces. It decides nothing and keeps nobody waiting.

pub mod lines;
pub mod logs;
pub mod metrics;
pub mod traces;
