//! How long paying may take. Nothing is waited for here.

use std::time::Duration;

use clap::Args;

use super::values::duration;

/// How long paying may take, and when recovery asks a gateway about payments whose outcome is open.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Payments")]
pub struct PaymentTimeouts {
    /// Time after which `payOrder` answers `IN_PROGRESS` although the gateway has not answered. Shorter than
    /// `ONHAND_WAIT_REQUEST`.
    #[arg(long, env = "ONHAND_PAY_ANSWER", value_name = "TIME", default_value = "4s", value_parser = duration, global = true)]
    pub pay_answer: Duration,

    /// Timeout for the answer of a gateway to a charge. The outcome is then unknown. Each call of recovery has a third of
    /// `ONHAND_PAY_LEASE`.
    #[arg(long, env = "ONHAND_PAY_GATEWAY", value_name = "TIME", default_value = "20s", value_parser = duration, global = true)]
    pub pay_gateway: Duration,

    /// How long one attempt has a payment for itself before recovery asks the gateway. Longer than `ONHAND_PAY_GATEWAY`.
    #[arg(long, env = "ONHAND_PAY_LEASE", value_name = "TIME", default_value = "30s", value_parser = duration, global = true)]
    pub pay_lease: Duration,

    /// Time before recovery asks once more. It doubles each time.
    #[arg(long, env = "ONHAND_PAY_RETRY", value_name = "TIME", default_value = "1s", value_parser = duration, global = true)]
    pub pay_retry: Duration,

    /// Longest such time.
    #[arg(long, env = "ONHAND_PAY_RETRY_MAX", value_name = "TIME", default_value = "60s", value_parser = duration, global = true)]
    pub pay_retry_max: Duration,

    /// Time after which a payment without an outcome is cancelled at the gateway, and its units are released.
    #[arg(long, env = "ONHAND_PAY_GIVE_UP", value_name = "TIME", default_value = "15m", value_parser = duration, global = true)]
    pub pay_give_up: Duration,
}

impl PaymentTimeouts {
    /// Checks that the timeouts fit together, and to that of a request.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self, request: Duration) -> Result<(), String> {
        if self.pay_lease <= self.pay_gateway {
            return Err("ONHAND_PAY_LEASE must be longer than ONHAND_PAY_GATEWAY".to_owned());
        }
        if self.pay_answer >= request {
            return Err("ONHAND_PAY_ANSWER must be shorter than ONHAND_WAIT_REQUEST".to_owned());
        }
        if self.pay_retry > self.pay_retry_max {
            return Err("ONHAND_PAY_RETRY is at most ONHAND_PAY_RETRY_MAX".to_owned());
        }
        Ok(())
    }
}
