//! Products, stock and the log as files: what an import reads, and what an export writes.
//!
//! An import reads a [`Source`](import::Source) of bytes, changes the shop through the writer, and hands each result to a
//! sink; an export reads a snapshot and writes rows to a sink. Neither knows whether a command line or a client of the API
//! asked for it: it must never use standard input or output, signals, or the settings of a process.

mod format;

pub mod export;
pub mod import;
pub mod rows;

pub use format::Format;
