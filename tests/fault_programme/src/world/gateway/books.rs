//! The books of the payment service: how it stands with every charge, and which captures and refunds were done. Every movement of
//! money is written into the journal while nobody else can change it.
//!
//! It does what it is asked for, also what no shop should ask for, such as to capture twice under two ids: that is for the
//! checker to find.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use checker::journal::{GatewayEvent, Journal, Record};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::notices::Notices;
use super::plan::Way;

/// What is asked.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// The request itself.
    #[serde(rename = "request")]
    pub id: String,
    /// What to do.
    pub action: String,
    /// The payment.
    #[serde(deserialize_with = "id")]
    pub payment: Uuid,
    /// Its order.
    #[serde(deserialize_with = "id")]
    pub order: Uuid,
    /// `purchase` or `authorize`.
    pub method: String,
    /// How much.
    pub amount: i64,
    /// Of what.
    pub currency: String,
    /// The id of a capture or a refund.
    pub operation: Option<String>,
    /// What the buyer's front end sent: what to do.
    pub token: Option<String>,
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(deserializer)?;
    checker::id::uuid(&text).ok_or_else(|| serde::de::Error::custom("no id"))
}

/// How it stands with a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is being processed.
    Pending,
    /// The money is reserved.
    Authorized,
    /// The money was taken.
    Charged,
    /// It was declined.
    Declined,
    /// Nothing can be charged any more.
    Voided,
}

impl Standing {
    const fn state(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Charged => "charged",
            Self::Declined => "declined",
            Self::Voided => "voided",
        }
    }

    const fn event(self) -> Option<GatewayEvent> {
        match self {
            Self::Pending => None,
            Self::Authorized => Some(GatewayEvent::Authorized),
            Self::Charged => Some(GatewayEvent::Charged),
            Self::Declined => Some(GatewayEvent::Declined),
            Self::Voided => Some(GatewayEvent::Voided),
        }
    }
}

/// How it stands with a capture or a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It was heard of.
    Heard,
    /// It is being processed.
    Pending,
    /// It is done.
    Done,
    /// It was refused for good.
    Refused,
}

#[derive(Debug, Default)]
struct Charge {
    /// `None` until a request to charge or to void has arrived.
    standing: Option<Standing>,
    /// So many look-ups and voids fail.
    failures: u32,
    /// How captures, voids and refunds go that were not heard of yet.
    ways: VecDeque<Way>,
    operations: HashMap<String, Progress>,
}

/// The books. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Books {
    charges: Arc<Mutex<HashMap<Uuid, Charge>>>,
    journal: Arc<Journal>,
    notices: Notices,
}

impl Books {
    /// Empty books of somebody who pushes these notices.
    pub fn new(journal: Arc<Journal>, notices: Notices) -> Self {
        Self { charges: Arc::default(), journal, notices }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Uuid, Charge>> {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what happened.
    pub fn write(&self, request: &Request, event: GatewayEvent) {
        let Request { payment, order, amount, .. } = *request;
        let operation = request.operation.as_deref().and_then(|id| id.parse().ok());
        self.journal.write(&Record::Gateway { payment, order, operation, amount, event });
    }

    /// Notes how this charge is to go. The request may still be on its way.
    pub fn plan(&self, request: &Request, failures: u32, ways: VecDeque<Way>) {
        let mut charges = self.open();
        let charge = charges.entry(request.payment).or_default();
        (charge.failures, charge.ways) = (failures, ways);
    }

    /// Begins to process a charge.
    pub fn begin(&self, request: &Request) {
        self.open().entry(request.payment).or_default().standing.get_or_insert(Standing::Pending);
    }

    /// Ends a charge, unless it has ended. One that is authorized can still be voided.
    pub fn end(&self, request: &Request, standing: Standing) -> Value {
        let mut charges = self.open();
        let charge = charges.entry(request.payment).or_default();
        let can_end = match charge.standing {
            None | Some(Standing::Pending) => true,
            Some(Standing::Authorized) => standing == Standing::Voided,
            Some(_) => false,
        };
        if can_end {
            charge.standing = Some(standing);
            if let Some(event) = standing.event() {
                self.write(request, event);
            }
            self.notices.push(request, standing.state());
        }
        state(charge.standing)
    }

    /// How it stands with a charge.
    pub fn look_up(&self, request: &Request) -> Value {
        state(self.open().get(&request.payment).and_then(|charge| charge.standing))
    }

    /// Whether this look-up or void is one that fails.
    pub fn fails(&self, payment: Uuid) -> bool {
        let mut charges = self.open();
        let Some(charge) = charges.get_mut(&payment).filter(|charge| charge.failures > 0) else { return false };
        charge.failures -= 1;
        true
    }

    /// In which way a void goes.
    pub fn way_of_void(&self, request: &Request) -> Way {
        self.open().get_mut(&request.payment).and_then(|charge| charge.ways.pop_front()).unwrap_or(Way::AT_ONCE)
    }

    /// In which way a capture or a refund goes: as planned when it is heard of for the first time.
    pub fn way_of(&self, request: &Request) -> Way {
        let mut charges = self.open();
        let charge = charges.entry(request.payment).or_default();
        let id = request.operation.clone().unwrap_or_default();
        if let Some(progress) = charge.operations.get(&id) {
            return if *progress == Progress::Pending { Way::StillPending } else { Way::AT_ONCE };
        }
        let way = charge.ways.pop_front().unwrap_or(Way::AT_ONCE);
        let progress = if matches!(way, Way::Pending(_)) { Progress::Pending } else { Progress::Heard };
        charge.operations.insert(id, progress);
        way
    }

    /// Captures or refunds, once under each id.
    pub fn move_money(&self, request: &Request) -> Value {
        let mut charges = self.open();
        let charge = charges.entry(request.payment).or_default();
        let progress = charge.operations.entry(request.operation.clone().unwrap_or_default());
        let progress = progress.or_insert(Progress::Heard);
        let is_capture = request.action == "capture";
        if matches!(progress, Progress::Heard | Progress::Pending) {
            let event = match (is_capture, charge.standing) {
                (true, Some(Standing::Authorized | Standing::Charged)) => Some(GatewayEvent::Captured),
                (false, Some(Standing::Charged)) => Some(GatewayEvent::Refunded),
                _ => None,
            };
            *progress = if event.is_some() { Progress::Done } else { Progress::Refused };
            if event == Some(GatewayEvent::Captured) {
                charge.standing = Some(Standing::Charged);
            }
            self.write(request, event.unwrap_or(GatewayEvent::Refused));
        }
        match (*progress, is_capture) {
            (Progress::Refused, _) => refusal(),
            (_, true) => json!({ "state": "captured" }),
            (_, false) => json!({ "state": "refunded" }),
        }
    }

    /// Refuses a capture or a refund for good, a charge, of which nothing is kept, or to void a charge this time.
    pub fn refuse(&self, request: &Request) -> Value {
        if let Some(id) = &request.operation {
            self.open().entry(request.payment).or_default().operations.insert(id.clone(), Progress::Refused);
            self.write(request, GatewayEvent::Refused);
        } else if request.action == "charge" {
            self.write(request, GatewayEvent::Declined);
        }
        refusal()
    }
}

fn state(standing: Option<Standing>) -> Value {
    json!({ "state": standing.map_or("not_found", Standing::state) })
}

fn refusal() -> Value {
    json!({ "state": "refused", "reason": "The service refused it." })
}
