//! The three numbers of a product and the only ways in which they move.
//!
//! A rule of the inventory, kept here and once more by CHECK constraints: 0 <= allocated <= total. Nothing here decides
//! who may move stock or why; it must never let a number leave its range.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Time;
use super::id::ProductId;
use super::quantity;
use super::rejection::{Code, Rejection};
use crate::codes;

codes! {
    /// What a row of the log does to (total, available, allocated).
    Action {
        /// The first row of a product: +q +q 0.
        Create = "create",
        /// Received: +q +q 0.
        Increment = "increment",
        /// Removed: -q -q 0.
        Decrement = "decrement",
        /// Reserved: 0 -q +q.
        Allocate = "allocate",
        /// Freed: 0 +q -q.
        Deallocate = "deallocate",
        /// Counted: total becomes q.
        Set = "set",
        /// Left the warehouse: -q 0 -q, in one movement.
        Ship = "ship",
    }
}

codes! {
    /// What a shopper can expect of a product.
    Availability {
        /// More than the threshold is available.
        InStock = "in_stock",
        /// Something is available, but no more than the threshold.
        LowStock = "low_stock",
        /// Nothing is available.
        OutOfStock = "out_of_stock",
        /// Stock is not managed: every quantity can be bought.
        Untracked = "untracked",
    }
}

/// Total and allocated at one moment; available is what lies between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Units in the warehouse, 0 to 1,000,000,000.
    pub total: i32,
    /// Units of `total` that belong to somebody already.
    pub allocated: i32,
}

impl Numbers {
    /// Units that can still be bought.
    #[must_use]
    pub const fn available(self) -> i32 {
        self.total - self.allocated
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in total, {} allocated", self.total, self.allocated)
    }
}

/// Whose units an allocation is about. A rule of the inventory: staff cannot free what orders hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Allocated by staff.
    Staff,
    /// Held by the items of orders that are paid or being paid.
    Order,
    /// Held for a time by the items of orders that are not paid yet.
    Hold,
}

/// What one movement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Which kind.
    pub action: Action,
    /// The quantity that was asked for.
    pub quantity: i32,
    /// Change of total.
    pub total_delta: i32,
    /// Change of allocated.
    pub allocated_delta: i32,
}

/// The stock record of one product. Every product has one, also when it is not managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Whose stock.
    pub product: ProductId,
    /// Whether stock is checked, allocated and shipped.
    pub managed: bool,
    /// At or below this available count the product is low; 0 switches that off.
    pub low_stock_threshold: i32,
    /// The numbers now.
    pub numbers: Numbers,
    /// Units of `allocated` that staff allocated; the rest is held by orders.
    pub manually_allocated: i32,
    /// Units of `allocated` that orders hold for a time although they are not paid yet.
    pub held: i32,
    /// Number of the newest row of the log; 0 before the first.
    pub sequence: i32,
    /// Rises with every change of anything above and of whether the product is for sale, so a greater version is a newer
    /// state.
    pub version: i32,
    /// When the newest change happened.
    pub updated_at: Time,
    /// Rises when what the public sees changes: the version of those who see capped counts.
    pub public_version: i32,
    /// When that was.
    pub public_changed_at: Time,
}

/// What those who are not staff see of counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum PublicStock {
    /// The numbers as they are.
    #[default]
    Exact,
    /// At most so many available, and nothing else.
    Capped(i32),
}

impl PublicStock {
    /// What the public sees of a count: of what is available, or of the threshold below which that is low.
    #[must_use]
    pub fn count(self, count: i32) -> i32 {
        match self {
            Self::Exact => count,
            Self::Capped(most) => count.min(most),
        }
    }
}

impl Stock {
    /// The record of a product that is being made, before anything is in the warehouse. Its first change makes it
    /// version 1.
    #[must_use]
    pub const fn new(product: ProductId, managed: bool, low_stock_threshold: i32, now: Time) -> Self {
        let numbers = Numbers { total: 0, allocated: 0 };
        Self {
            product,
            managed,
            low_stock_threshold,
            numbers,
            manually_allocated: 0,
            held: 0,
            sequence: 0,
            version: 0,
            updated_at: now,
            public_version: 0,
            public_changed_at: now,
        }
    }

    /// Units that can still be bought.
    #[must_use]
    pub const fn available(&self) -> i32 {
        self.numbers.available()
    }

    /// Whether this quantity can be bought now. A rule of the inventory, the same for cart, check-out and payment.
    #[must_use]
    pub const fn can_sell(&self, quantity: i64) -> bool {
        !self.managed || quantity <= self.available() as i64
    }

    /// What a shopper can expect.
    #[must_use]
    pub const fn availability(&self) -> Availability {
        match (self.managed, self.available()) {
            (false, _) => Availability::Untracked,
            (true, 0) => Availability::OutOfStock,
            (true, available) if available <= self.low_stock_threshold => Availability::LowStock,
            (true, _) => Availability::InStock,
        }
    }

    /// Moves units. `None` when nothing would change: setting stock to what it is.
    ///
    /// # Errors
    /// `INSUFFICIENT_STOCK` when units that are needed are not there; `INVALID_QUANTITY` when a number would leave its
    /// range. The record is then as it was.
    pub fn apply(&mut self, action: Action, quantity: i32, holder: Holder) -> Result<Option<Movement>, Rejection> {
        let Numbers { total, allocated } = self.numbers;
        let least = i32::from(!matches!(action, Action::Create | Action::Set));
        let q = if least == 0 { quantity::at_least_zero(quantity)? } else { quantity::at_least_one(quantity)? };
        let freeable = match holder {
            Holder::Staff => self.manually_allocated,
            Holder::Hold => self.held,
            Holder::Order => allocated - self.manually_allocated - self.held,
        };
        let (enough, total_delta, allocated_delta) = match action {
            Action::Create | Action::Increment => (true, quantity::sum(total, q)? - total, 0),
            Action::Decrement => (q <= self.available(), -q, 0),
            Action::Allocate => (q <= self.available(), 0, q),
            Action::Deallocate => (q <= freeable, 0, -q),
            Action::Ship => (q <= freeable, -q, -q),
            Action::Set => (q >= allocated, q - total, 0),
        };
        if !enough {
            return Err(Rejection::insufficient_stock());
        }
        if action == Action::Set && total_delta == 0 {
            return Ok(None);
        }
        self.numbers = Numbers { total: total + total_delta, allocated: allocated + allocated_delta };
        match holder {
            Holder::Staff => self.manually_allocated += allocated_delta,
            Holder::Hold => self.held += allocated_delta,
            Holder::Order => {}
        }
        self.sequence = next(self.sequence)?;
        Ok(Some(Movement { action, quantity: q, total_delta, allocated_delta }))
    }

    /// Turns allocated units of orders into held ones, or, if it is negative, held ones into units of an order that is being
    /// paid. Nothing that can be bought changes.
    ///
    /// # Errors
    /// `INSUFFICIENT_STOCK` when there are no such units. The record is then as it was.
    pub fn turn_into_hold(&mut self, units: i32) -> Result<(), Rejection> {
        let of_orders = self.numbers.allocated - self.manually_allocated;
        let held = self.held.checked_add(units).filter(|held| (0..=of_orders).contains(held));
        self.held = held.ok_or_else(Rejection::insufficient_stock)?;
        Ok(())
    }

    /// Changes the record. When anything differs afterwards its version rises, and its shown version when what the public
    /// sees differs; time never runs backwards.
    ///
    /// # Errors
    /// Whatever the change refuses, and `INVALID_QUANTITY` when the record has changed more often than versions can
    /// count. The record is then not to be used.
    pub fn change<T>(
        &mut self,
        now: Time,
        public: PublicStock,
        change: impl FnOnce(&mut Self) -> Result<T, Rejection>,
    ) -> Result<T, Rejection> {
        let before = self.clone();
        let changed = change(self)?;
        if *self != before || self.version == 0 {
            self.version = next(self.version)?;
            self.updated_at = self.updated_at.max(now);
            if self.shown(public) != before.shown(public) || self.public_version == 0 {
                self.public_version = next(self.public_version)?;
                self.public_changed_at = self.updated_at;
            }
        }
        Ok(changed)
    }

    /// Raises both versions although no number changed: everybody who shows this record has to look at its product again.
    ///
    /// # Errors
    /// `INVALID_QUANTITY` when the record has changed more often than versions can count. It is then not to be used.
    pub fn touch(&mut self, now: Time) -> Result<(), Rejection> {
        self.version = next(self.version)?;
        self.public_version = next(self.public_version)?;
        self.updated_at = self.updated_at.max(now);
        self.public_changed_at = self.updated_at;
        Ok(())
    }

    /// The version of this record for those who see so much of it, and when that came to be.
    #[must_use]
    pub const fn version_for(&self, sees: PublicStock) -> (i32, Time) {
        match sees {
            PublicStock::Exact => (self.version, self.updated_at),
            PublicStock::Capped(_) => (self.public_version, self.public_changed_at),
        }
    }

    /// What the public sees of this record; equal when it sees no difference.
    #[must_use]
    pub fn shown(&self, public: PublicStock) -> (i32, i32, Availability, Option<Numbers>) {
        let numbers = (public == PublicStock::Exact).then_some(self.numbers);
        let (available, threshold) = (public.count(self.available()), public.count(self.low_stock_threshold));
        (available, threshold, self.availability(), numbers)
    }
}

fn next(count: i32) -> Result<i32, Rejection> {
    count.checked_add(1).ok_or_else(|| Rejection::new(Code::InvalidQuantity, "This record can change no more."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(total: i32, allocated: i32, manually_allocated: i32) -> Stock {
        let product = ProductId(uuid::Uuid::nil());
        let mut stock = Stock::new(product, true, 3, Time::UNIX_EPOCH);
        stock.numbers = Numbers { total, allocated };
        stock.manually_allocated = manually_allocated;
        stock
    }

    fn numbers_after(mut stock: Stock, action: Action, quantity: i32, holder: Holder) -> Option<(i32, i32, i32)> {
        let before = stock.clone();
        let Ok(_) = stock.apply(action, quantity, holder) else {
            assert_eq!(stock, before, "a refusal changes nothing");
            return None;
        };
        Some((stock.numbers.total, stock.numbers.allocated, stock.available()))
    }

    #[test]
    fn each_action_moves_what_it_says() {
        use Action::{Allocate, Create, Deallocate, Decrement, Increment, Set, Ship};
        let cases = [
            (stock(0, 0, 0), Create, 0, Holder::Staff, Some((0, 0, 0))),
            (stock(10, 4, 0), Increment, 5, Holder::Staff, Some((15, 4, 11))),
            (stock(10, 4, 0), Decrement, 6, Holder::Staff, Some((4, 4, 0))),
            (stock(10, 4, 0), Decrement, 7, Holder::Staff, None),
            (stock(10, 4, 0), Allocate, 6, Holder::Order, Some((10, 10, 0))),
            (stock(10, 4, 0), Allocate, 7, Holder::Order, None),
            (stock(10, 4, 0), Deallocate, 4, Holder::Order, Some((10, 0, 10))),
            (stock(10, 4, 1), Deallocate, 4, Holder::Order, None),
            (stock(10, 4, 1), Deallocate, 1, Holder::Staff, Some((10, 3, 7))),
            (stock(10, 4, 1), Deallocate, 2, Holder::Staff, None),
            (stock(10, 4, 0), Ship, 4, Holder::Order, Some((6, 0, 6))),
            (stock(10, 4, 0), Allocate, 6, Holder::Hold, Some((10, 10, 0))),
            (stock(10, 4, 0), Deallocate, 1, Holder::Hold, None),
            (holding(stock(10, 4, 0), 3), Deallocate, 3, Holder::Hold, Some((10, 1, 9))),
            (holding(stock(10, 4, 0), 3), Deallocate, 4, Holder::Hold, None),
            (holding(stock(10, 4, 0), 3), Deallocate, 2, Holder::Order, None),
            (holding(stock(10, 4, 0), 3), Ship, 1, Holder::Order, Some((9, 3, 6))),
            (holding(stock(10, 4, 1), 3), Ship, 1, Holder::Order, None),
            (stock(10, 4, 0), Set, 4, Holder::Staff, Some((4, 4, 0))),
            (stock(10, 4, 0), Set, 3, Holder::Staff, None),
            (stock(10, 4, 0), Set, 0, Holder::Staff, None),
            (stock(1_000_000_000, 0, 0), Increment, 1, Holder::Staff, None),
            (stock(10, 4, 0), Increment, 0, Holder::Staff, None),
            (stock(10, 4, 0), Increment, -1, Holder::Staff, None),
        ];
        for (stock, action, quantity, holder, right) in cases {
            assert_eq!(
                numbers_after(stock.clone(), action, quantity, holder),
                right,
                "{stock:?} {action:?} {quantity}"
            );
        }
    }

    /// The same record, with so many of its allocated units held by orders that are not paid.
    fn holding(mut stock: Stock, held: i32) -> Stock {
        stock.turn_into_hold(held).expect("units of orders");
        stock
    }

    #[test]
    fn only_units_of_orders_become_held_and_only_held_ones_are_paid_for() {
        let mut stock = stock(10, 5, 2);
        assert!(stock.turn_into_hold(4).is_err() && stock.turn_into_hold(-1).is_err());
        stock.turn_into_hold(3).expect("units of orders");
        assert_eq!((stock.held, stock.available(), stock.sequence), (3, 5, 0));
        assert!(stock.turn_into_hold(i32::MIN).is_err() && stock.turn_into_hold(-4).is_err());
        stock.turn_into_hold(-3).expect("held units");
        assert_eq!(stock.held, 0);
    }

    #[test]
    fn setting_stock_to_what_it_is_is_no_movement() {
        let mut stock = stock(10, 4, 0);
        assert_eq!(stock.apply(Action::Set, 10, Holder::Staff), Ok(None));
        assert_eq!(stock.sequence, 0);
    }

    #[test]
    fn the_shown_version_rises_only_with_what_is_shown() {
        let capped = PublicStock::Capped(5);
        let mut stock = stock(100, 0, 0);
        let mut sell = |quantity| {
            let sold = |stock: &mut Stock| stock.apply(Action::Allocate, quantity, Holder::Order);
            stock.change(Time::UNIX_EPOCH, capped, sold).expect("enough");
            (stock.version, stock.public_version)
        };
        assert_eq!(sell(1), (1, 1), "the first change makes the first version");
        assert_eq!(sell(90), (2, 1), "nine are left, and five are shown");
        assert_eq!(sell(5), (3, 2), "four are left");
        assert_eq!(sell(2), (4, 3));
        assert_eq!((capped.count(9), capped.count(4), PublicStock::Exact.count(9)), (5, 4, 9));
        let mut set = |threshold| {
            let set = |stock: &mut Stock| {
                stock.low_stock_threshold = threshold;
                Ok(())
            };
            stock.change(Time::UNIX_EPOCH, capped, set).expect("room");
            (stock.version, stock.public_version)
        };
        assert_eq!((set(4), set(5), set(9)), ((5, 4), (6, 5), (7, 5)), "five is what is shown of nine");
    }

    #[test]
    fn availability_follows_the_threshold() {
        assert_eq!(stock(0, 0, 0).availability(), Availability::OutOfStock);
        assert_eq!(stock(3, 0, 0).availability(), Availability::LowStock);
        assert_eq!(stock(4, 0, 0).availability(), Availability::InStock);
        assert_eq!(Stock { low_stock_threshold: 0, ..stock(1, 0, 0) }.availability(), Availability::InStock);
        assert_eq!(Stock { managed: false, ..stock(0, 0, 0) }.availability(), Availability::Untracked);
    }
}
