//! Money in whole minor units with its currency. It must never pass through a float nor mix currencies.

use std::fmt;

use iso_currency::Currency as Iso;

use super::rejection::{Code, Rejection};

/// The largest amount, in minor units: what a JSON number carries exactly.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;

/// An ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(Iso);

impl Currency {
    /// Reads a code such as `EUR`. `None` when ISO 4217 has no such code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Iso::from_code(code).map(Self)
    }

    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// Minor units, for example cents: 0 to 2^53 - 1.
    pub amount: i64,
    /// What it is counted in.
    pub currency: Currency,
}

impl Money {
    /// A price as somebody typed it.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a negative amount or an unknown currency, `AMOUNT_TOO_LARGE` beyond 2^53 - 1.
    pub fn price(amount: i64, currency: &str) -> Result<Self, Rejection> {
        let currency = Currency::from_code(currency).ok_or_else(|| {
            Rejection::invalid_input("A currency is an ISO 4217 code such as EUR.").at(["price", "currency"])
        })?;
        if amount < 0 {
            return Err(Rejection::invalid_input("A price is not negative.").at(["price", "amount"]));
        }
        if amount > MAX_AMOUNT {
            return Err(too_large().at(["price", "amount"]));
        }
        Ok(Self { amount, currency })
    }

    /// This price for so many units.
    ///
    /// # Errors
    /// `AMOUNT_TOO_LARGE` when the product leaves the range.
    pub fn times(self, quantity: i32) -> Result<Self, Rejection> {
        let amount = self.amount.checked_mul(i64::from(quantity)).filter(|a| *a <= MAX_AMOUNT).ok_or_else(too_large)?;
        Ok(Self { amount, ..self })
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// `CURRENCY_MISMATCH` for two currencies, `AMOUNT_TOO_LARGE` when the sum leaves the range.
    pub fn plus(self, other: Self) -> Result<Self, Rejection> {
        if self.currency != other.currency {
            return Err(Rejection::new(Code::CurrencyMismatch, "Everything in a cart has one currency."));
        }
        let amount = self.amount.checked_add(other.amount).filter(|a| *a <= MAX_AMOUNT).ok_or_else(too_large)?;
        Ok(Self { amount, ..self })
    }
}

fn too_large() -> Rejection {
    Rejection::new(Code::AmountTooLarge, format!("An amount of money is at most {MAX_AMOUNT} minor units."))
}
