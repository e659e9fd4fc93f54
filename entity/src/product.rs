//! A product of the catalogue.

use sea_orm::entity::prelude::*;

/// A product of the catalogue.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// As typed, trimmed.
    pub sku: String,
    /// What SKUs are compared by; unique.
    pub sku_key: String,
    /// Unique.
    pub slug: String,
    pub name: String,
    /// What names are sorted and searched by.
    pub name_key: String,
    pub description: Option<String>,
    /// Minor units.
    pub price_amount: i64,
    /// ISO 4217.
    pub price_currency: String,
    /// `active` or `archived`.
    pub status: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
