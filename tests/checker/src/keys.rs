//! An idempotency key stands for one thing: whoever sends it again, after it was done, is told of the same objects, and never
//! that it is refused for what the first one did.
//!
//! `PAYMENT_IN_PROGRESS` is a word about another attempt: the payment that it shows is that one's, and the key that was sent
//! stands for nothing yet.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Verdict;
use crate::database::Shop;
use crate::journal::{NOT_EXECUTED, Outcome, Record};
use crate::told::Told;

/// What a mutation answers with under one key, as long as the key is kept.
const OBJECTS: [&str; 4] = ["product", "cart", "order", "payment"];

/// The code that says that another attempt to pay is under way.
const ANOTHER_ATTEMPT: &str = "PAYMENT_IN_PROGRESS";

/// Checks every key.
pub fn check(_: &Shop, told: &Told<'_>, verdict: &mut Verdict) {
    // What a key stood for, and what was known of it when a call began.
    let (mut first, mut begun) = (BTreeMap::<&str, &Value>::new(), BTreeMap::<u64, &Value>::new());
    for record in told.records {
        let (Record::Call { call: number, .. } | Record::Answer { call: number, .. }) = record else { continue };
        let Some(call) = told.calls.get(number).filter(|call| call.is_kept) else { continue };
        let Some(key) = call.input["idempotencyKey"].as_str() else { continue };
        match record {
            Record::Answer { outcome: Outcome::Done { data, codes }, .. } => {
                if !codes.iter().any(|code| code == ANOTHER_ATTEMPT) {
                    first.entry(key).or_insert(data);
                }
                let Some(known) = first.get(key) else { continue };
                let is_same = OBJECTS.iter().all(|object| known[*object] == data[*object]);
                verdict.unless(is_same, || format!("key \"{key}\": it stood for {known}, and then for {data}"));
            }
            Record::Answer { outcome: Outcome::Refused { codes }, .. } => {
                let is_known = begun.contains_key(number);
                verdict.unless(!is_known || codes.iter().all(|code| NOT_EXECUTED.contains(&code.as_str())), || {
                    format!("call {number}: its key had been answered, and it was refused with {codes:?}")
                });
            }
            Record::Call { .. } => begun.extend(first.get(key).map(|known| (*number, *known))),
            _ => {}
        }
    }
}
