//! One operation, whatever transport it came over: checked before it is executed, and answered with a code on every error.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{Name, Pos, Request, Response, ServerError, Variables};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{Span, field};

use crate::graphql::document::fault::{self, Faults};
use crate::graphql::document::{Admitted, Delivery, Document};
use crate::graphql::{self, Budget, Code, Stopped, Viewer, finish};
use crate::observability::traces;

use super::ServerState;
use super::answer_memory::{AnswerReservation, UnsentAnswer};
use super::persisted::{Hash, PersistedQueries};
use super::rate::COST_OF_ROW;
use super::shared_answers::Alike;
use super::shared_results::{Kind, SharedSubscription};

/// The member of `extensions` that says how many errors are left out.
const LEFT_OUT: &str = "errorsLeftOut";

/// The message to a mutation that timed out.
pub const UNKNOWN_OUTCOME: &str =
    "There was no answer in time. Whether it was executed is not known; send it again with its key.";

/// The message to a mutation that came by GET.
pub const MUTATION_BY_GET: &str = "GET is for queries; POST mutations.";

/// A JSON object, or nothing.
pub type Object = Option<serde_json::Map<String, serde_json::Value>>;

/// An operation as a client sends it.
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

/// An operation that was checked and may be executed.
pub struct PreparedOperation {
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// Its cost for the rate limit, with the rows that it writes and those that it scans.
    pub cost: u64,
    /// Number of rows of carts that it writes.
    pub cart_rows: u64,
    /// The request to the schema.
    pub request: Request,
    /// The maximum size of its answer.
    pub budget: Arc<Budget>,
    /// The memory of its answer.
    pub reservation: Arc<AnswerReservation>,
    /// Its span.
    pub span: Span,
    /// The hash and the query, if both were sent: remembered once the query was executed.
    pub sent: Option<(Hash, String)>,
    /// Its results, if it is a subscription whose results others get, too.
    pub shared: Option<SharedSubscription>,
    /// What its answer depends on, if it is a query whose answer others get, too.
    pub alike: Option<Alike>,
}

/// The answer to an operation.
pub struct Answer {
    /// The response to send.
    pub response: Response,
    /// Whether it is a request error: nothing was executed.
    pub is_request_error: bool,
    /// The memory of a large result, until it is sent.
    pub unsent: Option<UnsentAnswer>,
    /// Whether it breaks a subscription off for lack of memory: the connection is closed, so that the client reconnects.
    pub is_broken_off: bool,
    /// The whole answer as JSON, if it was rendered before. It is sent instead of the response.
    pub rendered: Option<Arc<RawValue>>,
}

impl Operation {
    /// Returns an operation from the parts of a query string.
    pub fn from_parts(query: Option<String>, name: Option<String>, [variables, extensions]: [Object; 2]) -> Self {
        Self { query, name, variables, extensions }
    }

    /// Returns whether it has a query, in full or by its hash.
    pub fn has_query(&self) -> bool {
        self.query.is_some() || self.extensions.as_ref().is_some_and(|all| all.contains_key("persistedQuery"))
    }

    /// Replaces the hash of a persisted query by the query. Returns the hash and the query if both were sent.
    ///
    /// # Errors
    /// When the hash is not known or does not match, or when there is no query.
    fn resolve(&mut self, persisted: &PersistedQueries) -> Result<Option<(Hash, String)>, Box<Answer>> {
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

    /// Finds the document, and checks it and its variables.
    ///
    /// # Errors
    /// The answer that says what is wrong with them.
    pub fn prepare(
        mut self,
        state: &ServerState,
        viewer: Viewer,
        reservation: AnswerReservation,
        delivery: Delivery,
    ) -> Result<PreparedOperation, Box<Answer>> {
        let sent = self.resolve(&state.persisted)?;
        let refused = |faults| Box::new(Answer::of_faults(faults));
        let query = self.query.unwrap_or_default();
        let document = state.documents.read(&query).map_err(refused)?;
        if !state.config.explore && document.asks_for_introspection() {
            let error = Code::ValidationFailed.error("Introspection is switched off here.");
            return Err(Box::new(Answer::of_request_error(error.into_server_error(Pos::default()))));
        }
        let name = self.name.filter(|name| !name.is_empty());
        let asked = (name.as_deref(), self.variables.as_ref());
        let admitted = state.documents.admit(&document, asked, &viewer, delivery);
        let Admitted { kind, cost, writes, scans, shareable, of_catalogue } = admitted.map_err(refused)?;
        let scanned = state.app.store.scan_cost(scans.whole, scans.indexable);
        let scanned = scanned.min(state.config.transport.rates.max_search_cost());
        let cost = cost.saturating_add(writes.rows.saturating_mul(COST_OF_ROW)).saturating_add(scanned);
        let span = span(kind, operation_name(name.as_deref(), document.parsed()));
        let variables = self.variables.map(|variables| Variables::from_json(serde_json::Value::Object(variables)));
        let shared = shareable.map(|shareable| {
            let kind = Kind {
                document: document.hash(),
                operation: name.clone(),
                variables: shareable.variables.clone(),
                sees: viewer.sees(),
            };
            let (document, name, variables) = (Arc::clone(&document), name.clone(), variables.clone());
            let again = move || request(String::new(), &document, name.clone(), variables.clone());
            state.shared_results.subscribe(kind, shareable, &viewer, again)
        });
        let alike = of_catalogue.map(|variables| Alike {
            document: document.hash(),
            operation: name.clone(),
            variables,
            sees: viewer.sees(),
            is_staff: viewer.actor.is_staff(),
        });
        let request = request(query, &document, name, variables);
        let reservation = Arc::new(reservation);
        let reserving = Arc::clone(&reservation);
        let budget = Arc::new(Budget::new(state.config.transport.sizes.answer, move |more| reserving.reserve(more)));
        let reads = Some(Arc::clone(&state.shared_reads));
        let request = graphql::prepare(&state.app, request, (viewer, Arc::clone(&budget)), reads);
        let cart_rows = writes.cart_rows;
        Ok(PreparedOperation { kind, cost, cart_rows, request, budget, reservation, span, sent, shared, alike })
    }
}

/// Returns the request that executes a document.
fn request(query: String, document: &Document, name: Option<String>, variables: Option<Variables>) -> Request {
    let mut request = Request::new(query).variables(variables.unwrap_or_default());
    request.set_parsed_query(document.parsed().clone());
    request.operation_name = name;
    request
}

/// Returns the name of the operation that is executed; empty if it has none.
fn operation_name<'a>(asked: Option<&'a str>, document: &'a ExecutableDocument) -> &'a str {
    let only = || document.operations.iter().next().and_then(|(name, _)| name).map(Name::as_str);
    asked.or_else(only).unwrap_or_default()
}

/// Returns the span of an operation: its kind and its name, never its text or its variables.
fn span(kind: OperationType, operation: &str) -> Span {
    let span = tracing::info_span!("operation", %kind, operation, otel.name = field::Empty);
    traces::name(&span, || format!("{kind} {operation}").trim_end().to_owned());
    span
}

/// Returns the error of an operation that was stopped.
fn stopped_error(kind: OperationType, stopped: Stopped, most: usize) -> ServerError {
    // A mutation is committed by the time that its answer turns out to be too large.
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

/// Returns the answer with this response of the library. It is a request error if all errors are without a path, or, for a
/// subscription, at its root: then there are no events. Errors are bounded in number and length; if some are left out, the
/// answer says how many.
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
    Answer { is_request_error, ..Answer::of(response) }
}

impl Answer {
    /// Returns an answer with this response.
    const fn of(response: Response) -> Self {
        Self { response, is_request_error: false, unsent: None, is_broken_off: false, rendered: None }
    }

    /// Returns an answer that was rendered before.
    pub fn of_rendered(rendered: Arc<RawValue>) -> Self {
        Self { rendered: Some(rendered), ..Self::of(Response::default()) }
    }

    /// Returns the answer to an operation of which nothing was executed.
    pub fn of_request_error(error: ServerError) -> Self {
        Self::of_faults(vec![error])
    }

    /// Returns the answer to a mutation that came by GET.
    pub fn of_mutation_by_get() -> Self {
        Self::of_faults(fault::fault(Code::BadUserInput, MUTATION_BY_GET))
    }

    /// Returns the answer to an operation with these errors, of which nothing was executed.
    fn of_faults(mut faults: Faults) -> Self {
        // Lines and columns are counted from 1: an error outside the document has no location.
        for fault in &mut faults {
            fault.locations.retain(|place| *place != Pos::default());
        }
        Self { is_request_error: true, ..Self::of(finish(Response::from_errors(faults))) }
    }

    /// Returns the answer to an operation that timed out.
    pub fn of_timeout(kind: OperationType) -> Self {
        let message = if kind == OperationType::Mutation { UNKNOWN_OUTCOME } else { "There was no answer in time." };
        Self::of_failure(fault::fault(Code::Timeout, message))
    }

    /// Returns the answer to an operation that panicked. The log says where.
    pub fn of_panic() -> Self {
        Self::of_failure(fault::fault(Code::Internal, "Something went wrong on our side."))
    }

    fn of_failure(faults: Faults) -> Self {
        Self::of(Response::from_errors(faults))
    }

    /// Returns the answer to an operation that was stopped.
    pub fn of_stopped(kind: OperationType, stopped: Stopped, most: usize) -> Self {
        let response = Response::from_errors(vec![stopped_error(kind, stopped, most)]);
        let is_broken_off = kind == OperationType::Subscription && stopped != Stopped::TooLarge;
        Self { is_broken_off, ..Self::of(response) }
    }
}

impl serde::Serialize for Answer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        if let Some(rendered) = &self.rendered {
            return rendered.serialize(serializer);
        }
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
