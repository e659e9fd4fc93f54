//! What the catalogue says of a product. Stock is never part of it: the stock record has a life of its own.

use super::Time;
use super::id::ProductId;
use super::money::Money;
use super::stock::Stock;
use crate::codes;

codes! {
    /// Whether a product is for sale.
    Status {
        /// For sale.
        Active = "active",
        /// No longer added, checked out or paid; what is allocated still ships or cancels.
        Archived = "archived",
    }
}

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// As typed, trimmed; unique ignoring case.
    pub sku: String,
    /// Its part of a web address; unique.
    pub slug: String,
    /// 1 to 200 characters.
    pub name: String,
    /// At most 10,000 characters.
    pub description: Option<String>,
    /// For one unit.
    pub price: Money,
    /// For sale or not.
    pub status: Status,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// A product with its stock record, both as they stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRecord {
    /// What the catalogue says.
    pub product: Product,
    /// Its stock record; every product has one.
    pub stock: Option<Stock>,
}
