//! Amounts as Stripe counts them. Ours are whole minor units by ISO 4217; Stripe's are the same, but for a few currencies.

use domain::money::Money;

/// Stripe counts two decimals although ISO 4217 has none, and takes whole units only.
const HUNDREDFOLD: [&str; 2] = ["ISK", "UGX"];

/// Stripe counts none although ISO 4217 has two decimals.
const WITHOUT_DECIMALS: [&str; 1] = ["MGA"];

/// Currencies with three decimals: Stripe takes them only with a 0 as the last.
const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// What a hundred minor units are.
const HUNDRED: i64 = 100;

/// What ten of three decimals are.
const TEN: i64 = 10;

/// Returns an amount as Stripe counts it; `None` if Stripe cannot charge it.
pub fn to_stripe(money: Money) -> Option<i64> {
    let (amount, code) = (money.amount, money.currency.code());
    if HUNDREDFOLD.contains(&code) {
        return amount.checked_mul(HUNDRED);
    }
    if WITHOUT_DECIMALS.contains(&code) {
        return (amount % HUNDRED == 0).then_some(amount / HUNDRED);
    }
    (!THREE_DECIMALS.contains(&code) || amount % TEN == 0).then_some(amount)
}

/// Returns what Stripe counts in this currency as we count it; `None` if we have no such amount.
pub fn from_stripe(amount: i64, currency: &str) -> Option<i64> {
    let code = currency.to_ascii_uppercase();
    if HUNDREDFOLD.contains(&code.as_str()) {
        return (amount % HUNDRED == 0).then_some(amount / HUNDRED);
    }
    if WITHOUT_DECIMALS.contains(&code.as_str()) { amount.checked_mul(HUNDRED) } else { Some(amount) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_stripe_and_back() {
        for (amount, code, expected) in [
            (1_099, "EUR", Some(1_099)),
            (500, "JPY", Some(500)),
            (500, "KRW", Some(500)),
            (5, "ISK", Some(500)),
            (5, "UGX", Some(500)),
            (5_120, "KWD", Some(5_120)),
            (5_124, "KWD", None),
            (500, "MGA", Some(5)),
            (550, "MGA", None),
            (150, "HUF", Some(150)),
        ] {
            let money = Money::price(amount, code).expect("an amount");
            assert_eq!(to_stripe(money), expected, "{code}");
            if let Some(there) = expected {
                assert_eq!(from_stripe(there, &code.to_ascii_lowercase()), Some(amount), "{code}");
            }
        }
        assert_eq!(from_stripe(550, "isk"), None, "Stripe takes whole krónur only");
    }
}
