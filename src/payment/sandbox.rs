//! The sandbox gateway: it does what its token says, so that front ends and tests can play every outcome.
//!
//! It keeps a journal of its own and remembers across a crash what it did. It must never be reachable in production.

use std::time::Duration;

use crate::clock::Clock;
use crate::read::Store;
use crate::writer::Writer;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{CancelCharge, RecordCharge};
use domain::id::PaymentId;
use domain::money::Money;
use domain::payment::{Action, Outcome};
use domain::rejection::Rejection;
use domain::sandbox::{Charge, Fate};

use super::{Charged, Known};

/// Longest delay that a token may ask for, in milliseconds: ten minutes.
const MAX_DELAY: u64 = 600_000;

/// How long the sandbox gives a shopper to act.
const ACTION_TIME: Duration = Duration::from_mins(15);

/// What the token of a payment makes the sandbox do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// `succeed`, or no token: charges.
    Succeed,
    /// `decline`: charges nothing.
    Decline,
    /// `delay:MS` or `delay:MS:decline`: answers after so many milliseconds.
    Delay(Duration, Fate),
    /// `never`: takes the request, never answers and never comes to an end; `never:charged`, `never:declined`: comes
    /// to an end all the same.
    Never(Fate),
    /// `never:lost`: the request does not arrive.
    Lost,
    /// `twice`: answers twice.
    Twice,
    /// `error`: refuses the request itself.
    Refuse,
    /// `error:charged`, `error:declined`: comes to an end, but answers with an error that leaves it open.
    ErrorAfter(Fate),
    /// `action` or `action:MS`: the shopper has to act, and does so after so many milliseconds, or never.
    Action(Option<Duration>),
}

impl Behaviour {
    /// Reads a token.
    ///
    /// # Errors
    /// `INVALID_INPUT` for one that the sandbox does not know.
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

    /// What goes into the journal: what becomes of the charge, and after how long. `None` when nothing arrives.
    const fn fate(self) -> Option<(Fate, Duration)> {
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

/// The sandbox. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox {
    store: Store,
    writer: Writer,
    clock: Clock,
}

impl Sandbox {
    pub const fn new(store: Store, writer: Writer, clock: Clock) -> Self {
        Self { store, writer, clock }
    }

    /// Charges once under this key, whatever comes twice.
    pub async fn charge(&self, payment: PaymentId, amount: Money, behaviour: Behaviour) -> Charged {
        if behaviour == Behaviour::Refuse {
            let reason = "The gateway could not process this request.".to_owned();
            return Charged::Certain(Outcome::Refused { reason });
        }
        let Some((fate, after)) = behaviour.fate() else {
            return std::future::pending().await;
        };
        let record = RecordCharge { payment, fate, after, amount: amount.amount };
        let Ok(charge) = self.writer.submit(&Actor::System, record).await else {
            return Charged::Open;
        };
        match behaviour {
            Behaviour::Never(_) => std::future::pending().await,
            Behaviour::ErrorAfter(_) => Charged::Open,
            Behaviour::Action(_) => Charged::Certain(Outcome::ActionRequired(action(payment, self.clock.now()))),
            Behaviour::Delay(after, _) => {
                tokio::time::sleep(after).await;
                self.answer(&charge)
            }
            _ => self.answer(&charge),
        }
    }

    pub async fn look_up(&self, payment: PaymentId) -> Known {
        match self.store.charge(payment).await {
            Ok(Some(charge)) => known(payment, charge.standing(self.clock.now())),
            Ok(None) => Known::Nothing,
            Err(_) => Known::Silent,
        }
    }

    /// Sees to it that nothing will be charged under this key any more, also when the request comes later.
    pub async fn cancel(&self, payment: PaymentId) -> Known {
        match self.writer.submit(&Actor::System, CancelCharge(payment)).await {
            Ok(fate) => known(payment, fate),
            Err(_) => Known::Silent,
        }
    }

    fn answer(&self, charge: &Charge) -> Charged {
        match known(charge.payment, charge.standing(self.clock.now().max(charge.due_at))) {
            Known::Ended(outcome) => Charged::Certain(outcome),
            _ => Charged::Open,
        }
    }
}

fn known(payment: PaymentId, fate: Fate) -> Known {
    match fate {
        Fate::Charged => Known::Ended(Outcome::Charged { reference: Some(format!("sandbox-{payment}")) }),
        Fate::Declined => Known::Ended(Outcome::Declined { reason: "The card was declined.".to_owned() }),
        Fate::Cancelled => Known::Ended(Outcome::Voided),
        Fate::Pending => Known::Pending,
    }
}

fn action(payment: PaymentId, now: Time) -> Action {
    Action {
        kind: "SANDBOX_CONFIRM".to_owned(),
        url: None,
        client_secret: Some(format!("sandbox-secret-{payment}")),
        expires_at: now + ACTION_TIME,
    }
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
