//! Each key is written about, once.

use super::*;
use crate::e2e::scenario::stored_keys::CONSUMER;

/// What stands between backticks in the user's document, word by word.
fn documented() -> std::collections::BTreeSet<&'static str> {
    let pages = [
        include_str!("../../../../docs/scenarios.md"),
        include_str!("../../../../docs/promises.md"),
    ];
    let code = pages.into_iter().flat_map(|page| page.split('`').skip(1).step_by(2));
    code.flat_map(|code| {
        code.split(|c: char| !c.is_ascii_alphanumeric() && !['_', '-', '#'].contains(&c))
    })
    .collect()
}

#[test]
fn the_document_has_every_word_that_the_reader_knows() {
    let documented = documented();
    let sheets = [
        TOP,
        BROKER,
        PROXY,
        PROCESSES,
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
        ERROR,
        CHECK,
        STORED_STREAM,
        CONSUMER,
        KV,
        OBJECTS,
    ];
    let words = sheets.into_iter().flat_map(words);
    let words = words
        .chain(crate::e2e::scenario::verbs::fault_words())
        .chain(crate::e2e::scenario::verbs::ERROR_KINDS)
        .chain(crate::e2e::text::matcher::MATCHERS.map(|word| word.trim_end_matches(':')))
        .chain(crate::e2e::text::matcher::OF_ARRAYS);
    let missing: Vec<&str> = words.filter(|word| !documented.contains(word)).collect();
    assert!(missing.is_empty(), "docs/scenarios.md and promises.md do not speak of {missing:?}");
}

#[test]
fn every_key_is_there_once_and_says_what_it_is_in_one_line() {
    for keys in [
        TOP,
        BROKER,
        PROXY,
        PROCESSES,
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
        ERROR,
        CHECK,
        STORED_STREAM,
        CONSUMER,
        KV,
        OBJECTS,
    ] {
        let mut seen = std::collections::BTreeSet::new();
        for Key { word, about, .. } in keys {
            assert!(seen.insert(word), "{word} is there twice");
            assert!(about.ends_with(['.', '…', '`']) && about.len() <= 80, "{about}");
        }
    }
}
