//! Reads the rows of a file, one after the other, each with the number of its line. What is wrong with one line is reported
//! for that line. It never holds more than one line in memory.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, bail};

use crate::files::Format;
use crate::files::rows::{COLUMNS, unguarded};

use super::Mode;
use super::csv_rows::{CsvRecord, CsvRows, MAX_RECORD};
use super::json_row::fields;

/// Maximum length of a line, in bytes; in CSV of everything between two line breaks that are not quoted.
pub const MAX_LINE: usize = MAX_RECORD;

/// Size of the read buffer, in bytes.
const BUFFER: usize = 16 * 1024;

/// The values that a row gives, by column, trimmed. An empty cell, and null, gives nothing.
pub type Record = BTreeMap<&'static str, String>;

/// One row of a file.
#[derive(Debug)]
pub struct Row {
    /// The line it begins at, from 1.
    pub line: u64,
    /// Bytes of the file that have been read.
    pub read: u64,
    /// Its values, or what is wrong with it.
    pub record: Result<Record, String>,
}

/// Reads rows.
pub struct RowReader<R> {
    from: From<R>,
}

enum From<R> {
    Csv { rows: CsvRows<BufReader<R>>, columns: Vec<&'static str> },
    Jsonl { lines: BufReader<R>, line: u64, read: u64 },
}

impl<R: Read> RowReader<R> {
    /// Reads what is before the first row.
    ///
    /// # Errors
    /// When it is not encoded in UTF-8, when a file of CSV has columns that are unknown or there twice, or lacks one that the
    /// mode needs, or when a file of JSON is one array.
    pub fn begin(from: R, format: Format, mode: Mode) -> anyhow::Result<Self> {
        let mut from = BufReader::with_capacity(BUFFER, from);
        let mark = skip_mark(&mut from)?;
        let from = match format {
            Format::Csv => {
                let mut rows = CsvRows::new(from, 0, mark);
                let mut header = rows.next()?.unwrap_or_default();
                if let Some(separator) = declared_separator(&header) {
                    if separator != "," {
                        bail!("the first line says that its cells have {separator:?} in between; save it with commas");
                    }
                    header = rows.next()?.unwrap_or_default();
                }
                From::Csv { columns: columns(&header, mode)?, rows }
            }
            Format::Jsonl => {
                if from.fill_buf().context(UNREADABLE)?.trim_ascii_start().first() == Some(&b'[') {
                    bail!(
                        "this begins like one JSON array; JSON Lines have one object in each line (`jq -c '.[]'` makes \
                         them of an array)"
                    );
                }
                From::Jsonl { lines: from, line: 0, read: mark }
            }
        };
        Ok(Self { from })
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read, or nobody can tell where a row of CSV ends.
    pub fn next(&mut self) -> anyhow::Result<Option<Row>> {
        match &mut self.from {
            From::Csv { rows, columns } => next_of_csv(rows, columns),
            From::Jsonl { lines, line, read } => next_of_jsonl(lines, line, read),
        }
    }
}

const UNREADABLE: &str = "the file cannot be read";

/// Skips a byte order mark, and returns its length in bytes.
fn skip_mark<R: Read>(from: &mut BufReader<R>) -> anyhow::Result<u64> {
    let first = from.fill_buf().context(UNREADABLE)?;
    let is_wide =
        first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") || first.iter().take(4).any(|b| *b == 0);
    if is_wide {
        bail!("the file is encoded in UTF-16, or is no text at all: save it in UTF-8");
    }
    let mark = if first.starts_with("\u{feff}".as_bytes()) { '\u{feff}'.len_utf8() } else { 0 };
    from.consume(mark);
    Ok(mark as u64)
}

/// Returns the separator that the first line of a spreadsheet may declare: `sep=;`.
fn declared_separator(first: &CsvRecord) -> Option<String> {
    let line = first.cells.join(&b',');
    let line = std::str::from_utf8(&line).ok()?.trim_matches('"');
    let (name, separator) = line.split_at_checked(4)?;
    name.eq_ignore_ascii_case("sep=").then(|| separator.to_owned())
}

fn columns(header: &CsvRecord, mode: Mode) -> anyhow::Result<Vec<&'static str>> {
    if let Some(fault) = header.fault {
        bail!("line {}: {fault}", header.line);
    }
    let mut columns = Vec::with_capacity(header.cells.len());
    for (at, name) in header.cells.iter().enumerate() {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        let Some(column) = COLUMNS.into_iter().find(|column| *column == name) else {
            if name.is_empty() && header.cells.len() > 1 {
                bail!("column {} has no name: is there a comma too many in line {}?", at + 1, header.line);
            }
            bail!("{}", unknown_column(&name));
        };
        if columns.contains(&column) {
            bail!("the column {column} is there twice");
        }
        columns.push(column);
    }
    let needed = match mode {
        Mode::Create => &["sku", "name", "price_amount", "price_currency"][..],
        Mode::Add => &["sku", "stock"],
        Mode::Set => &["sku"],
    };
    let missing: Vec<_> = needed.iter().filter(|column| !columns.contains(column)).copied().collect();
    if !missing.is_empty() {
        bail!("the first line must name the columns; this is missing: {}", missing.join(", "));
    }
    Ok(columns)
}

fn unknown_column(name: &str) -> String {
    if name.is_empty() {
        return format!("the first line must name the columns, which are {}; this is missing", COLUMNS.join(", "));
    }
    let shown: String = name.chars().take(50).collect();
    let other = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")].into_iter().find(|(other, _)| {
        name.contains(*other) && name.split(*other).all(|part| COLUMNS.contains(&part.trim_matches(['"', ' '])))
    });
    if let Some((_, other)) = other {
        return format!("there is no column {shown:?}: the cells have {other} in between; save the file with commas");
    }
    format!("there is no column {shown:?}: the columns are {}, with commas in between", COLUMNS.join(", "))
}

fn next_of_csv<R: BufRead>(rows: &mut CsvRows<R>, columns: &[&'static str]) -> anyhow::Result<Option<Row>> {
    while let Some(record) = rows.next()? {
        if record.fault.is_some() || record.cells.iter().any(|cell| !cell.trim_ascii().is_empty()) {
            return Ok(Some(Row { line: record.line, read: rows.read, record: cells(&record, columns) }));
        }
    }
    Ok(None)
}

fn cells(record: &CsvRecord, columns: &[&'static str]) -> Result<Record, String> {
    if let Some(fault) = record.fault {
        return Err(fault.to_owned());
    }
    if record.cells.len() != columns.len() {
        return Err(format!("The line has {} cells, and there are {} columns.", record.cells.len(), columns.len()));
    }
    let mut given = Record::new();
    for (column, cell) in columns.iter().zip(&record.cells) {
        let text = std::str::from_utf8(cell).map_err(|_| format!("{column}: This is not encoded in UTF-8."))?;
        if text.contains('\0') {
            return Err(format!("{column}: This has a NUL character, which is no text."));
        }
        give(&mut given, column, unguarded(text.trim()));
    }
    Ok(given)
}

fn next_of_jsonl<R: Read>(lines: &mut BufReader<R>, line: &mut u64, read: &mut u64) -> anyhow::Result<Option<Row>> {
    loop {
        let mut text = Vec::new();
        let most = MAX_LINE as u64 + 1;
        let length = lines.by_ref().take(most).read_until(b'\n', &mut text).context(UNREADABLE)?;
        if length == 0 {
            return Ok(None);
        }
        (*line, *read) = (*line + 1, *read + length as u64);
        if length as u64 == most && !text.ends_with(b"\n") {
            *read += skip_line(lines).context(UNREADABLE)?;
            return Ok(Some(Row { line: *line, read: *read, record: Err(too_long_message(*line)) }));
        }
        if !text.trim_ascii().is_empty() {
            return Ok(Some(Row { line: *line, read: *read, record: fields(&text) }));
        }
    }
}

/// Skips to the end of the line, and returns how many bytes that were.
fn skip_line<R: Read>(lines: &mut BufReader<R>) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = lines.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |at| at + 1);
        lines.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

/// Adds the value of a cell; an empty cell gives none.
pub fn give(given: &mut Record, column: &'static str, text: &str) {
    if !text.is_empty() {
        given.insert(column, text.to_owned());
    }
}

fn too_long_message(line: u64) -> String {
    format!("line {line} has more than {MAX_LINE} bytes; is a line break missing?")
}

impl<R> std::fmt::Debug for RowReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowReader")
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
