//! What was measured, and the medians of it.

use serde::Serialize;

use crate::client::Timing;
use crate::usage::Cpu;

/// The name under which limits stand where databases do.
pub const LIMIT: &str = "limit";

/// One thing that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The database, or [`LIMIT`].
    pub database: &'static str,
    /// What was done.
    pub work: &'static str,
    /// How much of it.
    pub value: f64,
    /// The unit of the value.
    pub unit: &'static str,
    /// Median latency, in milliseconds.
    pub p50: Option<f64>,
    /// 99th percentile of the latency, in milliseconds.
    pub p99: Option<f64>,
    /// Cores that were busy.
    pub cores: Option<Cpu>,
    /// The figure that this one is compared with: a database or [`LIMIT`], and what was done.
    pub beside: Option<(&'static str, &'static str)>,
}

impl Figure {
    /// A number without latencies.
    pub const fn number(database: &'static str, work: &'static str, value: f64, unit: &'static str) -> Self {
        Self { database, work, value, unit, p50: None, p99: None, cores: None, beside: None }
    }

    /// A rate.
    pub fn rate(database: &'static str, work: &'static str, timing: &Timing, unit: &'static str) -> Self {
        let Timing { p50, p99, cores, .. } = *timing;
        Self { p50, p99, cores: Some(cores), ..Self::number(database, work, timing.rate(), unit) }
    }

    /// The same, compared with another figure.
    pub const fn beside(mut self, database: &'static str, work: &'static str) -> Self {
        self.beside = Some((database, work));
        self
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.database, self.work) == (other.database, other.work)
    }
}

/// Everything that was measured, in order.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds one, and says it.
    pub fn add(&mut self, figure: Figure) {
        let Figure { database, work, value, unit, .. } = &figure;
        crate::progress::say(&format!("{database}: {work}: {} {unit}", short(*value)));
        self.0.push(figure);
    }

    /// Returns the figures in the order in which they were first measured.
    pub fn iter(&self) -> impl Iterator<Item = &Figure> {
        self.0.iter()
    }

    /// Returns each figure once, with the medians of all repeats.
    pub fn medians(&self) -> Self {
        let mut medians: Vec<Figure> = Vec::new();
        for figure in &self.0 {
            if medians.iter().any(|known| known.is_same(figure)) {
                continue;
            }
            let all: Vec<&Figure> = self.0.iter().filter(|other| other.is_same(figure)).collect();
            let of = |value: &dyn Fn(&Figure) -> Option<f64>| median(all.iter().filter_map(|one| value(one)).collect());
            let cores = figure.cores.map(|_| Cpu {
                server: of(&|one| Some(one.cores?.server)).unwrap_or_default(),
                database: of(&|one| Some(one.cores?.database)).unwrap_or_default(),
                client: of(&|one| Some(one.cores?.client)).unwrap_or_default(),
            });
            medians.push(Figure {
                value: of(&|one| Some(one.value)).unwrap_or_default(),
                p50: of(&|one| one.p50),
                p99: of(&|one| one.p99),
                cores,
                ..figure.clone()
            });
        }
        Self(medians)
    }

    /// Returns how many times the figure that it is compared with this one is.
    pub fn ratio(&self, figure: &Figure) -> Option<f64> {
        let (database, work) = figure.beside?;
        let other = self.0.iter().find(|other| (other.database, other.work) == (database, work))?;
        (other.value > 0.0).then(|| figure.value / other.value)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    let lower = if values.len().is_multiple_of(2) { values[middle - 1] } else { upper };
    Some(f64::midpoint(lower, upper))
}

/// Returns a number with at least three digits and no more after the point than it needs for them.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        medium if medium >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or_else(|| grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}
