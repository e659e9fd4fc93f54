//! Reads CSV as RFC 4180 defines it, record by record. The `csv` crate accepts malformed quoting and guesses; here a misplaced
//! quotation mark must never swallow a row.
//!
//! A mark inside a cell that does not begin with one makes its row malformed: it is known where that row ends. So does a quoted
//! cell that goes on after its closing mark, as long as the marks of its line come in pairs. Otherwise it is unknown which of
//! the line breaks after it are quoted, and the whole file is refused.

use std::io::{self, BufRead};

use anyhow::{Context, bail};

/// Maximum length of a record, in bytes, without the line break at its end.
pub const MAX_RECORD: usize = 128 * 1024;

/// A record of a file.
#[derive(Debug, Default)]
pub struct CsvRecord {
    /// The line it begins at, from 1.
    pub line: u64,
    /// Its cells, without their quotation marks.
    pub cells: Vec<Vec<u8>>,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
}

/// Reads records.
#[derive(Debug)]
pub struct CsvRows<R> {
    from: R,
    /// Number of lines that were read.
    lines: u64,
    /// Number of bytes that were read.
    pub read: u64,
}

const STRAY: &str = "A quotation mark stands inside a cell that does not begin with one: write the cell in quotation marks, and each mark in it twice.";
const GOES_ON: &str =
    "A cell goes on after its closing quotation mark: inside a cell in quotation marks each mark is written twice.";

/// The position of the reader in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the beginning of a cell.
    Cell,
    /// In a cell without quotation marks.
    Plain,
    /// Between quotation marks.
    Quoted,
    /// After a mark inside a quoted cell: its end, or the first half of a mark.
    Mark,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads from the beginning of `from`, after this many lines and bytes.
    pub const fn new(from: R, lines: u64, read: u64) -> Self {
        Self { from, lines, read }
    }

    /// Returns the next record; `None` after the last. An empty line is a record with one empty cell.
    ///
    /// # Errors
    /// When the file cannot be read, a record is too long, or it is unknown where it ends.
    pub fn next(&mut self) -> anyhow::Result<Option<CsvRecord>> {
        let mut record = CsvRecord { line: self.lines + 1, ..CsvRecord::default() };
        let (mut at, mut cell, mut length, mut opened) = (At::Cell, Vec::new(), 0, 0);
        loop {
            let mut line = Vec::new();
            let end = self
                .line(&mut line, MAX_RECORD.saturating_sub(length))
                .with_context(|| format!("line {} cannot be read", record.line));
            let Some(end) = end? else {
                bail!("line {} has more than {MAX_RECORD} bytes; is a quotation mark missing?", record.line)
            };
            if line.len() + end == 0 {
                if at == At::Quoted {
                    bail!("the quotation mark that is opened on line {opened} is never closed");
                }
                // Nothing follows the last line break.
                return Ok(None);
            }
            self.lines += 1;
            length += line.len();
            let (text, line_break) = line.split_at(line.len() - end);
            // How many marks are left in the line: counted once, for a line may have very many.
            let mut marks = count_marks(text);
            for byte in text.iter().copied() {
                let has_pairs = marks.is_multiple_of(2);
                marks -= usize::from(byte == b'"');
                at = match (at, byte) {
                    (At::Cell, b'"') => {
                        opened = self.lines;
                        At::Quoted
                    }
                    (At::Cell | At::Plain | At::Mark, b',') => {
                        record.cells.push(std::mem::take(&mut cell));
                        At::Cell
                    }
                    (At::Quoted, b'"') => At::Mark,
                    (At::Mark, b'"') => {
                        cell.push(b'"');
                        At::Quoted
                    }
                    (At::Mark, _) => {
                        // What was read of it is complete pairs, so what is left has to be.
                        check_end(record.line, self.lines, has_pairs)?;
                        record.fault = Some(GOES_ON);
                        return Ok(Some(record));
                    }
                    (At::Plain, b'"') => {
                        check_end(record.line, self.lines, has_pairs || !cell.trim_ascii().is_empty())?;
                        record.fault = Some(STRAY);
                        cell.push(b'"');
                        At::Plain
                    }
                    (At::Cell | At::Plain, byte) => {
                        cell.push(byte);
                        At::Plain
                    }
                    (At::Quoted, byte) => {
                        cell.push(byte);
                        At::Quoted
                    }
                };
            }
            if at != At::Quoted {
                record.cells.push(cell);
                return Ok(Some(record));
            }
            if record.fault.is_some() {
                bail!("{}", unknown_end(opened, self.lines));
            }
            cell.extend_from_slice(line_break);
        }
    }

    /// Reads a line with its break: LF, CRLF or CR. Returns the length of the break; `None` if the line is longer than `most`.
    fn line(&mut self, line: &mut Vec<u8>, most: usize) -> io::Result<Option<usize>> {
        loop {
            let buffer = self.from.fill_buf()?;
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.map_or(buffer.len(), |at| at + 1);
            let is_over = buffer.is_empty();
            line.extend_from_slice(&buffer[..length]);
            self.from.consume(length);
            self.read += length as u64;
            let mut line_break = usize::from(end.is_some());
            if line.ends_with(b"\r") && end.is_some() && self.from.fill_buf()?.first() == Some(&b'\n') {
                self.from.consume(1);
                self.read += 1;
                line.push(b'\n');
                line_break = 2;
            }
            if line.len() - line_break > most {
                return Ok(None);
            }
            if line_break > 0 || is_over {
                return Ok(Some(line_break));
            }
        }
    }
}

fn count_marks(text: &[u8]) -> usize {
    text.split(|byte| *byte == b'"').skip(1).count()
}

/// Refuses the file if it is unknown where a malformed record ends: after a quoted cell of several lines it is unknown whether
/// those belong to the cell.
fn check_end(begun: u64, line: u64, is_known: bool) -> anyhow::Result<()> {
    if begun != line || !is_known {
        bail!("{}", unknown_end(begun, line));
    }
    Ok(())
}

fn unknown_end(opened: u64, at: u64) -> String {
    let here = if opened == at { String::new() } else { format!(", and goes on after its closing mark on line {at}") };
    format!(
        "a cell in quotation marks begins on line {opened}{here}: from there on nobody knows where rows end. \
         Inside a cell in quotation marks each mark is written twice, and after its closing mark comes a comma or a line break"
    )
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    /// The records of a file: `line:cell|cell`, or `line!` when it has a fault; at last what refuses the file.
    fn read(text: &str) -> Vec<String> {
        let (mut rows, mut all) = (CsvRows::new(text.as_bytes(), 0, 0), Vec::new());
        loop {
            match rows.next() {
                Ok(None) => {
                    assert_eq!(rows.read, text.len() as u64);
                    return all;
                }
                Ok(Some(CsvRecord { line, fault: Some(_), .. })) => all.push(format!("{line}!")),
                Ok(Some(record)) => {
                    let cells = record.cells.iter().map(|cell| String::from_utf8_lossy(cell)).collect::<Vec<_>>();
                    all.push(format!("{}:{}", record.line, cells.join("|")));
                }
                Err(error) => {
                    all.push(error.to_string());
                    return all;
                }
            }
        }
    }

    #[test]
    fn what_is_well_formed_is_read_as_it_stands() {
        for line_break in ["\n", "\r\n", "\r"] {
            let text = "a,b,c\n1,\"x\"\"y\",\n\n\"two\nlines\n\",,\" \"\n,\"\",z".replace('\n', line_break);
            let right = ["1:a|b|c".to_owned(), "2:1|x\"y|".to_owned(), "3:".to_owned()];
            let right = [&right[..], &[format!("4:two{line_break}lines{line_break}|| "), "7:||z".to_owned()]].concat();
            assert_eq!(read(&text), right, "{line_break:?}");
            assert_eq!(read(&(text + line_break)), right, "{line_break:?} at the end");
        }
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read("\"\"\"\""), ["1:\""]);
    }

    /// What the csv crate writes, this reads.
    #[test]
    fn whatever_is_written_comes_back() {
        let mut random = rand::rngs::StdRng::seed_from_u64(10);
        for _ in 0..2_000 {
            let width = random.random_range(1..4);
            let mut cell = || -> String {
                let length = random.random_range(0..6);
                (0..length).map(|_| ['a', ',', '"', ' ', '\n', '\r', '\'', 'é'][random.random_range(0..8)]).collect()
            };
            let rows: Vec<Vec<String>> = (0..4).map(|_| (0..width).map(|_| cell()).collect()).collect();
            let mut csv = csv::Writer::from_writer(Vec::new());
            for row in &rows {
                csv.write_record(row).expect("memory");
            }
            let text = csv.into_inner().expect("memory");
            let mut read = CsvRows::new(text.as_slice(), 0, 0);
            for row in &rows {
                let record = read.next().expect("a file").expect("a record");
                let cells = record.cells.into_iter().map(|cell| String::from_utf8(cell).expect("text"));
                assert_eq!((record.fault, cells.collect::<Vec<_>>()), (None, row.clone()), "{text:?}");
            }
            assert!(read.next().expect("a file").is_none());
        }
    }

    #[test]
    fn a_mark_out_of_place_spoils_its_row_and_no_other() {
        for bad in ["5\",x", "x,5\" y\"", "\"x\" ,y", "\"x\"y,z", " \"x\",y", "x, \"y\"", "x\"\"y,z", "\"a\"\"b\"c,d"] {
            for line_break in ["\n", "\r\n", "\r"] {
                let text = format!("a,b{line_break}{bad}{line_break}c,d");
                assert_eq!(read(&text), ["1:a|b", "2!", "3:c|d"], "{text:?}");
                assert_eq!(read(&format!("{bad}{line_break}c,d")), ["1!", "2:c|d"], "{text:?}");
            }
        }
    }

    /// The time that a line takes grows with its length, not with the square of it.
    #[test]
    fn a_line_full_of_marks_is_read_at_once() {
        let marks = " \"\",".repeat(MAX_RECORD / 4 - 1);
        let began = std::time::Instant::now();
        let text = format!("{marks}\n").repeat(20);
        assert_eq!(read(&text).len(), 20);
        // Squared, it took minutes.
        assert!(began.elapsed() < std::time::Duration::from_mins(1));
    }

    #[test]
    fn a_mark_that_may_swallow_rows_refuses_the_file() {
        for (bad, why) in [
            ("\"5 inch\nb,c\n", "opened on line 2 is never closed"),
            ("x,\"", "opened on line 2 is never closed"),
            ("x,\"y\nz,\"\"\n", "opened on line 2 is never closed"),
            ("x,\"5\ny,z\nv,\"x\"\n", "begins on line 2, and goes on after its closing mark on line 4"),
            ("\"42\" TV\",5\nb,c\n", "begins on line 2:"),
            ("x, \"y\nz,5\nv\"\n", "begins on line 2:"),
            ("x,5\" pipe,\"y\nz,2,foo 5\"\n", "begins on line 2:"),
            ("\"x\nz\",5\" pipe,y\n", "begins on line 2, and goes on after its closing mark on line 3"),
            ("\"x\nz\",\"a\" b,y\n", "on line 3"),
        ] {
            let found = read(&format!("a,b\n{bad}"));
            assert!(found.last().is_some_and(|last| last.contains(why)), "{bad:?}: {found:?}");
            assert!(found.iter().all(|row| !row.starts_with("3:")), "{bad:?}: {found:?}");
        }
        let long = format!("a\n\"{}", "x\n".repeat(MAX_RECORD));
        assert!(read(&long).last().is_some_and(|last| last.starts_with("line 2 has more than")));
        let exactly = format!("{}\nb\n", "x".repeat(MAX_RECORD));
        assert_eq!(read(&exactly).len(), 2);
        assert_eq!(read(&format!("x{exactly}")).len(), 1);
    }
}
