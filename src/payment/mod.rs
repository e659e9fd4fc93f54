//! Paying: two commands around a call of a gateway that happens in no transaction and holds no connection, and the
//! recovery of attempts whose outcome stayed open.
//!
//! A timeout is not a decline. Units are released only when a gateway has said that nothing was, and nothing will be,
//! charged.

mod pay;
mod recovery;
mod sandbox;

pub use pay::{PayRequest, RESULTS, pay};
pub use recovery::recover;
pub use sandbox::Behaviour;

use crate::clock::Clock;
use crate::read::Store;
use crate::writer::Writer;
use domain::id::PaymentId;
use domain::money::Money;
use domain::payment::Outcome;

use sandbox::Sandbox;

/// The gateway that records money taken elsewhere.
pub const MANUAL: &str = "manual";

/// The gateway that does what its token says.
pub const SANDBOX: &str = "sandbox";

/// What a gateway answers when it is asked to charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// It is certain how it ended, or what the shopper has to do.
    Certain(Outcome),
    /// An error, or nothing, that leaves it open.
    Open,
}

/// What a gateway knows about a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// How it ended.
    Ended(Outcome),
    /// It goes on.
    Pending,
    /// It has never heard of it. The request may still be on its way.
    Nothing,
    /// It does not answer.
    Silent,
}

/// Who takes the money. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateways {
    sandbox: Option<Sandbox>,
}

/// A gateway that is there.
#[derive(Clone, Debug)]
pub enum Gateway {
    /// Money taken elsewhere: nobody is asked.
    Manual,
    /// The sandbox.
    Sandbox(Sandbox),
}

/// The name of every gateway.
pub const GATEWAYS: [&str; 2] = [MANUAL, SANDBOX];

impl Gateways {
    /// All gateways of this server; the sandbox only where it may be.
    #[must_use]
    pub fn new(store: Store, writer: Writer, clock: Clock, has_sandbox: bool) -> Self {
        Self { sandbox: has_sandbox.then(|| Sandbox::new(store, writer, clock)) }
    }

    /// The gateway that is asked when none is named.
    #[must_use]
    pub const fn default_name(&self) -> &'static str {
        MANUAL
    }

    /// The gateway of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Gateway> {
        match name {
            MANUAL => Some(Gateway::Manual),
            SANDBOX => self.sandbox.clone().map(Gateway::Sandbox),
            _ => None,
        }
    }
}

impl Gateway {
    const fn name(&self) -> &'static str {
        match self {
            Self::Manual => MANUAL,
            Self::Sandbox(_) => SANDBOX,
        }
    }

    async fn charge(&self, payment: PaymentId, amount: Money, behaviour: Behaviour) -> Charged {
        match self {
            Self::Manual => Charged::Certain(Outcome::Charged { reference: None }),
            Self::Sandbox(sandbox) => sandbox.charge(payment, amount, behaviour).await,
        }
    }

    async fn look_up(&self, payment: PaymentId) -> Known {
        match self {
            Self::Manual => Known::Nothing,
            Self::Sandbox(sandbox) => sandbox.look_up(payment).await,
        }
    }

    async fn cancel(&self, payment: PaymentId) -> Known {
        match self {
            Self::Manual => Known::Ended(Outcome::Voided),
            Self::Sandbox(sandbox) => sandbox.cancel(payment).await,
        }
    }
}
