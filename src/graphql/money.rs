//! Amounts of money as clients see them and send them.

use async_graphql::{InputObject, SimpleObject};

use domain::money;

use super::budget::Charged;
use super::scalars::Long;

/// An amount of money.
#[derive(Debug, Clone, Copy, SimpleObject)]
#[graphql(guard = "Charged")]
pub struct Money {
    /// Minor units, for example cents.
    amount: Long,
    /// ISO 4217.
    currency: &'static str,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self { amount: Long(money.amount), currency: money.currency.code() }
    }
}

/// An amount of money.
#[derive(Debug, Clone, InputObject)]
pub struct MoneyInput {
    /// Minor units, for example cents: 0 to 2^53 - 1.
    pub amount: Long,
    /// ISO 4217, for example EUR.
    pub currency: String,
}
