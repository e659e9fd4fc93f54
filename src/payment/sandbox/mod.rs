//! The `sandbox` gateway: it does what the token says, so that front ends and tests can play every outcome.
//!
//! It plays another company's system. It keeps a journal of its own, so that it remembers across a crash what it did, and
//! tells the server nothing except through its answers and [`Results`]. It must never be enabled in production.

mod behaviour;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::read::Store;
use crate::writer::Writer;
use domain::Time;
use domain::actor::Actor;
use domain::commands::{CancelCharge, RecordCharge};
use domain::id::PaymentId;
use domain::payment::{Action, Method, Outcome, Payment};
use domain::rejection::Rejection;
use domain::sandbox::{Charge, Fate};

use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway};
use super::registry::{GatewayContext, Registration};
use super::results::Results;

pub use behaviour::Behaviour;

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: "sandbox",
    capabilities: Capabilities {
        methods: &[Method::Purchase],
        settles_without_call: false,
        is_staff_only: false,
        is_for_development: true,
    },
    build: |context| Some(Arc::new(Sandbox::new(context))),
};

/// Time that a shopper has to act.
const ACTION_TIME: Duration = Duration::from_mins(15);

#[derive(Debug)]
struct Sandbox {
    store: Store,
    writer: Writer,
    clock: Clock,
    results: Results,
}

impl Sandbox {
    fn new(context: &GatewayContext) -> Self {
        let GatewayContext { store, writer, clock, results, .. } = context;
        Self { store: store.clone(), writer: writer.clone(), clock: clock.clone(), results: results.clone() }
    }

    /// Answers to a charge that is in the journal.
    async fn answer(&self, behaviour: Behaviour, charge: &Charge) -> ChargeAnswer {
        match behaviour {
            Behaviour::Never(_) => return pending().await,
            Behaviour::ErrorAfter(_) => return ChargeAnswer::Open,
            Behaviour::Action(_) => {
                return ChargeAnswer::Certain(Outcome::ActionRequired(action(charge.payment, self.clock.now())));
            }
            Behaviour::Delay(after, _) => sleep(after).await,
            Behaviour::Succeed | Behaviour::Decline | Behaviour::Twice | Behaviour::Lost | Behaviour::Refuse => {}
        }
        let ChargeState::Ended(outcome) = state(charge.payment, charge.standing(self.clock.now().max(charge.due_at)))
        else {
            return ChargeAnswer::Open;
        };
        if behaviour == Behaviour::Twice {
            self.results.report(charge.payment, outcome.clone()).await;
        }
        ChargeAnswer::Certain(outcome)
    }
}

#[async_trait]
impl Gateway for Sandbox {
    fn check_token(&self, token: Option<&str>) -> Result<(), Rejection> {
        Behaviour::from_token(token).map(drop)
    }

    async fn charge(&self, payment: &Payment, token: Option<&str>) -> ChargeAnswer {
        let behaviour = match Behaviour::from_token(token) {
            Ok(behaviour) => behaviour,
            Err(rejection) => return refused(rejection.message),
        };
        if behaviour == Behaviour::Refuse {
            return refused("The gateway could not process this request.".to_owned());
        }
        let Some((fate, after)) = behaviour.fate() else {
            return pending().await;
        };
        let record = RecordCharge {
            payment: payment.id,
            fate,
            after,
            amount: payment.amount.amount,
            token: token.map(str::to_owned),
        };
        match self.writer.submit(&Actor::System, record).await {
            Ok(charge) => self.answer(behaviour, &charge).await,
            Err(_) => ChargeAnswer::Open,
        }
    }

    async fn look_up(&self, payment: &Payment) -> ChargeState {
        match self.store.charge(payment.id).await {
            Ok(Some(charge)) => state(payment.id, charge.standing(self.clock.now())),
            Ok(None) => ChargeState::NotFound,
            Err(_) => ChargeState::Unreachable,
        }
    }

    async fn void(&self, payment: &Payment) -> ChargeState {
        match self.writer.submit(&Actor::System, CancelCharge(payment.id)).await {
            Ok(fate) => state(payment.id, fate),
            Err(_) => ChargeState::Unreachable,
        }
    }
}

fn refused(reason: String) -> ChargeAnswer {
    ChargeAnswer::Certain(Outcome::Refused { reason })
}

fn state(payment: PaymentId, fate: Fate) -> ChargeState {
    match fate {
        Fate::Charged => ChargeState::Ended(Outcome::Charged { reference: Some(format!("sandbox-{payment}")) }),
        Fate::Authorized => ChargeState::Ended(Outcome::Authorized { reference: Some(format!("sandbox-{payment}")) }),
        Fate::Declined => ChargeState::Ended(Outcome::Declined { reason: "The card was declined.".to_owned() }),
        Fate::Cancelled => ChargeState::Ended(Outcome::Voided),
        Fate::Pending => ChargeState::Pending,
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
