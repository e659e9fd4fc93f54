//! What is done to shops. Each scenario is one way of breaking, and is run on every database and number of replicas that it
//! says. It does things and may say what must have come of them; whether promises were kept is for the checker to tell.

mod barrier;
mod clocks;
mod crashes;
mod cut_off;
mod cuts;
mod deadlocks;
mod disk_full;
mod failover;
mod flash_sale;
mod gateways;
mod kills;
mod last_unit;
mod points;
mod rolling;
mod subscribers;
mod traffic;

use std::fmt;

use async_trait::async_trait;
use rand::rngs::StdRng;

use crate::arguments::Kind;
use crate::clients::subscriber::Subscriber;
use crate::world::{Wanted, World};

/// All scenarios, in the order in which they run.
pub const ALL: &[&dyn Scenario] = &[
    &last_unit::LastUnit,
    &flash_sale::FlashSale,
    &deadlocks::Deadlocks,
    &barrier::Barrier,
    &gateways::Gateways,
    &kills::Kills,
    &points::Points,
    &rolling::Rolling,
    &clocks::Clocks,
    &cuts::Cuts,
    &crashes::Crashes,
    &failover::Failover { is_synchronous: true, comes_back: false },
    &failover::Failover { is_synchronous: true, comes_back: true },
    &failover::Failover { is_synchronous: false, comes_back: false },
    &cut_off::CutOff,
    &disk_full::DiskFull,
    &subscribers::Subscribers,
];

/// The promises that a test build can break, each with the scenario that is to find it, where it is to.
pub const BREACHES: &[(&str, &str, Kind, usize)] = &[
    ("no-locks", "barrier", Kind::Postgres, 3),
    ("unsorted-locks", "deadlocks", Kind::Postgres, 3),
    ("release-twice", "gateways", Kind::Sqlite, 1),
    ("blind-retry", "cuts", Kind::Postgres, 1),
    ("lost-last-value", "subscribers", Kind::Sqlite, 1),
    ("release-on-timeout", "gateways", Kind::Postgres, 1),
    ("new-key", "gateways", Kind::Sqlite, 1),
    ("refund-too-much", "gateways", Kind::Sqlite, 1),
    ("unconfirmed-void", "gateways", Kind::Sqlite, 1),
    ("sent-once", "gateways", Kind::Sqlite, 1),
];

/// What a scenario cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A server with the feature `faults`.
    Faults,
    /// A disk of its own: root mounts it.
    Disk,
    /// A network of its own: root makes it.
    Network,
}

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Seconds: for every change of the code.
    Short,
    /// Minutes: for a run on demand.
    Long,
}

impl Size {
    /// One number or the other.
    pub const fn of(self, short: usize, long: usize) -> usize {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// A way of breaking a shop.
#[async_trait]
pub trait Scenario: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in a few words.
    fn what(&self) -> &'static str;

    /// Databases, and numbers of replicas on each. A file has one server.
    fn places(&self) -> &'static [(Kind, usize)] {
        &[(Kind::Sqlite, 1), (Kind::Postgres, 1), (Kind::Postgres, 3)]
    }

    /// What it cannot do without.
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// The least operations that clients do in it; one that did fewer has failed.
    fn least(&self, size: Size) -> usize;

    /// Opens the shop.
    async fn open(&self, wanted: Wanted) -> anyhow::Result<World> {
        World::open(wanted).await
    }

    /// Does it.
    async fn run(&self, stage: &mut Stage) -> anyhow::Result<()>;
}

impl fmt::Debug for dyn Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a scenario plays.
#[derive(Debug)]
pub struct Stage {
    /// The shop.
    pub world: World,
    /// Where everything random comes from.
    pub dice: StdRng,
    /// How much is to be done.
    pub size: Size,
    /// Who looks on until the shop is at rest.
    pub subscribers: Vec<Subscriber>,
    /// How many faults were done.
    pub faults: usize,
    /// What did not come as the scenario knows that it must.
    pub violations: Vec<String>,
}

impl Stage {
    /// Notes a fault.
    pub fn fault(&mut self, name: impl Into<String>) {
        self.faults += 1;
        self.world.fault(name);
    }

    /// Adds a violation unless something holds.
    pub fn unless(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(violation());
        }
    }
}
