//! How outgoing webhooks are sent. Nothing is sent here.

use std::time::Duration;

use clap::Args;

use super::values::{duration, switch};

/// Longest time for which deliveries can be tried: less than they are kept.
const MAX_GIVE_UP: Duration = Duration::from_hours(14 * 24);

/// How outgoing webhooks are sent, and when failed deliveries are repeated.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookSettings {
    /// Whether webhooks may be sent to private networks and to this machine, and over `http`. For development, tests, and
    /// receivers inside one's own network; otherwise only to public addresses, over `https`.
    #[arg(long, env = "ONHAND_WEBHOOK_PRIVATE_NETWORKS", value_name = "BOOL", default_value = "false", value_parser = switch, action = clap::ArgAction::Set, global = true)]
    pub webhook_private_networks: bool,

    /// Timeout for the answer of a receiver.
    #[arg(long, env = "ONHAND_WEBHOOK_TIMEOUT", value_name = "TIME", default_value = "10s", value_parser = duration, global = true)]
    pub webhook_timeout: Duration,

    /// Time before a failed delivery is sent again. It doubles each time.
    #[arg(long, env = "ONHAND_WEBHOOK_RETRY", value_name = "TIME", default_value = "5s", value_parser = duration, global = true)]
    pub webhook_retry: Duration,

    /// Longest such time.
    #[arg(long, env = "ONHAND_WEBHOOK_RETRY_MAX", value_name = "TIME", default_value = "1h", value_parser = duration, global = true)]
    pub webhook_retry_max: Duration,

    /// Time after which a webhook that accepted nothing is switched off, and a delivery that alone was not accepted is given
    /// up.
    #[arg(long, env = "ONHAND_WEBHOOK_GIVE_UP", value_name = "TIME", default_value = "72h", value_parser = duration, global = true)]
    pub webhook_give_up: Duration,
}

impl WebhookSettings {
    /// The settings unless they are set otherwise.
    pub const DEFAULT: Self = Self {
        webhook_private_networks: false,
        webhook_timeout: Duration::from_secs(10),
        webhook_retry: Duration::from_secs(5),
        webhook_retry_max: Duration::from_hours(1),
        webhook_give_up: Duration::from_hours(72),
    };

    /// Checks that the times fit together.
    ///
    /// # Errors
    /// When they do not; the message is for people.
    pub fn check(&self) -> Result<(), String> {
        if self.webhook_timeout.is_zero() {
            return Err("ONHAND_WEBHOOK_TIMEOUT must be longer than 0".to_owned());
        }
        if self.webhook_retry.is_zero() {
            return Err("ONHAND_WEBHOOK_RETRY must be longer than 0".to_owned());
        }
        if self.webhook_retry > self.webhook_retry_max {
            return Err("ONHAND_WEBHOOK_RETRY is at most ONHAND_WEBHOOK_RETRY_MAX".to_owned());
        }
        if self.webhook_retry_max > self.webhook_give_up {
            return Err("ONHAND_WEBHOOK_RETRY_MAX is at most ONHAND_WEBHOOK_GIVE_UP".to_owned());
        }
        if self.webhook_give_up > MAX_GIVE_UP {
            return Err("ONHAND_WEBHOOK_GIVE_UP is at most 14 days: deliveries are kept for 30".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_do_not_fit_together_are_refused() {
        let default = WebhookSettings::DEFAULT;
        assert_eq!(default.check(), Ok(()));
        let none = Duration::ZERO;
        for wrong in [
            WebhookSettings { webhook_timeout: none, ..default },
            WebhookSettings { webhook_retry: none, ..default },
            WebhookSettings { webhook_retry: Duration::from_hours(2), ..default },
            WebhookSettings { webhook_give_up: Duration::from_mins(59), ..default },
            WebhookSettings { webhook_give_up: Duration::from_hours(15 * 24), ..default },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
