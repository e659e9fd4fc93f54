//! The source of ids and other random material, handed to whoever decides.
//!
//! It must never be seeded from anything guessable outside tests: the id of a guest's cart is the only key to it.

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use uuid::{Builder, Uuid};

use super::Time;

/// Letters and digits that nobody mistakes for one another.
const NUMBER_ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";

/// Characters of an order's number.
const NUMBER_LENGTH: usize = 8;

/// A cryptographically strong source of random material; with the same seed, always the same.
#[derive(Debug)]
pub struct Random(StdRng);

impl Random {
    /// A source that nobody can predict.
    #[must_use]
    pub fn unpredictable() -> Self {
        Self(StdRng::from_os_rng())
    }

    /// The same sequence for the same seed: for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A UUID that starts with its time of birth, so that an index grows at its end.
    pub fn ordered_uuid(&mut self, now: Time) -> Uuid {
        let mut bytes = [0; 10];
        self.0.fill_bytes(&mut bytes);
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// A UUID that is wholly random and therefore unguessable.
    pub fn secret_uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Eight random characters that read well aloud: an order's number.
    pub fn order_number(&mut self) -> String {
        (0..NUMBER_LENGTH).map(|_| char::from(NUMBER_ALPHABET[self.0.random_range(0..NUMBER_ALPHABET.len())])).collect()
    }

    /// A number from 0 to `bound - 1`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound)
    }
}

/// Now, with microseconds and nothing finer: what goes into the database comes out of it unchanged.
#[must_use]
pub fn whole_microseconds(time: chrono::DateTime<Utc>) -> Time {
    chrono::SubsecRound::trunc_subsecs(time, 6)
}
