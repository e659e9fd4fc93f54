//! Whether orders hold their units before they are paid, and for how long. Nothing is held here.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{shown, within};

/// Lengths of a hold that can be set.
const HOLD_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(30 * 24);

/// Holds of orders that are not paid yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[command(next_help_heading = "Holds")]
pub struct HoldSettings {
    /// Which orders hold their units from check-out on, before they are paid: `requested`, those whose `checkOut` says `hold:
    /// true`; `always`, all whose `checkOut` does not say `hold: false`; `never`, none. Whoever holds units keeps others from
    /// buying them, also a guest who never pays.
    #[arg(
        long,
        env = "ONHAND_HOLDS",
        value_name = "WHICH",
        default_value = "requested",
        ignore_case = true,
        global = true
    )]
    pub holds: Holds,

    /// How long a hold lasts. Beginning to pay makes it last as long again from then on.
    #[arg(long, env = "ONHAND_HOLD_TIME", value_name = shown(&HOLD_TIME), default_value = "15m", value_parser = within(HOLD_TIME), global = true)]
    pub hold_time: Duration,
}

/// Which orders hold their units before they are paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Holds {
    /// None.
    Never,
    /// Those whose check-out asks for it.
    Requested,
    /// All whose check-out does not ask against it.
    Always,
}

impl Default for HoldSettings {
    fn default() -> Self {
        Self { holds: Holds::Requested, hold_time: Duration::from_mins(15) }
    }
}

impl HoldSettings {
    /// Returns the settings with which no order holds its units.
    #[must_use]
    pub fn never() -> Self {
        Self { holds: Holds::Never, ..Self::default() }
    }

    /// Returns how long an order holds its units; `None` if it does not. `requested` is what its check-out says.
    #[must_use]
    pub fn of_order(&self, requested: Option<bool>) -> Option<Duration> {
        let is_held = match self.holds {
            Holds::Never => false,
            Holds::Requested => requested.unwrap_or(false),
            Holds::Always => requested.unwrap_or(true),
        };
        is_held.then_some(self.hold_time)
    }
}
