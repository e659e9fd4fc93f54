//! The variables of libpq, which the driver of PostgreSQL reads by itself: those that it would misread, and those that it does
//! not read. It sets none.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// What libpq knows of encryption, from none to the strictest.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Variables of libpq that say which server is used and how it is trusted, and that are not read here.
const UNREAD: [&str; 7] = [
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGTARGETSESSIONATTRS",
    "PGCHANNELBINDING",
    "PGREQUIREAUTH",
    "PGSSLCRL",
    "PGGSSENCMODE",
];

/// Returns a sentence for each variable of libpq that the driver reads and would silently take for another value.
pub fn problems(variables: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let text = |name: &str| variables.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned());
    let mode = text("PGSSLMODE").filter(|mode| !SSL_MODES.contains(&mode.as_str()));
    let port = text("PGPORT").filter(|port| !matches!(port.parse::<u16>(), Ok(1..)));
    let mode = mode.map(|mode| format!("PGSSLMODE is {mode:?}: this is one of {}", SSL_MODES.join(", ")));
    mode.into_iter().chain(port.map(|port| format!("PGPORT is {port:?}: a port is a number from 1 to 65535"))).collect()
}

/// Returns a sentence for each variable of libpq that is set and that the driver does not read.
pub fn warnings(variables: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let set = UNREAD.iter().filter(|name| variables.contains_key(OsStr::new(name)));
    set.map(|name| format!("{name} is set, and it is not read here: what matters goes into DATABASE_URL")).collect()
}
