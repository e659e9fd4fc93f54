//! The formats of files. It opens no file.

use std::path::Path;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV: values with commas in between, the names of the columns in the first line.
    Csv,
    /// JSON Lines: one JSON object in each line.
    Jsonl,
}

impl Format {
    /// Returns the format that the extension of a file name stands for.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}
