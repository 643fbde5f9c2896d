//! The pure reducer: with a judge in the place of runs it gets to the smallest, and never changes what
//! is expected or how long it may take.

use toml_edit::DocumentMut;

use super::amount::Amount;
use super::coarse::coarse;
use super::edit::{Edit, edited, only_row};
use super::fine::fine;

const LOAD: &str = r#"description = "A load"
tags = ["load"]

[processes]
services = 3
restart = true

[services.worker]
env = { LOG = "debug" }

[[step]]
request = "orders.ping"
reply = "pong"

[[step]]
submit = "orders.new"
body = { id = "{{n}}", note = "long" }
repeat = 1000
concurrency = 32
within = "5s"
under = { kill-broker = 4, pause-broker = { times = 3, for = "2s" } }

[[step]]
expect_messages = { subject = "orders.done", count = 1000 }

[[step]]
fault = "kill-services"

[[check]]
history = { acknowledged = 1000, lost = 0 }
"#;

/// As a session does it, one edit at a time.
fn smallest(text: &str, fails: impl Fn(&str) -> bool) -> String {
    let mut text = text.to_owned();
    loop {
        let document: DocumentMut = text.parse().unwrap();
        let edits = coarse(&document).into_iter().chain(fine(&document));
        let mut smaller = edits.filter_map(|edit| edited(&text, &[&edit]));
        match smaller.find(|smaller| fails(smaller)) {
            Some(smaller) => text = smaller,
            None => return text,
        }
    }
}

fn number(text: &str, key: &str) -> Option<i64> {
    let at = text.find(&format!("{key} = "))? + key.len() + 3;
    text[at..].split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn what_needs_a_number_of_messages_and_one_fault_keeps_just_these() {
    let fails = |text: &str| {
        number(text, "repeat").is_some_and(|many| many >= 37)
            && ["kill-broker", "restart-broker"].iter().any(|fault| text.contains(fault))
            && text.contains("submit")
    };
    let text = smallest(LOAD, fails);
    assert_eq!(number(&text, "repeat"), Some(37), "{text}");
    // The milder one, once.
    assert!(text.contains("under = { restart-broker = 1"), "{text}");
    for gone in ["request", "pause", "kill", "concurrency", "services", "check", "tags", "note"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert!(text.contains("within = \"5s\""), "no time limit is changed: {text}");
    let amount = Amount::of(&text);
    assert_eq!((amount.messages, amount.faults, amount.steps, amount.clients), (37, 1, 1, 1));
}

#[test]
fn an_expectation_with_the_number_of_a_load_goes_with_it_and_no_other_is_changed() {
    let fails = |text: &str| {
        text.contains("lost = 0") && text.contains("expect_messages") && text.contains("repeat")
    };
    let text = smallest(LOAD, fails);
    assert_eq!(number(&text, "count"), number(&text, "repeat"), "{text}");
    assert_eq!(number(&text, "acknowledged"), number(&text, "repeat"), "{text}");
}

#[test]
fn a_fault_comes_earlier_and_breaks_less() {
    let place = |text: &str| (text.find("fault = "), text.find("submit"));
    let text = smallest(LOAD, |text| {
        let (fault, submit) = place(text);
        fault.is_some() && submit.is_some()
    });
    let (fault, submit) = place(&text);
    assert!(fault < submit && text.contains("restart-service\""), "{text}");
}

#[test]
fn edits_are_told_by_place_and_all_of_them_can_be_done_at_once() {
    let document: DocumentMut = LOAD.parse().unwrap();
    let all = fine(&document);
    let told: Vec<&str> = all.iter().map(|edit| edit.told.as_str()).collect();
    for expected in [
        "without step 1",
        "without step 2: body.note",
        "step 2: under kill-broker → restart-broker",
        "step 2: under.pause-broker.for 2s → 1000ms",
        "step 2: repeat 1000 → 999",
        "without services.worker.env.LOG",
    ] {
        assert!(told.contains(&expected), "{expected}: {told:#?}");
    }
    let removals: Vec<&Edit> = all.iter().filter(|edit| edit.told.starts_with("without")).collect();
    let text = edited(LOAD, &removals).unwrap();
    assert_eq!(text.parse::<toml::Table>().unwrap().keys().collect::<Vec<_>>(), ["description"]);
}

#[test]
fn amounts_are_counted_from_steps_loads_and_processes() {
    let amount = Amount::of(LOAD);
    let told = "1001 messages, 32 at a time, 8 faults, 3 processes, 4 steps, 1 check";
    assert_eq!(amount.to_string(), told);
}

#[test]
fn of_rows_one_is_kept() {
    let rows = "description = \"d\"\n[[row]]\nname = \"a\"\n[[row]]\nname = \"b\"\n";
    let one = only_row(rows, "b").unwrap();
    assert!(one.contains("\"b\"") && !one.contains("\"a\""), "{one}");
}
