//! An address that staff registered for events.

use sea_orm::entity::prelude::*;

/// An address that staff registered for events.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub url: String,
    /// What deliveries are signed with: rows are never written to a log.
    pub secret: String,
    /// Words with a space between them.
    pub events: String,
    pub enabled: bool,
    pub disabled_reason: Option<String>,
    pub failing_since: Option<DateTimeUtc>,
    pub failures: i32,
    pub last_failed: Option<Uuid>,
    pub retry_at: DateTimeUtc,
    pub resumed_at: DateTimeUtc,
    pub leased_until: DateTimeUtc,
    /// A place in the log.
    pub cursor: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
