//! Secrets that come in files, as Docker and Kubernetes hand them out: each secret has a second setting that ends in
//! `_FILE`. It must never repeat what is in such a file.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::CommandLine;
use super::given::plain;

/// Largest file with a secret, in bytes.
const MAX_SIZE: u64 = 64 * 1_024;

/// A secret that no message and no debug output repeats.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text. It must never be logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the secrets in the text, which are separated by white space.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split_whitespace()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A setting that takes what a file holds.
trait Slot {
    fn fill(&mut self, text: String);
}

impl Slot for Option<String> {
    fn fill(&mut self, text: String) {
        *self = Some(text);
    }
}

impl Slot for Option<Secret> {
    fn fill(&mut self, text: String) {
        *self = Some(Secret(text));
    }
}

/// Puts what the files hold into the settings that they stand for. `names` is what each flag was given by.
pub fn read(line: &mut CommandLine, names: &BTreeMap<String, String>, problems: &mut Vec<String>) {
    let (access, gateways) = (&mut line.access, &mut line.serve.gateways);
    let mut database_url = None;
    let pairs: [(&str, &mut dyn Slot, &Option<PathBuf>); 8] = [
        ("database-url", &mut database_url, &line.database_url_file),
        ("database-password", &mut line.database_password, &line.database_password_file),
        ("secret", &mut access.secret, &access.secret_file),
        ("secret-previous", &mut access.secret_previous, &access.secret_previous_file),
        ("metrics-token", &mut access.metrics_token, &access.metrics_token_file),
        ("stripe-secret-key", &mut gateways.stripe_secret_key, &gateways.stripe_secret_key_file),
        ("stripe-webhook-secret", &mut gateways.stripe_webhook_secret, &gateways.stripe_webhook_secret_file),
        ("http-gateway-secret", &mut gateways.http_gateway_secret, &gateways.http_gateway_secret_file),
    ];
    for (flag, value, file) in pairs {
        let Some(path) = file else { continue };
        let file = &names[&format!("{flag}-file")];
        match (names.get(flag), secret(path)) {
            (Some(name), _) => problems.push(format!("{name} and {file} are both set: set one of them")),
            (None, Ok(text)) => value.fill(text),
            (None, Err(reason)) => problems.push(format!("{file} is {:?}: {reason}", path.display().to_string())),
        }
    }
    let is_url_given = names.contains_key("database-url") || database_url.is_some();
    if let Some(url) = database_url {
        line.database_url = url;
    }
    let name = ["database-password", "database-password-file"].iter().find_map(|flag| names.get(*flag));
    if let (Some(name), Some(password)) = (name, &line.database_password) {
        match with_password(&line.database_url, password).filter(|_| is_url_given) {
            Some(url) => line.database_url = url,
            None => problems.push(format!(
                "{name} is the password of a PostgreSQL, and DATABASE_URL names none, or has a password already"
            )),
        }
    }
}

/// What a file holds, without the white space around it.
fn secret(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("this file cannot be read ({error})"))?;
    if file.metadata().is_ok_and(|file| file.is_dir()) {
        return Err("this is a folder; name the file".to_owned());
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_SIZE + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("this file cannot be read ({error})"))?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(format!("this file is larger than {MAX_SIZE} bytes, so it is no secret"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "this file is not UTF-8")?;
    plain(text.as_ref(), false)?.ok_or_else(|| "this file is empty".to_owned())
}

/// The address of a PostgreSQL with this password; `None` when it is none, or has one.
fn with_password(url: &str, password: &str) -> Option<String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = address.split('/').next().unwrap_or_default();
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if has_password || parameters.split('&').any(|parameter| parameter.starts_with("password=")) {
        return None;
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut url = format!("{url}{separator}password=");
    for byte in password.bytes() {
        // A string takes whatever is written to it.
        let _ = write!(url, "%{byte:02X}");
    }
    Some(url)
}
