//! What `onhand import` and `onhand export` are told on the command line. It reads no file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use domain::text::{self, MAX_NAME_LENGTH, MAX_REFERENCE_LENGTH};

/// Longest name that a run of an import is given, in characters.
pub const MAX_RUN_LENGTH: usize = 100;

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Values with commas in between, the names of the columns in the first line.
    Csv,
    /// One JSON object in each line.
    Jsonl,
}

/// What an import does with each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Make products that are not there. One that is there already must be as the row says, or the row is refused.
    Create,
    /// Add `stock` units to products that are there.
    Add,
    /// Set the total of products that are there to `stock`, and the other columns that are given.
    Set,
}

/// What to import, and how.
#[derive(Debug, Clone, Args)]
pub struct ImportSettings {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// What is done with each row.
    #[arg(long)]
    pub mode: Mode,
    /// What the file is written in; told by its ending unless given.
    #[arg(long)]
    pub format: Option<Format>,
    /// Show what each row would do, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result of every row, not only of those that were refused or whose product is archived.
    #[arg(long)]
    pub all: bool,
    /// Where the result of every row is written; then standard output has none. `-` is standard output.
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// Who does it, in the log; `system` unless given.
    #[arg(long, value_parser = actor)]
    pub actor: Option<String>,
    /// The document that the log names; the file's name unless given.
    #[arg(long, value_parser = reference)]
    pub reference: Option<String>,
    /// A name for this import: a line is done once under it, however often it is run within 24 hours. Unless given it is
    /// made of the file's content and the mode.
    #[arg(long, value_parser = run)]
    pub id: Option<String>,
}

/// What to export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Exported {
    /// The products with their stock, in the columns that an import takes.
    Products,
    /// Every stock transaction, the oldest first.
    Log,
}

/// What to export, and how.
#[derive(Debug, Clone, Args)]
pub struct ExportSettings {
    /// What to write.
    #[arg(default_value = "products")]
    pub what: Exported,
    /// What it is written in; told by the ending of the output unless given, otherwise CSV.
    #[arg(long)]
    pub format: Option<Format>,
    /// The file that is written instead of standard output, which is `-`. It appears when it is whole.
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Products that are archived, too.
    #[arg(long)]
    pub archived: bool,
}

fn actor(text: &str) -> Result<String, String> {
    line("actor", text, MAX_NAME_LENGTH)
}

fn reference(text: &str) -> Result<String, String> {
    line("reference", text, MAX_REFERENCE_LENGTH)
}

fn run(text: &str) -> Result<String, String> {
    line("id", text, MAX_RUN_LENGTH)
}

fn line(field: &str, text: &str, max: usize) -> Result<String, String> {
    text::line(field, text, max).map_err(|rejection| rejection.message)
}
