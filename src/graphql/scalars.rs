//! The two scalars that GraphQL does not have: moments and whole numbers that an Int cannot hold.

use async_graphql::{InputValueError, InputValueResult, Number, Scalar, ScalarType, Value};
use chrono::SecondsFormat;

use domain::money::MAX_AMOUNT;
use domain::random::whole_microseconds;
use domain::{Time, is_writable};

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub Time);

impl DateTime {
    /// What is taken for one.
    pub const TAKES: &'static str = "a moment like 2026-01-31T12:00:00.000001Z, in the years 0000 to 9999 of UTC";
}

/// A moment, RFC 3339 in UTC with up to microsecond precision, for example 2026-01-31T12:00:00.000001Z.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let time = chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| whole_microseconds(time.to_utc()));
        // With an offset, the last hours of 9999 are in a year that has five digits.
        match time.filter(|time| is_writable(*time)) {
            Some(time) => Ok(Self(time)),
            None => Err(InputValueError::custom(Self::TAKES)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// A whole number from -(2^53 - 1) to 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long(pub i64);

impl Long {
    /// What is taken for one.
    pub const TAKES: &'static str = "a whole number from -9007199254740991 to 9007199254740991";
}

/// A whole number from -(2^53 - 1) to 2^53 - 1, a JSON number.
#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        match number {
            Some(number) if number.unsigned_abs() <= MAX_AMOUNT.unsigned_abs() => Ok(Self(number)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::Number(Number::from(self.0))
    }
}
