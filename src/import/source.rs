//! The file of an import: read once to see that it can be read at all, to count its rows and to give it a name, and
//! then once more to do what it says. Standard input is kept in a temporary file meanwhile. It changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::config::{Format, ImportSettings, Mode};
use crate::domain::text::{self, MAX_REFERENCE_LENGTH};

use super::reader::RowReader;

/// Most rows of one file.
pub const MAX_ROWS: u64 = 1_000_000;

/// How much of the digest of a file is its name: 128 bits, as hexadecimal digits.
const DIGEST_LENGTH: usize = 32;

/// A file that can be imported.
#[derive(Debug)]
pub struct Source {
    file: File,
    format: Format,
    mode: Mode,
    /// Its size, in bytes.
    pub size: u64,
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
        let mut file = if path == Path::new("-") { kept_input()? } else { open(path)? };
        let (size, digest) = look_through(&mut file, format, mode)?;
        let id = settings.id.clone().unwrap_or_else(|| format!("{}-{}", &digest[..DIGEST_LENGTH], word(mode)));
        let name = path.file_name().filter(|name| *name != "-").map(|name| name.to_string_lossy().into_owned());
        let name = name.map(|name| name.chars().take(MAX_REFERENCE_LENGTH).collect::<String>());
        let name = text::optional_line("reference", name.as_deref(), MAX_REFERENCE_LENGTH).ok().flatten();
        let reference = settings.reference.clone().or(name);
        Ok(Self { file, format, mode, size, id, reference })
    }

    /// Its rows, from the beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn rows(&self) -> anyhow::Result<RowReader<&File>> {
        (&self.file).rewind().context("the file cannot be read again")?;
        RowReader::begin(&self.file, self.format, self.mode)
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

const fn word(mode: Mode) -> &'static str {
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

fn kept_input() -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("there is no place for a temporary file")?;
    io::copy(&mut io::stdin().lock(), &mut file).context("standard input cannot be read")?;
    file.rewind()?;
    Ok(file)
}

fn look_through(file: &mut File, format: Format, mode: Mode) -> anyhow::Result<(u64, String)> {
    let mut digested = Digested { file, digest: Sha256::new(), size: 0 };
    let mut rows = RowReader::begin(&mut digested, format, mode)?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
        if count > MAX_ROWS {
            bail!("the file has more than {MAX_ROWS} rows; split it");
        }
    }
    drop(rows);
    Ok((digested.size, format!("{:x}", digested.digest.finalize())))
}

/// What is read of it goes into its digest.
struct Digested<'a> {
    file: &'a mut File,
    digest: Sha256,
    size: u64,
}

impl Read for Digested<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.digest.update(&buffer[..length]);
        self.size += length as u64;
        Ok(length)
    }
}
