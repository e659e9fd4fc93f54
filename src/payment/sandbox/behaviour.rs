//! The tokens of the sandbox. Nothing but the sandbox may know what they mean.

use std::time::Duration;

use domain::payment_operation::Kind;
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
        let (charges, later) = parts_of(token);
        let behaviour = match charges[..] {
            [] => Some(Self::Succeed),
            [charge] => Self::of_charge(charge),
            _ => None,
        };
        let are_known = later.iter().all(|part| Later::from_part(part).is_some());
        behaviour.filter(|_| are_known).ok_or_else(|| {
            Rejection::invalid_input("The sandbox does not know this token. Its tokens are listed in the README.")
                .at(["token"])
        })
    }

    fn of_charge(part: &str) -> Option<Self> {
        let parts: Vec<&str> = part.split(':').collect();
        match parts[..] {
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
        }
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

/// What is to happen to a charge later on, as parts of its token say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// `capture:fail`, `refund:fail`: refuses every one; `capture:fail:N`: the first N.
    Refuse(Kind, usize),
    /// `capture:silent`, `refund:silent`: does it, and does not answer to the first request.
    Silent(Kind),
    /// `capture:error`, `refund:error`: does it, and answers to the first request with an error that leaves it open.
    ErrorAfter(Kind),
    /// `capture:delay:MS`, `refund:delay:MS`: does it, and answers, after this time.
    Delay(Kind, Duration),
    /// `void:gone`: is never reached about voiding.
    VoidGone,
}

impl Later {
    /// Returns what the token of a charge says of later.
    pub fn of_token(token: Option<&str>) -> Vec<Self> {
        parts_of(token).1.into_iter().filter_map(Self::from_part).collect()
    }

    fn from_part(part: &str) -> Option<Self> {
        let parts: Vec<&str> = part.split(':').collect();
        let kind = match parts.first() {
            Some(&"capture") => Kind::Capture,
            Some(&"refund") => Kind::Refund,
            _ => return (part == "void:gone").then_some(Self::VoidGone),
        };
        match parts[1..] {
            ["fail"] => Some(Self::Refuse(kind, usize::MAX)),
            ["fail", times] => times.parse().ok().map(|times| Self::Refuse(kind, times)),
            ["silent"] => Some(Self::Silent(kind)),
            ["error"] => Some(Self::ErrorAfter(kind)),
            ["delay", ms] => delay(ms).map(|after| Self::Delay(kind, after)),
            _ => None,
        }
    }
}

/// The parts of a token, which commas separate: those about the charge, and those about later.
fn parts_of(token: Option<&str>) -> (Vec<&str>, Vec<&str>) {
    let is_later = |part: &&str| ["capture:", "refund:", "void:"].iter().any(|kind| part.starts_with(kind));
    let (later, charges) = token.into_iter().flat_map(|token| token.split(',')).partition(is_later);
    (charges, later)
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
        assert_eq!(Behaviour::from_token(Some("refund:fail")), Ok(Behaviour::Succeed));
        assert_eq!(Behaviour::from_token(Some("decline,void:gone")), Ok(Behaviour::Decline));
        let later = [Later::Refuse(Kind::Capture, 2), Later::Delay(Kind::Refund, Duration::from_millis(5))];
        assert_eq!(Later::of_token(Some("succeed,capture:fail:2,refund:delay:5")), later);
        for bad in ["succeed,decline", "capture:x", "succeed,refund:delay", "void:silent", "succeed,", "refund:fail:x"]
        {
            assert!(Behaviour::from_token(Some(bad)).is_err(), "{bad:?}");
        }
        for bad in ["", "SUCCEED", "delay", "delay:", "delay:-1", "delay:600001", "never:x", "succeed:1", "tok_visa"] {
            assert!(Behaviour::from_token(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
