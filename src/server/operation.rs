//! One operation as it comes in, whatever brings it: checked before it is parsed, executed, and with a code on every
//! error when it goes out.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Name, Pos, Request, Response, ServerError, Variables};
use serde::Deserialize;
use tracing::{Span, field};

use crate::graphql::document::fault::{self, Faults};
use crate::graphql::document::{Admitted, Delivery};
use crate::graphql::{Budget, Code, Stopped, Viewer, finish, prepare};
use crate::observability::traces;

use super::Served;
use super::answer_memory::{AnswerReservation, UnsentAnswer};
use super::persisted::{Hash, Persisted};
use super::rate::COST_OF_ROW;

/// Where an answer says how many of its errors are left out, in its `extensions`.
const LEFT_OUT: &str = "errorsLeftOut";

/// What is said of a mutation whose time is over.
pub const UNKNOWN_OUTCOME: &str =
    "There was no answer in time. Whether it was executed is not known; send it again with its key.";

/// What is said to a mutation that came in a link.
pub const MUTATION_BY_GET: &str = "GET is for queries; POST mutations.";

/// A JSON object that may be missing.
pub type Object = Option<serde_json::Map<String, serde_json::Value>>;

/// What a client sends.
#[derive(Debug, Deserialize)]
pub struct Operation {
    /// Missing when only its hash was sent.
    #[serde(default)]
    query: Option<String>,
    #[serde(default, rename = "operationName")]
    name: Option<String>,
    #[serde(default)]
    variables: Object,
    #[serde(default)]
    extensions: Object,
}

/// An operation that may be executed, and of which kind it is.
pub struct Accepted {
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// What it costs, with the rows that it writes and what it looks through.
    pub cost: u64,
    /// Rows of carts that it writes.
    pub cart_rows: u64,
    /// What to execute.
    pub request: Request,
    /// What its answer may take.
    pub budget: Arc<Budget>,
    /// The memory that its answer takes.
    pub reservation: Arc<AnswerReservation>,
    /// What is logged and traced about it.
    pub span: Span,
    /// The query and its hash, if both were sent: to be remembered once it was executed.
    pub sent: Option<(Hash, String)>,
}

/// A response, and whether it is a request error: one that came before anything was executed.
pub struct Answer {
    /// What to send.
    pub response: Response,
    /// Nothing was executed.
    pub is_request_error: bool,
    /// The memory of a result that is large, until it is sent.
    pub unsent: Option<UnsentAnswer>,
    /// A subscription cannot go on for now, for want of memory: its connection is ended, so that its client comes back.
    pub is_broken_off: bool,
}

impl Operation {
    /// An operation from the parts of a query string.
    pub fn from_parts(query: Option<String>, name: Option<String>, [variables, extensions]: [Object; 2]) -> Self {
        Self { query, name, variables, extensions }
    }

    /// Whether it names a query at all, in full or by its hash.
    pub fn has_query(&self) -> bool {
        self.query.is_some() || self.extensions.as_ref().is_some_and(|all| all.contains_key("persistedQuery"))
    }

    /// Puts the query in place of its hash. Answers the hash with the query when both were sent.
    ///
    /// # Errors
    /// The answer that says what is wrong with the hash, or that there is no query.
    fn resolve(&mut self, persisted: &Persisted) -> Result<Option<(Hash, String)>, Box<Answer>> {
        let extension = self.extensions.as_ref().and_then(|extensions| extensions.get("persistedQuery"));
        let resolved = match extension {
            Some(extension) => persisted.resolve(&mut self.query, extension),
            None if self.query.is_none() => Err(Code::BadUserInput.error("Send an operation in `query`.")),
            None => Ok(None),
        };
        let hash =
            resolved.map_err(|error| Box::new(Answer::of_request_error(error.into_server_error(Pos::default()))))?;
        Ok(hash.zip(self.query.clone()))
    }

    /// Finds the document and checks it and its variables; what they ask for may then be executed.
    ///
    /// # Errors
    /// The answer that says what is wrong with them.
    pub fn accept(
        mut self,
        served: &Served,
        viewer: Viewer,
        reservation: AnswerReservation,
        delivery: Delivery,
    ) -> Result<Accepted, Box<Answer>> {
        let sent = self.resolve(&served.persisted)?;
        let refuse = |faults| Box::new(Answer::of_faults(faults));
        let query = self.query.unwrap_or_default();
        let document = served.documents.read(&query).map_err(refuse)?;
        if !served.front.explore && document.asks_for_introspection() {
            let error = Code::ValidationFailed.error("Introspection is switched off here.");
            return Err(Box::new(Answer::of_request_error(error.into_server_error(Pos::default()))));
        }
        let name = self.name.filter(|name| !name.is_empty());
        let asked = (name.as_deref(), self.variables.as_ref());
        let admitted = served.documents.admit(&document, asked, &viewer, delivery);
        let Admitted { kind, cost, writes, scans } = admitted.map_err(refuse)?;
        let scanned = served.app.store.scan_cost(scans.whole, scans.indexable);
        let scanned = scanned.min(served.front.wire.rates.most_for_searches());
        let cost = cost.saturating_add(writes.rows.saturating_mul(COST_OF_ROW)).saturating_add(scanned);
        let mut request = Request::new(query);
        let parsed = document.parsed();
        let span = span(kind, called(name.as_deref(), &parsed));
        request.set_parsed_query(parsed);
        request.operation_name = name;
        if let Some(variables) = self.variables {
            request = request.variables(Variables::from_json(serde_json::Value::Object(variables)));
        }
        let reservation = Arc::new(reservation);
        let reserving = Arc::clone(&reservation);
        let budget = Arc::new(Budget::new(served.front.wire.room.answer, move |more| reserving.reserve(more)));
        let shared = (kind == OperationType::Subscription).then(|| Arc::clone(&served.shared_reads));
        let request = prepare(&served.app, request, (viewer, Arc::clone(&budget)), shared);
        Ok(Accepted { kind, cost, cart_rows: writes.cart_rows, request, budget, reservation, span, sent })
    }
}

/// The name of the operation that is executed; none when it has none.
fn called<'a>(asked: Option<&'a str>, document: &'a ExecutableDocument) -> &'a str {
    let only = || document.operations.iter().next().and_then(|(name, _)| name).map(Name::as_str);
    asked.or_else(only).unwrap_or_default()
}

/// The span of an operation: its kind and its name, never its text or its variables.
fn span(kind: OperationType, operation: &str) -> Span {
    let span = tracing::info_span!("operation", %kind, operation, otel.name = field::Empty);
    traces::name(&span, || format!("{kind} {operation}").trim_end().to_owned());
    span
}

/// Why an operation was not executed to its end, as clients are told.
fn stopped_error(kind: OperationType, stopped: Stopped, most: usize) -> ServerError {
    // A mutation has happened when its answer turns out to be too large.
    let is_mutation = kind == OperationType::Mutation;
    let kilobytes = most / 1_024;
    let (code, message) = match stopped {
        Stopped::TooLarge if is_mutation => {
            let rest = "What was asked for may have been done all the same.";
            (Code::LimitExceeded, format!("An answer has at most {kilobytes} kB. {rest}"))
        }
        Stopped::TooLarge => {
            (Code::LimitExceeded, format!("An answer has at most {kilobytes} kB. Ask for fewer rows or fields."))
        }
        Stopped::ClientIsFull | Stopped::ServerIsFull if is_mutation => {
            let rest = "Whether it was executed is not known; send it again with its key.";
            (Code::Timeout, format!("There was no memory for the answer. {rest}"))
        }
        Stopped::ClientIsFull => {
            let message = "Too much of earlier answers has not been read yet. Read it, and try again.";
            (Code::RateLimited, message.to_owned())
        }
        Stopped::ServerIsFull => {
            let message = "The server has too much to do. Nothing was executed; try again soon.";
            (Code::Overloaded, message.to_owned())
        }
    };
    fault::located(code, message, None)
}

/// Wraps a response of the library. Errors without a path came before execution; of a subscription, an error at its
/// root says that there will be no events. Its errors are few and short; where that leaves some out, it says how many.
pub fn answer(kind: OperationType, response: Response) -> Answer {
    let deepest = usize::from(kind == OperationType::Subscription);
    let is_request_error = response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.len() <= deepest);
    let mut response = finish(response);
    let left_out = fault::bound(&mut response.errors);
    if left_out > 0 {
        response.extensions.insert(LEFT_OUT.to_owned(), left_out.into());
    }
    Answer { response, is_request_error, unsent: None, is_broken_off: false }
}

impl Answer {
    /// The answer to an operation of which nothing was executed.
    pub fn of_request_error(error: ServerError) -> Self {
        Self::of_faults(vec![error])
    }

    /// The answer to a mutation that came in a link.
    pub fn of_mutation_by_get() -> Self {
        Self::of_faults(fault::fault(Code::BadUserInput, MUTATION_BY_GET))
    }

    /// The same with all that is wrong.
    fn of_faults(mut faults: Faults) -> Self {
        // What has no place in the document has none at all: lines and columns are counted from 1.
        for fault in &mut faults {
            fault.locations.retain(|place| *place != Pos::default());
        }
        Self {
            response: finish(Response::from_errors(faults)),
            is_request_error: true,
            unsent: None,
            is_broken_off: false,
        }
    }

    /// The answer to an operation that took too long.
    pub fn of_late(kind: OperationType) -> Self {
        let message = if kind == OperationType::Mutation { UNKNOWN_OUTCOME } else { "There was no answer in time." };
        Self::of_failure(fault::fault(Code::Timeout, message))
    }

    /// The answer to an operation that panicked. What it was is in the log.
    pub fn of_panic() -> Self {
        Self::of_failure(fault::fault(Code::Internal, "Something went wrong on our side."))
    }

    fn of_failure(faults: Faults) -> Self {
        Self { response: Response::from_errors(faults), is_request_error: false, unsent: None, is_broken_off: false }
    }

    /// The answer to an operation that was not executed to its end.
    pub fn of_stopped(kind: OperationType, stopped: Stopped, most: usize) -> Self {
        let response = Response::from_errors(vec![stopped_error(kind, stopped, most)]);
        let is_broken_off = kind == OperationType::Subscription && stopped != Stopped::TooLarge;
        Self { response, is_request_error: false, unsent: None, is_broken_off }
    }
}

impl serde::Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if !self.response.errors.is_empty() {
            map.serialize_entry("errors", &self.response.errors)?;
        }
        if !self.is_request_error {
            map.serialize_entry("data", &self.response.data)?;
        }
        if !self.response.extensions.is_empty() {
            map.serialize_entry("extensions", &self.response.extensions)?;
        }
        map.end()
    }
}
