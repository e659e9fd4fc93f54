//! Translates arguments of the command line into the types of the modules that do the work. It reads nothing.

use crate::config::{self, ExportSettings, Exported};
use crate::files;
use crate::files::export::Export;
use crate::files::import::Mode;

impl From<config::Format> for files::Format {
    fn from(format: config::Format) -> Self {
        match format {
            config::Format::Csv => Self::Csv,
            config::Format::Jsonl => Self::Jsonl,
        }
    }
}

impl From<config::Mode> for Mode {
    fn from(mode: config::Mode) -> Self {
        match mode {
            config::Mode::Create => Self::Create,
            config::Mode::Add => Self::Add,
            config::Mode::Set => Self::Set,
        }
    }
}

impl From<&ExportSettings> for Export {
    fn from(settings: &ExportSettings) -> Self {
        match settings.what {
            Exported::Products => Self::Products { archived: settings.archived },
            Exported::Log => Self::Log,
        }
    }
}
