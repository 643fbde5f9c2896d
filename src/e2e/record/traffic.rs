//! What crossed the broker in a run, as far as it tells of hazards: what is asked of JetStream,
//! deliveries, how they are acknowledged, and what is published without asking for an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::delivery::{ACKNOWLEDGE, Delivery};

/// Where a consumer is asked for; by two names.
const CREATE: [&str; 2] = ["$JS.API.CONSUMER.CREATE.", "$JS.API.CONSUMER.DURABLE.CREATE."];
/// What libraries and servers say to each other.
const OF_LIBRARIES: [char; 2] = ['$', '_'];
/// Where messages are asked for.
const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.";

/// What has crossed so far.
#[derive(Debug, Default)]
pub struct Traffic {
    /// By stream and name.
    pub consumers: BTreeMap<(String, String), OfConsumer>,
    /// How many messages without a reply subject were sent, by subject.
    pub unanswered: BTreeMap<String, u64>,
}

/// What has crossed for a consumer.
#[derive(Debug, Default)]
pub struct OfConsumer {
    /// `ack_wait`, and the first step of `backoff`, where both were asked for.
    pub waits: Option<(Duration, Duration)>,
    /// The most messages that were delivered and not settled at once, while others waited.
    pub most_pending: usize,
    /// Messages that were acknowledged for a delivery after they had been delivered again, with the
    /// numbers of both deliveries.
    pub late: BTreeMap<u64, (u64, u64)>,
    /// Negative acknowledgements, by message.
    pub naks: BTreeMap<u64, Vec<Nak>>,
    /// Who asks for its messages: the ports of their connections.
    pub readers: BTreeSet<u16>,
    pending: BTreeSet<u64>,
    /// The latest delivery of what was delivered again.
    again: BTreeMap<u64, u64>,
}

/// A negative acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nak {
    /// When, on the clock of the run.
    pub at_ns: u64,
    /// It names a delay.
    pub has_delay: bool,
}

/// As far as it is looked at.
#[derive(Deserialize)]
struct Asked {
    stream_name: String,
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    durable_name: Option<String>,
    name: Option<String>,
    /// Nanoseconds, as in `backoff`.
    #[serde(default)]
    ack_wait: u64,
    #[serde(default)]
    backoff: Vec<u64>,
}

impl Traffic {
    /// Somebody sends a message, from this port, on the clock of the run.
    pub fn sent(&mut self, port: u16, subject: &str, reply: &str, body: &[u8], at_ns: u64) {
        if subject.starts_with(ACKNOWLEDGE) {
            if let Some(delivery) = Delivery::of(subject) {
                self.of((delivery.stream, delivery.consumer)).settle(&delivery, body, at_ns);
            }
        } else if let Some(consumer) = subject.strip_prefix(NEXT) {
            if let Some(consumer) = consumer.split_once('.') {
                self.of(consumer).readers.insert(port);
            }
        } else if CREATE.iter().any(|create| subject.starts_with(create)) {
            self.asked(body);
        } else if reply.is_empty() && !subject.starts_with(OF_LIBRARIES) {
            *self.unanswered.entry(subject.to_owned()).or_default() += 1;
        }
    }

    /// Somebody gets a message, with this reply subject.
    pub fn got(&mut self, reply: &str) {
        if let Some(delivery) = Delivery::of(reply) {
            self.of((delivery.stream, delivery.consumer)).deliver(&delivery);
        }
    }

    fn of(&mut self, (stream, name): (&str, &str)) -> &mut OfConsumer {
        self.consumers.entry((stream.to_owned(), name.to_owned())).or_default()
    }

    fn asked(&mut self, body: &[u8]) {
        let Ok(Asked { stream_name, config }) = serde_json::from_slice(body) else { return };
        let Some(name) = config.durable_name.or(config.name) else { return };
        let waits = match (config.ack_wait, config.backoff.first()) {
            (1.., Some(first)) => {
                Some((Duration::from_nanos(config.ack_wait), Duration::from_nanos(*first)))
            }
            _ => None,
        };
        self.of((&stream_name, &name)).waits = waits;
    }
}

impl OfConsumer {
    fn deliver(&mut self, delivery: &Delivery<'_>) {
        self.pending.insert(delivery.sequence);
        if delivery.delivery > 1 {
            self.again.insert(delivery.sequence, delivery.delivery);
        }
        if delivery.waiting > 0 {
            self.most_pending = self.most_pending.max(self.pending.len());
        }
    }

    fn settle(&mut self, delivery: &Delivery<'_>, body: &[u8], at_ns: u64) {
        let sequence = delivery.sequence;
        match body {
            b"+WPI" => return,
            body if body.starts_with(b"-NAK") => {
                let has_delay = body.len() > "-NAK".len();
                self.naks.entry(sequence).or_default().push(Nak { at_ns, has_delay });
            }
            b"-TERM" => {}
            body if body.starts_with(b"-") => {}
            // `+ACK`, nothing, or `+NXT`.
            _ => self.acknowledge(delivery),
        }
        self.pending.remove(&sequence);
    }

    fn acknowledge(&mut self, delivery: &Delivery<'_>) {
        let (sequence, this) = (delivery.sequence, delivery.delivery);
        if let Some(again) = self.again.get(&sequence).filter(|again| this < **again) {
            self.late.insert(sequence, (this, *again));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(delivery: u64, sequence: u64, waiting: u64) -> String {
        format!("$JS.ACK.S.c.{delivery}.{sequence}.1.1700000000000000000.{waiting}")
    }

    fn heard(all: &[(&str, Option<&str>, &str)]) -> Traffic {
        let mut traffic = Traffic::default();
        for (at_ns, (subject, reply, body)) in (0..).zip(all) {
            match reply {
                Some(reply) => traffic.got(reply),
                None => traffic.sent(1, subject, "", body.as_bytes(), at_ns),
            }
        }
        traffic
    }

    fn of(traffic: &Traffic) -> &OfConsumer {
        &traffic.consumers[&("S".to_owned(), "c".to_owned())]
    }

    #[test]
    fn an_acknowledgement_that_comes_after_the_next_delivery_is_late() {
        fn delivered(reply: &str) -> (&str, Option<&str>, &str) {
            ("_INBOX.a", Some(reply), "x")
        }
        let (first, second) = (ack(1, 7, 0), ack(2, 7, 0));
        let late = [delivered(&first), delivered(&second), (&first, None, "+ACK")];
        assert_eq!(of(&heard(&late)).late, BTreeMap::from([(7, (1, 2))]));
        let lost = [delivered(&first), delivered(&second), (&second, None, "+ACK")];
        let in_time = [delivered(&first), (&first, None, "+ACK"), (&first, None, "")];
        let refused = [delivered(&first), delivered(&second), (&first, None, "-NAK")];
        for near in [&lost[..], &in_time, &refused] {
            assert!(of(&heard(near)).late.is_empty());
        }
    }

    #[test]
    fn what_is_under_way_counts_while_others_wait() {
        let (one, two, last) = (ack(1, 1, 5), ack(1, 2, 4), ack(1, 3, 0));
        let delivered = [("_INBOX.a", Some(one.as_str()), "x"), ("_INBOX.a", Some(&two), "x")];
        assert_eq!(of(&heard(&delivered)).most_pending, 2);
        let settled = [delivered[0], (&one, None, "+ACK"), delivered[1], (&two, None, "-TERM")];
        assert_eq!(of(&heard(&settled)).most_pending, 1);
        let nobody = [("_INBOX.a", Some(last.as_str()), "x")];
        assert_eq!(of(&heard(&nobody)).most_pending, 0);
    }

    #[test]
    fn reply_subjects_of_both_kinds_are_read() {
        let long = "$JS.ACK.hub.aBcD.S.c.1.7.1.1700000000000000000.0.x";
        for subject in [long, &ack(1, 7, 0)] {
            assert_eq!(
                heard(&[(subject, None, "-NAK {\"delay\":1}")]).consumers.len(),
                1,
                "{subject}"
            );
        }
        assert!(heard(&[("$JS.ACK.S.c.one", None, "+ACK")]).consumers.is_empty());
    }

    #[test]
    fn who_asks_for_messages_and_what_asks_for_no_answer_is_noted() {
        let mut traffic = Traffic::default();
        let next = "$JS.API.CONSUMER.MSG.NEXT.S.c";
        traffic.sent(7, next, "_INBOX.a", b"", 0);
        traffic.sent(8, next, "_INBOX.b", b"", 0);
        assert_eq!(of(&traffic).readers, BTreeSet::from([7, 8]));
        for (subject, reply) in
            [("a", ""), ("a", ""), ("b", "_INBOX.a"), ("_INBOX.a", ""), ("$SYS", "")]
        {
            traffic.sent(7, subject, reply, b"", 0);
        }
        assert_eq!(traffic.unanswered, BTreeMap::from([("a".to_owned(), 2)]));
    }

    #[test]
    fn a_wait_beside_a_backoff_is_kept_as_it_was_asked_for() {
        let create = "$JS.API.CONSUMER.CREATE.S.c";
        let asked = |config: &str| format!(r#"{{"stream_name":"S","config":{config}}}"#);
        let both = asked(r#"{"durable_name":"c","ack_wait":30000000000,"backoff":[1000000000]}"#);
        let waits = Some((Duration::from_secs(30), Duration::from_secs(1)));
        assert_eq!(of(&heard(&[(create, None, &both)])).waits, waits);
        let one = asked(r#"{"name":"c","backoff":[1000000000]}"#);
        assert_eq!(of(&heard(&[(create, None, &one)])).waits, None);
    }
}
