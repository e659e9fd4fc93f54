//! What can be wrong with stock, and with what subscribers and readers were told of it.

use serde_json::json;

use super::history::{History, OTHER, PRODUCT, SHIPPED, SKU, SUBSCRIBER};
use super::{Broken, check_all};
use crate::journal::{Outcome, Record};

const STOCK: &[Broken] = &[
    (
        |history| {
            history.stock_of().by_hand = 1;
        },
        &["3 are allocated; orders hold 3, staff 1", "the stock is (13, 3, 1), the log adds up to (13, 3, 0)"],
    ),
    (
        |history| {
            let log = history.shop.log[&PRODUCT][..1].to_vec();
            history.shop.log.insert(OTHER, log);
            history.shop.skus.insert(OTHER, SKU.to_owned());
        },
        &["the log knows it, the stock does not"],
    ),
    (|history| history.row(9).sequence = 10, &["row 10: it should be row 9"]),
    (
        |history| history.row(1).action = "increment".to_owned(),
        &["row 1: it is a increment row", "row 1: increment of 10 (None), and nobody asked for it"],
    ),
    (|history| history.row(2).action = "create".to_owned(), &["row 2: it is a create row"]),
    (
        |history| {
            history.add_adjustment("decrement", 11);
            history.add_adjustment("increment", 11);
            history.tell_the_last();
        },
        &["row 10: 3 of 2 are allocated"],
    ),
    (
        |history| {
            history.add_adjustment("increment", 1_000_000_000);
            history.add_adjustment("decrement", 1_000_000_000);
            history.tell_the_last();
        },
        &["row 10: 3 of 1000000013 are allocated"],
    ),
    (
        |history| {
            history.row(2).total_after += 1;
            history.row(2).available_after += 1;
            history.journal.retain(|record| !matches!(record, Record::Saw { version: 2, .. }));
        },
        &["row 2: it says (16, 0), the log adds up to (15, 0)"],
    ),
    (|history| history.row(3).available_after += 1, &["row 3: it says that 14 are available"]),
    (
        |history| history.row(2).quantity = 4,
        &["row 2: increment of 4 moved 5 and 0", "row 2: increment of 4 (Some(\"delivery\")), and nobody asked for it"],
    ),
    (
        |history| history.row(2).action = "decrement".to_owned(),
        &["row 2: decrement of 5 moved 5 and 0", "row 2: decrement of 5 (Some(\"delivery\")), and nobody asked for it"],
    ),
    (
        |history| history.row(2).action = "set".to_owned(),
        &["row 2: set of 5 moved 5 and 0", "row 2: set of 5 (Some(\"delivery\")), and nobody asked for it"],
    ),
    (
        |history| history.row(2).action = "guess".to_owned(),
        &["row 2: guess of 5 moved 5 and 0", "row 2: guess of 5 (Some(\"delivery\")), and nobody asked for it"],
    ),
    (
        |history| {
            history.stock_of().total = 14;
            history.tell_the_last();
        },
        &["the stock is (14, 3, 0), the log adds up to (13, 3, 0)", "never had [14, 3, 11]"],
    ),
    (
        |history| {
            history.stock_of().sequence = 8;
            history.journal.retain(|record| !matches!(record, Record::SawRow { sequence: 9, .. }));
        },
        &["the stock counts 8 rows, the log has 9"],
    ),
    (
        |history| {
            history.stock_of().version = 8;
            history.journal.retain(|record| !matches!(record, Record::Saw { version: 9, .. } | Record::Found { .. }));
            let Record::Saw { numbers, .. } = history.saw(9) else { return };
            let saw = Record::Saw { subscriber: SUBSCRIBER, product: PRODUCT, version: 8, numbers };
            history.insert_before(saw, |record| matches!(record, Record::Followed { .. }));
        },
        &["version 8 after 9 changes"],
    ),
    (
        |history| {
            let earlier = history.row(4).created_at;
            history.row(6).created_at = earlier;
        },
        &["row 6: it is older than the row before"],
    ),
];

const TOLD: &[Broken] = &[
    (
        |history| {
            for record in &mut history.journal {
                if let Record::Saw { version: 2, numbers, .. } = record {
                    *numbers = [15, 1, 14];
                }
            }
        },
        &["never had [15, 1, 14], as it was told"],
    ),
    (
        |history| {
            let again = history.saw(2);
            history.insert_before(again, |record| matches!(record, Record::Saw { version: 9, .. }));
        },
        &["version 2 of product"],
    ),
    (
        |history| {
            let (anew, older) = (resubscribed(), history.saw(1));
            for record in [anew, older] {
                history.insert_before(record, |record| matches!(record, Record::Saw { version: 9, .. }));
            }
        },
        &["version 1 of product"],
    ),
    (
        |history| history.journal.retain(|record| !matches!(record, Record::SawRow { sequence: 5, .. })),
        &["row 6 of product"],
    ),
    (
        |history| history.journal.retain(|record| !matches!(record, Record::Saw { version: 9, .. })),
        &["it last heard Some((2, [15, 0, 15])) of product"],
    ),
    (
        |history| history.journal.retain(|record| !matches!(record, Record::Saw { .. })),
        &["it last heard None of product"],
    ),
    (
        |history| history.journal.retain(|record| !matches!(record, Record::SawOrder { .. })),
        &["it last heard None of order"],
    ),
    (
        |history| {
            let states = ["INCOMPLETE", "UNPAID", "UNFULFILLED"].map(str::to_owned);
            let older = Record::SawOrder { subscriber: SUBSCRIBER, order: SHIPPED, states };
            history.insert_before(older, |record| matches!(record, Record::Rested { .. }));
        },
        &["it last heard Some([\"INCOMPLETE\""],
    ),
    (
        |history| history.journal.retain(|record| !matches!(record, Record::SawRow { sequence: 9, .. })),
        &["it last heard of row 8 of product"],
    ),
    (
        |history| history.forget_all(|record| matches!(record, Record::SawRow { .. })),
        &["it never heard of a row of the log"],
    ),
    (
        |history| hear_of_another(history, true),
        &["it last heard of row 0 of product 00000000-0000-0000-0000-000000000001"],
    ),
    (
        |history| history.journal.push(Record::CursorRefused { subscriber: SUBSCRIBER }),
        &["its cursor was refused, and the data is the same as before"],
    ),
    (|history| history.read(8), &["version 8 was read after version 9 was known"]),
    (
        |history| {
            // What was pushed is known, and so is what a mutation answered.
            history.journal.retain(|record| !matches!(record, Record::Found { .. }));
            history.journal.retain(|record| !matches!(record, Record::Saw { .. } | Record::Rested { .. }));
            history.read(1);
        },
        &["version 1 was read after version 2 was known"],
    ),
];

#[test]
fn broken_stock_is_found() {
    check_all(STOCK);
}

#[test]
fn a_wrong_word_to_subscribers_and_readers_is_found() {
    check_all(TOLD);
}

#[test]
fn a_new_subscription_may_begin_with_what_was_told_before() {
    let mut history = History::sound();
    let again = history.saw(2);
    for record in [resubscribed(), again] {
        history.insert_before(record, |record| matches!(record, Record::Saw { version: 9, .. }));
    }
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

#[test]
fn the_log_may_be_read_from_another_place_on_when_another_server_took_over() {
    let mut history = History::sound();
    let is_missed = |record: &Record| matches!(record, Record::SawRow { sequence: 5 | 6, .. });
    history.journal.retain(|record| !is_missed(record));
    for record in [Record::TakenOver, Record::CursorRefused { subscriber: SUBSCRIBER }] {
        history.insert_before(record, |record| matches!(record, Record::SawRow { sequence: 7, .. }));
    }
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

/// A subscriber to the log hears of a row of another product only. Somebody adjusts the stock of this one, before it heard of
/// the other or afterwards.
fn hear_of_another(history: &mut History, is_afterwards: bool) {
    let mut other = History::sound();
    other.shop.log.remove(&PRODUCT);
    other.add_row("create", 1, None);
    let (mut stock, mut row) = (other.stock_of().clone(), other.row(1).clone());
    (stock.product_id, row.product_id) = (OTHER, OTHER);
    history.shop.stocks.insert(OTHER, stock);
    history.shop.log.insert(OTHER, vec![row]);
    history.shop.skus.insert(OTHER, SKU.to_owned());
    let subscriber = SUBSCRIBER;
    history.forget_all(|record| matches!(record, Record::SawRow { .. } | Record::Rested { .. }));
    history.add_adjustment("increment", 1);
    let answer = Outcome::Done { data: json!({ "versions": { PRODUCT.to_string(): 10 } }), codes: Vec::new() };
    let Some(Record::Call { call, .. }) = history.journal.last().cloned() else { return };
    history.journal.push(Record::Answer { call, outcome: answer });
    history.journal.push(history.saw(10));
    let heard = Record::SawRow { subscriber, product: OTHER, sequence: 1 };
    if is_afterwards {
        history.insert_before(heard, |record| matches!(record, Record::Call { call: this, .. } if *this == call));
    } else {
        history.journal.push(heard);
    }
    history.journal.push(Record::Rested { subscriber });
}

#[test]
fn a_subscriber_to_the_log_need_not_know_what_was_added_before_it_came() {
    let mut history = History::sound();
    hear_of_another(&mut history, false);
    assert_eq!(crate::check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

fn resubscribed() -> Record {
    Record::Subscribed { subscriber: SUBSCRIBER, products: vec![PRODUCT] }
}
