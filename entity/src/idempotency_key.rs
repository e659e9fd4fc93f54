//! An idempotency key and the answer it stands for.

use sea_orm::entity::prelude::*;

/// An idempotency key and the answer it stands for.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// A subject, or what a guest named.
    #[sea_orm(primary_key, auto_increment = false)]
    pub scope: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub mutation: String,
    /// Of the input: equal inputs have equal fingerprints.
    pub fingerprint: String,
    /// The attempt to pay that it began.
    pub payment_id: Option<Uuid>,
    /// JSON; none while the attempt is under way.
    pub answer: Option<String>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
