//! Histories in which one promise is broken, each of which the checker must find: every sentence that it can say about what
//! is stored is said about one of them, and none about the history in which nothing is broken.

mod broken_orders;
mod broken_promises;
mod broken_stock;
mod history;

use crate::check_stored;
use crate::journal::Record;
use history::History;

/// What is done to the sound history, and pieces of all the sentences that are said then.
type Broken = (fn(&mut History), &'static [&'static str]);

#[test]
fn nothing_is_said_about_a_sound_history() {
    let History { shop, journal, .. } = History::sound();
    assert_eq!(check_stored(&shop, &journal).violations(), [""; 0]);
}

#[test]
fn nothing_is_said_about_what_a_set_back_took_away() {
    let mut history = History::sound();
    history.journal.push(Record::SetBack);
    for order in [history::UNPAID, history::CANCELLED] {
        history.shop.payments.remove(&order);
        history.shop.items.remove(&order);
        history.shop.orders.remove(&order);
    }
    history.shop.log.get_mut(&history::PRODUCT).expect("a log").drain(4..);
    history.add_row("allocate", 3, Some(history::PAID));
    history.journal.retain(|record| !matches!(record, Record::Rested { .. }));
    assert_eq!(check_stored(&history.shop, &history.journal).violations(), [""; 0]);
}

/// Breaks the sound history in each of these ways.
fn check_all(broken: &[Broken]) {
    for (at, (break_it, pieces)) in broken.iter().enumerate() {
        let mut history = History::sound();
        break_it(&mut history);
        let verdict = check_stored(&history.shop, &history.journal);
        let said = verdict.violations();
        let is_each_said = pieces.iter().all(|piece| said.iter().any(|sentence| sentence.contains(piece)));
        assert!(is_each_said && said.len() == pieces.len(), "{at}: {pieces:?} should be said, and is {said:#?}");
    }
}
