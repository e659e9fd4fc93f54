//! The address of a PostgreSQL: what libpq would understand of it is understood in the same way, and whatever is not is
//! refused by name. It connects to nothing, and repeats no password.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Parameters that the driver reads.
const READ: [&str; 12] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "user",
    "password",
    "dbname",
];

/// More of them, which say where the server is.
const PLACES: [&str; 3] = ["host", "hostaddr", "port"];

/// Parameters of libpq that change nothing here: every wait has a bound of its own, connections are named after what they
/// do, and nothing is sent in another encoding.
const WITHOUT_EFFECT: [&str; 14] = [
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslcompression",
    "sslsni",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "statement-cache-capacity",
];

/// Parameters that are taken with these values only, as they change nothing then.
const WITH_VALUE: [(&str, &[&str], &str); 6] = [
    (
        "target_session_attrs",
        &["any", "primary", "read-write"],
        "only a primary is used here, so it is primary, read-write or any",
    ),
    ("channel_binding", &["disable", "prefer"], "this release cannot bind the channel: leave it out, or say prefer"),
    ("gssencmode", &["disable", "prefer"], "this release does not speak GSSAPI: leave it out, or say disable"),
    ("sslnegotiation", &["postgres"], "this release asks for TLS as ever: leave it out, or say postgres"),
    ("load_balance_hosts", &["disable"], "there is one server to go to: leave it out"),
    ("client_encoding", &["auto", "utf8", "UTF8", "UTF-8"], "text is always UTF8: leave it out"),
];

/// What `sslmode` may be; the last two look at the certificate.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// The value of `sslrootcert` that means the public authorities.
const SYSTEM: &str = "system";

/// Longest name of a parameter that a message repeats.
const MAX_NAME: usize = 40;

/// Why a port is refused.
const NO_PORT: &str = "DATABASE_URL: port is a number from 1 to 65535";

/// Reads an address.
///
/// # Errors
/// When there is something in it that is not understood, or a file that it names cannot be read. What is wrong is told by
/// name, without what may be a password.
pub fn read(url: &str) -> anyhow::Result<PgConnectOptions> {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    if url.contains('#') || !address.contains("://") {
        bail!("{}", form());
    }
    // What stands before a raw @ is a password with a question mark in it.
    if parameters.contains('@') {
        bail!("{}", form());
    }
    let authority = address.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    one_host(hosts)?;
    if hosts.rsplit_once(':').is_some_and(|(_, port)| is_zero(port)) {
        bail!("{NO_PORT}");
    }
    let mut kept = Vec::new();
    let mut roots = Roots::default();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value);
        if is_read(name, &value, &mut roots)? {
            kept.push(parameter);
        }
    }
    let plain = if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
    let options: PgConnectOptions = plain.parse().ok().with_context(form)?;
    let options = roots.apply(options)?;
    files_are_there(&options)?;
    Ok(options.disable_statement_logging())
}

fn form() -> String {
    "DATABASE_URL must look like postgres://user:password@host/database, with characters such as @ / ? # % in the password \
     written as %40 and the like"
        .to_owned()
}

/// Which authorities are trusted, and how strictly.
#[derive(Default)]
struct Roots {
    mode: Option<String>,
    is_system: bool,
    /// Whether the address names a file, too.
    has_file: bool,
}

impl Roots {
    fn apply(self, options: PgConnectOptions) -> anyhow::Result<PgConnectOptions> {
        let mode = self.mode.as_deref();
        if self.is_system && !matches!(mode, None | Some("verify-full")) {
            bail!("DATABASE_URL: sslrootcert=system goes with sslmode=verify-full only");
        }
        if self.is_system && self.has_file {
            bail!("DATABASE_URL says sslrootcert=system and names a file as sslrootcert, too: leave one of them out");
        }
        if self.is_system && parameter(&options, "sslrootcert").is_some() {
            bail!("DATABASE_URL says sslrootcert=system, and PGSSLROOTCERT names a file: unset it");
        }
        if !self.is_system && parameter(&options, "sslrootcert").is_some_and(|file| path(&file) == Path::new(SYSTEM)) {
            bail!("PGSSLROOTCERT=system is not understood: write sslrootcert=system into DATABASE_URL");
        }
        let has_file = parameter(&options, "sslrootcert").is_some();
        Ok(match options.get_ssl_mode() {
            _ if self.is_system => options.ssl_mode(PgSslMode::VerifyFull),
            // The driver would not even try, and what libpq falls back to is what prefer begins with.
            PgSslMode::Allow => options.ssl_mode(PgSslMode::Prefer),
            // As libpq does where there is a file with authorities.
            PgSslMode::Require if has_file => options.ssl_mode(PgSslMode::VerifyCa),
            _ => options,
        })
    }
}

/// Whether a parameter is for the driver to read.
fn is_read(name: &str, value: &str, roots: &mut Roots) -> anyhow::Result<bool> {
    match name {
        "sslmode" | "ssl-mode" => {
            if !MODES.contains(&value) {
                bail!("DATABASE_URL: {name} is one of {}", MODES.join(", "));
            }
            roots.mode = Some(value.to_owned());
        }
        "sslrootcert" | "ssl-root-cert" | "ssl-ca" if value == SYSTEM => {
            roots.is_system = true;
            return Ok(false);
        }
        "sslrootcert" | "ssl-root-cert" | "ssl-ca" => roots.has_file = true,
        "host" | "hostaddr" => one_host(value)?,
        "port" if value.parse::<u16>().is_err() || is_zero(value) => bail!("{NO_PORT}"),
        _ => {}
    }
    if READ.contains(&name) || PLACES.contains(&name) || name == "options" || name.starts_with("options[") {
        return Ok(true);
    }
    if let Some((_, values, reason)) = WITH_VALUE.iter().find(|(known, ..)| *known == name) {
        if values.contains(&value) {
            return Ok(false);
        }
        bail!("DATABASE_URL: {name}: {reason}");
    }
    if WITHOUT_EFFECT.contains(&name) {
        return Ok(false);
    }
    // What does not look like a name may be a part of a password.
    let is_name =
        (1..=MAX_NAME).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphabetic() || "-_".contains(c));
    if !is_name {
        bail!("{}", form());
    }
    bail!("DATABASE_URL: {name} is no parameter that this release knows");
}

/// Whether this is a number, and nothing.
fn is_zero(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|digit| digit == b'0')
}

fn one_host(hosts: &str) -> anyhow::Result<()> {
    if hosts.contains(',') {
        bail!("DATABASE_URL names several hosts: name one that always leads to the primary");
    }
    Ok(())
}

/// Every file that is named can be read, and holds what it should: waiting makes none of them better.
fn files_are_there(options: &PgConnectOptions) -> anyhow::Result<()> {
    let checks_roots = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    let files = ["sslrootcert", "sslcert", "sslkey"].map(|name| (name, parameter(options, name)));
    if files[1].1.is_some() != files[2].1.is_some() {
        bail!("DATABASE_URL: sslcert and sslkey are given together");
    }
    for (name, file) in files {
        let Some(file) = file.filter(|file| !file.trim_start().starts_with("-----BEGIN")) else { continue };
        if name == "sslrootcert" && !checks_roots {
            continue;
        }
        let path = path(&file);
        let shown = path.display();
        let unread = || format!("DATABASE_URL: {name} names {shown}, which cannot be read");
        // It is not opened before it is known to be a file: a pipe would be waited for.
        let file = std::fs::metadata(&path).with_context(unread)?;
        if !file.is_file() {
            bail!("DATABASE_URL: {name} names {shown}, which is no file");
        }
        let text = std::fs::read(&path).with_context(unread)?;
        let (begin, what) =
            if name == "sslkey" { ("-----BEGIN", "key") } else { ("-----BEGIN CERTIFICATE", "certificate") };
        if !String::from_utf8_lossy(&text).contains(begin) {
            bail!("DATABASE_URL: {name} names {shown}, in which there is no {what} in the form of PEM");
        }
    }
    Ok(())
}

/// A parameter as the driver will use it, from the address or from a variable such as `PGSSLROOTCERT`.
fn parameter(options: &PgConnectOptions, name: &str) -> Option<String> {
    options.to_url_lossy().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The path in what the driver calls a file.
fn path(file: &str) -> PathBuf {
    PathBuf::from(file.strip_prefix("file: ").unwrap_or(file))
}

/// A value of an address without its escapes.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "postgres://shop:secret@db.internal/onhand";

    fn mode(parameters: &str) -> String {
        let options = read(&format!("{BASE}?{parameters}")).unwrap_or_else(|error| panic!("{parameters}: {error:#}"));
        format!("{:?}", options.get_ssl_mode())
    }

    #[test]
    fn what_libpq_understands_means_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let file = file.display().to_string().replace(' ', "%20");
        for (parameters, mode_of) in [
            ("sslmode=disable", "Disable"),
            ("sslmode=allow", "Prefer"),
            ("sslmode=verify-full", "VerifyFull"),
            ("sslrootcert=system", "VerifyFull"),
            ("sslmode=verify-full&sslrootcert=system", "VerifyFull"),
            ("sslmode=verify%2Dfull&sslrootcert=%73ystem", "VerifyFull"),
            ("target_session_attrs=read-write&connect_timeout=10&sslmode=require", "Require"),
            ("channel_binding=prefer&sslmode=require", "Require"),
            (&format!("sslmode=require&sslrootcert={file}"), "VerifyCa"),
            (&format!("sslmode=verify-full&sslrootcert={file}"), "VerifyFull"),
        ] {
            assert_eq!(mode(parameters), mode_of, "{parameters}");
        }
        for url in [
            "postgresql://db.internal/onhand",
            "postgres:///onhand?host=/var/run/postgresql&user=shop",
            "postgres://shop:p%40s%2Fs%23@db.internal:5433/onhand?options=-c%20search_path%3Dshop",
            "postgres://shop@%2Fvar%2Frun%2Fpostgresql/onhand",
        ] {
            assert!(read(url).is_ok(), "{url}: {:?}", read(url).map(|_| ()));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let private = folder.path().join("private.pem");
        std::fs::write(&private, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (parameters, name) in [
            ("sslmode=full", "sslmode"),
            ("sslmode=require&sslrootcert=system", "sslrootcert"),
            ("sslmode=verify-full&sslrootcert=/no/such/ca.crt", "/no/such/ca.crt"),
            (&format!("sslmode=verify-ca&sslrootcert={}", folder.path().display()), "no file"),
            (&format!("sslmode=verify-ca&sslrootcert={}", empty.display()), "PEM"),
            ("sslmode=require&sslcert=/no/such.crt&sslkey=/no/such.key", "sslcert"),
            ("sslcert=/no/such.crt", "together"),
            ("target_session_attrs=standby", "target_session_attrs"),
            ("channel_binding=require", "channel_binding"),
            ("gssencmode=require", "gssencmode"),
            ("pgbouncer=true", "pgbouncer"),
            ("sslcrl=/etc/crl.pem", "sslcrl"),
            ("host=a,b", "several hosts"),
            ("port=many", "port"),
            ("port=0", "port"),
            ("sslrootcert=system&sslrootcert=/etc/ca.crt", "leave one of them out"),
            (&format!("sslmode=verify-ca&sslrootcert={}", private.display()), "no certificate"),
            (&format!("sslmode=verify-ca&sslrootcert={}", pipe.display()), "no file"),
            (&format!("sslmode=require&sslcert=/dev/null&sslkey={}", private.display()), "/dev/null, which is no file"),
        ] {
            let error = read(&format!("{BASE}?{parameters}")).map(|_| ()).map_err(|error| format!("{error:#}"));
            let error = error.expect_err(parameters);
            assert!(error.contains("DATABASE_URL") && error.contains(name), "{parameters}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        for url in [
            "postgres://shop:secret@a,b/onhand",
            "postgres://shop:secret@a:5432,b:5432/onhand",
            "postgres://shop:se#cret@db/onhand",
            "postgres://shop:secret@db:port/onhand",
            "postgres:secret@",
            "postgres://shop:secret@db:0/onhand",
            "postgres://shop:ab?secret@db/onhand",
            "postgres://shop:ab?x=secret@db/onhand",
            "postgres://shop:pw@db/onhand?secret1",
            "postgres://shop:pw@db/onhand?secret!=1",
        ] {
            let error = read(url).map(|_| ()).map_err(|error| format!("{error:#}")).expect_err(url);
            assert!(error.contains("DATABASE_URL") && !error.contains("secret") && !error.contains("cret@"), "{error}");
        }
    }
}
