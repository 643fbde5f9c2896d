//! Breaches and gaps that no mutation shows by itself: each in a history of its own, so that none is
//! found only beside another.

use mono_demo::e2e::verdict::places::{ONE_PLACE, PLACE_WENT_BACK};
use mono_demo::e2e::verdict::replies::{REPLIES, SECOND_INVOKE};
use mono_demo::e2e::verdict::{Property, Report};
use mono_demo::proof::{ACKNOWLEDGED, ASKED, LETTERS, ONCE, QUEUE, breach};

use super::cases::{CHARGE, COMPLETED, END, STORED, SUBMIT, breaches, judged};

fn submit(op: u64) -> String {
    format!(r#"invoke":{{"process":"c","op":{op},"kind":"submit","subject":"orders.new"}}"#)
}

fn stored(op: u64, sequence: u64) -> String {
    format!(r#"ok":{{"process":"c","op":{op},"sequence":{sequence}}}"#)
}

fn of(lines: &[String]) -> Report {
    judged(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn two_messages_have_two_places_and_the_later_one_the_higher() {
    let end = || END.to_owned();
    // Both at once: neither is the later one.
    let one_place = of(&[submit(1), submit(2), stored(1, 4), stored(2, 4), end()]);
    assert_eq!(breaches(&one_place, REPLIES), [ONE_PLACE]);
    let back = of(&[submit(1), stored(1, 4), submit(2), stored(2, 3), end()]);
    assert_eq!(breaches(&back, REPLIES), [PLACE_WENT_BACK]);
    let overlap = of(&[submit(1), submit(2), stored(1, 4), stored(2, 3), end()]);
    assert_eq!(breaches(&overlap, REPLIES), [""; 0]);
    // A program that is not recorded may have made the stream anew.
    let unseen = r#"end":{"whole":[]}"#.to_owned();
    let remade = of(&[submit(1), stored(1, 4), submit(2), stored(2, 3), unseen]);
    assert_eq!(breaches(&remade, REPLIES), [""; 0]);
}

#[test]
fn an_operation_begins_once() {
    let twice = of(&[submit(1), stored(1, 4), submit(1), END.to_owned()]);
    assert_eq!(breaches(&twice, REPLIES), [SECOND_INVOKE]);
}

/// Why a promise is not known to hold.
fn why(report: &Report, property: Property) -> String {
    match report.verdict(property) {
        Some(mono_demo::e2e::verdict::Verdict::Unknown { why }) => why.join("; "),
        other => panic!("{other:?}\n{report}"),
    }
}

#[test]
fn what_is_missing_is_told_by_the_promise_that_misses_it() {
    let cut_off = judged(&[SUBMIT]);
    assert_eq!(why(&cut_off, REPLIES), "the history was cut off with 1 operation under way");
    let malformed = r#"invoke":{"process":"c","op":1,"kind":"submit","subject":"services.payment.payment-process","about":{"of":"message","key":"m"}}"#;
    let no_letters = r#"end":{"whole":["charges","outcomes","operations"]}"#;
    let unread = why(&judged(&[malformed, STORED, no_letters]), ACKNOWLEDGED);
    assert!(unread.starts_with("with neither outcome nor dead letter here: 1 ack"), "{unread}");
    let no_outcomes = r#"end":{"whole":["charges","dead_letters","operations"]}"#;
    let open = why(&judged(&[SUBMIT, STORED, CHARGE, no_outcomes]), ONCE);
    assert!(open.starts_with("p was charged, and has no final outcome here"), "{open}");
    let published = [
        r#"invoke":{"process":"c","op":1,"kind":"publish","subject":"q","about":{"of":"message","key":"m-1"}}"#,
        r#"ok":{"process":"c","op":1}"#,
        r#"end":{"whole":["operations"]}"#,
    ];
    let undelivered = why(&judged(&published), QUEUE);
    assert!(
        undelivered.starts_with("without a delivery here: 1 published message"),
        "{undelivered}"
    );
}

#[test]
fn a_bound_after_faults_says_where_there_was_none() {
    use std::time::Duration;

    use mono_demo::e2e::verdict::{Policy, promises::FINAL};
    let policy = Policy { final_within: Some(Duration::from_secs(9)), ..Policy::default() };
    let calm = super::cases::history(&[SUBMIT, STORED, CHARGE, COMPLETED, END]);
    let said = why(&super::check(&calm, policy), FINAL);
    assert_eq!(said, "nothing was broken, so that nothing is after the last fault");
}

#[test]
fn a_charge_of_nothing_is_none_whatever_was_submitted() {
    let free = |line: &str| line.replace("9.990", "0").replace("9.99", "0");
    let lines = [SUBMIT, STORED, CHARGE, COMPLETED, END].map(free);
    assert_eq!(breaches(&of(&lines), ONCE), [breach::CHARGED_NOTHING]);
}

#[test]
fn a_letter_that_names_no_message_is_held_against_its_payment() {
    let letter = |id: &str| {
        format!(r#"dead_letter":{{"kind":"exhausted","payment_id":"{id}","reason":"no answer"}}"#)
    };
    let with = |id: &str| judged(&[SUBMIT, STORED, CHARGE, COMPLETED, &letter(id), END]);
    assert_eq!(breaches(&with("nobodys"), ASKED), [breach::LETTER_UNASKED]);
    assert_eq!(breaches(&with("p"), LETTERS), [breach::COMPLETED_DEAD]);
}
