//! What the payment service does, as the token of a charge says.
//!
//! | Token | What it does |
//! |---|---|
//! | `ok`, `decline`, `refuse` | answers so at once |
//! | `slow:MS`, `slow:MS:decline` | the same, that much later |
//! | `late:MS` | says nothing; the request arrives that much later, and is charged then unless it was voided before |
//! | `lost` | the request never arrives |
//! | `unanswered`, `unanswered:decline` | it is charged or declined, and the answer is lost |
//! | `error`, `error:done` | an answer that leaves everything open, nothing or everything done |
//! | `pending:MS` | it is being processed for so long, then charged |
//! | `act:MS` | the shopper acts after so long; `act` alone: never |
//!
//! `!N` behind it: so many look-ups and voids fail before one is answered. `+WAY` behind that, several times: in which way the
//! first, second … capture, void or refund goes: the same words without `decline`, `lost` and `act`. `refuse` is for good. What
//! is sent again, under the same id, is simply done.

use std::collections::VecDeque;
use std::time::Duration;

/// A token, read.
#[derive(Debug)]
pub struct Plan {
    /// What becomes of the charge.
    pub charging: Charging,
    /// So many look-ups and voids fail.
    pub failures: u32,
    /// How captures, voids and refunds go.
    pub ways: VecDeque<Way>,
}

/// What becomes of a charge.
#[derive(Debug)]
pub enum Charging {
    /// It is charged, or authorized.
    Paid(Way),
    /// It is declined.
    Declined(Way),
    /// The request never arrives.
    Lost,
    /// The shopper has to act, and does after so long.
    Acts(Option<Duration>),
}

/// How something is done.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// It is done, and answered after so long.
    Done(Duration),
    /// The request arrives that much later, and nobody is answered.
    Late(Duration),
    /// It is done, and nobody is answered.
    Unanswered,
    /// An error, and nothing is done.
    Error,
    /// An error, and it is done.
    ErrorAfter,
    /// It is being processed for so long.
    Pending(Duration),
    /// It is still being processed.
    StillPending,
    /// Refused for good.
    Refused,
}

impl Way {
    /// It is done at once.
    pub const AT_ONCE: Self = Self::Done(Duration::ZERO);

    fn read(text: &str) -> Self {
        let (word, time) = text.split_once(':').unwrap_or((text, ""));
        let time = || Duration::from_millis(time.parse().unwrap_or_default());
        match word {
            "refuse" => Self::Refused,
            "slow" => Self::Done(time()),
            "late" => Self::Late(time()),
            "unanswered" => Self::Unanswered,
            "error" if text == "error" => Self::Error,
            "error" => Self::ErrorAfter,
            "pending" => Self::Pending(time()),
            _ => Self::AT_ONCE,
        }
    }
}

impl Plan {
    /// Reads a token.
    pub fn read(token: &str) -> Self {
        let mut parts = token.split('+');
        let charge = parts.next().unwrap_or_default();
        let (charge, failures) = charge.split_once('!').unwrap_or((charge, "0"));
        let charging = match charge {
            "lost" => Charging::Lost,
            "act" => Charging::Acts(None),
            "decline" => Charging::Declined(Way::AT_ONCE),
            _ => match (charge.strip_prefix("act:"), charge.strip_suffix(":decline")) {
                (Some(time), _) => Charging::Acts(Some(Duration::from_millis(time.parse().unwrap_or_default()))),
                (None, Some(way)) => Charging::Declined(Way::read(way)),
                (None, None) => Charging::Paid(Way::read(charge)),
            },
        };
        Self { charging, failures: failures.parse().unwrap_or_default(), ways: parts.map(Way::read).collect() }
    }
}
