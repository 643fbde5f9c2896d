use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Circumstances, judge};
use crate::e2e::record::observed::{ConsumerSeen, Observed, StoredSeen, StreamSeen};
use crate::e2e::record::traffic::Traffic;

const SECOND: Duration = Duration::from_secs(1);

fn told(observed: &Observed, traffic: &Traffic) -> Vec<String> {
    told_of(observed, traffic, false)
}

fn told_of(observed: &Observed, traffic: &Traffic, was_delayed: bool) -> Vec<String> {
    let publishes = |subject: &str| subject == "by.steps";
    let run = Circumstances { publishes: &publishes, was_delayed };
    judge(observed, traffic, &run).iter().map(ToString::to_string).collect()
}

/// A stream and a consumer that are all right.
fn usual() -> Observed {
    let stream = StreamSeen {
        name: "S".to_owned(),
        is_bounded: true,
        is_in_memory: false,
        is_published_to: true,
        duplicate_window: 60 * SECOND,
        subjects: vec!["by.*".to_owned()],
        stored: Vec::new(),
    };
    let consumer = ConsumerSeen {
        stream: "S".to_owned(),
        name: "c".to_owned(),
        is_durable: true,
        inactive_threshold: Duration::ZERO,
        ack_wait: 2 * SECOND,
        is_explicit: true,
        max_ack_pending: Some(2),
    };
    Observed { streams: vec![stream], consumers: vec![consumer], ..Observed::default() }
}

fn stored(sequence: u64, seconds: u32, has_id: bool, body: &str) -> StoredSeen {
    let (subject, at) = ("by.others".to_owned(), seconds * SECOND);
    StoredSeen { sequence, subject, has_id, at, body: body.into() }
}

fn ack(delivery: u64, sequence: u64, waiting: u64) -> String {
    format!("$JS.ACK.S.c.{delivery}.{sequence}.1.1700000000000000000.{waiting}")
}

/// Each `(delivery, sequence, what is said)`.
fn said(all: &[(u64, u64, &str)]) -> Traffic {
    let mut traffic = Traffic::default();
    for (at, (delivery, sequence, word)) in (0..).zip(all) {
        traffic.sent(1, &ack(*delivery, *sequence, 0), "", word.as_bytes(), at * 1_000_000);
    }
    traffic
}

#[test]
fn what_is_all_right_has_none() {
    assert_eq!(told(&usual(), &Traffic::default()), [""; 0]);
    let worked = said(&[(1, 1, "+ACK"), (1, 2, "-NAK {\"delay\": 5}"), (2, 2, "+ACK")]);
    assert_eq!(told(&usual(), &worked), [""; 0]);
}

#[test]
fn a_message_that_is_delivered_again_too_soon_unless_a_fault_delayed_it() {
    let mut late = Traffic::default();
    for delivery in [1, 2] {
        late.got(&ack(delivery, 7, 0));
    }
    late.sent(1, &ack(1, 7, 0), "", b"+ACK", 0);
    assert_eq!(
        told(&usual(), &late),
        [
            "ack-wait-too-short: consumer `c` of S delivered 1 message again before its handler was done: \
             sequence 7 was acknowledged for delivery 1 after delivery 2 had gone out, so it took longer \
             than `ack_wait` (2s)"
        ]
    );
    assert_eq!(told_of(&usual(), &late, true), [""; 0]);
}

#[test]
fn a_message_that_is_refused_at_once_until_it_is_given_up() {
    let mut observed = usual();
    observed.exhausted = BTreeMap::from([(("S".to_owned(), "c".to_owned()), vec![7, 8])]);
    let bare = [(1, 7, "-NAK"), (2, 7, "-NAK"), (3, 7, "-NAK")];
    assert_eq!(
        told(&observed, &said(&bare)),
        [
            "nak-without-delay: consumer `c` of S gave up 1 message that workers refused without a delay: \
             that with sequence 7 used up its 3 deliveries within 2ms"
        ]
    );
    let patient = [(1, 7, "-NAK"), (2, 7, "-NAK {\"delay\":1}"), (3, 7, "-NAK")];
    assert_eq!(told(&observed, &said(&patient)), [""; 0]);
    // It was not given up.
    assert_eq!(told(&usual(), &said(&bare)), [""; 0]);
}

#[test]
fn a_message_that_is_refused_at_once_and_never_given_up() {
    let naks = |many: u64, word: &'static str| {
        let all: Vec<_> = (1..=many).map(|delivery| (delivery, 7, word)).collect();
        told(&usual(), &said(&all))
    };
    assert_eq!(
        naks(2000, "-NAK"),
        [
            "nak-without-delay: consumer `c` of S delivered 1 message again and again that workers refused \
             without a delay: that with sequence 7 2000 times within 1.999s"
        ]
    );
    assert_eq!(naks(19, "-NAK"), [""; 0]);
    assert_eq!(naks(2000, "-NAK {\"delay\":1}"), [""; 0]);
}

#[test]
fn a_backoff_that_begins_sooner_than_the_wait_that_was_asked_for() {
    let asked = |wait: u64, first: u64| {
        let mut traffic = Traffic::default();
        let config = format!(r#"{{"durable_name":"c","ack_wait":{wait},"backoff":[{first}]}}"#);
        let body = format!(r#"{{"stream_name":"S","config":{config}}}"#);
        traffic.sent(1, "$JS.API.CONSUMER.CREATE.S.c", "_INBOX.a", body.as_bytes(), 0);
        traffic
    };
    assert_eq!(
        told(&usual(), &asked(30_000_000_000, 1_000_000_000)),
        [
            "backoff-overrides-ack-wait: consumer `c` of S was asked for with `ack_wait` 30s, and with a \
             `backoff` that begins with 1s, which is used instead"
        ]
    );
    assert_eq!(told(&usual(), &asked(1_000_000_000, 1_000_000_000)), [""; 0]);
}

#[test]
fn two_programs_at_one_consumer_and_two_processes_of_one_program() {
    let mut traffic = Traffic::default();
    for port in [7, 8, 9] {
        traffic.sent(port, "$JS.API.CONSUMER.MSG.NEXT.S.c", "_INBOX.a", b"", 0);
    }
    let named = |all: &[(u16, &str)]| {
        let services = all.iter().map(|(port, name)| (*port, (*name).to_owned())).collect();
        Observed { services, ..usual() }
    };
    assert_eq!(
        told(&named(&[(7, "billing"), (8, "shipping"), (9, "billing")]), &traffic),
        ["consumer-shared: consumer `c` of S is read by `billing` and `shipping`"]
    );
    assert_eq!(told(&named(&[(7, "billing"), (8, "billing")]), &traffic), [""; 0]);
}

#[test]
fn a_window_that_is_full_while_others_wait() {
    let delivered = |waiting: &[u64]| {
        let mut traffic = Traffic::default();
        for (sequence, waiting) in (1..).zip(waiting) {
            traffic.got(&ack(1, sequence, *waiting));
        }
        traffic
    };
    assert_eq!(
        told(&usual(), &delivered(&[5, 4])),
        ["max-ack-pending-reached: consumer `c` of S had as many messages unacknowledged as \
             `max_ack_pending` allows (2), while others waited"]
    );
    assert_eq!(told(&usual(), &delivered(&[1, 0])), [""; 0]);
    assert_eq!(told(&usual(), &delivered(&[5])), [""; 0]);
}

#[test]
fn one_content_twice_without_an_id_within_the_window() {
    let holding = |stored: Vec<StoredSeen>| {
        let mut observed = usual();
        observed.streams[0].stored = stored;
        observed
    };
    let nothing = Traffic::default();
    assert_eq!(
        told(&holding(vec![stored(3, 1, false, "a"), stored(5, 2, false, "a")]), &nothing),
        [
            "no-message-id: stream S has 1 message stored again without a `Nats-Msg-Id`: sequences 3 and 5 \
             on `by.others` have one content"
        ]
    );
    for near in [
        vec![stored(3, 1, true, "a"), stored(5, 2, true, "a")],
        vec![stored(3, 1, false, "a"), stored(5, 90, false, "a")],
        vec![stored(3, 1, false, "a"), stored(5, 2, false, "b")],
        vec![stored(3, 1, false, ""), stored(5, 2, false, "")],
    ] {
        assert_eq!(told(&holding(near), &nothing), [""; 0]);
    }
    let by_steps = |n| StoredSeen { subject: "by.steps".to_owned(), ..stored(n, 1, false, "a") };
    assert_eq!(told(&holding(vec![by_steps(1), by_steps(2)]), &nothing), [""; 0]);
}

#[test]
fn what_is_sent_to_a_stream_without_a_reply_subject_by_others() {
    let sent = |subject: &str, reply: &str| {
        let mut traffic = Traffic::default();
        traffic.sent(1, subject, reply, b"", 0);
        traffic
    };
    assert_eq!(
        told(&usual(), &sent("by.others", "")),
        [
            "publish-without-ack: stream S was sent 1 message without asking for an acknowledgement, as on \
             `by.others`"
        ]
    );
    for near in [sent("by.others", "_INBOX.a"), sent("by.steps", ""), sent("elsewhere", "")] {
        assert_eq!(told(&usual(), &near), [""; 0]);
    }
}

#[test]
fn what_grows_stays_or_is_heard_twice() {
    let nothing = Traffic::default();
    let mut observed = usual();
    observed.streams[0].is_bounded = false;
    let forever = "stream-without-limits: stream S keeps everything for ever: it has no `max_age`, \
                   `max_bytes` or `max_msgs`";
    assert_eq!(told(&observed, &nothing), [forever]);

    let mut observed = usual();
    observed.streams[0].is_in_memory = true;
    let gone = "stream-in-memory: stream S is kept in the memory of one server";
    assert_eq!(told(&observed, &nothing), [gone]);

    let left = |is_durable, threshold| {
        let mut observed = usual();
        observed.consumers[0].is_durable = is_durable;
        observed.consumers[0].inactive_threshold = threshold;
        observed.left = BTreeSet::from([("S".to_owned(), "c".to_owned())]);
        told(&observed, &nothing)
    };
    let stays = "ephemeral-consumer-left: consumer `c` of S is still there for 300s";
    assert_eq!(left(false, 300 * SECOND), [stays]);
    assert_eq!(left(true, 300 * SECOND), [""; 0]);
    assert_eq!(left(false, 5 * SECOND), [""; 0]);

    let listening = |all: &[(&str, Option<&str>)]| {
        let subscriptions =
            all.iter().map(|(subject, group)| ((*subject).to_owned(), group.map(str::to_owned)));
        told(&Observed { subscriptions: subscriptions.collect(), ..usual() }, &nothing)
    };
    assert_eq!(
        listening(&[("jobs", Some("w")), ("jobs", Some("w")), ("jobs", None)]),
        [
            "queue-group-bypassed: `jobs` has 2 subscriptions in queue group `w`, and 1 subscription \
             without it"
        ]
    );
    assert_eq!(listening(&[("jobs", Some("w")), ("jobs", Some("log")), ("*", None)]), [""; 0]);

    let slow = BTreeSet::from([("`audit`".to_owned(), "MaxPending of 9 Exceeded".to_owned())]);
    assert_eq!(
        told(&Observed { slow, ..usual() }, &nothing),
        ["slow-consumer: `audit` did not keep up, as the server says: MaxPending of 9 Exceeded"]
    );
}
