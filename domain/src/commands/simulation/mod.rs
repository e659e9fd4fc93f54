//! Random sequences of commands against a model that is simple enough to be believed: the same commands are accepted,
//! the numbers are the same, and every invariant holds after every step.
//!
//! A failure prints its seed; the same seed makes the same sequence.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Time;
use crate::actor::Actor;
use crate::audit::{Fold, LogEntry, compare_order, compare_shipments};
use crate::id::{CartId, OperationId, OrderId, PaymentId, ProductId};
use crate::order::CancelReason;
use crate::payment::{Method, Outcome};
use crate::product::Status;
use crate::random::Random;
use crate::stock::{Action, PublicStock, Stock};
use crate::transaction::{Reason, StockTransaction};
use crate::world::Tables;

use super::*;

mod carts;
mod parcels;

/// Steps of all shops together, unless `ONHAND_STEPS` says otherwise: ten million take some minutes.
const ALL_STEPS: usize = 300_000;

/// Commands in each of them.
const STEPS: usize = 2_000;

/// How long a hold is: some steps.
const HOLD: Duration = Duration::from_millis(600);

/// Products in each of them: few, so that they are fought over.
const PRODUCTS: u32 = 5;

#[test]
fn random_commands_do_what_a_simple_model_says() {
    let first = given("ONHAND_SEED").unwrap_or(1);
    let shops = given("ONHAND_STEPS").unwrap_or(ALL_STEPS as u64).div_ceil(STEPS as u64);
    for seed in first..first + shops {
        let outcome = std::panic::catch_unwind(|| {
            let mut shop = Simulation::new(seed);
            for _ in 0..STEPS {
                shop.step();
            }
            shop.finish();
        });
        assert!(outcome.is_ok(), "run again with ONHAND_SEED={seed}");
    }
    println!("simulation: seed {first}, {} steps of {shops} shops", shops * STEPS as u64);
}

/// A setting of this test.
#[expect(clippy::disallowed_methods, reason = "for the one who looks into a failure, or wants more steps")]
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What the model knows of a product.
#[derive(Debug, Clone, Default)]
struct Goods {
    total: i32,
    manually_allocated: i32,
    managed: bool,
    archived: bool,
}

/// Products, and how many units of each.
type Lines = Vec<(usize, i32)>;

/// What the model knows of an order.
#[derive(Debug, Clone)]
struct Sale {
    lines: Lines,
    held: Vec<i32>,
    /// Until when it holds units without being paid, or again when paying fails.
    held_until: Option<Time>,
    shipped: Vec<i32>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unpaid,
    Paying,
    Paid,
    Shipped,
    Cancelled,
}

struct Simulation {
    tables: Tables,
    random: Random,
    dice: Random,
    now: Time,
    products: Vec<ProductId>,
    goods: Vec<Goods>,
    sales: Vec<(OrderId, Sale)>,
    attempts: Vec<(PaymentId, usize, bool)>,
    /// Carts that are filled and left, with what is in them as long as they are open.
    carts: Vec<(CartId, Option<Lines>)>,
    folds: BTreeMap<ProductId, Vec<StockTransaction>>,
    seen: usize,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut shop = Self {
            tables: Tables::default(),
            random: Random::seeded(seed),
            dice: Random::seeded(seed ^ 0x5eed),
            now: Time::UNIX_EPOCH + Duration::from_hours(500_000),
            products: Vec::new(),
            goods: Vec::new(),
            sales: Vec::new(),
            attempts: Vec::new(),
            carts: Vec::new(),
            folds: BTreeMap::new(),
            seen: 0,
        };
        for number in 0..PRODUCTS {
            let total = shop.up_to(12);
            let input = ProductInput {
                sku: format!("P{number}"),
                name: "A product".to_owned(),
                price_amount: 100,
                price_currency: "EUR".to_owned(),
                manage_stock: true,
                initial_stock: total,
                ..ProductInput::default()
            };
            let product = NewProduct::check(&input).map(CreateProduct).expect("a sound product");
            let id = shop.decide(&product).expect("a free SKU").product.id;
            shop.products.push(id);
            shop.goods.push(Goods { total, managed: true, ..Goods::default() });
        }
        shop
    }

    /// A number from 0 to `most`.
    fn up_to(&mut self, most: u32) -> i32 {
        i32::try_from(self.dice.below(most + 1)).expect("a small number")
    }

    fn pick(&mut self, count: usize) -> usize {
        self.dice.below(u32::try_from(count).expect("few")) as usize
    }

    /// Decides as the writer does: kept when accepted, undone when refused. The clock sometimes runs backwards.
    fn decide<C: Command>(&mut self, command: &C) -> Result<C::Answer, Rejections> {
        let forth = Duration::from_millis(u64::from(self.dice.below(50)));
        self.now = if self.dice.below(20) == 0 { self.now - forth } else { self.now + forth };
        let operation = OperationId(self.random.ordered_uuid(self.now));
        let public_stock = PublicStock::Capped(3);
        let mut context =
            Context { now: self.now, actor: &Actor::System, public_stock, operation, random: &mut self.random };
        let decided = command.decide(&mut self.tables.world(), &mut context);
        if decided.is_ok() {
            self.tables.keep();
        } else {
            self.tables.undo();
        }
        decided
    }

    fn held_by_orders(&self, product: usize) -> i32 {
        let of = |sale: &Sale| {
            let lines = sale.lines.iter().zip(&sale.held);
            lines.filter(|((line, _), _)| *line == product).map(|(_, held)| *held).sum::<i32>()
        };
        self.sales.iter().map(|(_, sale)| of(sale)).sum()
    }

    /// Units that orders hold although they are not paid.
    fn held_unpaid(&self, product: usize) -> i32 {
        let unpaid = self.sales.iter().map(|(_, sale)| sale).filter(|sale| sale.state == State::Unpaid);
        let held = unpaid.flat_map(|sale| sale.lines.iter().zip(&sale.held));
        held.filter(|((line, _), _)| *line == product).map(|(_, held)| *held).sum()
    }

    fn available(&self, product: usize) -> i32 {
        self.goods[product].total - self.goods[product].manually_allocated - self.held_by_orders(product)
    }

    fn can_sell(&self, (product, quantity): (usize, i32)) -> bool {
        !self.goods[product].archived && (!self.goods[product].managed || quantity <= self.available(product))
    }

    fn step(&mut self) {
        match self.dice.below(25) {
            0..=4 => self.check_out(),
            5..=8 => self.begin(),
            9..=12 => self.settle(),
            13..=14 => self.cancel(),
            15 => self.ship(),
            16..=17 => self.adjust(),
            18 => self.archive(),
            19 => self.import(),
            20 => drop(self.fill()),
            21 => self.refill(),
            22 => self.expire(),
            23 => self.end_hold(),
            _ => self.manage(),
        }
        if self.dice.below(32) == 0 {
            self.compare_demand();
        }
        self.compare();
    }

    /// Some units of some products.
    fn lines(&mut self) -> Lines {
        let mut lines = Lines::new();
        for _ in 0..=self.pick(3) {
            let product = self.pick(self.products.len());
            let quantity = 1 + self.up_to(3);
            match lines.iter_mut().find(|(known, _)| *known == product) {
                Some((_, sum)) => *sum += quantity,
                None => lines.push((product, quantity)),
            }
        }
        lines
    }

    fn changes(&self, lines: &[(usize, i32)]) -> Vec<CartChange> {
        lines.iter().map(|(p, quantity)| CartChange { product: self.products[*p], quantity: *quantity }).collect()
    }

    fn check_out(&mut self) {
        let Some(which) = self.fill() else { return };
        let cart = self.carts[which].0;
        let lines = self.carts[which].1.take().unwrap_or_default();
        let hold = (self.dice.below(4) == 0).then_some(HOLD);
        let check_out = CheckOut::check(cart, None).expect("a sound check-out").holding(hold);
        let order = self.decide(&check_out).expect("nothing changed").order.id;
        let (held, shipped) = (vec![0; lines.len()], vec![0; lines.len()]);
        let held_until = hold.map(|hold| self.now + hold);
        self.sales.push((order, Sale { lines, held, held_until, shipped, state: State::Unpaid }));
        if hold.is_some() {
            self.hold(self.sales.len() - 1, State::Unpaid);
        }
    }

    fn any_sale(&mut self) -> Option<usize> {
        // Mostly one of the newest, so that something happens to it; sometimes any, so that nothing may.
        let count = self.sales.len();
        let newest = count.saturating_sub(12);
        (count > 0).then(|| if self.dice.below(5) == 0 { self.pick(count) } else { newest + self.pick(count - newest) })
    }

    fn begin(&mut self) {
        let Some(i) = self.any_sale() else { return };
        let (order, sale) = self.sales[i].clone();
        let settles_without_call = self.dice.below(2) == 0;
        let gateway = "model".to_owned();
        let lease = Duration::from_secs(30);
        let (method, hold_time) = (Method::Purchase, HOLD);
        let begin = BeginPayment { order, gateway, method, settles_without_call, lease, hold_time, key: None };
        let missing = sale.lines.iter().zip(&sale.held).map(|((product, quantity), held)| (*product, quantity - held));
        let should = sale.state == State::Unpaid && missing.clone().all(|line| self.can_sell(line));
        match self.decide(&begin) {
            Ok(Begun::Charge { payment, .. }) => {
                assert!(should && !settles_without_call, "{sale:?}");
                self.attempts.push((payment.id, i, true));
                self.hold(i, State::Paying);
                let extended = self.now + HOLD;
                let until = &mut self.sales[i].1.held_until;
                *until = until.map(|until| until.max(extended));
            }
            Ok(Begun::Answered(answer)) if answer.errors.is_empty() => {
                assert!(should && settles_without_call, "{sale:?}");
                self.hold(i, State::Paid);
                self.sales[i].1.held_until = None;
            }
            Ok(Begun::Answered(_) | Begun::Kept(_)) => assert_eq!(sale.state, State::Paying),
            Err(refusal) => assert!(!should && sale.state != State::Paying, "{sale:?}: {refusal:?}"),
        }
    }

    fn hold(&mut self, i: usize, state: State) {
        let goods = &self.goods;
        let sale = &mut self.sales[i].1;
        for ((product, quantity), held) in sale.lines.iter().zip(&mut sale.held) {
            if goods[*product].managed {
                *held = *quantity;
            }
        }
        sale.state = state;
    }

    fn settle(&mut self) {
        if self.attempts.is_empty() {
            return;
        }
        let newest = self.attempts.len().saturating_sub(8);
        let which = newest + self.pick(self.attempts.len() - newest);
        let (payment, i, is_open) = self.attempts[which];
        let is_charged = self.dice.below(2) == 0;
        let outcome = match (is_charged, self.dice.below(3)) {
            (true, _) => Outcome::Charged { reference: None },
            (false, 0) => Outcome::Declined { reason: "no".to_owned() },
            (false, 1) => Outcome::Refused { reason: "no".to_owned() },
            (false, _) => Outcome::Voided,
        };
        let is_voided = outcome == Outcome::Voided;
        let settled = self.decide(&SettlePayment { payment, outcome }).expect("a payment");
        assert_eq!(matches!(settled, Settled::Now(_)), is_open, "a payment is settled once");
        if is_open {
            self.attempts[which].2 = false;
            let sale = &mut self.sales[i].1;
            sale.state = if is_charged { State::Paid } else { State::Unpaid };
            if is_charged || is_voided || sale.held_until.is_none_or(|until| until <= self.now) {
                sale.held_until = None;
                if !is_charged {
                    sale.held.fill(0);
                }
            }
        }
    }

    fn cancel(&mut self) {
        let Some(i) = self.any_sale() else { return };
        let (order, sale) = self.sales[i].clone();
        let cancel = CancelOrder::check(order, CancelReason::Requested, None).expect("a sound request");
        let cancelled = self.decide(&cancel);
        assert_eq!(cancelled.is_ok(), matches!(sale.state, State::Unpaid | State::Paid), "{sale:?}: {cancelled:?}");
        if cancelled.is_ok() {
            self.sales[i].1.held.fill(0);
            self.sales[i].1.held_until = None;
            self.sales[i].1.state = State::Cancelled;
        }
    }

    fn end_hold(&mut self) {
        let Some(i) = self.any_sale() else { return };
        let (order, sale) = self.sales[i].clone();
        let ended = self.decide(&EndHold(order)).expect("an order");
        let is_over = sale.held_until.is_some_and(|until| until <= self.now);
        assert_eq!(ended, sale.state == State::Unpaid && is_over, "{sale:?}");
        if ended {
            self.sales[i].1.held.fill(0);
            self.sales[i].1.held_until = None;
        }
    }

    fn adjust(&mut self) {
        const ACTIONS: [Action; 5] =
            [Action::Increment, Action::Decrement, Action::Allocate, Action::Deallocate, Action::Set];
        let product = self.pick(self.products.len());
        let action = ACTIONS[self.pick(ACTIONS.len())];
        let q = self.up_to(8);
        let dry_run = self.dice.below(5) == 0;
        let change = StockChange { product: self.products[product], action, quantity: q, expected_version: None };
        let adjust = AdjustStock::check(vec![change], Reason::Other, None, None, dry_run).expect("a sound request");
        let available = self.available(product);
        let goods = self.goods[product].clone();
        let (fits, after) = match action {
            Action::Increment => (q > 0, Goods { total: goods.total + q, ..goods.clone() }),
            Action::Decrement => (q > 0 && q <= available, Goods { total: goods.total - q, ..goods.clone() }),
            Action::Allocate => {
                (q > 0 && q <= available, Goods { manually_allocated: goods.manually_allocated + q, ..goods.clone() })
            }
            Action::Deallocate => (
                q > 0 && q <= goods.manually_allocated,
                Goods { manually_allocated: goods.manually_allocated - q, ..goods.clone() },
            ),
            _ => (q >= goods.total - available, Goods { total: q, ..goods.clone() }),
        };
        let adjusted = self.decide(&adjust);
        assert_eq!(adjusted.is_ok(), goods.managed && fits, "{action:?} {q} of {goods:?}: {adjusted:?}");
        if adjusted.is_ok() && !dry_run {
            self.goods[product] = after;
        }
    }

    fn import(&mut self) {
        let product = self.pick(self.products.len());
        let (goods, units) = (self.goods[product].clone(), self.up_to(8));
        let allocated = goods.total - self.available(product);
        let (task, fits, after) = if self.dice.below(2) == 0 {
            let after = Goods { total: goods.total + units, ..goods.clone() };
            (RowTask::Add(units), goods.managed && units > 0, after)
        } else {
            let manage = [None, Some(true), Some(false)][self.pick(3)];
            let managed = manage.unwrap_or(goods.managed);
            let stock = (self.dice.below(3) > 0).then_some(units);
            let given = Box::new(ProductChanges { manage_stock: manage, ..ProductChanges::default() });
            let fits = stock.is_none_or(|units| managed && units >= allocated);
            let after = Goods { total: stock.unwrap_or(goods.total), managed, ..goods.clone() };
            (RowTask::Set { given, stock }, fits, after)
        };
        let run = self.random.ordered_uuid(self.now);
        let row = ImportRow { product: Some(self.products[product]), task, reference: None, run, until: None };
        let imported = self.decide(&row);
        assert_eq!(imported.is_ok(), fits, "{row:?} of {goods:?}: {imported:?}");
        if imported.is_ok() {
            self.goods[product] = after;
        }
    }

    fn archive(&mut self) {
        let product = self.pick(self.products.len());
        let archived = self.dice.below(4) == 0;
        let to = if archived { Status::Archived } else { Status::Active };
        self.decide(&ArchiveProduct { product: self.products[product], to }).expect("a product");
        self.goods[product].archived = archived;
    }

    fn manage(&mut self) {
        let product = self.pick(self.products.len());
        let managed = self.dice.below(4) != 0;
        let changes = ProductChanges { manage_stock: Some(managed), ..ProductChanges::default() };
        self.decide(&UpdateProduct { product: self.products[product], changes }).expect("a product");
        self.goods[product].managed = managed;
    }

    /// After every step: the numbers are the model's, new rows of the log continue the old ones, times never run
    /// backwards within a product.
    fn compare(&mut self) {
        let new = self.tables.log.rows()[self.seen..].to_vec();
        self.seen += new.len();
        for row in new {
            let rows = self.folds.entry(row.product).or_default();
            let before = rows.last().map_or((0, Time::UNIX_EPOCH), |last| (last.sequence, last.created_at));
            assert_eq!(row.sequence, before.0 + 1);
            assert!(row.created_at >= before.1, "time runs backwards: {row:?}");
            rows.push(row);
        }
        for (i, product) in self.products.iter().enumerate() {
            let stock: &Stock = self.tables.stocks.get(product).expect("a stock record");
            let goods = &self.goods[i];
            assert_eq!(stock.numbers.total, goods.total, "{goods:?} {stock:?}");
            assert_eq!(stock.manually_allocated, goods.manually_allocated, "{goods:?} {stock:?}");
            assert_eq!(stock.available(), self.available(i), "{goods:?} {stock:?}");
            assert_eq!(stock.held, self.held_unpaid(i), "{goods:?} {stock:?}");
            assert!(stock.numbers.allocated >= 0 && stock.available() >= 0, "{stock:?}");
            let newest = self.folds.get(product).and_then(|rows| rows.last()).map(|row| row.after);
            assert_eq!(newest.unwrap_or(stock.numbers), stock.numbers, "the log ends where the stock is");
        }
    }

    /// At the end the whole log is folded, and every order is compared with its rows.
    fn finish(self) {
        self.compare_demand();
        let mut of_order = BTreeMap::<OrderId, Vec<LogEntry>>::new();
        for (product, rows) in &self.folds {
            let mut fold = Fold::default();
            for row in rows {
                fold.push(row.into());
                if let Some(order) = row.order {
                    of_order.entry(order).or_default().push(row.into());
                }
            }
            let i = self.products.iter().position(|known| known == product).expect("our product");
            let stock = self.tables.stocks.get(product).expect("a stock record");
            assert_eq!(fold.compare(stock, i64::from(self.held_by_orders(i))), Vec::<String>::new());
        }
        for (id, _) in &self.sales {
            let order = self.tables.orders.get(id).expect("an order");
            let payments: Vec<_> = self.tables.payments.rows().map(|(_, p)| p).filter(|p| p.order == *id).collect();
            let rows = of_order.remove(id).unwrap_or_default();
            assert_eq!(compare_order(order, &payments, &rows), Vec::<String>::new());
            assert_eq!(compare_shipments(order, &self.in_shipments(*id)), Vec::<String>::new());
        }
        assert!(of_order.is_empty());
    }
}
