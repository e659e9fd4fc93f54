//! What clients write down, before and after each call: a line of JSON for each thing that happened, in the order in which
//! they saw it happen.
//!
//! A call that has no answer is one whose outcome nobody knows.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Record {
    /// A client is about to send a mutation.
    Call {
        /// Its number in this journal.
        call: u64,
        /// The mutation.
        mutation: String,
        /// Its input.
        input: Value,
    },
    /// The answer came.
    Answer {
        /// The call.
        call: u64,
        /// What it was.
        outcome: Outcome,
    },
    /// A client is about to read the stock of a product.
    Read {
        /// Its number in this journal.
        read: u64,
        /// The product.
        product: Uuid,
    },
    /// It read this version.
    Found {
        /// The read.
        read: u64,
        /// The version.
        version: i32,
    },
    /// Somebody subscribed to the stock of products, for the first time or anew.
    Subscribed {
        /// Who.
        subscriber: u64,
        /// The products.
        products: Vec<Uuid>,
    },
    /// A subscriber was sent a state.
    Saw {
        /// Who.
        subscriber: u64,
        /// Of which product.
        product: Uuid,
        /// Its version.
        version: i32,
        /// The numbers: total, allocated and available.
        numbers: [i32; 3],
    },
    /// Somebody subscribed to an order.
    Followed {
        /// Who.
        subscriber: u64,
        /// The order.
        order: Uuid,
    },
    /// A subscriber was sent the state of an order: of the order, of its payment, of its shipping.
    SawOrder {
        /// Who.
        subscriber: u64,
        /// The order.
        order: Uuid,
        /// The states, as the API names them.
        states: [String; 3],
    },
    /// Somebody subscribed to the log, for the first time or anew.
    FollowedLog {
        /// Who.
        subscriber: u64,
    },
    /// A subscriber was sent a row of the log.
    SawRow {
        /// Who.
        subscriber: u64,
        /// The product.
        product: Uuid,
        /// The number of the row in the log of the product.
        sequence: i32,
    },
    /// A subscriber to the log was told that its cursor is of other data. It begins anew with what comes from then on.
    CursorRefused {
        /// Who.
        subscriber: u64,
    },
    /// A subscriber has waited until the shop was at rest and stops looking. What it was sent last must be the last there
    /// is.
    Rested {
        /// Who.
        subscriber: u64,
    },
    /// Something happened at the payment service.
    Gateway {
        /// The payment under whose id it was asked.
        payment: Uuid,
        /// The order.
        order: Uuid,
        /// The id of the capture or the refund.
        operation: Option<Uuid>,
        /// What was to be charged, captured or refunded.
        amount: i64,
        /// What.
        event: GatewayEvent,
    },
    /// Somebody registered for what happens to orders, before anything happened to one.
    Registered,
    /// Somebody who had registered was told of something.
    Delivered {
        /// The delivery.
        delivery: String,
        /// What happened.
        kind: String,
        /// To which order.
        order: Uuid,
        /// The version of the order.
        version: i32,
        /// The shipment that it is about.
        shipment: Option<Uuid>,
        /// Whether it was signed as agreed.
        is_signed: bool,
        /// Whether it is accepted.
        is_accepted: bool,
    },
    /// A fault was done on purpose.
    Fault {
        /// Which.
        name: String,
    },
    /// Another server of the database took over on purpose, as in a failover: cursors of the log are refused after it, since
    /// no server can tell whether it has everything.
    TakenOver,
    /// A database came back that shows commits for which nobody else vouches, and that another one is about to replace.
    /// What was only shown or pushed from then on may be gone; what was acknowledged may not.
    ShowsMore,
    /// The data was set back on purpose, to an earlier state, without its last commits: a failover to a standby that did
    /// not have them. What was acknowledged before may be gone, and versions may begin again.
    SetBack,
    /// The database that took over is the only one that is left. What begins after this has no excuse.
    Moved,
    /// A gauge as it stood before anybody came.
    Gauge {
        /// Its name and labels.
        name: String,
        /// Its value.
        value: f64,
    },
}

/// What a mutation answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was done, or has been begun; `codes` of user errors may stand beside it (a payment that was declined).
    Done {
        /// What it answered.
        data: Value,
        /// Codes of user errors.
        codes: Vec<String>,
    },
    /// It was refused: nothing happened.
    Refused {
        /// Codes of user errors, or of errors of which the API says that nothing was executed.
        codes: Vec<String>,
    },
    /// Nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Codes of the API that say that a request was not executed: it left nothing behind and may be sent again.
pub const NOT_EXECUTED: [&str; 4] = ["UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "LIMIT_EXCEEDED"];

/// What happened at a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayEvent {
    /// A request to charge arrived.
    Asked,
    /// Money was reserved.
    Authorized,
    /// Money was taken.
    Charged,
    /// Money that was reserved was taken.
    Captured,
    /// Money was sent back.
    Refunded,
    /// A capture or a refund was refused for good.
    Refused,
    /// The charge was declined.
    Declined,
    /// Nothing can be charged under this id any more.
    Voided,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: BufWriter<File>,
    next: u64,
    failure: Option<std::io::Error>,
}

impl Journal {
    /// Begins a journal in a new file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("the journal {}", path.display()))?;
        Ok(Self { open: Mutex::new(Open { file: BufWriter::new(file), next: 1, failure: None }) })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what happened.
    pub fn write(&self, record: &Record) {
        self.open().write(record);
    }

    /// Writes down a call or a read before it is sent; gives it a number.
    pub fn begin(&self, record: impl FnOnce(u64) -> Record) -> u64 {
        let mut open = self.open();
        let number = open.next;
        open.next += 1;
        open.write(&record(number));
        number
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// When something of it could not be written: then it is worth nothing.
    pub fn finish(&self) -> anyhow::Result<()> {
        let mut open = self.open();
        if let Some(failure) = open.failure.take() {
            return Err(failure).context("the journal could not be written");
        }
        open.file.flush().context("the journal could not be written")
    }
}

impl Open {
    fn write(&mut self, record: &Record) {
        let written = serde_json::to_writer(&mut self.file, record).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        if let (Err(failure), None) = (written, &self.failure) {
            self.failure = Some(failure);
        }
    }
}

/// Reads a journal.
///
/// # Errors
/// When it cannot be read, or a line is none of ours.
pub fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    let file = File::open(path).with_context(|| format!("the journal {}", path.display()))?;
    let lines = BufReader::new(file).lines();
    lines.map(|line| serde_json::from_str(&line?).context("a line of the journal")).collect()
}
