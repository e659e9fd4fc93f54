//! The README's tables of settings are written from `src/config`, so that each setting is described once, and its table of
//! fixed limits agrees with the constants. Nothing here tells how the server must behave.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, CommandFactory};
use onhand::config::CommandLine;

const README: &str = "README.md";

/// The comment above the table of settings that are no limits.
const SETTINGS: &str = "<!-- Settings: written by tests/settings_tables.rs from src/config. -->\n";
/// The comment above the tables of limits.
const LIMITS: &str = "<!-- Limits: written by tests/settings_tables.rs from src/config. -->\n";
/// The comment below either.
const END: &str = "<!-- End of what is written. -->\n";

#[test]
fn the_tables_of_settings_are_those_of_the_code() {
    let committed = fs::read_to_string(root().join(README)).expect("a README");
    let written = replaced(&committed, SETTINGS, &settings());
    let written = replaced(&written, LIMITS, &limits());
    if written != committed {
        fs::write(root().join(README), written).expect("README.md can be written");
        panic!("README.md did not have the settings of src/config. It has been rewritten: review and commit it.");
    }
}

/// The README says so, and leaves the flags out.
#[test]
fn each_flag_is_its_variable_in_other_letters() {
    for setting in all() {
        let variable = variable(&setting);
        let flag = variable.strip_prefix("ONHAND_").unwrap_or(&variable).to_ascii_lowercase().replace('_', "-");
        assert_eq!(setting.get_long(), Some(flag.as_str()), "{variable}");
    }
}

#[test]
fn the_fixed_limits_are_the_constants() {
    let readme = fs::read_to_string(root().join(README)).expect("a README");
    let mut rows = readme.lines().skip_while(|line| !line.starts_with("| What | At most | Beyond that | Constant |"));
    let mut checked = 0;
    for row in rows.by_ref().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let spans: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        let &[name, file] = spans.as_slice() else { panic!("README.md: {row} must name a constant and its file") };
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let value = source.split(&format!("const {name}:")).nth(1);
        let value = value.and_then(|rest| rest.split(';').next()?.split_once('=')).unwrap_or_else(|| {
            panic!("README.md: there is no `{name}` in {file} any more; say where \"{}\" is bounded now", cells[0])
        });
        let value = value.1.trim();
        // A constant that is made of others, or a part that is told in words, is not compared.
        if let (Some(value), Some(told)) = (evaluated(value), read(cells[1])) {
            assert_eq!(value, told, "README.md: \"{}\" is {value} in {file}", cells[0]);
            checked += 1;
        }
    }
    assert!(checked > 55, "only {checked} limits were compared");
}

#[test]
fn the_defaults_that_other_files_name_are_those_of_the_code() {
    for (file, before, flag, after) in [
        ("deploy/prometheus-rules.yml", "The default of ONHAND_MAX_SOCKETS is ", "max-sockets", ":"),
        ("deploy/prometheus-rules.yml", "The default of ONHAND_MAX_CONNECTIONS is ", "max-connections", ":"),
        ("docs/operations.md", "within `ONHAND_WAIT_DRAIN` (", "wait-drain", ")"),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let told = text.split(before).nth(1).and_then(|rest| rest.split(after).next());
        let told = told.unwrap_or_else(|| panic!("{file} must say \"{before}...\""));
        let setting = all().into_iter().find(|setting| setting.get_long() == Some(flag)).expect("a setting");
        let default = default(&setting).trim_matches('`').replace('_', "");
        assert_eq!(told.replace([',', ' '], ""), default, "{file}: {before}...");
    }
}

/// Returns the value of a constant's source: a product of numbers, or a time in milliseconds.
fn evaluated(source: &str) -> Option<u64> {
    let whole = source.strip_prefix("NonZeroUsize::new(").and_then(|rest| rest.strip_suffix(").unwrap()"));
    let source = whole.unwrap_or(source);
    let time = source.strip_prefix("Duration::from_").and_then(|rest| rest.strip_suffix(')')?.split_once('('));
    let unit = match time {
        None | Some(("millis", _)) => 1,
        Some(("secs", _)) => 1_000,
        Some(("mins", _)) => 60_000,
        Some(_) => return None,
    };
    let factors = time.map_or(source, |(_, number)| number).split(" * ");
    let numbers: Option<Vec<u64>> = factors.map(|factor| factor.replace('_', "").parse().ok()).collect();
    Some(unit * numbers?.iter().product::<u64>())
}

/// Returns the number that a cell begins with, in bytes or milliseconds where it has such a unit.
fn read(cell: &str) -> Option<u64> {
    let (number, rest) = cell.split_at(cell.find(|c: char| !(c.is_ascii_digit() || c == ',')).unwrap_or(cell.len()));
    let unit = match rest.trim_start().split([' ', ',', ';']).next()? {
        "kB" => 1_024,
        "MB" => 1_024 * 1_024,
        // Points are counted in thousandths.
        "s" | "points" => 1_000,
        _ => 1,
    };
    Some(unit * number.replace(',', "").parse::<u64>().ok()?)
}

/// The text between a comment and the end, replaced by this.
fn replaced(text: &str, start: &str, table: &str) -> String {
    let (before, rest) = text.split_once(start).unwrap_or_else(|| panic!("{README} needs a line {start}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{README} needs a line {END}"));
    format!("{before}{start}\n{table}\n{END}{after}")
}

fn all() -> Vec<Arg> {
    let settings = CommandLine::command().get_arguments().cloned().collect::<Vec<_>>();
    settings.into_iter().filter(|setting| !["help", "version"].contains(&setting.get_id().as_str())).collect()
}

/// Whether `-h` leaves it out.
fn is_limit(setting: &Arg) -> bool {
    setting.is_hide_short_help_set()
}

fn settings() -> String {
    let mut table = "| Variable | Default | Values | Meaning |\n|---|---|---|---|\n".to_owned();
    for setting in all().iter().filter(|setting| !is_limit(setting)) {
        let (meaning, beyond) = meaning(setting);
        assert!(beyond.is_empty(), "{}: only limits have a second paragraph", variable(setting));
        let (default, values) = (default(setting), values(setting));
        // A text takes whatever is written to it.
        let _ = writeln!(table, "| `{}` | {default} | {values} | {meaning} |", variable(setting));
    }
    table
}

fn limits() -> String {
    let (mut tables, mut heading) = (String::new(), String::new());
    for setting in all().iter().filter(|setting| is_limit(setting)) {
        let own = setting.get_help_heading().unwrap_or_default();
        if own != heading {
            own.clone_into(&mut heading);
            let space = if tables.is_empty() { "" } else { "\n" };
            let columns = "| Variable | Default | Values | Meaning | Beyond that |\n|---|---|---|---|---|";
            let _ = writeln!(tables, "{space}### {heading}\n\n{columns}");
        }
        let (meaning, beyond) = meaning(setting);
        assert!(!beyond.is_empty(), "{}: its second paragraph says what happens beyond it", variable(setting));
        let (default, values) = (default(setting), values(setting));
        let _ = writeln!(tables, "| `{}` | {default} | {values} | {meaning} | {beyond} |", variable(setting));
    }
    tables
}

fn variable(setting: &Arg) -> String {
    let variable = setting.get_env().and_then(|name| name.to_str());
    variable.unwrap_or_else(|| panic!("src/config: `{}` needs a variable", setting.get_id())).to_owned()
}

fn default(setting: &Arg) -> String {
    let default = setting.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    default.map_or_else(|| "-".to_owned(), |value| format!("`{value}`"))
}

/// The values that it takes: a range, the words, or what they are.
fn values(setting: &Arg) -> String {
    let words: Vec<String> =
        setting.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    let name = setting.get_value_names().unwrap_or_default().first();
    let name = name.unwrap_or_else(|| panic!("src/config: `{}` needs a value_name", setting.get_id())).to_string();
    match name.split_once("..") {
        Some((least, most)) => format!("`{least}` to `{most}`"),
        // Signs for values, as in `<FILE or URL>`, and not the `N` of a form.
        None if !name.contains(':') => name.to_ascii_lowercase(),
        None => name,
    }
}

/// The paragraphs of its comment: what it means, and for a limit what happens beyond it.
fn meaning(setting: &Arg) -> (String, String) {
    let sentence = |text: &str| format!("{}.", text.replace('\n', " ").trim().trim_end_matches('.'));
    let short = setting.get_help().unwrap_or_else(|| panic!("say what `{}` means", setting.get_id())).to_string();
    let long = setting.get_long_help().map(ToString::to_string).unwrap_or_default();
    let beyond = long.split_once("\n\n").map(|(_, beyond)| sentence(beyond)).unwrap_or_default();
    (sentence(&short), beyond.trim_end_matches('.').to_owned())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
