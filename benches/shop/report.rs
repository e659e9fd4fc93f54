//! The result: a table on standard output, and JSON and a chart as files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::chart;
use crate::figures::{Figure, Figures, short};
use crate::machine::Machine;

/// Everything that a reader needs.
pub struct Report<'a> {
    /// All repeats.
    pub figures: &'a Figures,
    /// Where.
    pub machine: &'a Machine,
    /// How.
    pub command: &'a str,
    /// Number of repeats.
    pub repeats: usize,
    /// Whether the server was built as it is released.
    pub is_release: bool,
}

impl Report<'_> {
    /// Prints the table and writes the files.
    #[expect(clippy::print_stdout, reason = "a bench prints what it measures")]
    pub fn publish(&self, is_for_docs: bool) -> Result<()> {
        let medians = self.figures.medians();
        println!("\n{}", table(&medians));
        for line in self.notes() {
            println!("{line}");
        }
        let folder = folder();
        fs::create_dir_all(&folder)?;
        let text = json!({
            "command": self.command,
            "is_release": self.is_release,
            "machine": self.machine,
            "repeats": self.repeats,
            "medians": medians.iter().map(|figure| with_ratio(figure, &medians)).collect::<Vec<_>>(),
            "all": self.figures,
        });
        fs::write(folder.join("shop.json"), format!("{text:#}\n"))?;
        let chart = chart::draw(&medians, &self.notes());
        fs::write(folder.join("shop.svg"), &chart)?;
        println!("written to {}: shop.json, shop.svg", folder.display());
        if is_for_docs {
            fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmark.svg"), chart)?;
            println!("written: docs/benchmark.svg");
        }
        Ok(())
    }

    /// What stands below the figures.
    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("`{}`, medians of {}", self.command, self.repeats), self.machine.line()];
        if !self.is_release {
            notes.push("The server is not a release build: these figures say nothing about its speed.".to_owned());
        }
        if cfg!(debug_assertions) {
            notes.push("The load client and the limits are not release builds: the ratios say nothing.".to_owned());
        }
        if self.machine.is_in_memory() {
            notes.push("The databases lay in memory: a commit cost nothing.".to_owned());
        }
        notes
    }
}

/// The folder of the files.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    target.unwrap_or_else(|| Path::new("target")).join("bench")
}

fn with_ratio(figure: &Figure, medians: &Figures) -> serde_json::Value {
    let mut value = json!(figure);
    value["ratio"] = json!(medians.ratio(figure));
    value
}

/// The figures in columns.
fn table(medians: &Figures) -> String {
    let head = ["", "", "value", "", "p50 ms", "p99 ms", "server", "database", "client", "ratio", "beside"];
    let mut rows = vec![head.map(str::to_owned)];
    for figure in medians.iter() {
        let optional = |value: Option<f64>| value.map_or_else(String::new, short);
        let cores =
            |of: fn(&crate::usage::Cpu) -> f64| figure.cores.as_ref().map_or_else(String::new, |all| short(of(all)));
        let ratio = medians.ratio(figure).map_or_else(String::new, |ratio| format!("{} x", short(ratio)));
        let beside = figure.beside.filter(|_| !ratio.is_empty()).map_or("", |(_, work)| work);
        rows.push([
            figure.database.to_owned(),
            figure.work.to_owned(),
            short(figure.value),
            figure.unit.to_owned(),
            optional(figure.p50),
            optional(figure.p99),
            cores(|all| all.server),
            cores(|all| all.database),
            cores(|all| all.client),
            ratio,
            beside.to_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let is_text = [0, 1, 3, 10].contains(&column);
            if is_text { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    });
    lines.collect::<String>() + "server, database, client: cores that were busy\n"
}
