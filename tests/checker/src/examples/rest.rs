//! What can be wrong with a shop at rest.

use std::collections::BTreeMap;

use super::history::{History, VOIDED};
use crate::Verdict;
use crate::journal::Record;
use crate::rest::{check_gauges, check_payments};

const SERVER: &str = "http://server";
const POOL: &str = "onhand_database_waiting{pool=\"writer\"}";

/// Gauges of a server on PostgreSQL at rest, of which one stood at 1 before anybody came.
fn sound() -> (BTreeMap<String, f64>, Vec<Record>) {
    let gauges = [
        ("onhand_sockets_open", 0.0),
        ("onhand_operations_open", 0.0),
        ("onhand_writer_queue", 0.0),
        ("onhand_database_waiting{pool=\"reader\"}", 1.0),
        (POOL, 0.0),
    ];
    let gauges: BTreeMap<String, f64> = gauges.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let journal = gauges.iter().map(|(name, value)| Record::Gauge { name: name.clone(), value: *value }).collect();
    (gauges, journal)
}

fn said(database: &str, gauges: &BTreeMap<String, f64>, journal: &[Record]) -> Vec<String> {
    let mut verdict = Verdict::default();
    check_gauges(SERVER, database, gauges, journal, &mut verdict);
    verdict.violations().to_vec()
}

#[test]
fn nothing_is_said_about_gauges_that_are_where_they_began() {
    let (mut gauges, journal) = sound();
    assert_eq!(said("postgres://shop", &gauges, &journal), [""; 0]);
    gauges.retain(|name, _| !name.contains("database"));
    assert_eq!(said("sqlite://shop.db", &gauges, &journal), [""; 0]);
}

#[test]
fn a_gauge_that_is_left_over_is_found() {
    let (mut gauges, journal) = sound();
    gauges.insert("onhand_sockets_open".to_owned(), 2.0);
    assert_eq!(
        said("postgres://shop", &gauges, &journal),
        ["http://server: onhand_sockets_open is 2 at rest, it began with 0"]
    );
}

#[test]
fn a_gauge_that_has_vanished_is_found() {
    let (mut gauges, journal) = sound();
    gauges.remove("onhand_operations_open");
    assert_eq!(said("postgres://shop", &gauges, &journal), ["http://server: it shows no onhand_operations_open"]);
    gauges.retain(|name, _| !name.contains("database"));
    let missing = said("postgres://shop", &gauges, &journal);
    assert_eq!(missing.last().map(String::as_str), Some("http://server: it shows no onhand_database_waiting"));
}

#[test]
fn a_payment_that_is_left_open_is_found() {
    let mut history = History::sound();
    let mut verdict = Verdict::default();
    check_payments(&history.shop, &mut verdict);
    assert_eq!(verdict.violations(), [""; 0]);
    history.payment(VOIDED).status = "requires_action".to_owned();
    check_payments(&history.shop, &mut verdict);
    assert_eq!(verdict.violations(), [format!("payment {VOIDED}: still requires_action")]);
}
