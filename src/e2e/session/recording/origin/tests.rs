use super::*;
use crate::e2e::session::recording::example::{asked, asked_with, messages};

/// Each family, with what it is.
fn told(lines: &[&str], asked: &Asked) -> Vec<String> {
    let origin = |origin: &Origin| match origin {
        Origin::Sent => "sent".to_owned(),
        Origin::Caused(evidence) => format!("{evidence:?}"),
    };
    let families = families(&messages(lines), asked);
    families
        .iter()
        .map(|family| {
            let doubt = family.doubt.as_ref().map(|(_, of)| format!(", or because of {of}"));
            format!("{}: {}{}", family.subject, origin(&family.origin), doubt.unwrap_or_default())
        })
        .collect()
}

#[test]
fn a_request_of_somebody_else_while_a_request_is_answered_comes_because_of_it() {
    let nested = |by: &str| {
        let lines = [
            "orders.new > _INBOX.client.1 : {\"id\":\"o-1\"}",
            &format!("shop.quote > _INBOX.{by}.7 : {{\"item\":\"melon\"}}"),
            &format!("_INBOX.{by}.7 : {{\"total\":3}}"),
            "_INBOX.client.1 : {\"ok\":true}",
        ];
        told(&lines, &asked())
    };
    assert_eq!(nested("worker"), ["orders.new: sent", "shop.quote: During(\"orders.new\")"]);
    // The same client asks two things at once.
    assert_eq!(nested("client"), ["orders.new: sent", "shop.quote: sent"]);
}

#[test]
fn what_comes_while_a_stored_message_is_worked_on_comes_because_of_it() {
    let lines = |done: &'static str| {
        [
            "shop.orders > _INBOX.c.1 : {\"item\":\"kiwi\"}",
            "_INBOX.c.1 : {\"stream\":\"ORDERS\",\"seq\":4}",
            done,
            "shop.rejected : {\"reason\":\"none left\"}",
            "$JS.ACK.ORDERS.worker.1.4.4.1700000000000000000.0 : +TERM",
        ]
    };
    let still = "$JS.ACK.ORDERS.worker.1.4.4.1700000000000000000.0 : +WPI";
    let during = ["shop.orders: sent", "shop.rejected: During(\"shop.orders\")"];
    assert_eq!(told(&lines(still), &asked()), during);
    // Of another message nothing is known.
    let lines = lines(still).map(|line| line.replace("worker.1.4.", "worker.1.5."));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(told(&lines, &asked()), ["shop.orders: sent", "shop.rejected: sent"]);
}

#[test]
fn a_delivery_tells_the_number_of_a_message_that_nobody_confirmed() {
    let lines = [
        "shop.orders : {\"item\":\"kiwi\"}",
        "inbox shop.orders > $JS.ACK.ORDERS.worker.1.9.1.1700000000000000000.0 : {\"item\":\"kiwi\"}",
        "shop.rejected : {\"reason\":\"none left\"}",
        "$JS.ACK.ORDERS.worker.1.9.1.1700000000000000000.0",
    ];
    let during = ["shop.orders: sent", "shop.rejected: During(\"shop.orders\")"];
    assert_eq!(told(&lines, &asked()), during);
}

#[test]
fn a_value_in_common_says_what_comes_because_of_what() {
    let lines = ["orders.new : {\"id\":\"o-1\"}", "orders.done.o-1 : {\"status\":\"shipped\"}"];
    let found = told(&lines, &asked());
    assert_eq!(found, ["orders.new: sent", "orders.done.o-1: Shares(\"o-1\", \"orders.new\")"]);
    // Not a word that everything has, and not what is on the same subject.
    let lines = ["orders.new : {\"item\":\"melon\"}", "users.new : {\"likes\":\"melon\"}"];
    assert_eq!(told(&lines, &asked()), ["orders.new: sent", "users.new: sent"]);
    let lines = ["orders.new : {\"id\":\"o-1\"}", "orders.new : {\"id\":\"o-1\"}"];
    assert_eq!(told(&lines, &asked()), ["orders.new: sent"]);
    // A request that comes later is a client's, whatever it asks for.
    let lines = [
        "orders.new : {\"id\":\"o-1\"}",
        "orders.get > _INBOX.c.1 : {\"id\":\"o-1\"}",
        "_INBOX.c.1 : {}",
    ];
    assert_eq!(told(&lines, &asked()), ["orders.new: sent", "orders.get: sent"]);
}

#[test]
fn all_messages_on_a_subject_come_from_one_side() {
    let shares = "orders.done.o-2: ";
    let lines = [
        "orders.new : {\"id\":\"o-1\"}",
        "orders.new : {\"id\":\"o-2\"}",
        "orders.done.o-1 : {}",
        "orders.done.o-2 : {}",
        "orders.done.x9 : {}",
    ];
    let found = told(&lines, &asked());
    assert_eq!(found, ["orders.new: sent", "orders.done.*: Shares(\"o-1\", \"orders.new\")"]);
    assert!(!found.iter().any(|line| line.starts_with(shares)));
}

#[test]
fn whoever_knows_better_says_so() {
    let lines =
        ["orders.new : {\"id\":\"o-1\"}", "orders.cancel : {\"id\":\"o-1\"}", "users.new : {}"];
    let found = told(&lines, &asked_with(&["orders.cancel"], &["users.>"]));
    assert_eq!(found, ["orders.new: sent", "orders.cancel: sent", "users.new: Said"]);
}

#[test]
fn what_a_stream_sends_on_nobody_has_to_send() {
    let lines = ["orders.new : {}", "users.copy [Nats-Stream=ORDERS; Nats-Sequence=1] : {}"];
    assert_eq!(told(&lines, &asked()), ["orders.new: sent", "users.copy: Republished"]);
}

/// The order is acknowledged before the receipt is written.
#[test]
fn a_worker_that_acknowledges_first_is_known_by_its_inboxes() {
    let told_by = |receipt: &str| {
        // A stream has stored it, where it asks for that.
        let inbox = receipt.split(" > ").nth(1).unwrap_or("_INBOX.nobody");
        let stored = format!("{inbox} : {{\"stream\":\"GOT\",\"seq\":1}}");
        let receipt = format!("{receipt} : {{\"id\":\"o-1\"}}");
        let lines = [
            "orders.new > _INBOX.CLIENTclient0000000001 : {\"id\":\"o-1\"}",
            "_INBOX.CLIENTclient0000000001 : {\"stream\":\"ORDERS\",\"seq\":4}",
            "$JS.API.CONSUMER.MSG.NEXT.ORDERS.w > _INBOX.WORKERworker0000000007 : 1",
            "$JS.API.CONSUMER.MSG.NEXT.ORDERS.other > _INBOX.OTHERother000000000007 : 1",
            "$JS.ACK.ORDERS.w.1.4.4.1700000000000000000.0",
            &receipt,
            &stored,
        ];
        told(&lines, &asked())
    };
    let shares = "users.got: Shares(\"o-1\", \"orders.new\")";
    let found = told_by("users.got > _INBOX.WORKERworker0000000009");
    assert_eq!(found, ["orders.new: sent", shares]);
    let found = told_by("users.got > _INBOX.WORKERworker0000000009.3");
    assert_eq!(found, ["orders.new: sent", shares]);
    // Somebody else, or nobody knows who.
    let doubt = "users.got: sent, or because of orders.new";
    let others = [
        "users.got > _INBOX.CLIENTclient0000000009",
        "users.got > _INBOX.OTHERother000000000009",
        "users.got",
    ];
    for receipt in others {
        assert_eq!(told_by(receipt), ["orders.new: sent", doubt], "{receipt}");
    }
}
