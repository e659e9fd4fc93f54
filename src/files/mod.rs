//! Products, stock and the log as files, in and out, row by row. What changes the shop goes through the writer.

pub mod export;
pub mod import;
pub mod rows;
