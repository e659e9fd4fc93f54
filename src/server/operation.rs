//! One operation as it comes in, whatever brings it: checked before it is parsed, executed, and with a code on every
//! error when it goes out.

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType};
use async_graphql::{Request, Response, ServerError, Variables};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::graphql::{ApiSchema, Code, Viewer, asks_for_introspection, check_document, finish, prepare};

use super::Served;
use super::persisted::{Hash, Persisted};

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
    /// What to execute.
    pub request: Request,
}

/// A response, and whether it is a request error: one that came before anything was executed.
pub struct Answer {
    /// What to send.
    pub response: Response,
    /// Nothing was executed.
    pub is_request_error: bool,
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

    /// Puts the query in place of its hash. Answers the hash with the query when both were sent, so that they can be
    /// remembered when the query has turned out to be good.
    ///
    /// # Errors
    /// The answer that says what is wrong with the hash, or that there is no query.
    pub fn resolve(&mut self, persisted: &Persisted) -> Result<Option<(Hash, String)>, Box<Answer>> {
        let extension = self.extensions.as_ref().and_then(|extensions| extensions.get("persistedQuery"));
        let resolved = match extension {
            Some(extension) => persisted.resolve(&mut self.query, extension),
            None if self.query.is_none() => Err(Code::BadUserInput.error("Send an operation in `query`.")),
            None => Ok(None),
        };
        let hash = resolved.map_err(|error| {
            Box::new(Answer::of_request_error(error.into_server_error(async_graphql::Pos::default())))
        })?;
        Ok(hash.zip(self.query.clone()))
    }

    /// Checks and parses the document.
    ///
    /// # Errors
    /// The answer that says what is wrong with it.
    pub fn accept(self, served: &Served, viewer: Viewer) -> Result<Accepted, Box<Answer>> {
        let document = self.query.unwrap_or_default();
        if let Err(error) = check_document(&document) {
            return Err(Box::new(Answer::of_request_error(error.into_server_error(async_graphql::Pos::default()))));
        }
        let mut request = Request::new(document);
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            request = request.operation_name(name);
        }
        if let Some(variables) = self.variables {
            request = request.variables(Variables::from_json(serde_json::Value::Object(variables)));
        }
        let name = request.operation_name.clone();
        let kind = match request.parsed_query() {
            Ok(document) if !served.front.explore && asks_for_introspection(document) => {
                let error = Code::ValidationFailed.error("Introspection is switched off here.");
                return Err(Box::new(Answer::of_request_error(error.into_server_error(async_graphql::Pos::default()))));
            }
            Ok(document) => kind(document, name.as_deref()).ok_or_else(|| {
                let error =
                    Code::ValidationFailed.error("The document has no such operation, or several without a name.");
                Box::new(Answer::of_request_error(error.into_server_error(async_graphql::Pos::default())))
            })?,
            Err(error) => {
                let coded = Code::ParseFailed.error(error.message.clone());
                let error = ServerError { extensions: coded.extensions, ..error };
                return Err(Box::new(Answer::of_request_error(error)));
            }
        };
        Ok(Accepted { kind, request: prepare(&served.app, request, viewer) })
    }
}

/// Wraps a response of the library. Errors without a path came before execution; of a subscription, an error at its
/// root says that there will be no events.
pub fn answer(kind: OperationType, response: Response) -> Answer {
    let deepest = usize::from(kind == OperationType::Subscription);
    let is_request_error = response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.len() <= deepest);
    Answer { response: finish(response), is_request_error }
}

impl Answer {
    /// The answer to an operation of which nothing was executed.
    pub fn of_request_error(error: ServerError) -> Self {
        Self { response: finish(Response::from_errors(vec![error])), is_request_error: true }
    }
}

/// The kind of the operation that will be executed.
fn kind(document: &ExecutableDocument, name: Option<&str>) -> Option<OperationType> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation.node.ty),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|operation| operation.node.ty)
        }
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            all.next().filter(|_| operations.len() == 1).map(|operation| operation.node.ty)
        }
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
        map.end()
    }
}

/// The results of an operation, one at a time: the next is worked out when the last one was taken.
///
/// A task of its own does the work. If the results were worked out only as far as somebody takes them, a client that
/// stops reading would leave a query half done, and with it one of the few connections to the database.
pub fn results(schema: &ApiSchema, request: Request) -> impl Stream<Item = Response> + Send + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let mut results = schema.execute_stream(request);
    let work = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok(place) = sender.reserve().await {
            match results.next().await {
                Some(result) => place.send(result),
                None => break,
            }
        }
    }));
    stream::unfold((receiver, work), |(mut receiver, work)| async move {
        let result = receiver.recv().await?;
        Some((result, (receiver, work)))
    })
}
