//! Errors as clients see them: a sentence and a code of the contract. What went wrong inside is for the log only.

use async_graphql::{ErrorExtensionValues, Response, ServerError, SimpleObject};
use uuid::Uuid;

use crate::database::error::Error;
use crate::observability::metrics;
use domain::codes;
use domain::rejection::{Rejection, Rejections};

codes! {
    /// Why a request, or a field of it, was not answered: `extensions.code`.
    Code {
        /// The document is no GraphQL.
        ParseFailed = "GRAPHQL_PARSE_FAILED",
        /// The document does not fit the schema.
        ValidationFailed = "GRAPHQL_VALIDATION_FAILED",
        /// An argument or a variable is not acceptable.
        BadUserInput = "BAD_USER_INPUT",
        /// Not an id, or an id of another kind.
        BadId = "BAD_ID",
        /// Not a cursor of this list.
        BadCursor = "BAD_CURSOR",
        /// Over a limit of the request.
        LimitExceeded = "LIMIT_EXCEEDED",
        /// No token where one is needed, or one that is not good.
        Unauthenticated = "UNAUTHENTICATED",
        /// Not allowed.
        Forbidden = "FORBIDDEN",
        /// There is no such thing.
        NotFound = "NOT_FOUND",
        /// Too many requests in too short a time; not executed.
        RateLimited = "RATE_LIMITED",
        /// Too much to do; not executed.
        Overloaded = "OVERLOADED",
        /// Not executed.
        Unavailable = "UNAVAILABLE",
        /// The outcome is unknown; retry with the key.
        Timeout = "TIMEOUT",
        /// The hash of a persisted query is not known; send the query along with it.
        PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND",
        /// Our own failure.
        Internal = "INTERNAL",
    }
}

impl Code {
    /// An error with this code.
    pub fn error(self, message: impl Into<String>) -> async_graphql::Error {
        metrics::refusal(self.as_str());
        let mut error = async_graphql::Error::new(message);
        error.extensions.get_or_insert_default().set("code", self.as_str());
        error
    }
}

/// A failure as a client sees it.
pub fn failure(error: &Error) -> async_graphql::Error {
    match error {
        Error::Overloaded => {
            Code::Overloaded.error("The server has too much to do. Nothing was executed; try again soon.")
        }
        Error::Unavailable => Code::Unavailable.error("The server cannot do this now. Nothing was executed."),
        Error::TimedOut => Code::Timeout.error("There was no answer in time. Ask again with the same idempotency key."),
        Error::Refused(refusal) => {
            let message = refusal.first().map_or("This is not possible.", |rejection| &rejection.message);
            Code::BadUserInput.error(message)
        }
        Error::Failure(error) => {
            let id = Uuid::new_v4();
            tracing::error!(%id, error = format!("{error:#}"), "internal error");
            Code::Internal.error(format!("Something went wrong on our side. It is in our log as {id}."))
        }
    }
}

/// A field that is null when there is nothing, and also when it fails: the error is told, and its neighbours keep their
/// data. (A resolver's own `Result<Option<_>>` would take its parent along.)
pub type Nullable<T> = Option<async_graphql::Result<T>>;

/// Resolves a nullable field.
pub async fn nullable<T>(field: impl Future<Output = async_graphql::Result<Option<T>>>) -> Nullable<T> {
    field.await.transpose()
}

/// Parts what the business refuses, which is an answer, from what is an error.
///
/// # Errors
/// Every failure that is not a refusal.
pub fn refusable<T>(result: Result<T, Error>) -> async_graphql::Result<Result<T, Vec<UserError>>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Refused(refusal)) => Ok(Err(user_errors(refusal))),
        Err(error) => Err(failure(&error)),
    }
}

/// A refusal by the business. For shoppers, INSUFFICIENT_STOCK names neither product nor count, as the inventory's rules ask.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// What kind of refusal.
    code: UserErrorCode,
    /// A sentence for people.
    message: String,
    /// Path into the input; null where no field is to blame. Of INSUFFICIENT_STOCK in the order flow staff only are told the
    /// item, where the input has items.
    field: Option<Vec<String>>,
}

/// A refusal as clients see it.
pub fn user_errors(refusal: Rejections) -> Vec<UserError> {
    let tell = |Rejection { code, message, field }| {
        metrics::refusal(code.as_str());
        UserError { code: code.into(), message, field }
    };
    refusal.into_iter().map(tell).collect()
}

/// Why the business refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(remote = "domain::rejection::Code")]
pub enum UserErrorCode {
    /// There is not enough available.
    InsufficientStock,
    /// There is no such thing, or it is not yours.
    NotFound,
    /// A value is not acceptable.
    InvalidInput,
    /// A quantity is outside its range.
    InvalidQuantity,
    /// Not in this state of the thing.
    InvalidState,
    /// A unique value is taken.
    AlreadyExists,
    /// The stock is no longer at the expected version.
    StaleVersion,
    /// The gateway declined.
    PaymentDeclined,
    /// Another attempt to pay is under way.
    PaymentInProgress,
    /// The gateway refused the request itself; nothing was charged.
    GatewayError,
    /// More than one currency in a cart.
    CurrencyMismatch,
    /// An amount of money would leave its range.
    AmountTooLarge,
    /// The idempotency key came before, with another input.
    IdempotencyKeyReused,
    /// The product is archived.
    ProductUnavailable,
    /// More of something than is allowed.
    LimitExceeded,
}

/// Puts a code on every error of a response that has none: those come from the library, before or beside a resolver.
#[must_use]
pub fn finish(mut response: Response) -> Response {
    let has_data = response.data != async_graphql::Value::Null;
    for error in &mut response.errors {
        if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
            let code = code_of(error, has_data);
            metrics::refusal(code.as_str());
            error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code.as_str());
        }
    }
    response
}

/// Errors without a path come before execution and are about the document; variables were checked before it came to the
/// library. Errors with a path are about arguments, because our own resolvers give every error a code.
fn code_of(error: &ServerError, has_data: bool) -> Code {
    if error.path.is_empty() && !has_data { Code::ValidationFailed } else { Code::BadUserInput }
}
