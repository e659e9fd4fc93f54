//! Global ids: a kind, an underscore and a UUID in base32, for example `product_01h455vb4pex5vsknk084sn02q`.
//!
//! Clients treat them as opaque; people can read the kind in a log. An id has exactly one spelling, and an id of one
//! kind is never accepted for another.

use std::fmt;
use std::str::FromStr;

use fast32::base32::CROCKFORD_LOWER;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest text that is looked at as an id, in bytes.
pub const MAX_ID_LENGTH: usize = 64;

/// Characters of the base32 part: 128 bits and two leading zero bits.
const SUFFIX_LENGTH: usize = 26;

/// Why a text is not the id that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not an id of any kind.
    #[error("This is not an id. Ids look like {expected}_01h455vb4pex5vsknk084sn02q.")]
    Malformed {
        /// The kind that was wanted.
        expected: &'static str,
    },
    /// An id, but of another kind.
    #[error("An id of kind \"{expected}\" was expected, but this is one of kind \"{found}\".")]
    OtherKind {
        /// The kind that was wanted.
        expected: &'static str,
        /// The kind that came.
        found: String,
    },
}

/// Splits an id of any kind into its kind and its UUID. `None` when the text is no id at all.
#[must_use]
pub fn split(text: &str) -> Option<(&str, Uuid)> {
    if text.len() > MAX_ID_LENGTH {
        return None;
    }
    let (kind, suffix) = text.rsplit_once('_')?;
    let plain = suffix.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    if kind.is_empty() || suffix.len() != SUFFIX_LENGTH || !plain || suffix.as_bytes()[0] > b'7' {
        return None;
    }
    let uuid = Uuid::from_u128(CROCKFORD_LOWER.decode_u128(suffix.as_bytes()).ok()?);
    // Base32 in this alphabet reads "o" as "0" and "l" as "1"; only the one spelling that we print is an id.
    (base32(uuid) == suffix).then_some((kind, uuid))
}

fn base32(uuid: Uuid) -> String {
    format!("{:0>SUFFIX_LENGTH$}", CROCKFORD_LOWER.encode_u128(uuid.as_u128()))
}

macro_rules! id_kinds {
    ($($(#[$meta:meta])* $name:ident = $kind:literal),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The word in front of the underscore.
            pub const KIND: &str = $kind;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::KIND, base32(self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                match split(text) {
                    Some((kind, uuid)) if kind == Self::KIND => Ok(Self(uuid)),
                    Some((kind, _)) if KINDS.contains(&kind) => {
                        Err(IdError::OtherKind { expected: Self::KIND, found: kind.to_owned() })
                    }
                    _ => Err(IdError::Malformed { expected: Self::KIND }),
                }
            }
        }
    )+

        /// Every kind of id there is.
        pub const KINDS: &[&str] = &[$($kind),+];
    };
}

id_kinds! {
    /// A product.
    ProductId = "product",
    /// A stock record. It carries the UUID of its product.
    StockId = "stock",
    /// A row of the log.
    StockTransactionId = "transaction",
    /// What all rows of one operation share.
    OperationId = "operation",
    /// A cart. Wholly random: for a guest it is the only key to the cart.
    CartId = "cart",
    /// An order. Wholly random, like a cart's.
    OrderId = "order",
    /// A line of an order.
    OrderItemId = "item",
    /// A payment. It is also the key under which the gateway is asked.
    PaymentId = "payment",
    /// A capture, a void or a refund of a payment. It is also the key under which the gateway is asked.
    PaymentOperationId = "operation_of_payment",
    /// A refund, as clients see it. It carries the UUID of its operation.
    RefundId = "refund",
    /// A shipment.
    ShipmentId = "shipment",
    /// An outgoing webhook.
    WebhookId = "webhook",
    /// A delivery to an outgoing webhook. Receivers tell repeated deliveries by it.
    DeliveryId = "delivery",
}

impl From<ProductId> for StockId {
    fn from(product: ProductId) -> Self {
        Self(product.0)
    }
}

impl From<StockId> for ProductId {
    fn from(stock: StockId) -> Self {
        Self(stock.0)
    }
}

impl From<PaymentOperationId> for RefundId {
    fn from(operation: PaymentOperationId) -> Self {
        Self(operation.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself() {
        for bits in [0, 1, u128::MAX, 0x0190_0000_0000_7000_8000_0000_0000_0001] {
            let id = ProductId(Uuid::from_u128(bits));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn an_id_has_one_spelling_and_one_kind() {
        let id = ProductId(Uuid::from_u128(1)).to_string();
        assert_eq!(id, "product_00000000000000000000000001");
        let malformed = Err(IdError::Malformed { expected: "product" });
        for text in [
            "",
            "product",
            "product_",
            "product_0000000000000000000000000l",
            "product_0000000000000000000000000O",
            "product_80000000000000000000000000",
            "PRODUCT_00000000000000000000000001",
            "thing_00000000000000000000000001",
            "product_00000000000000000000000001 ",
        ] {
            assert_eq!(text.parse::<ProductId>(), malformed, "{text:?}");
        }
        let other = IdError::OtherKind { expected: "order", found: "product".to_owned() };
        assert_eq!(id.parse::<OrderId>(), Err(other));
    }
}
