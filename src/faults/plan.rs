//! Reads a plan: `NAME=VALUE` parts, separated by semicolons.
//!
//! `abort=POINT:N` ends the process at the Nth time at that point, `breach=NAME` breaks a promise, `clock=MS` has the
//! clock jump by as much.

use anyhow::{Context, bail};

use super::points::{Planned, plan};
use super::{Breach, Point, plan_breach, plan_jumps};

/// Takes a plan.
///
/// # Errors
/// When it makes no sense.
pub fn take(text: &str) -> anyhow::Result<()> {
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').with_context(|| format!("`{part}` is no part of a plan"))?;
        match name {
            "abort" => {
                let (point, times) = at(value)?;
                plan(point, Planned::Abort(times.max(1)));
            }
            "breach" => {
                let breach = Breach::ALL.iter().find(|breach| breach.name() == value);
                plan_breach(*breach.with_context(|| format!("there is no breach `{value}`"))?);
            }
            "clock" => plan_jumps(value.parse()?),
            _ => bail!("`{name}` is no part of a plan"),
        }
    }
    Ok(())
}

fn at(value: &str) -> anyhow::Result<(Point, u32)> {
    let (name, number) = value.split_once(':').with_context(|| format!("`{value}` names no point and number"))?;
    let point = Point::ALL.iter().find(|point| point.name() == name);
    Ok((*point.with_context(|| format!("there is no point `{name}`"))?, number.parse()?))
}
