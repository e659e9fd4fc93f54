//! Runs scenarios, each in a shop of its own, and prints what came of them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use checker::journal::{Outcome, Record};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::arguments::{Arguments, Kind};
use crate::clients::rest;
use crate::scenarios::{ALL, BREACHES, Need, Scenario, Size, Stage};
use crate::world::Wanted;
use crate::world::disk::Disk;
use crate::world::network::Network;

/// Longest time until the gauges of servers are back after everybody has gone.
const MAX_QUIET: Duration = Duration::from_secs(30);

/// The same when a promise is broken on purpose: what never comes is waited for in vain.
const LITTLE_PATIENCE: Duration = Duration::from_secs(8);

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What came of one scenario.
#[derive(Debug)]
struct Report {
    operations: usize,
    answered: usize,
    faults: usize,
    violations: Vec<String>,
    more: usize,
    kept: Option<PathBuf>,
    time: Duration,
}

/// What came of all of them.
#[derive(Debug, Default)]
struct Sum {
    operations: usize,
    faults: usize,
    violations: usize,
    failed: usize,
    not_run: usize,
}

/// Runs what is asked for. `false` when a promise was broken, or something did not run as it should.
pub async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    if arguments.list {
        for scenario in ALL {
            println!("{:<16} {}", scenario.name(), scenario.what());
        }
        return Ok(true);
    }
    let binary = arguments.binary.canonicalize().with_context(|| format!("{}", arguments.binary.display()))?;
    let arguments = Arguments { binary, ..arguments };
    ensure!(
        arguments.release || takes_plans(&arguments.binary).await?,
        "this server takes no plan of faults: --release"
    );
    if arguments.breaches {
        return breaches(&arguments).await;
    }
    let first = arguments.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let deadline = arguments.time.map(|time| Instant::now() + time);
    let size = if deadline.is_some() { Size::Long } else { Size::Short };
    let mut sum = Sum::default();
    let mut seed = first;
    loop {
        println!("\nseed {seed}");
        round(&arguments, seed, size, &mut sum).await?;
        if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
            break;
        }
        seed += 1;
    }
    let Sum { operations, faults, violations, failed, not_run } = sum;
    let seeds = if seed == first { format!("seed {seed}") } else { format!("seeds {first} to {seed}") };
    println!(
        "\n{seeds}, {} faults, {} operations, {violations} violations, {failed} failed, {not_run} NOT RUN",
        grouped(faults),
        grouped(operations)
    );
    Ok(violations == 0 && failed == 0)
}

/// Whether a server is one that has the feature `faults`: it refuses a plan that makes no sense.
async fn takes_plans(binary: &Path) -> anyhow::Result<bool> {
    let ended = Command::new(binary).arg("schema").env("FAULTS", "nonsense").output().await?;
    Ok(!ended.status.success())
}

/// Runs every scenario that is asked for once.
async fn round(arguments: &Arguments, seed: u64, size: Size, sum: &mut Sum) -> anyhow::Result<()> {
    let named = |scenario: &dyn Scenario| arguments.only.as_deref().is_none_or(|only| scenario.name().contains(only));
    for scenario in ALL.iter().filter(|scenario| named(**scenario)) {
        for (kind, replicas) in scenario.places() {
            let is_wanted = arguments.database.is_none_or(|wanted| wanted == *kind)
                && arguments.replicas.is_none_or(|wanted| wanted == *replicas);
            if is_wanted {
                one(*scenario, (*kind, *replicas), arguments, seed, size, sum).await?;
            }
        }
    }
    Ok(())
}

/// Runs one scenario in one place and adds what came of it.
async fn one(
    scenario: &dyn Scenario,
    place: (Kind, usize),
    arguments: &Arguments,
    seed: u64,
    size: Size,
    sum: &mut Sum,
) -> anyhow::Result<()> {
    let (kind, replicas) = place;
    let name = format!("{:<16} {:<10} {replicas}", scenario.name(), kind.name());
    if let Some(missing) = missing(scenario, arguments) {
        println!("{name}  NOT RUN: {missing}");
        sum.not_run += 1;
        return Ok(());
    }
    let plan = arguments.breach.as_ref().map_or_else(String::new, |breach| format!("breach={breach}"));
    let wanted = Wanted { kind, replicas, binary: arguments.binary.clone(), plan, is_release: arguments.release };
    let mut hasher = DefaultHasher::new();
    (seed, scenario.name(), kind.name(), replicas).hash(&mut hasher);
    let dice = StdRng::seed_from_u64(hasher.finish());
    let report = match play(scenario, wanted, dice, size, arguments.keep).await {
        Ok(report) => report,
        Err(error) => {
            println!("{name}  FAILED: {error:#}");
            sum.failed += 1;
            return Ok(());
        }
    };
    let count = report.violations.len() + report.more;
    println!(
        "{name}  {:>5} faults {:>8} operations, {:>8} answered {count:>3} violations {:>5.1} s",
        grouped(report.faults),
        grouped(report.operations),
        grouped(report.answered),
        report.time.as_secs_f64()
    );
    for violation in &report.violations {
        println!("    {violation}");
    }
    if let Some(kept) = &report.kept {
        println!("    journal and logs: {}", kept.display());
    }
    let least = scenario.least(size);
    if report.answered < least && count == 0 {
        println!("{name}  FAILED: {} operations were answered, {} is the least", report.answered, grouped(least));
        sum.failed += 1;
    }
    sum.operations += report.operations;
    sum.faults += report.faults;
    sum.violations += count;
    Ok(())
}

/// Why a scenario cannot run here.
fn missing(scenario: &dyn Scenario, arguments: &Arguments) -> Option<&'static str> {
    scenario.needs().iter().find_map(|need| match need {
        Need::Faults if arguments.release => Some("the server has no faults to plan"),
        Need::Disk if Disk::new(1).is_err() => Some("no disk can be mounted; it takes the rights of root"),
        Need::Network if Network::new().is_err() => Some("no network can be made; it takes the rights of root, and ip"),
        Need::Faults | Need::Disk | Need::Network => None,
    })
}

/// Opens a shop, does the scenario, brings it to rest, and has it checked.
async fn play(
    scenario: &dyn Scenario,
    wanted: Wanted,
    dice: StdRng,
    size: Size,
    keeps: bool,
) -> anyhow::Result<Report> {
    let began = Instant::now();
    let is_broken = wanted.plan.contains("breach=");
    let world = scenario.open(wanted).await?;
    let mut stage = Stage { world, dice, size, subscribers: Vec::new(), faults: 0, violations: Vec::new() };
    let done = scenario.run(&mut stage).await;
    let Stage { mut world, subscribers, faults, mut violations, .. } = stage;
    if let Err(error) = done {
        let kept = world.close(true).await?;
        return Err(error.context(format!("journal and logs: {}", kept.unwrap_or_default().display())));
    }
    for server in world.servers.iter_mut().filter_map(|server| (!server.is_running()).then_some(server)) {
        server.start().await?;
    }
    let patience = if is_broken { LITTLE_PATIENCE } else { rest::PATIENCE };
    rest::settle(&world.database, patience).await?;
    rest::hear(&world.database, &subscribers, patience).await?;
    for subscriber in subscribers {
        subscriber.stop(true).await;
    }
    let urls = world.urls();
    quiet(&urls).await?;
    world.journal().finish()?;
    let journal = checker::journal::read(&world.folder().join("journal"))?;
    let verdict = checker::check(&world.database, &urls, &journal).await?;
    violations.extend(verdict.violations().iter().cloned());
    violations.extend(world.complaints());
    let more = verdict.count - verdict.violations().len();
    let kept = world.close(keeps || !violations.is_empty()).await?;
    let (operations, answered) = count(&journal);
    Ok(Report { operations, answered, faults, violations, more, kept, time: began.elapsed() })
}

/// Waits until the gauges of these servers are at nothing, or too long.
async fn quiet(servers: &[String]) -> anyhow::Result<()> {
    let deadline = Instant::now() + MAX_QUIET;
    for server in servers {
        while Instant::now() < deadline && checker::rest::gauges(server).await?.values().any(|value| *value > 0.0) {
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Operations that were begun, and those that were answered: refused or done. What was pushed is neither.
fn count(journal: &[Record]) -> (usize, usize) {
    let begun = journal.iter().filter(|record| matches!(record, Record::Call { .. } | Record::Read { .. })).count();
    let is_answered = |record: &&Record| match record {
        Record::Answer { outcome, .. } => !matches!(outcome, Outcome::Unknown { .. }),
        Record::Found { .. } => true,
        _ => false,
    };
    (begun, journal.iter().filter(is_answered).count())
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let grouped: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    grouped.join(",")
}

/// Breaks each promise that a test build can break; the checker has to find it.
pub async fn breaches(arguments: &Arguments) -> anyhow::Result<bool> {
    let mut is_well = true;
    let seed = arguments.seed.unwrap_or(1);
    for (breach, name, kind, replicas) in BREACHES {
        let scenario = ALL.iter().find(|scenario| scenario.name() == *name).context("a scenario")?;
        let arguments = Arguments { breach: Some((*breach).to_owned()), ..arguments.clone() };
        ensure!(!arguments.release, "a release keeps its promises");
        let mut sum = Sum::default();
        println!("\npromise broken on purpose: {breach}");
        one(*scenario, (*kind, *replicas), &arguments, seed, Size::Short, &mut sum).await?;
        if sum.violations == 0 {
            println!("FAILED: the checker did not find it");
            is_well = false;
        }
    }
    Ok(is_well)
}
