//! The tokens of the sandbox. Nothing but the sandbox may know what they mean.

use std::time::Duration;

use domain::rejection::Rejection;
use domain::sandbox::Fate;

/// Maximum delay in a token, in milliseconds: ten minutes.
const MAX_DELAY: u64 = 600_000;

/// What a token makes the sandbox do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// `succeed`, or no token: charges.
    Succeed,
    /// `decline`: charges nothing.
    Decline,
    /// `delay:MS` or `delay:MS:decline`: answers after this time.
    Delay(Duration, Fate),
    /// `never`: never answers, and the charge stays pending; `never:charged`, `never:declined`: never answers, but the
    /// charge ends.
    Never(Fate),
    /// `never:lost`: never receives the request.
    Lost,
    /// `twice`: charges once, and reports the result a second time.
    Twice,
    /// `error`: refuses the request itself.
    Refuse,
    /// `error:charged`, `error:declined`: the charge ends, but the answer is an error that leaves it open.
    ErrorAfter(Fate),
    /// `action` or `action:MS`: the shopper has to act, and does so after this time, or never.
    Action(Option<Duration>),
}

impl Behaviour {
    /// Parses a token.
    ///
    /// # Errors
    /// `INVALID_INPUT` for an unknown token.
    pub fn from_token(token: Option<&str>) -> Result<Self, Rejection> {
        let parts: Vec<&str> = token.unwrap_or("succeed").split(':').collect();
        let behaviour = match parts[..] {
            ["succeed"] => Some(Self::Succeed),
            ["decline"] => Some(Self::Decline),
            ["delay", ms] => delay(ms).map(|ms| Self::Delay(ms, Fate::Charged)),
            ["delay", ms, "decline"] => delay(ms).map(|ms| Self::Delay(ms, Fate::Declined)),
            ["never"] => Some(Self::Never(Fate::Pending)),
            ["never", "charged"] => Some(Self::Never(Fate::Charged)),
            ["never", "declined"] => Some(Self::Never(Fate::Declined)),
            ["never", "lost"] => Some(Self::Lost),
            ["twice"] => Some(Self::Twice),
            ["error"] => Some(Self::Refuse),
            ["error", "charged"] => Some(Self::ErrorAfter(Fate::Charged)),
            ["error", "declined"] => Some(Self::ErrorAfter(Fate::Declined)),
            ["action"] => Some(Self::Action(None)),
            ["action", ms] => delay(ms).map(|ms| Self::Action(Some(ms))),
            _ => None,
        };
        behaviour.ok_or_else(|| {
            Rejection::invalid_input("The sandbox does not know this token. Its tokens are listed in the README.")
                .at(["token"])
        })
    }

    /// Returns what the journal records: how the charge ends, and after how long. `None` if no charge is recorded.
    pub(super) const fn fate(self) -> Option<(Fate, Duration)> {
        match self {
            Self::Succeed | Self::Twice => Some((Fate::Charged, Duration::ZERO)),
            Self::Decline => Some((Fate::Declined, Duration::ZERO)),
            Self::Delay(after, fate) => Some((fate, after)),
            Self::Never(fate) | Self::ErrorAfter(fate) => Some((fate, Duration::ZERO)),
            Self::Action(Some(after)) => Some((Fate::Charged, after)),
            Self::Action(None) => Some((Fate::Pending, Duration::ZERO)),
            Self::Lost | Self::Refuse => None,
        }
    }
}

fn delay(ms: &str) -> Option<Duration> {
    ms.parse().ok().filter(|ms| *ms <= MAX_DELAY).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_and_unknown_ones_refused() {
        assert_eq!(Behaviour::from_token(None), Ok(Behaviour::Succeed));
        let delayed = Behaviour::Delay(Duration::from_millis(50), Fate::Declined);
        assert_eq!(Behaviour::from_token(Some("delay:50:decline")), Ok(delayed));
        for bad in ["", "SUCCEED", "delay", "delay:", "delay:-1", "delay:600001", "never:x", "succeed:1", "tok_visa"] {
            assert!(Behaviour::from_token(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
