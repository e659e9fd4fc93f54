//! Rate limits of each client: points that are refilled steadily, up to a burst. It counts and refuses; it knows nothing of a
//! request but its cost.
//!
//! Points are counted in thousandths: a request costs one point, and a thousandth more for each unit of its cost. Ten rows
//! that a mutation writes cost a point. Rows of carts, which anybody may write, are limited once more, by address.

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
use domain::client::ClientKey;

/// Thousandths of a point.
pub const POINT: u32 = 1_000;

/// The cost of a row that a mutation writes, in thousandths of a point.
pub const COST_OF_ROW: u64 = 100;

/// Maximum number of clients whose points are remembered. The least recently seen is forgotten first, and then has all
/// points again; with the usual rates it has them anyway after two seconds.
const MAX_CLIENTS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap(); // Evaluated by the compiler: it is not zero.

/// How fast points are refilled, and up to how many, both in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Thousandths that are refilled in a second.
    pub per_second: NonZeroU32,
    /// Maximum number of thousandths that a client has.
    pub burst: NonZeroU32,
}

impl Rate {
    /// Returns a rate of this many whole points a second, and at most this many at once.
    #[must_use]
    pub fn of_points(per_second: u32, burst: u32) -> Self {
        let thousandths = |points: u32| NonZeroU32::new(points.saturating_mul(POINT)).unwrap_or(NonZeroU32::MIN);
        Self { per_second: thousandths(per_second), burst: thousandths(burst) }
    }

    /// Returns how long it takes to refill this many thousandths.
    fn time_for(self, thousandths: u32) -> Duration {
        Duration::from_secs(thousandths.into()) / self.per_second.get()
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimitError {
    /// The points are spent; there are enough for it after this time.
    RetryAfter(Duration),
    /// It costs more than the burst, in thousandths.
    TooExpensive {
        /// Its cost.
        cost: u64,
        /// The burst.
        most: u32,
    },
    /// It writes more rows of carts than one address may in a second.
    TooManyRows {
        /// The maximum number.
        most: u32,
    },
}

/// The rate limits of all clients. Clones count together.
#[derive(Debug, Clone)]
pub struct RateLimits {
    shoppers: Meter,
    staff: Option<Meter>,
    cart_rows: Meter,
}

impl RateLimits {
    /// Returns limits with these rates of each customer and of the guests at each address, and of each member of staff
    /// (`None`: unlimited).
    #[must_use]
    pub fn new(shoppers: Rate, staff: Option<Rate>) -> Self {
        let cart_rows = Meter::new(Rate::of_points(ClientLimits::DEFAULT.cart_rows, ClientLimits::DEFAULT.cart_rows));
        Self { shoppers: Meter::new(shoppers), staff: staff.map(Meter::new), cart_rows }
    }

    /// Returns the same limits with this rate of rows of carts from one address, a point being a row.
    #[must_use]
    pub fn with_cart_rows(self, rate: Rate) -> Self {
        Self { cart_rows: Meter::new(rate), ..self }
    }

    /// Charges the point that every request costs, before it is parsed.
    ///
    /// # Errors
    /// When the client has none left.
    pub fn charge_request(&self, client: &ClientKey) -> Result<(), RateLimitError> {
        let Some(meter) = self.meter(client) else { return Ok(()) };
        // The operation will cost something, too: usually no more than a point.
        let rest = POINT.min(meter.rate.burst.get().saturating_sub(POINT));
        meter.charge(client, POINT).map_err(|error| meter.delayed(error, rest))
    }

    /// Charges what a request costs besides its point, before it is executed.
    ///
    /// # Errors
    /// When the client has fewer points left, or the cost exceeds the burst.
    pub fn charge_cost(&self, client: &ClientKey, cost: u64) -> Result<(), RateLimitError> {
        let Some(meter) = self.meter(client) else { return Ok(()) };
        let (whole, most) = (cost.saturating_add(POINT.into()), meter.rate.burst.get());
        let Some(cost) = u32::try_from(cost).ok().filter(|_| whole <= most.into()) else {
            return Err(RateLimitError::TooExpensive { cost: whole, most });
        };
        // A retry costs the point again.
        meter.charge(client, cost).map_err(|error| meter.delayed(error, POINT))
    }

    /// Charges the rows of carts that a client at this address is about to write. Those of staff are not limited.
    ///
    /// # Errors
    /// When the address has written too many lately, or there are more than may ever be written at once.
    pub fn charge_cart_rows(&self, client: &ClientKey, address: IpAddr, rows: u64) -> Result<(), RateLimitError> {
        if matches!(client, ClientKey::System | ClientKey::Staff(_)) {
            return Ok(());
        }
        let most = self.cart_rows.rate.burst.get();
        let thousandths = u32::try_from(rows.saturating_mul(POINT.into())).ok().filter(|rows| *rows <= most);
        let Some(thousandths) = thousandths else { return Err(RateLimitError::TooManyRows { most: most / POINT }) };
        self.cart_rows.charge(&ClientKey::guests(address), thousandths)
    }

    /// Returns the maximum cost of all searches of one operation, in thousandths of a point: half of a shopper's burst, so
    /// that in the largest catalogue they can search now and then.
    #[must_use]
    pub fn max_search_cost(&self) -> u64 {
        u64::from(self.shoppers.rate.burst.get()) / 2
    }

    fn meter(&self, client: &ClientKey) -> Option<&Meter> {
        match client {
            ClientKey::System | ClientKey::Staff(_) => self.staff.as_ref(),
            ClientKey::Customer(_) | ClientKey::Guests(_) => Some(&self.shoppers),
        }
    }
}

#[derive(Debug, Clone)]
struct Meter {
    rate: Rate,
    limiter: Arc<RateLimiter<ClientKey, RecentClients, DefaultClock>>,
}

impl Meter {
    fn new(rate: Rate) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let recent = RecentClients(Mutex::new(LruCache::new(MAX_CLIENTS)));
        Self { rate, limiter: Arc::new(RateLimiter::new(quota, recent, DefaultClock::default())) }
    }

    fn charge(&self, client: &ClientKey, thousandths: u32) -> Result<(), RateLimitError> {
        let Some(thousandths) = NonZeroU32::new(thousandths) else { return Ok(()) };
        match self.limiter.check_key_n(client, thousandths) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(RateLimitError::RetryAfter(until.wait_time_from(self.limiter.clock().now()))),
            Err(_) => Err(RateLimitError::TooExpensive { cost: thousandths.get().into(), most: self.rate.burst.get() }),
        }
    }

    /// Returns the same error with the time until this much more is refilled.
    fn delayed(&self, error: RateLimitError, thousandths: u32) -> RateLimitError {
        match error {
            RateLimitError::RetryAfter(time) => RateLimitError::RetryAfter(time + self.rate.time_for(thousandths)),
            RateLimitError::TooExpensive { .. } | RateLimitError::TooManyRows { .. } => error,
        }
    }
}

/// The clients that spent points lately.
#[derive(Debug)]
struct RecentClients(Mutex<LruCache<ClientKey, Nanos>>);

impl StateStore for RecentClients {
    type Key = ClientKey;

    fn measure_and_replace<T, F, E>(&self, client: &ClientKey, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(client).copied();
        let (answer, after) = measure(before)?;
        all.put(client.clone(), after);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So slow that nothing is refilled while a test runs.
    fn slow(burst: u32) -> RateLimits {
        RateLimits::new(Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(burst).unwrap() }, None)
    }

    fn guests(number: u32) -> ClientKey {
        ClientKey::guests(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn each_has_so_many_points_and_a_request_costs_a_thousandth_of_its_cost_more() {
        let rates = slow(3 * POINT + 42);
        for client in [guests(1), guests(2), ClientKey::Customer("ada".into())] {
            for cost in [21, 0, 21] {
                assert_eq!((rates.charge_request(&client), rates.charge_cost(&client, cost)), (Ok(()), Ok(())));
            }
            assert!(matches!(rates.charge_request(&client), Err(RateLimitError::RetryAfter(_))));
            assert!(matches!(rates.charge_cost(&client, 1), Err(RateLimitError::RetryAfter(_))));
        }
        let staff = ClientKey::Staff("sam".into());
        assert!(
            (0..1_000).all(|_| rates.charge_request(&staff).is_ok() && rates.charge_cost(&staff, u64::MAX).is_ok())
        );
    }

    #[test]
    fn rows_of_carts_are_counted_by_address_whoever_writes_them() {
        let few = Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(5 * POINT).unwrap() };
        let rates = slow(POINT).with_cart_rows(few);
        let [here, there] = [1, 2].map(|number| IpAddr::from(std::net::Ipv4Addr::from_bits(number)));
        let ada = ClientKey::Customer("ada".into());
        assert_eq!(
            (rates.charge_cart_rows(&ada, here, 3), rates.charge_cart_rows(&guests(1), here, 2)),
            (Ok(()), Ok(()))
        );
        assert!(matches!(rates.charge_cart_rows(&ada, here, 1), Err(RateLimitError::RetryAfter(_))));
        assert_eq!((rates.charge_cart_rows(&ada, here, 0), rates.charge_cart_rows(&ada, there, 5)), (Ok(()), Ok(())));
        for rows in [6, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(
                rates.charge_cart_rows(&ada, there, rows),
                Err(RateLimitError::TooManyRows { most: 5 }),
                "{rows}"
            );
        }
        assert_eq!(rates.charge_cart_rows(&ClientKey::Staff("sam".into()), here, u64::MAX), Ok(()));
    }

    #[test]
    fn what_nobody_can_pay_is_told_apart() {
        let rates = slow(2 * POINT);
        assert_eq!(rates.charge_cost(&guests(1), 1_000), Ok(()));
        for cost in [1_001, u64::from(u32::MAX), u64::MAX] {
            assert!(
                matches!(rates.charge_cost(&guests(1), cost), Err(RateLimitError::TooExpensive { most: 2_000, .. })),
                "{cost}"
            );
        }
    }

    #[test]
    fn the_wait_is_for_the_whole_request() {
        let rates = RateLimits::new(Rate::of_points(1, 2), None);
        let client = guests(1);
        assert_eq!((rates.charge_request(&client), rates.charge_cost(&client, 1_000)), (Ok(()), Ok(())));
        for error in [rates.charge_request(&client), rates.charge_cost(&client, 1_000)] {
            let Err(RateLimitError::RetryAfter(time)) = error else { panic!("a point is left") };
            assert!(time > Duration::from_secs(1) && time <= Duration::from_secs(2), "{time:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_seen_client_is_forgotten_first() {
        let rates = slow(POINT);
        let most = u32::try_from(MAX_CLIENTS.get()).unwrap();
        for number in 0..most {
            assert_eq!(rates.charge_request(&guests(number)), Ok(()));
        }
        assert!(rates.charge_request(&guests(0)).is_err(), "seen again");
        assert_eq!(rates.charge_request(&guests(most)), Ok(()));
        assert!(rates.charge_request(&guests(0)).is_err(), "still remembered");
        assert_eq!(rates.charge_request(&guests(1)), Ok(()), "forgotten");
    }
}
