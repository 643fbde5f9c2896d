use super::*;
use crate::e2e::session::recording::example::{asked, messages};
use crate::e2e::session::recording::origin::families;

fn parts_of(lines: &[&str]) -> Vec<String> {
    let messages = messages(lines);
    let families = families(&messages, &asked());
    let is_sent = |number: usize| {
        families.iter().any(|f| f.origin == Origin::Sent && f.members.contains(&number))
    };
    let known = Known::of(&messages, &is_sent);
    let told = |part: &Part| match part {
        Part::Send(number) => format!("send {}", messages[*number].subject),
        Part::Expect { subject, .. } => format!("expect {subject}"),
        Part::ExpectAll { subject, messages } => format!("expect {} {subject}", messages.len()),
    };
    parts(&messages, &families, &known).iter().map(told).collect()
}

#[test]
fn messages_on_one_subject_come_in_any_order_and_there_are_no_more_at_the_end() {
    let found = parts_of(&[
        "orders.new : {\"id\":\"o-1\"}",
        "orders.done : {\"id\":\"o-1\",\"n\":1}",
        "orders.done : {\"id\":\"o-1\",\"n\":2}",
        "orders.new : {\"id\":\"o-2\"}",
        "orders.done : {\"id\":\"o-2\",\"n\":1}",
        "users.told : {\"id\":\"o-2\"}",
        "orders.done : {\"id\":\"o-2\",\"n\":2}",
    ]);
    let expected = [
        "send orders.new",
        "expect orders.done",
        "expect orders.done",
        "send orders.new",
        "expect 2 orders.done",
        "expect users.told",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_word_of_a_subject_that_a_service_chose_is_a_wildcard() {
    let done = |first: &str, second: &str| {
        parts_of(&[
            "orders.new : {\"id\":\"o-1\"}",
            &format!("orders.v1.{first} : {{\"of\":\"o-1\"}}"),
            &format!("orders.v1.{second} : {{\"of\":\"o-1\"}}"),
        ])
    };
    assert_eq!(done("k7", "k8"), ["send orders.new", "expect 2 orders.v1.*"]);
    // The scenario's own id stays.
    assert_eq!(done("o-1", "o-1"), ["send orders.new", "expect 2 orders.v1.o-1"]);
}

#[test]
fn of_several_messages_none_is_kept() {
    let id = "0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55";
    let found = parts_of(&[
        "orders.new : {\"id\":\"o-1\"}",
        &format!("orders.done : {{\"of\":\"o-1\",\"ticket\":\"{id}\"}}"),
        "orders.done : {\"of\":\"o-1\"}",
        &format!("users.get > _INBOX.c.1 : {{\"ticket\":\"{id}\"}}"),
        "_INBOX.c.1 : {}",
    ]);
    let expected =
        ["send orders.new", "expect orders.done", "expect orders.done", "send users.get"];
    assert_eq!(found, expected);
}
