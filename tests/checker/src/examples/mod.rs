//! Histories in which one promise is broken, each of which the checker must find: every sentence that it can say about what
//! is stored is said about one of them, and none about the history in which nothing is broken.

mod asked;
mod broken_life;
mod broken_orders;
mod broken_promises;
mod broken_stock;
mod broken_webhooks;
mod history;
mod keys;
mod life;
mod rest;
mod set_back;

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

/// Breaks the sound history in each of these ways; and once more after the data was set back and has moved, which excuses
/// nothing that begins afterwards.
fn check_all(broken: &[Broken]) {
    check_all_of(History::sound, broken);
}

/// The same with another sound history.
fn check_all_of(sound: fn() -> History, broken: &[Broken]) {
    for (at, (break_it, pieces)) in broken.iter().enumerate() {
        let mut history = sound();
        break_it(&mut history);
        check_is_said(&history, pieces, &format!("{at}"));
        history.journal.splice(..0, [Record::SetBack, Record::ShowsMore, Record::Moved]);
        check_is_said(&history, pieces, &format!("{at}, after a set-back"));
    }
}

/// Checks that these sentences are said and no others.
fn check_is_said(history: &History, pieces: &[&str], what: &str) {
    let verdict = check_stored(&history.shop, &history.journal);
    let said = verdict.violations();
    let is_each_said = pieces.iter().all(|piece| said.iter().any(|sentence| sentence.contains(piece)));
    assert!(is_each_said && said.len() == pieces.len(), "{what}: {pieces:?} should be said, and is {said:#?}");
}
