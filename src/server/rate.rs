//! How much each person may ask for in a time: points that come back steadily, up to a burst. It counts and refuses;
//! nothing of a request is known here but its cost.
//!
//! Points are counted in thousandths: a request is one point, and one thousandth more for each of its cost. Ten rows that
//! a mutation writes are a point, too. Rows of carts, which anybody may write, are counted once more, by address.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use lru::LruCache;

use crate::config::ClientLimits;

use super::person::Person;

/// Thousandths of a point.
pub const POINT: u32 = 1_000;

/// What a row that a mutation writes adds to its cost, in thousandths of a point.
pub const COST_OF_ROW: u64 = 100;

/// Most persons whose points are remembered. Who was longest not heard of goes first, and then has all points again; with
/// the usual rates they have them anyway after two seconds.
const MAX_PERSONS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap(); // Worked out by the compiler: it is not zero.

/// How fast points come back, and how many there are, both in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Thousandths that come back in a second.
    pub per_second: NonZeroU32,
    /// Most thousandths that somebody has.
    pub burst: NonZeroU32,
}

impl Rate {
    /// So many whole points a second, and at most so many at once.
    #[must_use]
    pub fn of_points(per_second: u32, burst: u32) -> Self {
        let thousandths = |points: u32| NonZeroU32::new(points.saturating_mul(POINT)).unwrap_or(NonZeroU32::MIN);
        Self { per_second: thousandths(per_second), burst: thousandths(burst) }
    }

    /// How long so many thousandths take to come back.
    fn time_for(self, thousandths: u32) -> Duration {
        Duration::from_secs(thousandths.into()) / self.per_second.get()
    }
}

/// Why a request is not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMuch {
    /// The points are spent; there will be enough for it after this time.
    Now(Duration),
    /// It costs more, in thousandths, than anybody ever has.
    Ever {
        /// What it costs.
        cost: u64,
        /// What there is at most.
        most: u32,
    },
    /// It writes more rows of carts than one address may in a second.
    Rows {
        /// How many these are.
        most: u32,
    },
}

/// What each person may still ask for. Clones count together.
#[derive(Debug, Clone)]
pub struct Rates {
    shoppers: Meter,
    staff: Option<Meter>,
    cart_rows: Meter,
}

impl Rates {
    /// So much for each customer and for the guests at each address, and for each of the staff, who need not be bounded.
    #[must_use]
    pub fn new(shoppers: Rate, staff: Option<Rate>) -> Self {
        let rows = ClientLimits::DEFAULT.cart_rows;
        let cart_rows = Meter::new(Rate::of_points(rows, rows));
        Self { shoppers: Meter::new(shoppers), staff: staff.map(Meter::new), cart_rows }
    }

    /// The same with so many rows of carts a second from one address, a point being a row.
    #[must_use]
    pub fn with_cart_rows(self, rate: Rate) -> Self {
        Self { cart_rows: Meter::new(rate), ..self }
    }

    /// Takes the point that every request costs, before anybody looks at what it asks for.
    ///
    /// # Errors
    /// When the person has none left.
    pub fn begin(&self, person: &Person) -> Result<(), TooMuch> {
        let Some(meter) = self.meter(person) else { return Ok(()) };
        // What it asks for will cost something, too: usually no more than a point.
        let rest = POINT.min(meter.rate.burst.get().saturating_sub(POINT));
        meter.charge(person, POINT).map_err(|refused| meter.later(refused, rest))
    }

    /// Takes what a request costs besides its point, before it is executed.
    ///
    /// # Errors
    /// When the person has less left, or nobody can ever have as much.
    pub fn go_on(&self, person: &Person, cost: u64) -> Result<(), TooMuch> {
        let Some(meter) = self.meter(person) else { return Ok(()) };
        let (whole, most) = (cost.saturating_add(POINT.into()), meter.rate.burst.get());
        let Some(cost) = u32::try_from(cost).ok().filter(|_| whole <= most.into()) else {
            return Err(TooMuch::Ever { cost: whole, most });
        };
        // Whoever comes again pays the point again.
        meter.charge(person, cost).map_err(|refused| meter.later(refused, POINT))
    }

    /// Takes the rows of carts that somebody at this address is about to write. Those of staff are not counted.
    ///
    /// # Errors
    /// When the address has written as many as it may, or nobody can ever write so many.
    pub fn write(&self, person: &Person, address: IpAddr, rows: u64) -> Result<(), TooMuch> {
        if matches!(person, Person::System | Person::Staff(_)) {
            return Ok(());
        }
        let most = self.cart_rows.rate.burst.get();
        let thousandths = u32::try_from(rows.saturating_mul(POINT.into())).ok().filter(|rows| *rows <= most);
        let Some(thousandths) = thousandths else { return Err(TooMuch::Rows { most: most / POINT }) };
        self.cart_rows.charge(&Person::guests(address), thousandths)
    }

    /// Returns the most that all searches of one operation cost, in thousandths of a point: half of what a shopper has at
    /// once, so that in the largest catalogue they can search now and then.
    #[must_use]
    pub fn most_for_searches(&self) -> u64 {
        u64::from(self.shoppers.rate.burst.get()) / 2
    }

    fn meter(&self, person: &Person) -> Option<&Meter> {
        match person {
            Person::System | Person::Staff(_) => self.staff.as_ref(),
            Person::Customer(_) | Person::Guests(_) => Some(&self.shoppers),
        }
    }
}

#[derive(Debug, Clone)]
struct Meter {
    rate: Rate,
    limiter: Arc<RateLimiter<Person, Recent, DefaultClock>>,
}

impl Meter {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let recent = Recent(Mutex::new(LruCache::new(MAX_PERSONS)));
        Self { rate, limiter: Arc::new(RateLimiter::new(quota, recent, DefaultClock::default())) }
    }

    fn charge(&self, person: &Person, thousandths: u32) -> Result<(), TooMuch> {
        let Some(thousandths) = NonZeroU32::new(thousandths) else { return Ok(()) };
        match self.limiter.check_key_n(person, thousandths) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(TooMuch::Now(until.wait_time_from(self.limiter.clock().now()))),
            Err(_) => Err(TooMuch::Ever { cost: thousandths.get().into(), most: self.rate.burst.get() }),
        }
    }

    /// The same refusal until so much more has come back.
    fn later(&self, refused: TooMuch, thousandths: u32) -> TooMuch {
        match refused {
            TooMuch::Now(time) => TooMuch::Now(time + self.rate.time_for(thousandths)),
            TooMuch::Ever { .. } | TooMuch::Rows { .. } => refused,
        }
    }
}

/// Who spent points lately.
#[derive(Debug)]
struct Recent(Mutex<LruCache<Person, Nanos>>);

impl StateStore for Recent {
    type Key = Person;

    fn measure_and_replace<T, F, E>(&self, person: &Person, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(person).copied();
        let (answer, after) = measure(before)?;
        all.put(person.clone(), after);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So slow that nothing comes back while a test runs.
    fn slow(burst: u32) -> Rates {
        Rates::new(Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() }, None)
    }

    fn guests(number: u32) -> Person {
        Person::guests(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn each_has_so_many_points_and_a_request_costs_a_thousandth_of_its_cost_more() {
        let rates = slow(3 * POINT + 42);
        for person in [guests(1), guests(2), Person::Customer("ada".into())] {
            for cost in [21, 0, 21] {
                assert_eq!((rates.begin(&person), rates.go_on(&person, cost)), (Ok(()), Ok(())));
            }
            assert!(matches!(rates.begin(&person), Err(TooMuch::Now(_))));
            assert!(matches!(rates.go_on(&person, 1), Err(TooMuch::Now(_))));
        }
        let staff = Person::Staff("sam".into());
        assert!((0..1_000).all(|_| rates.begin(&staff).is_ok() && rates.go_on(&staff, u64::MAX).is_ok()));
    }

    #[test]
    fn rows_of_carts_are_counted_by_address_whoever_writes_them() {
        let few = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(5 * POINT).unwrap() };
        let rates = slow(POINT).with_cart_rows(few);
        let [here, there] = [1, 2].map(|number| IpAddr::from(std::net::Ipv4Addr::from_bits(number)));
        let ada = Person::Customer("ada".into());
        assert_eq!((rates.write(&ada, here, 3), rates.write(&guests(1), here, 2)), (Ok(()), Ok(())));
        assert!(matches!(rates.write(&ada, here, 1), Err(TooMuch::Now(_))));
        assert_eq!((rates.write(&ada, here, 0), rates.write(&ada, there, 5)), (Ok(()), Ok(())));
        for rows in [6, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(rates.write(&ada, there, rows), Err(TooMuch::Rows { most: 5 }), "{rows}");
        }
        assert_eq!(rates.write(&Person::Staff("sam".into()), here, u64::MAX), Ok(()));
    }

    #[test]
    fn what_nobody_can_pay_is_told_apart() {
        let rates = slow(2 * POINT);
        assert_eq!(rates.go_on(&guests(1), 1_000), Ok(()));
        for cost in [1_001, u64::from(u32::MAX), u64::MAX] {
            assert!(matches!(rates.go_on(&guests(1), cost), Err(TooMuch::Ever { most: 2_000, .. })), "{cost}");
        }
    }

    #[test]
    fn the_wait_is_for_the_whole_request() {
        let rates = Rates::new(Rate::of_points(1, 2), None);
        let person = guests(1);
        assert_eq!((rates.begin(&person), rates.go_on(&person, 1_000)), (Ok(()), Ok(())));
        for refused in [rates.begin(&person), rates.go_on(&person, 1_000)] {
            let Err(TooMuch::Now(time)) = refused else { panic!("a point is left") };
            assert!(time > Duration::from_secs(1) && time <= Duration::from_secs(2), "{time:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_who_was_not_heard_of_goes_first() {
        let rates = slow(POINT);
        let most = u32::try_from(MAX_PERSONS.get()).unwrap();
        for number in 0..most {
            assert_eq!(rates.begin(&guests(number)), Ok(()));
        }
        assert!(rates.begin(&guests(0)).is_err(), "heard of again");
        assert_eq!(rates.begin(&guests(most)), Ok(()));
        assert!(rates.begin(&guests(0)).is_err(), "still remembered");
        assert_eq!(rates.begin(&guests(1)), Ok(()), "forgotten");
    }
}
