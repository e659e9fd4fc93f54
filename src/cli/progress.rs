//! Progress bars on standard error, for people at a terminal. Without a terminal there is none.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how many of these rows are done.
pub fn rows(count: u64) -> ProgressBar {
    bar(count, "{bar:40} {pos}/{len} rows, {eta} left")
}

/// Shows which part of a file of this size, in bytes, is done, and a message.
pub fn bytes(size: u64) -> ProgressBar {
    bar(size, "{bar:40} {percent}% {msg}, {eta} left")
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = if io::stderr().is_terminal() { ProgressBar::new(length) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
