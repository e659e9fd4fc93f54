//! One operation as it comes in, whatever brings it: checked before it is parsed, executed, and with a code on every
//! error when it goes out.

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, Response, Variables};
use serde::Deserialize;

use crate::graphql::document::fault::{self, Faults};
use crate::graphql::{Code, Viewer, finish, prepare};

use super::Served;

/// What a client sends.
#[derive(Debug, Deserialize)]
pub struct Operation {
    query: String,
    #[serde(default, rename = "operationName")]
    name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    #[expect(dead_code, reason = "clients may send it, and it must be an object; nothing in it means anything yet")]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
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
    pub fn from_parts(
        query: String,
        name: Option<String>,
        variables: Option<serde_json::Map<String, serde_json::Value>>,
    ) -> Self {
        Self { query, name, variables, extensions: None }
    }

    /// Checks the document and its variables; what they ask for may then be executed.
    ///
    /// # Errors
    /// The answer that says what is wrong with them.
    pub fn accept(self, served: &Served, viewer: Viewer) -> Result<Accepted, Box<Answer>> {
        let document = served.documents.read(&self.query).map_err(request_error)?;
        if !served.front.explore && document.asks_for_introspection() {
            let error = Code::ValidationFailed.error("Introspection is switched off here.");
            return Err(request_error(vec![error.into_server_error(Pos::default())]));
        }
        let name = self.name.filter(|name| !name.is_empty());
        let admitted = served.documents.admit(&document, name.as_deref(), self.variables.as_ref(), &viewer);
        let kind = admitted.map_err(request_error)?;
        let mut request = Request::new(self.query);
        request.set_parsed_query(document.parsed());
        request.operation_name = name;
        if let Some(variables) = self.variables {
            request = request.variables(Variables::from_json(serde_json::Value::Object(variables)));
        }
        Ok(Accepted { kind, request: prepare(&served.app, request, viewer) })
    }
}

/// Wraps a response of the library. Errors without a path came before execution; of a subscription, an error at its
/// root says that there will be no events.
pub fn answer(kind: OperationType, mut response: Response) -> Answer {
    let deepest = usize::from(kind == OperationType::Subscription);
    let is_request_error = response.data == async_graphql::Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.len() <= deepest);
    if is_request_error {
        fault::bound(&mut response.errors);
    }
    Answer { response: finish(response), is_request_error }
}

fn request_error(errors: Faults) -> Box<Answer> {
    Box::new(Answer { response: finish(Response::from_errors(errors)), is_request_error: true })
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
