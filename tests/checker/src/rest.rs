//! At rest nothing is in progress any more, and every gauge of every server is back where it began.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::Record;

/// Gauges that say how much of something is there now. Others tell how fast or how old something is.
pub const GAUGES: [&str; 4] =
    ["onhand_sockets_open", "onhand_operations_open", "onhand_writer_queue", "onhand_database_waiting"];

/// How often a gauge is looked at: what is at rest may be at work for a moment, as when recovery looks for something to do.
const LOOKS: usize = 20;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest time for an answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Reads the gauges of a server, by name and labels.
///
/// # Errors
/// When it does not answer.
pub async fn gauges(server: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let text =
        http.get(format!("{server}/metrics")).send().await.context("the metrics")?.error_for_status()?.text().await?;
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    let ours = lines.filter(|(name, _)| GAUGES.iter().any(|gauge| name.split('{').next() == Some(gauge)));
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
pub async fn check(shop: &Shop, servers: &[String], journal: &[Record], verdict: &mut Verdict) -> anyhow::Result<()> {
    for payment in shop.payments.values().flatten() {
        verdict.unless(!matches!(payment.status.as_str(), "in_progress" | "requires_action"), || {
            format!("payment {}: still {}", payment.id, payment.status)
        });
    }
    let began: BTreeMap<&str, f64> = journal
        .iter()
        .filter_map(|record| match record {
            Record::Gauge { name, value } => Some((name.as_str(), *value)),
            _ => None,
        })
        .collect();
    for server in servers {
        for (name, value) in least(server).await? {
            let before = began.get(name.as_str()).copied().unwrap_or_default();
            verdict.unless(value <= before, || format!("{server}: {name} is {value} at rest, it began with {before}"));
        }
    }
    Ok(())
}
