//! What passes: byte for byte where no rule matches, however the bytes come; and what becomes of those
//! that match.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::broker::proxy::messages::kind::MessageKind;
use crate::broker::proxy::messages::rule::{Matching, Turn};

fn rule(fate: Fate, matching: Matching) -> Arc<MessageRule> {
    Arc::new(MessageRule::new(fate, matching, Arc::new(|_| {})))
}

fn sieve(direction: Direction) -> Sieve {
    Sieve::new(direction, Arc::default())
}

fn published(subject: &str, body: &str) -> String {
    format!("PUB {subject} {}\r\n{body}\r\n", body.len())
}

/// What passes of a text that comes at once.
fn passes(fate: Fate, matching: Matching, text: &str) -> (String, Sifted) {
    let mut sieve = sieve(Direction::ToServer);
    let sifted = sieve.read(text.as_bytes(), &[rule(fate, matching)], Instant::now());
    (String::from_utf8(sifted.pass.clone()).unwrap(), sifted)
}

fn next() -> Matching {
    Matching::next(MessageKind::Publish)
}

#[test]
fn each_fate_is_met_by_the_message_that_matches_and_by_no_other() {
    let [a, b, c] = ["a", "b", "c"].map(|subject| published(subject, "x"));
    let text = format!("PING\r\n{a}{b}{c}PING\r\n");
    let met = |fate, matching| passes(fate, matching, &text).0;
    assert_eq!(met(Fate::Lose, next().on("b")), format!("PING\r\n{a}{c}PING\r\n"));
    assert_eq!(met(Fate::Duplicate, next().on("b")), format!("PING\r\n{a}{b}{b}{c}PING\r\n"));
    assert_eq!(met(Fate::Swap, next()), format!("PING\r\n{b}{a}{c}PING\r\n"));
    assert_eq!(met(Fate::Disconnect(Moment::Before), next().on("b")), format!("PING\r\n{a}"));
    assert_eq!(met(Fate::Disconnect(Moment::After), next().on("b")), format!("PING\r\n{a}{b}"));
    let (_, cut) = passes(Fate::Disconnect(Moment::After), next(), &text);
    assert!(cut.cut);
    let (_, lost) = passes(Fate::Lose, next(), &text);
    assert_eq!(lost.lost, a.len());
}

#[test]
fn what_is_late_is_overtaken_and_comes_between_whole_messages() {
    let [a, b] = ["a", "b"].map(|subject| published(subject, "x"));
    let (mut sieve, now) = (sieve(Direction::ToServer), Instant::now());
    let late = [rule(Fate::Delay(Duration::from_secs(1)), next())];
    let text = format!("{a}{b}");
    let (first, second) = text.as_bytes().split_at(text.len() - 3);
    assert_eq!(sieve.read(first, &late, now).pass, b"", "half of a message does not pass");
    assert_eq!(sieve.due(now), b"");
    assert_eq!(sieve.next_due(), Some(now + Duration::from_secs(1)));
    assert_eq!(sieve.due(now + Duration::from_secs(1)), a.as_bytes());
    assert_eq!(sieve.read(second, &late, now).pass, b.as_bytes());
    assert_eq!(sieve.next_due(), None);
}

#[test]
fn a_reply_changes_places_with_one_whose_request_comes_later() {
    let conversation = Arc::new(Conversation::default());
    let both = [Direction::ToServer, Direction::ToClient];
    let [mut asks, mut answers] = both.map(|way| Sieve::new(way, conversation.clone()));
    let swap = [rule(Fate::Swap, Matching::next(MessageKind::Reply))];
    let request = |n| format!("PUB one _INBOX.{n} 1\r\nx\r\n");
    let reply = |n| format!("MSG _INBOX.{n} 1 1\r\ny\r\n");
    let pass = |sieve: &mut Sieve, text: &str| {
        String::from_utf8(sieve.read(text.as_bytes(), &swap, Instant::now()).pass).unwrap()
    };
    assert_eq!(pass(&mut asks, &request(1)), request(1));
    assert_eq!(pass(&mut answers, &reply(1)), "");
    assert_eq!(pass(&mut asks, &request(2)), request(2));
    assert_eq!(pass(&mut answers, &reply(2)), reply(2) + &reply(1));
}

#[test]
fn turns_are_counted() {
    let all: Vec<String> = (1..=9).map(|n| published("a", &n.to_string())).collect();
    let lost = |turn, times| {
        let (passed, _) = passes(Fate::Lose, Matching { turn, times, ..next() }, &all.concat());
        let lost = (1..=9).filter(|n| !passed.contains(&format!("\n{n}\r")));
        lost.map(|n| n.to_string()).collect::<String>()
    };
    assert_eq!(lost(Turn::Nth(3), None), "3");
    assert_eq!(lost(Turn::Nth(3), Some(2)), "34");
    assert_eq!(lost(Turn::Every(4), None), "48");
    assert_eq!(lost(Turn::Every(2), Some(3)), "246");
}

#[test]
fn headers_and_bodies_are_looked_at() {
    let with = |id: &str| {
        let block = format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\n\r\n");
        format!("HPUB a {} {}\r\n{block}body {id}\r\n", block.len(), block.len() + 5 + id.len())
    };
    let (one, two, none) = (with("o-1"), with("o-2"), published("a", "body o-2"));
    let text = format!("{none}{one}{two}");
    let left = |matching| passes(Fate::Lose, matching, &text).0;
    let header = |header: &str| Matching { header: Some(header.to_owned()), ..next() };
    assert_eq!(left(header("Nats-Msg-Id")), format!("{none}{two}"));
    assert_eq!(left(header("Nats-Msg-Id: o-2")), format!("{none}{one}"));
    assert_eq!(left(header("Nats-Msg")), text);
    assert_eq!(left(Matching { body: Some("o-2".to_owned()), ..next() }), format!("{one}{two}"));
}

#[test]
fn a_fault_that_met_nothing_says_what_passed_instead() {
    let lose = rule(Fate::Lose, next().on("orders.*"));
    let text = [published("order.new", "x"), published("order.new", "y")].concat();
    sieve(Direction::ToServer).read(text.as_bytes(), std::slice::from_ref(&lose), Instant::now());
    let unmet = lose.unmet().unwrap();
    assert_eq!(unmet, "matched nothing; what passed instead: 2 × publish on order.new");
    let third = rule(Fate::Lose, Matching { turn: Turn::Nth(3), ..next() });
    sieve(Direction::ToServer).read(text.as_bytes(), std::slice::from_ref(&third), Instant::now());
    assert!(third.unmet().unwrap().starts_with("matched 2 messages and hit none"));
    let swap = rule(Fate::Swap, next());
    let mut alone = sieve(Direction::ToServer);
    let first = published("a", "x");
    assert_eq!(alone.read(first.as_bytes(), std::slice::from_ref(&swap), Instant::now()).pass, b"");
    assert!(swap.unmet().unwrap().starts_with("held a message back"));
    assert_eq!(alone.end(), first.as_bytes());
    let met = rule(Fate::Lose, next());
    sieve(Direction::ToServer).read(text.as_bytes(), std::slice::from_ref(&met), Instant::now());
    assert_eq!((met.unmet(), met.hits(), met.is_over()), (None, 1, true));
}

#[test]
fn what_cannot_be_read_passes_and_is_told_once() {
    let lose = [rule(Fate::Lose, next())];
    let mut sieve = sieve(Direction::ToServer);
    let hello = b"PING\r\n\x16\x03\x01\x02\x00\x01\n rest";
    let sifted = sieve.read(hello, &lose, Instant::now());
    assert_eq!((sifted.pass.as_slice(), sifted.unreadable), (hello.as_slice(), true));
    let more = published("a", "x");
    let sifted = sieve.read(more.as_bytes(), &lose, Instant::now());
    assert_eq!((sifted.pass.as_slice(), sifted.unreadable), (more.as_bytes(), false));
    assert!(lose[0].unmet().unwrap().contains("could not be read"));
    // A handshake, whose other end waits for it.
    let mut sieve = self::sieve(Direction::ToServer);
    let sifted = sieve.read(b"\x16\x03\x01\x02", &lose, Instant::now());
    assert_eq!((sifted.pass.as_slice(), sifted.unreadable), (&b"\x16\x03\x01\x02"[..], true));
}

/// A frame of either direction, as it may be written.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let blank = prop_oneof![Just(" "), Just("  "), Just("\t"), Just(" \t ")];
    let end = prop_oneof![4 => Just("\r\n"), 1 => Just("\n"), 1 => Just(" \r\n")];
    let word = "[!-~&&[^\\\\]]{1,12}";
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let verbs = prop_oneof![
        Just("PUB"),
        Just("pub"),
        Just("HPUB"),
        Just("hPuB"),
        Just("MSG"),
        Just("msg"),
        Just("HMSG"),
    ];
    let reply = proptest::option::of(word);
    let message = (verbs, blank, word, reply, body, end).prop_map(
        |(verb, blank, subject, reply, body, end)| {
            let block: &[u8] = match verb.to_ascii_uppercase().starts_with('H') {
                true => b"NATS/1.0\r\nA: b\r\n\r\n",
                false => b"",
            };
            let mut words = vec![verb.to_owned(), subject];
            if verb.to_ascii_uppercase().ends_with("MSG") {
                words.push("7".to_owned());
            }
            words.extend(reply);
            if !block.is_empty() {
                words.push(block.len().to_string());
            }
            words.push((block.len() + body.len()).to_string());
            [words.join(blank).as_bytes(), end.as_bytes(), block, &body, b"\r\n"].concat()
        },
    );
    let alone = prop_oneof![
        Just("INFO {\"a\":\"PUB b 2\"}\r\n"),
        Just("CONNECT {}\r\n"),
        Just("PING\r\n"),
        Just("ping\r\n"),
        Just("PONG\n"),
        Just("+OK\r\n"),
        Just("-ERR 'Stale Connection'\r\n"),
        Just("SUB  a.>  q 1\r\n"),
        Just("UNSUB 1 5\r\n"),
    ];
    prop_oneof![3 => message, 2 => alone.prop_map(|text| text.as_bytes().to_vec())]
}

/// Frames, and behind them perhaps what is none.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let garbage = proptest::collection::vec(any::<u8>(), 0..30);
    (proptest::collection::vec(frame(), 0..30), proptest::option::weighted(0.2, garbage))
        .prop_map(|(frames, garbage)| [frames.concat(), garbage.unwrap_or_default()].concat())
}

/// How long each read is, and whether rules are there then.
fn reads() -> impl Strategy<Value = Vec<(usize, bool)>> {
    proptest::collection::vec((prop_oneof![1..4_usize, 1..200_usize], any::<bool>()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn what_matches_no_rule_passes_byte_for_byte(
        bytes in stream(),
        reads in reads(),
        to_server in any::<bool>(),
    ) {
        let direction = if to_server { Direction::ToServer } else { Direction::ToClient };
        let mut sieve = sieve(direction);
        let rules: Vec<_> = MessageKind::ALL
            .map(|kind| rule(Fate::Lose, Matching::next(kind).on("no such subject")))
            .into();
        let (mut out, mut rest) = (Vec::new(), &bytes[..]);
        for (size, ruled) in reads.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, after) = rest.split_at((*size).min(rest.len()));
            let sifted = sieve.read(read, if *ruled { &rules } else { &[] }, Instant::now());
            prop_assert!(!sifted.cut && sifted.lost == 0);
            out.extend(sifted.pass);
            rest = after;
        }
        out.extend(sieve.end());
        prop_assert_eq!(out, bytes);
    }

    /// However the bytes come, the same message is hit.
    #[test]
    fn the_same_message_is_lost_however_the_bytes_come(
        before in proptest::collection::vec(frame(), 0..10),
        after in proptest::collection::vec(frame(), 0..10),
        reads in reads(),
    ) {
        let wanted = published("this.one", "PUB this.one 1\r\nx\r\n");
        let bytes = [before.concat(), wanted.into_bytes(), after.concat()].concat();
        let mut sieve = sieve(Direction::ToServer);
        let lose = [rule(Fate::Lose, next().on("this.one"))];
        let (mut out, mut rest) = (Vec::new(), &bytes[..]);
        for (size, _) in reads.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, after) = rest.split_at((*size).min(rest.len()));
            out.extend(sieve.read(read, &lose, Instant::now()).pass);
            rest = after;
        }
        out.extend(sieve.end());
        prop_assert_eq!(out, [before.concat(), after.concat()].concat());
    }
}
