//! How many websockets and event streams one person has open. It counts and refuses; what is said then is said elsewhere.
//!
//! A person is only remembered while something of theirs is open, so there are never more of them than sockets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::person::Person;

/// The seats of all persons. Clones are the same seats.
#[derive(Debug, Clone)]
pub struct Seats {
    customer: usize,
    address: usize,
    staff: Option<usize>,
    taken: Arc<Mutex<HashMap<Person, usize>>>,
}

/// A seat that is taken. It is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    person: Person,
    taken: Arc<Mutex<HashMap<Person, usize>>>,
}

impl Seats {
    /// So many for a customer, for the guests at one address, and for one of the staff, who need not be bounded.
    #[must_use]
    pub fn new(customer: usize, address: usize, staff: Option<usize>) -> Self {
        Self { customer, address, staff, taken: Arc::default() }
    }

    /// Takes a seat for somebody.
    ///
    /// # Errors
    /// When they have as many as they may: how many that is.
    pub fn take(&self, person: &Person) -> Result<Seat, usize> {
        let most = match person {
            Person::Customer(_) => self.customer,
            Person::Guests(_) => self.address,
            Person::System | Person::Staff(_) => self.staff.unwrap_or(usize::MAX),
        };
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.get(person).copied().unwrap_or_default();
        if taken >= most {
            return Err(most);
        }
        all.insert(person.clone(), taken + 1);
        Ok(Seat { person: person.clone(), taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.person) {
            Some(taken) if *taken > 1 => *taken -= 1,
            Some(_) | None => {
                all.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_their_own_and_nobody_is_remembered_without_one() {
        let seats = Seats::new(2, 1, None);
        let (ada, bob) = (Person::Customer("ada".into()), Person::Customer("bob".into()));
        let first = seats.take(&ada).unwrap();
        let all = [seats.take(&ada), seats.take(&bob), seats.take(&Person::Staff("ada".into()))];
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(seats.take(&ada).unwrap_err(), 2);
        drop(first);
        assert!(seats.take(&ada).is_ok(), "and it is free again at once");
        drop(all);
        assert!(seats.taken.lock().unwrap().is_empty());
    }
}
