//! The columns of products, and a writer of rows as CSV or JSON Lines. It knows nothing of databases.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula. The writer must never write one: in CSV such
//! a text gets an apostrophe in front, and is read without it.

use std::io::{self, Write};

use serde::Serializer;
use serde::ser::SerializeMap;

use crate::files::Format;

/// The columns of a file of products. An import takes these, and an export has them in this order.
pub const COLUMNS: [&str; 9] = [
    "sku",
    "name",
    "price_amount",
    "price_currency",
    "stock",
    "slug",
    "description",
    "low_stock_threshold",
    "manage_stock",
];

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Any text.
    Text(&'a str),
    /// A whole number.
    Number(i64),
    /// A boolean.
    Flag(bool),
    /// No value: an empty cell, or null.
    Nothing,
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}

impl From<Option<i64>> for Cell<'_> {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

impl serde::Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Nothing => serializer.serialize_none(),
        }
    }
}

/// Writes rows with the same columns.
pub struct RowWriter<W: Write> {
    columns: &'static [&'static str],
    out: Out<W>,
}

enum Out<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(io::BufWriter<W>),
}

impl<W: Write> RowWriter<W> {
    /// Begins to write: CSV has the names of the columns in its first line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(to: W, format: Format, columns: &'static [&'static str]) -> io::Result<Self> {
        let out = match format {
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().from_writer(to);
                csv.write_record(columns).map_err(plain)?;
                Out::Csv(Box::new(csv))
            }
            Format::Jsonl => Out::Jsonl(io::BufWriter::new(to)),
        };
        Ok(Self { columns, out })
    }

    /// Writes a row: one cell for each column.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        match &mut self.out {
            Out::Csv(csv) => {
                for cell in cells {
                    match cell {
                        Cell::Text(text) => csv.write_field(guarded(text)),
                        Cell::Number(number) => csv.write_field(number.to_string()),
                        Cell::Flag(flag) => csv.write_field(flag.to_string()),
                        Cell::Nothing => csv.write_field(""),
                    }
                    .map_err(plain)?;
                }
                csv.write_record(None::<&[u8]>).map_err(plain)
            }
            Out::Jsonl(out) => {
                let mut json = serde_json::Serializer::new(&mut *out);
                let mut object = json.serialize_map(Some(cells.len()))?;
                for (column, cell) in self.columns.iter().zip(cells) {
                    object.serialize_entry(column, cell)?;
                }
                object.end()?;
                out.write_all(b"\n")
            }
        }
    }

    /// Hands on everything that was written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Csv(csv) => csv.flush(),
            Out::Jsonl(out) => out.flush(),
        }
    }
}

impl<W: Write> std::fmt::Debug for RowWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowWriter").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// Returns the I/O error inside: callers distinguish a closed pipe from a full disk.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Whether a spreadsheet would take a text for a formula, or a reader would take its apostrophe for one that was added.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r', '\''])
}

/// Returns a text as a cell that is no formula.
fn guarded(text: &str) -> String {
    if is_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// Returns the text of a cell, without the apostrophe that was added.
#[must_use]
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_text_comes_back() {
        for text in ["=1+1", "+1", "-1", "@a", "\u{ff1d}1", "'", "''", "'=1", "'twas", "plain", "", "\t=1", "a=b"] {
            let cell = guarded(text);
            assert!(!cell.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\t']), "{cell:?}");
            assert_eq!(unguarded(&cell), text);
        }
        assert_eq!(unguarded("'twas"), "'twas", "what somebody else wrote with an apostrophe stays");
    }

    #[test]
    fn rows_are_written_in_both_forms() {
        let cells = [Cell::Text("=\"a\"\nb"), Cell::Number(-5), Cell::Flag(true), Cell::Nothing];
        let columns = &["text", "number", "flag", "nothing"];
        for (format, right) in [
            (Format::Csv, "text,number,flag,nothing\n\"'=\"\"a\"\"\nb\",-5,true,\n"),
            (Format::Jsonl, "{\"text\":\"=\\\"a\\\"\\nb\",\"number\":-5,\"flag\":true,\"nothing\":null}\n"),
        ] {
            let mut written = Vec::new();
            let mut rows = RowWriter::begin(&mut written, format, columns).expect("memory");
            rows.write(&cells).expect("memory");
            rows.flush().expect("memory");
            drop(rows);
            assert_eq!(String::from_utf8(written).expect("text"), right);
        }
    }
}
