//! The source of an import. It is read twice: first to see that all of it can be read, to count its rows and to give the
//! import a name; then to do what it says. A stream is kept in memory meanwhile, or in a temporary file when it is large. It
//! changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::files::Format;

use super::Mode;
use super::reader::RowReader;

/// Maximum number of rows in one file.
pub const MAX_ROWS: u64 = 1_000_000;

/// Maximum size of a stream that is kept in memory, in bytes. An image without a folder for temporary files takes no more.
pub const MAX_IN_MEMORY: u64 = 32 * 1024 * 1024;

/// Maximum size of a stream, in bytes: as many rows as there may be, of 4 KB each.
pub const MAX_KEPT: u64 = 4 * 1024 * 1024 * 1024;

const UNKEPT: &str = "a temporary file cannot be written";

/// Length of the part of a digest that names an import: 128 bits, as hexadecimal digits.
const DIGEST_LENGTH: usize = 32;

/// What can be read more than once.
#[derive(Debug)]
enum Kept {
    File(File),
    Memory(Vec<u8>),
}

impl Kept {
    /// Reads it from the beginning.
    fn read(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        match self {
            Self::Memory(bytes) => Ok(Box::new(bytes.as_slice())),
            Self::File(file) => {
                let mut file: &File = file;
                file.rewind()?;
                Ok(Box::new(file))
            }
        }
    }
}

/// What is known of a source after it was read through.
#[derive(Debug)]
struct Scanned {
    /// Size, in bytes.
    size: u64,
    rows: u64,
    digest: String,
}

/// The options of a source.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// The format of the rows.
    pub format: Format,
    /// What is done with each row: it decides which columns are needed.
    pub mode: Mode,
    /// The name of the import; made of the content and the mode unless given.
    pub id: Option<String>,
    /// The document that the log names.
    pub reference: Option<String>,
}

/// Rows that can be imported.
#[derive(Debug)]
pub struct Source {
    kept: Kept,
    format: Format,
    mode: Mode,
    /// Size, in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// The name of the import: each line is done once under it.
    pub id: String,
    /// The document that the log names.
    pub reference: Option<String>,
}

impl Source {
    /// Reads through a file, which is read a second time when it is imported.
    ///
    /// # Errors
    /// When it cannot be read, when a column is unknown or missing, or when it has too many rows or a row that is too long.
    pub fn of_file(file: File, options: SourceOptions) -> anyhow::Result<Self> {
        let kept = Kept::File(file);
        let from = kept.read().context("the file cannot be read")?;
        let scanned = scan(from, options.format, options.mode)?;
        Ok(Self::new(kept, scanned, options))
    }

    /// Reads through a stream, and keeps what is read in memory, or in a temporary file when it is large. `name` is what
    /// messages call the stream.
    ///
    /// # Errors
    /// As for a file, and when the stream is empty or too large, or no temporary file can be written.
    pub fn of_stream(from: impl Read, name: &'static str, options: SourceOptions) -> anyhow::Result<Self> {
        let (kept, scanned) = keep(from, name, options.format, options.mode)?;
        Ok(Self::new(kept, scanned, options))
    }

    fn new(kept: Kept, Scanned { size, rows, digest }: Scanned, options: SourceOptions) -> Self {
        let SourceOptions { format, mode, id, reference } = options;
        let id = id.unwrap_or_else(|| format!("{}-{}", &digest[..DIGEST_LENGTH], code(mode)));
        Self { kept, format, mode, size, rows, id, reference }
    }

    /// Reads its rows from the beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> anyhow::Result<RowReader<Box<dyn Read + Send + '_>>> {
        let from = self.kept.read().context("the file cannot be read again")?;
        RowReader::begin(from, self.format, self.mode)
    }

    /// Returns the format of the rows.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns what is done with each row.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

const fn code(mode: Mode) -> &'static str {
    match mode {
        Mode::Create => "create",
        Mode::Add => "add",
        Mode::Set => "set",
    }
}

/// Keeps what is read of a stream, so that it can be read once more.
#[derive(Debug)]
struct Keeper<R> {
    from: R,
    /// What messages call the stream.
    name: &'static str,
    memory: Vec<u8>,
    /// Holds everything once it is too much for memory.
    file: Option<File>,
    size: u64,
}

impl<R> Keeper<R> {
    const fn new(from: R, name: &'static str) -> Self {
        Self { from, name, memory: Vec::new(), file: None, size: 0 }
    }

    fn keep(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.size += bytes.len() as u64;
        if self.size > MAX_KEPT {
            bail!("{} has more than {} GB; split it", self.name, MAX_KEPT / 1024 / 1024 / 1024);
        }
        if self.file.is_none() && self.size > MAX_IN_MEMORY {
            let mut file = tempfile::tempfile().with_context(|| {
                let most = MAX_IN_MEMORY / 1024 / 1024;
                format!(
                    "{} has more than {most} MB, and there is no folder for temporary files: TMPDIR can name one",
                    self.name
                )
            })?;
            file.write_all(&std::mem::take(&mut self.memory)).context(UNKEPT)?;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            return file.write_all(bytes).context(UNKEPT);
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    fn kept(self) -> Kept {
        self.file.map_or(Kept::Memory(self.memory), Kept::File)
    }
}

impl<R: Read> Read for Keeper<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.keep(&buffer[..length]).map_err(|error| io::Error::other(format!("{error:#}")))?;
        Ok(length)
    }
}

/// Reads through a stream and keeps it meanwhile: what cannot be imported is refused before all of it is kept.
fn keep(from: impl Read, name: &'static str, format: Format, mode: Mode) -> anyhow::Result<(Kept, Scanned)> {
    let mut keeper = Keeper::new(from, name);
    let scanned = scan(&mut keeper, format, mode);
    if keeper.size == 0 && scanned.is_ok() {
        bail!("{name} was empty");
    }
    Ok((keeper.kept(), scanned?))
}

/// Reads through all rows.
fn scan(from: impl Read, format: Format, mode: Mode) -> anyhow::Result<Scanned> {
    let mut digested = Digested { from, digest: Sha256::new(), size: 0 };
    let mut rows = RowReader::begin(&mut digested, format, mode)?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
        if count > MAX_ROWS {
            bail!("the file has more than {MAX_ROWS} rows; split it");
        }
    }
    drop(rows);
    Ok(Scanned { size: digested.size, rows: count, digest: format!("{:x}", digested.digest.finalize()) })
}

/// Digests what is read of it.
struct Digested<R> {
    from: R,
    digest: Sha256,
    size: u64,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        self.digest.update(&buffer[..length]);
        self.size += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "standard input";
    const FIRST: &str = "{\"sku\":\"A\"}\n";

    #[test]
    fn what_is_kept_is_read_twice() {
        let first = FIRST.len() as u64;
        for size in [first, MAX_IN_MEMORY, MAX_IN_MEMORY + 1, MAX_IN_MEMORY + 100_000] {
            let from = FIRST.as_bytes().chain(io::repeat(b' ').take(size - first));
            let (kept, scanned) = keep(from, NAME, Format::Jsonl, Mode::Set).expect("memory, or a temporary file");
            assert_eq!(matches!(kept, Kept::Memory(_)), size <= MAX_IN_MEMORY, "{size}");
            assert_eq!(scanned.size, size);
            for _ in 0..2 {
                assert_eq!(io::copy(&mut kept.read().expect("it"), &mut io::sink()).expect("all of it"), size);
            }
        }
    }

    /// A stream without an end, and how many bytes of it were read.
    struct Endless<'a>(&'a [u8], u64);

    impl Read for Endless<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.1 += length as u64;
            Ok(length)
        }
    }

    #[test]
    fn what_is_no_file_of_ours_is_not_kept() {
        for (text, format) in [("y\n", Format::Csv), ("\0", Format::Csv), ("[1,\n", Format::Jsonl)] {
            let mut endless = Endless(text.as_bytes(), 0);
            assert!(keep(&mut endless, NAME, format, Mode::Set).is_err(), "{text:?}");
            assert!(endless.1 < 1_000_000, "{text:?}: {}", endless.1);
        }
        let mut endless = Endless(FIRST.as_bytes(), 0);
        let error = keep(&mut endless, NAME, Format::Jsonl, Mode::Set).map(drop).map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("rows")));
        assert!(endless.1 < 2 * MAX_ROWS * FIRST.len() as u64, "{}", endless.1);
        let error = keep(io::empty(), NAME, Format::Jsonl, Mode::Set).map(drop).map_err(|error| error.to_string());
        assert_eq!(error, Err("standard input was empty".to_owned()));
    }
}
