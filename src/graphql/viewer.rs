//! Who asks. It only says who somebody is, never what is allowed.

use async_graphql::Context;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The subject: the log's `actor`, and the scope of idempotency keys.
    pub subject: String,
}

impl Viewer {
    /// In development everybody is staff and has this one subject.
    #[must_use]
    pub fn development() -> Self {
        Self { subject: "development".to_owned() }
    }

    /// Who asks in this request.
    pub fn of<'a>(context: &Context<'a>) -> &'a Self {
        context.data_unchecked()
    }
}
