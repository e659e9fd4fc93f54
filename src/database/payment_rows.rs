//! Rows of payments, of operations on them and of the sandbox's journal as values of the domain, and back. As in
//! [`rows`](super::rows), nothing is decided or guessed here.

use entity::{payment, payment_operation, sandbox_charge, sandbox_operation};
use sea_orm::DbErr;

use domain::id::{OrderId, PaymentId, PaymentOperationId};
use domain::money::{Currency, Money};
use domain::payment::{Action, KeyId, Payment, Recovery};
use domain::payment_operation::PaymentOperation;
use domain::sandbox::{Charge, ChargeOperation};

use super::rows::{Decoded, code, known, money};

pub fn payment(row: payment::Model) -> Decoded<Payment> {
    let action = row.action_kind.zip(row.action_expires_at).map(|(kind, expires_at)| Action {
        kind,
        url: row.action_url,
        client_secret: row.action_secret,
        expires_at,
    });
    Ok(Payment {
        id: PaymentId(row.id),
        order: OrderId(row.order_id),
        gateway: row.gateway,
        method: code!(domain::payment::Method, row.method)?,
        status: code!(domain::payment::Status, row.status)?,
        amount: money(row.amount, &row.currency)?,
        reference: row.reference,
        decline_reason: row.decline_reason,
        decline_code: match row.decline_code {
            Some(code) => Some(code!(domain::rejection::Code, code)?),
            None => None,
        },
        action,
        recovery: Recovery { leased_until: row.leased_until, next_poll_at: row.look_at, polls: row.looks },
        key: row.key_scope.zip(row.key).map(|(scope, key)| KeyId { scope, key }),
        refunded: row.refunded,
        operations: row.operations,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub fn payment_row(payment: &Payment) -> payment::Model {
    let action = payment.action.as_ref();
    payment::Model {
        id: payment.id.0,
        order_id: payment.order.0,
        gateway: payment.gateway.clone(),
        method: payment.method.as_str().to_owned(),
        status: payment.status.as_str().to_owned(),
        amount: payment.amount.amount,
        currency: payment.amount.currency.code().to_owned(),
        reference: payment.reference.clone(),
        decline_reason: payment.decline_reason.clone(),
        decline_code: payment.decline_code.map(|code| code.as_str().to_owned()),
        action_kind: action.map(|action| action.kind.clone()),
        action_url: action.and_then(|action| action.url.clone()),
        action_secret: action.and_then(|action| action.client_secret.clone()),
        action_expires_at: action.map(|action| action.expires_at),
        leased_until: payment.recovery.leased_until,
        look_at: payment.recovery.next_poll_at,
        looks: payment.recovery.polls,
        key_scope: payment.key.as_ref().map(|key| key.scope.clone()),
        key: payment.key.as_ref().map(|key| key.key.clone()),
        refunded: payment.refunded,
        operations: payment.operations,
        created_at: payment.created_at,
        updated_at: payment.updated_at,
    }
}

pub fn operation(row: payment_operation::Model, currency: Currency) -> Decoded<PaymentOperation> {
    let restock = row.restock.as_deref().map(serde_json::from_str).transpose();
    Ok(PaymentOperation {
        id: PaymentOperationId(row.id),
        order: OrderId(row.order_id),
        payment: PaymentId(row.payment_id),
        kind: code!(domain::payment_operation::Kind, row.kind)?,
        status: code!(domain::payment_operation::Status, row.status)?,
        amount: Money { amount: row.amount, currency },
        restock: restock.map_err(|error| DbErr::Type(format!("what a refund restocks: {error}")))?.unwrap_or_default(),
        reference: row.reference,
        failure_reason: row.failure_reason,
        actor: row.actor,
        recovery: Recovery { leased_until: row.leased_until, next_poll_at: row.look_at, polls: row.looks },
        key: row.key_scope.zip(row.key).map(|(scope, key)| KeyId { scope, key }),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// # Errors
/// When what is restocked cannot be written.
pub fn operation_row(operation: &PaymentOperation) -> Decoded<payment_operation::Model> {
    let restock = (!operation.restock.is_empty()).then(|| serde_json::to_string(&operation.restock)).transpose();
    Ok(payment_operation::Model {
        id: operation.id.0,
        order_id: operation.order.0,
        payment_id: operation.payment.0,
        kind: operation.kind.as_str().to_owned(),
        status: operation.status.as_str().to_owned(),
        amount: operation.amount.amount,
        restock: restock.map_err(|error| DbErr::Custom(format!("what a refund restocks: {error}")))?,
        reference: operation.reference.clone(),
        failure_reason: operation.failure_reason.clone(),
        actor: operation.actor.clone(),
        leased_until: operation.recovery.leased_until,
        look_at: operation.recovery.next_poll_at,
        looks: operation.recovery.polls,
        key_scope: operation.key.as_ref().map(|key| key.scope.clone()),
        key: operation.key.as_ref().map(|key| key.key.clone()),
        created_at: operation.created_at,
        updated_at: operation.updated_at,
    })
}

pub fn charge(row: &sandbox_charge::Model) -> Decoded<Charge> {
    Ok(Charge {
        payment: PaymentId(row.payment_id),
        fate: code!(domain::sandbox::Fate, row.fate)?,
        due_at: row.due_at,
        amount: row.amount,
        requests: row.requests,
        token: row.token.clone(),
        created_at: row.created_at,
    })
}

pub fn charge_row(charge: &Charge) -> sandbox_charge::Model {
    sandbox_charge::Model {
        payment_id: charge.payment.0,
        fate: charge.fate.as_str().to_owned(),
        due_at: charge.due_at,
        amount: charge.amount,
        requests: charge.requests,
        token: charge.token.clone(),
        created_at: charge.created_at,
    }
}

pub fn charge_operation(row: &sandbox_operation::Model) -> Decoded<ChargeOperation> {
    Ok(ChargeOperation {
        id: PaymentOperationId(row.operation_id),
        payment: PaymentId(row.payment_id),
        kind: code!(domain::payment_operation::Kind, row.kind)?,
        fate: code!(domain::sandbox::OperationFate, row.fate)?,
        due_at: row.due_at,
        amount: row.amount,
        requests: row.requests,
        created_at: row.created_at,
    })
}

pub fn charge_operation_row(operation: &ChargeOperation) -> sandbox_operation::Model {
    sandbox_operation::Model {
        operation_id: operation.id.0,
        payment_id: operation.payment.0,
        kind: operation.kind.as_str().to_owned(),
        fate: operation.fate.as_str().to_owned(),
        due_at: operation.due_at,
        amount: operation.amount,
        requests: operation.requests,
        created_at: operation.created_at,
    }
}
