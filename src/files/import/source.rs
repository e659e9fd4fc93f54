//! The file of an import: read once to see that it can be read at all, to count its rows and to give it a name, and
//! then once more to do what it says. Standard input is kept in memory meanwhile, or in a temporary file when it is large. It
//! changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::config::{Format, ImportSettings, Mode};
use domain::text::{self, MAX_REFERENCE_LENGTH};

use super::reader::RowReader;

/// Most rows of one file.
pub const MAX_ROWS: u64 = 1_000_000;

/// Most of standard input that is kept in memory, in bytes: an image without a folder for temporary files takes no more.
pub const MAX_IN_MEMORY: u64 = 32 * 1024 * 1024;

/// Most of standard input that is kept at all, in bytes: as many rows as there may be, of 4 KB each.
pub const MAX_KEPT: u64 = 4 * 1024 * 1024 * 1024;

const UNKEPT: &str = "a temporary file cannot be written";

/// How much of the digest of a file is its name: 128 bits, as hexadecimal digits.
const DIGEST_LENGTH: usize = 32;

/// What can be read more than once.
#[derive(Debug)]
enum Kept {
    File(File),
    Memory(Vec<u8>),
}

impl Kept {
    /// From the beginning.
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

/// What is known of a file once somebody has looked through it.
#[derive(Debug)]
struct Looked {
    /// Its size, in bytes.
    size: u64,
    rows: u64,
    digest: String,
}

/// A file that can be imported.
#[derive(Debug)]
pub struct Source {
    kept: Kept,
    format: Format,
    mode: Mode,
    /// Its size, in bytes.
    pub size: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Under this name each of its lines is done once.
    pub id: String,
    /// What the log names as the document.
    pub reference: Option<String>,
}

impl Source {
    /// Opens the file and reads through it.
    ///
    /// # Errors
    /// When it cannot be read, when its columns are not ours, or when it has too many rows or a row that is too long.
    pub fn open(settings: &ImportSettings) -> anyhow::Result<Self> {
        let (path, mode) = (settings.file.as_path(), settings.mode);
        let format = settings.format.or_else(|| format_of(path)).with_context(|| {
            format!("the ending of {} tells no format: say --format csv or --format jsonl", path.display())
        })?;
        let (kept, Looked { size, rows, digest }) = if path == Path::new("-") {
            keep(io::stdin().lock(), format, mode)?
        } else {
            let kept = Kept::File(open(path)?);
            let looked = look_through(kept.read().context("the file cannot be read")?, format, mode)?;
            (kept, looked)
        };
        let id = settings.id.clone().unwrap_or_else(|| format!("{}-{}", &digest[..DIGEST_LENGTH], code(mode)));
        let name = path.file_name().filter(|name| *name != "-").map(|name| name.to_string_lossy().into_owned());
        let name = name.map(|name| name.chars().take(MAX_REFERENCE_LENGTH).collect::<String>());
        let name = text::optional_line("reference", name.as_deref(), MAX_REFERENCE_LENGTH).ok().flatten();
        let reference = settings.reference.clone().or(name);
        Ok(Self { kept, format, mode, size, rows, id, reference })
    }

    /// Its rows, from the beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> anyhow::Result<RowReader<Box<dyn Read + Send + '_>>> {
        let from = self.kept.read().context("the file cannot be read again")?;
        RowReader::begin(from, self.format, self.mode)
    }

    /// What it is written in.
    pub const fn format(&self) -> Format {
        self.format
    }
}

/// What the ending of a file's name says about it.
#[must_use]
pub fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_ascii_lowercase().to_str()? {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

const fn code(mode: Mode) -> &'static str {
    match mode {
        Mode::Create => "create",
        Mode::Add => "add",
        Mode::Set => "set",
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !file.metadata().is_ok_and(|about| about.is_file()) {
        bail!("{} is not a file that can be read twice; hand it over as standard input", path.display());
    }
    Ok(file)
}

/// Keeps what is read of standard input, so that it can be read once more.
#[derive(Debug, Default)]
struct Keeper<R> {
    from: R,
    memory: Vec<u8>,
    /// Where everything is once it is too much for memory.
    file: Option<File>,
    size: u64,
}

impl<R> Keeper<R> {
    const fn new(from: R) -> Self {
        Self { from, memory: Vec::new(), file: None, size: 0 }
    }

    fn keep(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.size += bytes.len() as u64;
        if self.size > MAX_KEPT {
            bail!("standard input has more than {} GB; split it", MAX_KEPT / 1024 / 1024 / 1024);
        }
        if self.file.is_none() && self.size > MAX_IN_MEMORY {
            let mut file = tempfile::tempfile().with_context(|| {
                let most = MAX_IN_MEMORY / 1024 / 1024;
                format!(
                    "standard input has more than {most} MB, and there is no folder for temporary files: TMPDIR can name one"
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

/// Looks through standard input and keeps it meanwhile: what is no file of ours is refused before all of it is kept.
fn keep(from: impl Read, format: Format, mode: Mode) -> anyhow::Result<(Kept, Looked)> {
    let mut keeper = Keeper::new(from);
    let looked = look_through(&mut keeper, format, mode);
    if keeper.size == 0 && looked.is_ok() {
        bail!("standard input was empty");
    }
    Ok((keeper.kept(), looked?))
}

fn look_through(from: impl Read, format: Format, mode: Mode) -> anyhow::Result<Looked> {
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
    Ok(Looked { size: digested.size, rows: count, digest: format!("{:x}", digested.digest.finalize()) })
}

/// What is read of it goes into its digest.
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

    const FIRST: &str = "{\"sku\":\"A\"}\n";

    #[test]
    fn what_is_kept_is_read_twice() {
        let first = FIRST.len() as u64;
        for size in [first, MAX_IN_MEMORY, MAX_IN_MEMORY + 1, MAX_IN_MEMORY + 100_000] {
            let from = FIRST.as_bytes().chain(io::repeat(b' ').take(size - first));
            let (kept, looked) = keep(from, Format::Jsonl, Mode::Set).expect("memory, or a temporary file");
            assert_eq!(matches!(kept, Kept::Memory(_)), size <= MAX_IN_MEMORY, "{size}");
            assert_eq!(looked.size, size);
            for _ in 0..2 {
                assert_eq!(io::copy(&mut kept.read().expect("it"), &mut io::sink()).expect("all of it"), size);
            }
        }
    }

    /// What has no end, and how much of it was read.
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
            assert!(keep(&mut endless, format, Mode::Set).is_err(), "{text:?}");
            assert!(endless.1 < 1_000_000, "{text:?}: {}", endless.1);
        }
        let mut endless = Endless(FIRST.as_bytes(), 0);
        let error = keep(&mut endless, Format::Jsonl, Mode::Set).map(drop).map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("rows")));
        assert!(endless.1 < 2 * MAX_ROWS * FIRST.len() as u64, "{}", endless.1);
        let error = keep(io::empty(), Format::Jsonl, Mode::Set).map(drop).map_err(|error| error.to_string());
        assert_eq!(error, Err("standard input was empty".to_owned()));
    }
}
