//! The plan of faults, in a build that has them. It is a variable of tests and no setting of the server.

/// The plan of faults, which `FAULTS` holds; empty without it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is config")]
pub fn fault_plan() -> String {
    std::env::var("FAULTS").unwrap_or_default()
}
