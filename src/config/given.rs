//! Reads the command line and the environment: every value is trimmed, an empty one is as if it had not been given, and
//! whatever makes no sense is refused by the name of its setting, all of it at once. It must never repeat a secret.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::{CommandLine, LogFormat, libpq, removed, secrets};

/// What every variable of ours begins with, except those of the database.
pub const PREFIX: &str = "ONHAND_";

/// What asks for help or for the version.
const HELP: [&str; 5] = ["help", "--help", "-h", "--version", "-V"];

/// Longest value that a message repeats, in characters.
const MAX_REPEATED: usize = 80;

/// How alike two names are, from 0 to 1, when one may be a typing error for the other.
const ALIKE: f64 = 0.85;

/// Settings that make sense each by itself, and what is odd about the others.
#[derive(Debug)]
pub struct Given {
    /// The settings.
    pub line: CommandLine,
    /// Sentences for the log: names that are no settings, or not any more.
    pub warnings: Vec<String>,
}

/// Why there are no settings.
#[derive(Debug)]
pub enum NotGiven {
    /// Help or the version was asked for, or the command line is no command line of ours. It knows how to say so.
    Usage(clap::Error, LogFormat),
    /// Settings that make no sense, a sentence each.
    Refused(Vec<String>, LogFormat),
}

impl CommandLine {
    /// Reads the arguments and the environment of this process.
    ///
    /// # Errors
    /// When help was asked for, or something makes no sense.
    #[expect(clippy::disallowed_methods, reason = "this is config")]
    pub fn given() -> Result<Given, NotGiven> {
        Self::read(std::env::args_os(), std::env::vars_os())
    }

    /// Reads arguments, the first of which is the program's name, and variables.
    ///
    /// # Errors
    /// When help was asked for, or something makes no sense.
    pub fn read(
        arguments: impl IntoIterator<Item = OsString>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Given, NotGiven> {
        let shown = Self::command();
        let settings: Vec<Setting> = shown.get_arguments().filter_map(Setting::of).collect();
        let plain = shown.clone().mut_args(|argument| argument.env(Resettable::Reset));
        let variables: BTreeMap<OsString, OsString> = variables.into_iter().collect();
        let mut arguments = arguments.into_iter();
        let program = arguments.next().unwrap_or_else(|| "onhand".into());
        let mut reading = Reading { plain, given: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        let rest = reading.arguments(&settings, arguments.collect());
        let line = [vec![program.clone()], rest.clone()].concat();
        if rest.iter().any(|argument| HELP.iter().any(|help| argument == help))
            && let Err(error) = shown.try_get_matches_from(&line)
            && matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
        {
            return Err(NotGiven::Usage(error, LogFormat::Text));
        }
        reading.variables(&settings, &variables);
        let format = reading.log_format();
        let line = [vec![program], reading.flags(), rest].concat();
        let Reading { plain, given, mut problems, mut warnings } = reading;
        if !problems.is_empty() {
            return Err(NotGiven::Refused(problems, format));
        }
        let matches = plain.try_get_matches_from(line);
        let parsed = matches.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches));
        let mut line = parsed.map_err(|error| NotGiven::Usage(error, format))?;
        let names = given.into_iter().map(|(flag, given)| (flag, given.name)).collect();
        secrets::read(&mut line, &names, &mut problems);
        let is_postgres = line.database_url.starts_with("postgres");
        warnings.extend(unknown(&settings, &variables));
        if is_postgres {
            problems.extend(libpq::problems(&variables));
            warnings.extend(libpq::warnings(&variables));
        }
        if !problems.is_empty() {
            return Err(NotGiven::Refused(problems, format));
        }
        Ok(Given { line, warnings })
    }
}

/// What can be set by a flag and by a variable.
struct Setting {
    flag: String,
    variable: String,
    is_secret: bool,
    is_list: bool,
}

impl Setting {
    fn of(argument: &Arg) -> Option<Self> {
        Some(Self {
            flag: argument.get_long()?.to_owned(),
            variable: argument.get_env()?.to_str()?.to_owned(),
            is_secret: argument.is_hide_env_values_set(),
            is_list: argument.get_value_delimiter().is_some(),
        })
    }
}

/// The value of a setting, and what gave it: a flag or a variable.
struct Value {
    name: String,
    text: String,
}

struct Reading {
    /// The command without its variables, which are read here.
    plain: Command,
    /// By flag.
    given: BTreeMap<String, Value>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Reading {
    /// Takes the settings out of the arguments; returns the others.
    fn arguments(&mut self, settings: &[Setting], arguments: Vec<OsString>) -> Vec<OsString> {
        let mut rest = Vec::new();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(argument) = arguments.next() {
            let text = argument.to_string_lossy();
            if text == "--" {
                rest.push(argument);
                rest.extend(arguments);
                break;
            }
            let (flag, value) = text.split_once('=').map_or((&*text, None), |(flag, value)| (flag, Some(value)));
            let setting = flag.strip_prefix("--").and_then(|flag| settings.iter().find(|setting| setting.flag == flag));
            let is_flag = |next: &OsString| next.to_string_lossy().starts_with("--");
            let is_command = |next: &OsString| CommandLine::command().find_subcommand(next).is_some();
            let Some(setting) = setting else {
                let Some(warning) = removed::warning(flag) else {
                    rest.push(argument);
                    continue;
                };
                self.warnings.push(warning);
                if value.is_none() {
                    // Its value goes with it; a command after it stays.
                    arguments.next_if(|next| !is_flag(next) && !is_command(next));
                }
                continue;
            };
            let value = match value {
                Some(value) => OsString::from(value),
                // What has no value is told by the parser.
                None if arguments.peek().is_none_or(is_flag) => {
                    rest.push(argument);
                    continue;
                }
                None => arguments.next().unwrap_or_default(),
            };
            let name = format!("--{}", setting.flag);
            let value = self.joined(setting, &name, value);
            self.take(setting, name, &value);
        }
        rest
    }

    /// Returns the value of a flag that may have been given before: only a list goes on.
    fn joined(&mut self, setting: &Setting, name: &str, value: OsString) -> OsString {
        let Some(before) = self.given.get(&setting.flag) else { return value };
        if !setting.is_list {
            self.problems.push(format!("{name} is given twice"));
            return value;
        }
        let mut list = OsString::from(format!("{},", before.text));
        list.push(value);
        list
    }

    /// Takes the settings that no argument gives.
    fn variables(&mut self, settings: &[Setting], variables: &BTreeMap<OsString, OsString>) {
        for setting in settings.iter().filter(|setting| !setting.variable.is_empty()) {
            let value = variables.get(OsStr::new(&setting.variable));
            if let Some(value) = value.filter(|_| !self.given.contains_key(&setting.flag)) {
                self.take(setting, setting.variable.clone(), value);
            }
        }
    }

    fn take(&mut self, setting: &Setting, name: String, value: &OsStr) {
        let text = match plain(value, setting.is_list) {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(reason) => return self.problems.push(format!("{name}: {reason}")),
        };
        if let Some(reason) = self.refusal(&setting.flag, &text) {
            let repeated: String = text.chars().take(MAX_REPEATED).collect();
            let told = if setting.is_secret { name.clone() } else { format!("{name} is {repeated:?}") };
            self.problems.push(format!("{told}: {reason}"));
        }
        self.given.insert(setting.flag.clone(), Value { name, text });
    }

    /// Why this value of a flag makes no sense, if it makes none.
    fn refusal(&self, flag: &str, text: &str) -> Option<String> {
        let argument = self.plain.get_arguments().find(|argument| argument.get_long() == Some(flag))?;
        let alone = Command::new("onhand").arg(argument.clone());
        let error = alone.try_get_matches_from(["onhand".into(), format!("--{flag}={text}")]).err()?;
        if let Some(source) = error.source() {
            return Some(source.to_string());
        }
        match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) => Some(format!("this is one of {}", words.join(", "))),
            _ => Some("this makes no sense".to_owned()),
        }
    }

    /// What is given, as flags.
    fn flags(&self) -> Vec<OsString> {
        self.given.iter().map(|(flag, value)| format!("--{flag}={}", value.text).into()).collect()
    }

    /// How the log is to look, as far as that is known.
    fn log_format(&self) -> LogFormat {
        let is_json = self.given.get("log-format").is_some_and(|given| given.text.eq_ignore_ascii_case("json"));
        if is_json { LogFormat::Json } else { LogFormat::Text }
    }
}

/// The value without the white space around it; `None` when nothing is left.
pub fn plain(value: &OsStr, is_list: bool) -> Result<Option<String>, String> {
    let text = value.to_str().ok_or("this is not UTF-8")?.trim_matches(is_blank);
    let is_quoted = |mark: char| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
    if ['"', '\''].into_iter().any(is_quoted) {
        return Err("the quotation marks are part of this value: leave them out".to_owned());
    }
    if is_list {
        let parts: Vec<&str> = text
            .split([',', '\n', '\r'])
            .map(|part| part.trim_matches(is_blank))
            .filter(|part| !part.is_empty())
            .collect();
        return Ok((!parts.is_empty()).then(|| parts.join(",")));
    }
    if text.chars().any(char::is_control) {
        return Err("a line break, or another control character, is in the middle of this value".to_owned());
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// White space, and the mark that some editors put at the beginning of a file.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

/// Returns a sentence for each variable that looks like a setting and is none, or none any more.
fn unknown(settings: &[Setting], variables: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let names = variables.keys().filter_map(|name| name.to_str());
    let is_empty =
        |name: &str| variables.get(OsStr::new(name)).is_some_and(|value| matches!(plain(value, true), Ok(None)));
    let is_known = |name: &&str| settings.iter().any(|setting| setting.variable == **name);
    let is_near = |name: &str| name.to_ascii_uppercase().starts_with(PREFIX);
    let odd = names.filter(|name| is_near(name)).filter(|name| !is_known(name) && !is_of_a_service(name));
    odd.filter_map(|name| match (removed::warning(name), nearest(settings, name)) {
        (Some(warning), _) => (!is_empty(name)).then_some(warning),
        (None, Some(near)) => Some(format!("{name} is no setting of this release: is {near} meant?")),
        (None, None) => Some(format!("{name} is no setting of this release")),
    })
    .collect()
}

/// Kubernetes tells each container of services by such names, and a service may well be called onhand.
fn is_of_a_service(name: &str) -> bool {
    name.contains("_SERVICE_") || name.contains("_PORT_") || name.ends_with("_PORT")
}

/// The setting whose name is most like this one.
fn nearest<'a>(settings: &'a [Setting], name: &str) -> Option<&'a str> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix(PREFIX)?;
    let likeness = |setting: &'a Setting| {
        let variable = setting.variable.strip_prefix(PREFIX)?;
        let is_part = name.starts_with(&format!("{variable}_")) || variable.ends_with(&format!("_{name}"));
        let spelled = strsim::normalized_damerau_levenshtein(variable, name).max(strsim::jaro(variable, name));
        Some((if is_part { spelled.max(ALIKE) } else { spelled }, setting))
    };
    let (likeness, setting) = settings.iter().filter_map(likeness).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= ALIKE).then_some(&setting.variable)
}
