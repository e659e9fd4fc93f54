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
use domain::commands::{CancelCharge, OperateCharge, RecordCharge};
use domain::id::{PaymentId, PaymentOperationId};
use domain::payment::{Action, Method, Outcome, Payment};
use domain::payment_operation::Kind;
use domain::rejection::Rejection;
use domain::sandbox::{Charge, Fate, OperationFate};

use super::gateway::{Capabilities, ChargeAnswer, ChargeState, Gateway, Operation, OperationAnswer};
use super::registry::{GatewayContext, Registration};
use super::results::Results;

pub use behaviour::{Behaviour, Later};

/// The gateway in the registry.
pub(super) const REGISTRATION: Registration = Registration {
    name: "sandbox",
    capabilities: Capabilities {
        methods: &[Method::Purchase, Method::Authorize],
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

    /// Captures or refunds a charge, in the way that its token says.
    async fn operate(&self, payment: &Payment, operation: &Operation, kind: Kind) -> OperationAnswer {
        let Ok(charge) = self.store.charge(payment.id).await else { return OperationAnswer::Open };
        let later = Later::of_token(charge.as_ref().and_then(|charge| charge.token.as_deref()));
        let refusals = later.iter().find_map(|later| match later {
            Later::Refuse(of, times) if *of == kind => Some(*times),
            _ => None,
        });
        let after = later.iter().find_map(|later| match later {
            Later::Delay(of, after) if *of == kind => Some(*after),
            _ => None,
        });
        let record = OperateCharge {
            operation: PaymentOperationId(operation.id),
            payment: payment.id,
            kind,
            refusals: refusals.unwrap_or_default(),
            after: after.unwrap_or_default(),
            amount: operation.amount.amount,
        };
        let Ok(recorded) = self.writer.submit(&Actor::System, record).await else { return OperationAnswer::Open };
        if recorded.requests == 1 && later.contains(&Later::Silent(kind)) {
            return pending().await;
        }
        if recorded.requests == 1 && later.contains(&Later::ErrorAfter(kind)) {
            return OperationAnswer::Open;
        }
        sleep(after.filter(|_| recorded.requests == 1).unwrap_or_default()).await;
        match recorded.standing(self.clock.now().max(recorded.created_at + after.unwrap_or_default())) {
            OperationFate::Done => OperationAnswer::Done { reference: Some(format!("sandbox-{}", recorded.id.0)) },
            OperationFate::Refused => OperationAnswer::Refused { reason: "The sandbox refused.".to_owned() },
            OperationFate::Pending => OperationAnswer::Open,
        }
    }

    /// Answers to a charge that is in the journal.
    async fn answer(&self, behaviour: Behaviour, charge: &Charge) -> ChargeAnswer {
        match behaviour {
            Behaviour::Never(_) => return pending().await,
            Behaviour::ErrorAfter(_) => return ChargeAnswer::Open,
            Behaviour::Action(_) => {
                return ChargeAnswer::Certain(Outcome::ActionRequired(action(charge.payment, self.clock.now())));
            }
            Behaviour::Delay(after, _) => {
                sleep(after).await;
                // It may have been cancelled meanwhile: then nothing was charged.
                let now = self.store.charge(charge.payment).await.ok().flatten();
                if now.is_some_and(|charge| charge.standing(self.clock.now()) == Fate::Cancelled) {
                    return ChargeAnswer::Certain(Outcome::Voided);
                }
            }
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
        let fate = match (fate, payment.method) {
            (Fate::Charged, Method::Authorize) => Fate::Authorized,
            (fate, _) => fate,
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
        let token = self.store.charge(payment.id).await.ok().flatten().and_then(|charge| charge.token);
        if Later::of_token(token.as_deref()).contains(&Later::VoidGone) {
            return ChargeState::Unreachable;
        }
        match self.writer.submit(&Actor::System, CancelCharge(payment.id)).await {
            Ok(fate) => state(payment.id, fate),
            Err(_) => ChargeState::Unreachable,
        }
    }

    async fn capture(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        self.operate(payment, operation, Kind::Capture).await
    }

    async fn refund(&self, payment: &Payment, operation: &Operation) -> OperationAnswer {
        self.operate(payment, operation, Kind::Refund).await
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
