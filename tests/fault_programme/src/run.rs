//! Runs scenarios, each in a shop of its own, and prints what came of them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use checker::journal::{NOT_EXECUTED, Outcome, Record};
use futures_util::{StreamExt, stream};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::arguments::{Arguments, Kind};
use crate::clients::buyer::{self, End, Purchase};
use crate::clients::{Api, rest};
use crate::scenarios::{ALL, BREACHES, Need, Scenario, Size, Stage};
use crate::world::disk::Disk;
use crate::world::network::Network;
use crate::world::{Wanted, World};

/// Longest time until the gauges of servers are back after everybody has gone.
const MAX_QUIET: Duration = Duration::from_secs(30);

/// The same when a promise is broken on purpose: what never comes is waited for in vain. Longer than a shopper has to act.
const LITTLE_PATIENCE: Duration = Duration::from_secs(16);

/// Seeds with which a promise is broken until the checker finds it.
const MAX_SEEDS: u64 = 3;

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
    // A copy: a build beside this, of a server that takes no plans, replaces what it was copied from.
    let copy = tempfile::tempdir()?;
    let binary = copy.path().join("onhand");
    std::fs::copy(&arguments.binary, &binary).with_context(|| format!("{}", arguments.binary.display()))?;
    let arguments = Arc::new(Arguments { binary, ..arguments });
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
        let before = sum.operations;
        round(&arguments, seed, size, &mut sum).await?;
        if sum.operations == before {
            println!("FAILED: nothing ran with this seed");
            sum.failed += 1;
            break;
        }
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

/// Runs every scenario that is asked for once, some of them beside each other: most wait most of the time.
async fn round(arguments: &Arc<Arguments>, seed: u64, size: Size, sum: &mut Sum) -> anyhow::Result<()> {
    let named = |scenario: &dyn Scenario| arguments.only.as_deref().is_none_or(|only| scenario.name().contains(only));
    let mut wanted = Vec::new();
    for scenario in ALL.iter().filter(|scenario| named(**scenario)) {
        let is_wanted = |(kind, replicas): &&(Kind, usize)| {
            arguments.database.is_none_or(|wanted| wanted == *kind)
                && arguments.replicas.is_none_or(|wanted| wanted == *replicas)
        };
        wanted.extend(scenario.places().iter().filter(is_wanted).map(|place| (*scenario, *place)));
    }
    let runs = stream::iter(wanted).map(|(scenario, place)| {
        let arguments = Arc::clone(arguments);
        tokio::spawn(async move { one(scenario, place, &arguments, seed, size).await })
    });
    let mut ended = runs.buffer_unordered(arguments.jobs.max(1));
    while let Some(run) = ended.next().await {
        sum.add(&run?);
    }
    Ok(())
}

/// Runs one scenario in one place and tells what came of it.
async fn one(scenario: &dyn Scenario, place: (Kind, usize), arguments: &Arguments, seed: u64, size: Size) -> Sum {
    let (kind, replicas) = place;
    let name = format!("{:<16} {:<10} {replicas}", scenario.name(), kind.name());
    if let Some(missing) = missing(scenario, arguments) {
        println!("{name}  NOT RUN: {missing}");
        return Sum { not_run: 1, ..Sum::default() };
    }
    let plan = arguments.breach.as_ref().map_or_else(String::new, |breach| format!("breach={breach}"));
    let wanted = Wanted { kind, replicas, binary: arguments.binary.clone(), plan };
    let mut hasher = DefaultHasher::new();
    (seed, scenario.name(), kind.name(), replicas).hash(&mut hasher);
    let dice = StdRng::seed_from_u64(hasher.finish());
    match play(scenario, wanted, dice, size, arguments.keep).await {
        Ok(report) => report.tell(&name, scenario.least(size)),
        Err(error) => {
            println!("{name}  FAILED: {error:#}");
            Sum { failed: 1, ..Sum::default() }
        }
    }
}

impl Report {
    /// Prints it, all at once.
    fn tell(&self, name: &str, least: usize) -> Sum {
        let count = self.violations.len() + self.more;
        let mut lines = vec![format!(
            "{name}  {:>5} faults {:>8} operations, {:>8} answered {count:>3} violations {:>5.1} s",
            grouped(self.faults),
            grouped(self.operations),
            grouped(self.answered),
            self.time.as_secs_f64()
        )];
        lines.extend(self.violations.iter().map(|violation| format!("    {violation}")));
        lines.extend(self.kept.iter().map(|kept| format!("    journal and logs: {}", kept.display())));
        let is_too_little = self.answered < least && count == 0;
        if is_too_little {
            lines.push(format!("{name}  FAILED: {} operations were answered, {least} is the least", self.answered));
        }
        println!("{}", lines.join("\n"));
        let failed = usize::from(is_too_little);
        Sum { operations: self.operations, faults: self.faults, violations: count, failed, not_run: 0 }
    }
}

impl Sum {
    fn add(&mut self, other: &Self) {
        let Self { operations, faults, violations, failed, not_run } = other;
        self.operations += operations;
        self.faults += faults;
        self.violations += violations;
        self.failed += failed;
        self.not_run += not_run;
    }
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
        // What went wrong first is what is told.
        let _ = world.journal().finish();
        let _ = world.stop().await;
        let kept = world.close(true).ok().flatten();
        return Err(error.context(format!("journal and logs: {}", kept.unwrap_or_default().display())));
    }
    for server in world.servers.iter_mut().filter_map(|server| (!server.is_running()).then_some(server)) {
        let ended = server.ended()?;
        violations.push(format!("the server {} ended by itself: {ended:?}", server.url));
        server.start().await?;
    }
    let patience = if is_broken { LITTLE_PATIENCE } else { rest::PATIENCE };
    if !is_broken {
        sells(&world, &mut violations).await?;
    }
    rest::settle(&world.database, patience).await?;
    rest::wake(&world.api()?, &subscribers, patience).await;
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
    world.stop().await?;
    violations.extend(world.complaints());
    let more = verdict.count - verdict.violations().len();
    let kept = world.close(keeps || !violations.is_empty())?;
    let (operations, answered) = count(&journal);
    Ok(Report { operations, answered, faults, violations, more, kept, time: began.elapsed() })
}

/// Looks whether every server still sells: a shop that refuses everything keeps all its promises.
async fn sells(world: &World, violations: &mut Vec<String>) -> anyhow::Result<()> {
    let deadline = Instant::now() + rest::PATIENCE;
    for (at, server) in world.urls().into_iter().enumerate() {
        let api = Api::new(vec![server.clone()], Arc::clone(world.journal()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let product = api.product(&format!("AFTERWARDS-{at}-{tries}"), 1).await;
            if let Ok(product) = &product
                && buyer::buy(&api, &Purchase::one(product)).await.1 == End::Paid
            {
                break;
            }
            if Instant::now() >= deadline {
                violations.push(format!("nobody can buy at {server} any more"));
                break;
            }
            sleep(PAUSE).await;
        }
    }
    Ok(())
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

/// Operations that were begun, and those that were answered: done, or refused for a reason of the shop's. What was pushed is
/// neither.
fn count(journal: &[Record]) -> (usize, usize) {
    let begun = journal.iter().filter(|record| matches!(record, Record::Call { .. } | Record::Read { .. })).count();
    let is_answered = |record: &&Record| match record {
        Record::Answer { outcome: Outcome::Refused { codes }, .. } => {
            !codes.iter().any(|code| NOT_EXECUTED.contains(&code.as_str()))
        }
        Record::Answer { outcome, .. } => matches!(outcome, Outcome::Done { .. }),
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
        println!("\npromise broken on purpose: {breach}");
        let mut found = 0;
        // Whether a fault shows depends on what happens to meet.
        for seed in seed..seed + MAX_SEEDS {
            found = one(*scenario, (*kind, *replicas), &arguments, seed, Size::Short).await.violations;
            if found > 0 {
                break;
            }
        }
        if found == 0 {
            println!("FAILED: the checker did not find it");
            is_well = false;
        }
    }
    Ok(is_well)
}
