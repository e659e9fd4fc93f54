//! At rest nothing is in progress any more, and every gauge of every server is back where it began.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use sea_orm::prelude::DateTimeUtc;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::Record;

/// Gauges that say how much of something is there now. Others tell how fast or how old something is.
const GAUGES: [&str; 3] = ["onhand_sockets_open", "onhand_operations_open", "onhand_writer_queue"];

/// The same of a server on PostgreSQL only.
const WAITING: &str = "onhand_database_waiting";

/// A hold ends within this time after it is over.
const MAX_LATE: Duration = Duration::from_secs(1);

/// How often a gauge is looked at: what is at rest may be at work for a moment, as when recovery looks for something to do.
const LOOKS: usize = 20;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The gauges that every server on this database shows.
fn expected(database: &str) -> impl Iterator<Item = &'static str> {
    GAUGES.into_iter().chain(database.starts_with("postgres").then_some(WAITING))
}

/// The name of a gauge without its labels.
fn name_of(gauge: &str) -> &str {
    gauge.split_once('{').map_or(gauge, |(name, _)| name)
}

/// Reads the gauges of a server, by name and labels.
///
/// # Errors
/// When it does not answer.
pub async fn gauges(server: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let text =
        http.get(format!("{server}/metrics")).send().await.context("the metrics")?.error_for_status()?.text().await?;
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let ours = lines.filter(|(name, _)| name_of(name) == WAITING || GAUGES.contains(&name_of(name)));
    Ok(ours.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
}

/// The least that each gauge shows in some looks.
async fn least(server: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut least = gauges(server).await?;
    for _ in 1..LOOKS {
        tokio::time::sleep(PAUSE).await;
        for (name, value) in gauges(server).await? {
            least.entry(name).and_modify(|least| *least = value.min(*least));
        }
    }
    Ok(least)
}

/// Checks that nothing is left over.
///
/// # Errors
/// When a server does not answer.
#[expect(clippy::disallowed_methods, reason = "the ban is the server's, whose clock may jump")]
pub async fn check(
    shop: &Shop,
    database: &str,
    servers: &[String],
    journal: &[Record],
    verdict: &mut Verdict,
) -> anyhow::Result<()> {
    check_payments(shop, verdict);
    check_holds(shop, DateTimeUtc::from(SystemTime::now() - MAX_LATE), verdict);
    for server in servers {
        check_gauges(server, database, &least(server).await?, journal, verdict);
    }
    Ok(())
}

/// Nothing is held whose time was over then.
pub(crate) fn check_holds(shop: &Shop, then: DateTimeUtc, verdict: &mut Verdict) {
    for order in shop.orders.values().filter(|order| order.payment == "unpaid") {
        verdict.unless(order.held_until.is_none_or(|until| until > then), || {
            format!("order {}: it still holds its units, although their time is over", order.id)
        });
    }
}

/// No payment is open, and nothing is being done to one.
pub(crate) fn check_payments(shop: &Shop, verdict: &mut Verdict) {
    for payment in shop.payments.values().flatten() {
        verdict.unless(!matches!(payment.status.as_str(), "in_progress" | "requires_action"), || {
            format!("payment {}: still {}", payment.id, payment.status)
        });
    }
    for operation in shop.operations.values().flatten() {
        verdict.unless(!operation.is_running(), || {
            format!("payment {}: its {} is still {}", operation.payment_id, operation.kind, operation.status)
        });
    }
}

/// Every gauge is there, and where it began.
pub(crate) fn check_gauges(
    server: &str,
    database: &str,
    shown: &BTreeMap<String, f64>,
    journal: &[Record],
    verdict: &mut Verdict,
) {
    let began: BTreeMap<&str, f64> = journal
        .iter()
        .filter_map(|record| match record {
            Record::Gauge { name, value } => Some((name.as_str(), *value)),
            _ => None,
        })
        .collect();
    for gauge in expected(database) {
        verdict.unless(shown.keys().any(|name| name_of(name) == gauge), || format!("{server}: it shows no {gauge}"));
    }
    for (name, value) in shown {
        let before = began.get(name.as_str()).copied().unwrap_or_default();
        verdict.unless(*value <= before, || format!("{server}: {name} is {value} at rest, it began with {before}"));
    }
}
