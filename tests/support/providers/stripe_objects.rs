//! What a stand-in for Stripe keeps: intents and refunds, and what may be done with them, as Stripe's reference documents it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Lie;

/// The parameters of a request, as `application/x-www-form-urlencoded` has them: `metadata[order]` is one name.
pub type Form = BTreeMap<String, String>;

/// A status and a body.
pub type Reply = (u16, Value);

/// A PaymentIntent.
#[derive(Debug, Clone)]
pub struct Intent {
    pub id: String,
    pub status: &'static str,
    pub amount: i64,
    pub received: i64,
    pub refunded: i64,
    pub currency: String,
    pub is_manual: bool,
    pub metadata: BTreeMap<String, String>,
    pub method: Option<String>,
    pub error: Option<Value>,
}

/// Everything that it keeps.
#[derive(Debug, Default)]
pub struct Account {
    pub intents: BTreeMap<String, Intent>,
    pub refunds: Vec<Value>,
    pub lie: Option<Lie>,
    next: usize,
}

/// An error, as Stripe tells it.
pub fn error(status: u16, kind: &str, code: &str, message: &str) -> Reply {
    (status, json!({ "error": { "type": kind, "code": code, "message": message } }))
}

fn invalid(code: &str, message: &str) -> Reply {
    error(400, "invalid_request_error", code, message)
}

fn unexpected(intent: &Intent) -> Reply {
    let message = format!("This PaymentIntent has a status of {}.", intent.status);
    invalid("payment_intent_unexpected_state", &message)
}

fn metadata(form: &Form) -> BTreeMap<String, String> {
    let field = |name: &String| Some(name.strip_prefix("metadata[")?.strip_suffix(']')?.to_owned());
    form.iter().filter_map(|(name, value)| Some((field(name)?, value.clone()))).collect()
}

impl Account {
    fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}_3Stand{:04}", self.next)
    }

    /// An intent as JSON, with the lie that is told now.
    pub fn shown(&self, intent: &Intent) -> Value {
        let lied = |amount: i64| if self.lie == Some(Lie::Amount) && amount > 0 { amount - 1 } else { amount };
        let currency = if self.lie == Some(Lie::Currency) { "usd" } else { &intent.currency };
        let next =
            (intent.status == "requires_action").then(|| json!({ "type": "use_stripe_sdk", "use_stripe_sdk": {} }));
        let capturable = if intent.status == "requires_capture" { lied(intent.amount) } else { 0 };
        json!({ "id": intent.id, "object": "payment_intent", "status": intent.status, "amount": lied(intent.amount),
            "amount_received": lied(intent.received), "amount_capturable": capturable, "currency": currency,
            "capture_method": if intent.is_manual { "manual" } else { "automatic" }, "metadata": intent.metadata,
            "client_secret": format!("{}_secret_x", intent.id), "payment_method": intent.method, "next_action": next,
            "last_payment_error": intent.error, "livemode": false })
    }

    fn show(&self, id: &str) -> Reply {
        match self.intents.get(id) {
            Some(intent) => (200, self.shown(intent)),
            None => error(404, "invalid_request_error", "resource_missing", "No such payment_intent"),
        }
    }

    /// `POST /v1/payment_intents`.
    pub fn create(&mut self, form: &Form) -> Reply {
        let amount = form.get("amount").and_then(|amount| amount.parse::<i64>().ok());
        let (Some(amount), Some(currency)) = (amount, form.get("currency")) else {
            return invalid("parameter_missing", "Missing required param: amount or currency.");
        };
        if amount < 50 {
            return invalid("amount_too_small", "Amount must be at least €0.50 eur");
        }
        let intent = Intent {
            id: self.id("pi"),
            status: "requires_payment_method",
            amount,
            received: 0,
            refunded: 0,
            currency: currency.clone(),
            is_manual: form.get("capture_method").is_some_and(|method| method == "manual"),
            metadata: metadata(form),
            method: None,
            error: None,
        };
        let id = intent.id.clone();
        self.intents.insert(id.clone(), intent);
        if form.get("confirm").is_some_and(|confirm| confirm == "true") {
            self.confirm(&id, form)
        } else {
            self.show(&id)
        }
    }

    /// `GET /v1/payment_intents/ID`.
    pub fn retrieve(&self, id: &str) -> Reply {
        self.show(id)
    }

    /// `POST /v1/payment_intents/ID/confirm`, with the payment methods of Stripe's test mode.
    pub fn confirm(&mut self, id: &str, form: &Form) -> Reply {
        let Some(intent) = self.intents.get_mut(id) else { return self.show(id) };
        if !matches!(intent.status, "requires_payment_method" | "requires_confirmation" | "requires_action") {
            return unexpected(intent);
        }
        intent.method = form.get("payment_method").cloned();
        match intent.method.as_deref() {
            Some("pm_card_visa") => intent.succeed(),
            Some("pm_card_authenticationRequired") => intent.status = "requires_action",
            Some("pm_card_visa_chargeDeclined") => {
                let (status, mut body) = error(402, "card_error", "card_declined", "Your card was declined.");
                body["error"]["decline_code"] = "generic_decline".into();
                intent.status = "requires_payment_method";
                intent.error = Some(body["error"].clone());
                return (status, body);
            }
            Some("pm_processing") => intent.status = "processing",
            Some(_) => return invalid("resource_missing", "No such PaymentMethod"),
            None => return invalid("", "You cannot confirm this PaymentIntent because it's missing a payment method."),
        }
        self.show(id)
    }

    /// `POST /v1/payment_intents/ID/cancel`.
    pub fn cancel(&mut self, id: &str) -> Reply {
        let Some(intent) = self.intents.get_mut(id) else { return self.show(id) };
        if !(intent.status.starts_with("requires_")) {
            return unexpected(intent);
        }
        intent.status = "canceled";
        self.show(id)
    }

    /// `POST /v1/payment_intents/ID/capture`.
    pub fn capture(&mut self, id: &str, form: &Form) -> Reply {
        let Some(intent) = self.intents.get_mut(id) else { return self.show(id) };
        if intent.status != "requires_capture" {
            return unexpected(intent);
        }
        let amount = form.get("amount_to_capture").map_or(intent.amount, |amount| amount.parse().expect("a number"));
        if amount > intent.amount {
            return invalid("amount_too_large", "The amount to capture is too large.");
        }
        (intent.status, intent.received) = ("succeeded", amount);
        self.show(id)
    }

    /// `GET /v1/payment_intents/search`.
    pub fn search(&self, form: &Form) -> Reply {
        let query = &form["query"];
        let is_found = |intent: &&Intent| {
            intent.metadata.iter().any(|(field, value)| *query == format!("metadata['{field}']:'{value}'"))
        };
        let found: Vec<Value> = self.intents.values().filter(is_found).map(|intent| self.shown(intent)).collect();
        (
            200,
            json!({ "object": "search_result", "data": found, "has_more": false, "url": "/v1/payment_intents/search" }),
        )
    }

    /// `POST /v1/refunds`.
    pub fn refund(&mut self, form: &Form) -> Reply {
        let id = self.id("re");
        let Some(intent) = form.get("payment_intent").and_then(|id| self.intents.get_mut(id)) else {
            return error(404, "invalid_request_error", "resource_missing", "No such payment_intent");
        };
        let left = intent.received - intent.refunded;
        let amount = form.get("amount").map_or(left, |amount| amount.parse().expect("a number"));
        if amount > left || left == 0 {
            return invalid("charge_already_refunded", "The charge has been refunded.");
        }
        intent.refunded += amount;
        let refund = json!({ "id": id, "object": "refund", "amount": amount, "currency": intent.currency,
            "payment_intent": intent.id, "status": "succeeded", "metadata": metadata(form) });
        self.refunds.push(refund.clone());
        (200, refund)
    }

    /// `GET /v1/refunds`.
    pub fn list_refunds(&self, form: &Form) -> Reply {
        let is_of =
            |refund: &&Value| form.get("payment_intent").is_none_or(|intent| refund["payment_intent"] == **intent);
        let data: Vec<&Value> = self.refunds.iter().rev().filter(is_of).collect();
        (200, json!({ "object": "list", "data": data, "has_more": false, "url": "/v1/refunds" }))
    }
}

impl Intent {
    /// It is charged, or authorized.
    pub fn succeed(&mut self) {
        if self.is_manual {
            self.status = "requires_capture";
        } else {
            (self.status, self.received) = ("succeeded", self.amount);
        }
    }
}
