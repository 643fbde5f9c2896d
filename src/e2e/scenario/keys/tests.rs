//! Each key is there once, and says what it is.

use super::*;
use crate::e2e::scenario::stored_keys::CONSUMER;

/// Every table of keys.
pub(in crate::e2e::scenario) const SHEETS: [&[Key]; 25] = [
    TOP,
    BROKER,
    PROXY,
    PROCESSES,
    EXPLORE,
    PROMISE,
    OPERATION,
    EFFECT,
    ENDING,
    STEP,
    MESSAGE,
    MESSAGES,
    INCLUDE,
    SHARED,
    UNDER,
    KV_STEP,
    OBJECT_STEP,
    HTTP_STEP,
    LOG_STEP,
    ERROR,
    CHECK,
    STORED_STREAM,
    CONSUMER,
    KV,
    OBJECTS,
];

#[test]
fn every_key_is_there_once_and_says_what_it_is_in_one_line() {
    for keys in SHEETS {
        let mut seen = std::collections::BTreeSet::new();
        for Key { word, about, .. } in keys {
            assert!(seen.insert(word), "{word} is there twice");
            assert!(about.ends_with(['.', '…', '`']) && about.len() <= 80, "{about}");
        }
    }
}
