//! What a refusal by the business looks like: a code, a sentence for people, and the field it is about.
//!
//! A rejection changes nothing, writes nothing to the log and pushes nothing. It must never carry another person's
//! data, and `INSUFFICIENT_STOCK` towards a shopper names neither the product nor the count.

use serde::{Deserialize, Serialize};

use crate::codes;

codes! {
    /// Why the business refuses. The API's `UserErrorCode`.
    Code {
        /// There is not enough available.
        InsufficientStock = "INSUFFICIENT_STOCK",
        /// There is no such thing, or it is not yours.
        NotFound = "NOT_FOUND",
        /// A value is not acceptable.
        InvalidInput = "INVALID_INPUT",
        /// A quantity is outside its range.
        InvalidQuantity = "INVALID_QUANTITY",
        /// Not in this state of the thing.
        InvalidState = "INVALID_STATE",
        /// A unique value is taken.
        AlreadyExists = "ALREADY_EXISTS",
        /// The stock is no longer at the expected version.
        StaleVersion = "STALE_VERSION",
        /// The gateway declined.
        PaymentDeclined = "PAYMENT_DECLINED",
        /// Another attempt to pay is under way.
        PaymentInProgress = "PAYMENT_IN_PROGRESS",
        /// The gateway refused the request itself.
        GatewayError = "GATEWAY_ERROR",
        /// More than one currency.
        CurrencyMismatch = "CURRENCY_MISMATCH",
        /// An amount of money would leave its range.
        AmountTooLarge = "AMOUNT_TOO_LARGE",
        /// The idempotency key came before, with another input.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// The product is archived.
        ProductUnavailable = "PRODUCT_UNAVAILABLE",
        /// More of something than is allowed.
        LimitExceeded = "LIMIT_EXCEEDED",
    }
}

/// A refusal by the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// What kind of refusal.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// Path into the input, when one field is to blame.
    pub field: Option<Vec<String>>,
}

impl Rejection {
    /// A refusal that blames no field yet.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// The same refusal, blaming the field at this path below `input`.
    #[must_use]
    pub fn at<S: ToString>(mut self, path: impl IntoIterator<Item = S>) -> Self {
        let path = path.into_iter().map(|part| part.to_string());
        self.field = Some(std::iter::once("input".to_owned()).chain(path).collect());
        self
    }

    /// Not enough stock, as shoppers are told it: neither the product nor the count. A rule of the inventory.
    #[must_use]
    pub fn insufficient_stock() -> Self {
        Self::new(Code::InsufficientStock, "There is not enough stock.")
    }

    /// There is no such thing. The same words whether it never was or is somebody else's.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// The thing is in a state that does not allow this.
    #[must_use]
    pub fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidState, message)
    }

    /// A value is not acceptable.
    #[must_use]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }
}

/// One refusal or several: what a decision answers when it changes nothing.
pub type Rejections = Vec<Rejection>;

impl From<Rejection> for Rejections {
    fn from(rejection: Rejection) -> Self {
        vec![rejection]
    }
}
