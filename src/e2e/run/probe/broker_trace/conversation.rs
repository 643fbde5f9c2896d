//! Lines of a trace to messages between parties: requests with their replies, what streams say,
//! deliveries with their attempt.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::heard::heard;
use super::line::{Connection, Line, Way};
use super::said::{Heard, Said};
use crate::broker::Role;
use crate::e2e::record::delivery::Delivery;
use crate::e2e::record::trace::{Kind, Lane, Message, Party};
use crate::e2e::text::bounded::excerpt;
use crate::process::clean;
use crate::wire::headers;

/// What belongs to the library, the harness or the server, and not to the conversation.
const NOISE: [&str; 3] = ["$JS.", "$SYS.", "_E2E."];

/// The messages of a trace, whose lines are in the order of time.
pub(in crate::e2e) fn conversation(
    lines: &[Line],
    lanes: &[Lane],
    clock: impl Fn(Timestamp) -> u64,
) -> Vec<Message> {
    let mut talk = Talk { lanes: lanes.to_vec(), ..Talk::default() };
    for Heard { at, connection, what } in heard(lines) {
        talk.hear(clock(at), connection, &what);
    }
    talk.messages.into_iter().flatten().collect()
}

#[derive(Default)]
struct Talk {
    /// Streams that are drawn apart.
    lanes: Vec<Lane>,
    /// `None` where it turned out to be noise.
    messages: Vec<Option<Message>>,
    /// What connections without a user's name have shown themselves to be.
    shown: HashMap<(u32, u64), Role>,
    /// What was published last, by subject and reply.
    published: HashMap<(String, String), usize>,
    /// Requests by their reply's subject.
    asked: HashMap<String, usize>,
    /// Where answers to noise come.
    noise: HashSet<String>,
}

impl Talk {
    fn hear(&mut self, at_ns: u64, connection: &Connection, said: &Said<'_>) {
        match said {
            Said::Subscribe { queue } => {
                if *queue {
                    self.shown.insert(connection.id, Role::Worker);
                }
            }
            Said::Message { way, subject, reply, head, body, .. } => {
                if *way == Way::In && subject.starts_with("$JS.API.CONSUMER.MSG.NEXT.") {
                    self.shown.entry(connection.id).or_insert(Role::Worker);
                }
                let role = self.role(connection);
                let at = match way {
                    Way::In => self.published_by(role, at_ns, subject, reply),
                    Way::Out => self.delivered_to(role, at_ns, subject, reply),
                };
                if let Some(at) = at {
                    self.body(at, head, body);
                }
            }
        }
    }

    /// By the name of its user, where there are users; else by what it has shown itself to be.
    fn role(&self, connection: &Connection) -> Role {
        let shown = || self.shown.get(&connection.id).copied().unwrap_or(Role::Client);
        connection.role().unwrap_or_else(shown)
    }

    /// Somebody sends: the place of a message whose body is wanted.
    fn published_by(
        &mut self,
        role: Role,
        at_ns: u64,
        subject: &str,
        reply: &str,
    ) -> Option<usize> {
        let Some(from) = party(role) else {
            self.noise.insert(reply.to_owned());
            return None;
        };
        let mut message = message(at_ns, from, Party::Broker, Kind::Publish, subject);
        if let Some(Delivery { stream, sequence, .. }) = Delivery::of(subject) {
            // A second word, that the broker has the first, is the library's business.
            self.noise.insert(reply.to_owned());
            let stream = clean(stream);
            message.kind = Kind::Settled { word: String::new(), stream, sequence };
            return Some(self.add(message));
        }
        if is_noise(subject) {
            self.noise.insert(reply.to_owned());
            return None;
        }
        if let Some(request) = self.asked.get(subject) {
            if let Some(Message { kind: Kind::Request { answered }, .. }) =
                &mut self.messages[*request]
            {
                *answered = true;
            }
            message.kind = Kind::Reply { error: false };
        } else if subject.starts_with("_INBOX") {
            // To itself, to learn that all before has arrived.
            self.noise.insert(subject.to_owned());
            return None;
        } else if !reply.is_empty() {
            message.kind = Kind::Request { answered: false };
            let into = |lane: &&Lane| lane.subjects.is_some_and(|start| subject.starts_with(start));
            message.to = self.lanes.iter().find(into).map_or(message.to, |lane| lane.party);
        }
        let at = self.add(message);
        self.published.insert((subject.to_owned(), reply.to_owned()), at);
        if !reply.is_empty() {
            self.asked.insert(reply.to_owned(), at);
        }
        Some(at)
    }

    /// Somebody gets something: the place of a message whose body is wanted.
    fn delivered_to(
        &mut self,
        role: Role,
        at_ns: u64,
        subject: &str,
        reply: &str,
    ) -> Option<usize> {
        let to = party(role)?;
        if self.noise.contains(subject) {
            return None;
        }
        let mut message = message(at_ns, Party::Broker, to, Kind::Event, subject);
        if let Some(Delivery { stream, sequence, delivery, .. }) = Delivery::of(reply) {
            message.kind = Kind::Delivery { stream: clean(stream), sequence, attempt: delivery };
            return Some(self.add(message));
        }
        if let Some(at) = self.published.get(&(subject.to_owned(), reply.to_owned())) {
            let sent = self.messages[*at].as_mut()?;
            if sent.to == Party::Broker {
                sent.to = to;
                return None;
            }
            // Somebody else gets it too.
            message.kind = Kind::Publish;
            message.text.clone_from(&sent.text);
            self.add(message);
            return None;
        }
        if let Some(request) = self.asked.get(subject).copied() {
            message.kind = Kind::Reply { error: false };
            if let Some(Message { to: stream @ Party::Stream(_), .. }) = &self.messages[request] {
                message.from = *stream;
            }
            return Some(self.add(message));
        }
        let out_of_the_blue = subject.starts_with("_INBOX") || is_noise(subject);
        (!out_of_the_blue).then(|| self.add(message))
    }

    fn add(&mut self, message: Message) -> usize {
        self.messages.push(Some(message));
        self.messages.len() - 1
    }

    fn body(&mut self, at: usize, head: &[u8], body: &[u8]) {
        let Some(message) = &mut self.messages[at] else { return };
        let head = String::from_utf8_lossy(head);
        let text = String::from_utf8_lossy(body);
        message.text = excerpt(&clean(&text.replace(['\n', '\r'], " ")));
        let from = message.from;
        match &mut message.kind {
            Kind::Settled { word, .. } => {
                *word = text.split_whitespace().next().unwrap_or("+ACK").to_owned();
                message.text.clear();
                if word == "+WPI" {
                    // "Still at it", every so often.
                    self.messages[at] = None;
                }
            }
            Kind::Reply { error } if matches!(from, Party::Broker | Party::Stream(_)) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                *error = !said["error"].is_null();
                if let Some(reason) = said["error"]["description"].as_str() {
                    message.text = clean(reason);
                }
                let (stream, sequence) = (said["stream"].as_str(), said["seq"].as_u64());
                if let (Some(stream), Some(sequence), false) = (stream, sequence, *error) {
                    let duplicate = said["duplicate"] == true;
                    message.kind = Kind::Stored { stream: clean(stream), sequence, duplicate };
                }
                self.acknowledged(at);
            }
            Kind::Reply { error } => *error = head.contains(headers::ERROR),
            _ => {}
        }
    }

    /// A stream has answered: what was asked of it was a submission.
    fn acknowledged(&mut self, at: usize) {
        let subject = self.messages[at].as_ref().map(|message| message.subject.clone());
        let request = subject.and_then(|subject| self.asked.get(&subject).copied());
        if let Some(request) = request.and_then(|at| self.messages[at].as_mut()) {
            request.kind = Kind::Submit;
        }
    }
}

/// A role's part in the conversation; the harness and who looks for the server have none.
fn party(role: Role) -> Option<Party> {
    match role {
        Role::Client => Some(Party::Client),
        Role::Worker => Some(Party::Services),
        Role::Harness | Role::Finder => None,
    }
}

/// A message whose body is not known yet.
fn message(at_ns: u64, from: Party, to: Party, kind: Kind, subject: &str) -> Message {
    Message { at_ns, from, to, kind, subject: clean(subject), text: String::new() }
}

/// Whether it is of no interest to whoever reads the conversation.
fn is_noise(subject: &str) -> bool {
    NOISE.iter().any(|noise| subject.starts_with(noise))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPOT: Lane = Lane { party: Party::Stream("depot"), subjects: Some("depot.") };

    /// What a broker traced: who, and what, as `client <<- [PUB a 2] {}`.
    fn heard(script: &str) -> String {
        let mut lines = Vec::new();
        for (n, line) in script.trim().lines().enumerate() {
            let (who, op) = line.trim().split_once(' ').unwrap();
            let (op, body) = op.split_once("] ").map_or((op, None), |(op, body)| (op, Some(body)));
            let op = format!("{}]", op.trim_end_matches(']'));
            let (cid, whose) = match who {
                "client" => (1, "\"v1:python3:test\" - \"$G/user:client\""),
                "worker" => (2, "\"v0:rust:services\" - \"$G/user:worker\""),
                "harness" => (3, "\"v0:rust\" - \"$G/user:harness\""),
                "somebody" => (4, "\"v1:go:own\""),
                other => panic!("{other}"),
            };
            let head = format!(
                "[8] 2026/11/23 15:24:43.{n:06} [TRC] 127.0.0.1:3 - cid:{cid} - {whose} - "
            );
            lines.push(
                crate::e2e::run::probe::broker_trace::line::parse(&format!("{head}{op}")).unwrap(),
            );
            if let Some(body) = body {
                let payload = format!("{head}{} MSG_PAYLOAD: [{body:?}]", &op[..3]);
                lines.push(crate::e2e::run::probe::broker_trace::line::parse(&payload).unwrap());
            }
        }
        let began: Timestamp = "2026-11-23T15:24:43Z".parse().unwrap();
        let clock = |at: Timestamp| u64::try_from(at.duration_since(began).as_micros()).unwrap();
        let messages = conversation(&lines, &[DEPOT], clock);
        let shown = messages.iter().map(|m| {
            let (from, to) = (m.from.name(), m.to.name());
            format!("{} {from} -> {to}: {:?} {} {}", m.at_ns, m.kind, m.subject, m.text)
        });
        shown.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_request_goes_through_the_broker_and_its_reply_comes_back() {
        insta::assert_snapshot!(heard(r#"
            client <<- [PUB services.sums.add _INBOX.a.1 2] {"b": 1}
            worker ->> [MSG services.sums.add 7 _R_.x.y 2] {"b": 1}
            worker <<- [HPUB _R_.x.y 4 6] hhhh{"result": 3}
            client ->> [HMSG _INBOX.a.1 1 4 6] hhhh{"result": 3}
            client <<- [PUB nobody _INBOX.a.2 0]
        "#), @r#"
        0 client -> services: Request { answered: true } services.sums.add {"b": 1}
        2 services -> client: Reply { error: false } _INBOX.a.1 {"result": 3}
        4 client -> broker: Request { answered: false } nobody
        "#);
    }

    #[test]
    fn an_error_is_told_from_a_result_by_its_header() {
        let said = heard(
            "client <<- [PUB a _INBOX.a.1 0]\n\
             worker ->> [MSG a 7 _INBOX.a.1 0]\n\
             worker <<- [HPUB _INBOX.a.1 16 18] Mono-Error: true{}",
        );
        assert!(said.contains("Reply { error: true } _INBOX.a.1 {}"), "{said}");
    }

    #[test]
    fn streams_store_know_duplicates_and_deliver_again() {
        insta::assert_snapshot!(heard(r#"
            client <<- [PUB pay _INBOX.a.1 2] {}
            client ->> [MSG _INBOX.a.1 1 9] {"stream":"requests","seq":4}
            worker ->> [MSG pay 3 $JS.ACK.requests.worker.1.4.1.17.0 2] {}
            worker <<- [PUB $JS.ACK.requests.worker.1.4.1.17.0 4] +WPI
            worker ->> [MSG pay 3 $JS.ACK.requests.worker.2.4.2.18.0 2] {}
            worker <<- [PUB depot.shipped.p _INBOX.w.1 2] {}
            worker ->> [MSG _INBOX.w.1 1 9] {"stream":"depot","seq":1}
            client ->> [MSG orders.events.p 5 2] {}
            worker <<- [PUB $JS.ACK.requests.worker.2.4.2.18.0 _INBOX.w.2 4] +ACK
            worker ->> [MSG _INBOX.w.2 1 0]
            client <<- [PUB pay _INBOX.a.2 2] {}
            client ->> [MSG _INBOX.a.2 1 9] {"stream":"requests","seq":4,"duplicate": true}
            worker <<- [PUB depot.shipped.p _INBOX.w.3 2] {}
            worker ->> [MSG _INBOX.w.3 1 9] {"error":{"code":400,"description":"wrong last sequence: 1"}}
        "#), @r#"
        0 client -> broker: Submit pay {}
        1 broker -> client: Stored { stream: "requests", sequence: 4, duplicate: false } _INBOX.a.1 {"stream":"requests","seq":4}
        2 broker -> services: Delivery { stream: "requests", sequence: 4, attempt: 1 } pay {}
        4 broker -> services: Delivery { stream: "requests", sequence: 4, attempt: 2 } pay {}
        5 services -> depot: Submit depot.shipped.p {}
        6 depot -> services: Stored { stream: "depot", sequence: 1, duplicate: false } _INBOX.w.1 {"stream":"depot","seq":1}
        7 broker -> client: Event orders.events.p {}
        8 services -> broker: Settled { word: "+ACK", stream: "requests", sequence: 4 } $JS.ACK.requests.worker.2.4.2.18.0
        10 client -> broker: Submit pay {}
        11 broker -> client: Stored { stream: "requests", sequence: 4, duplicate: true } _INBOX.a.2 {"stream":"requests","seq":4,"duplicate": true}
        12 services -> depot: Submit depot.shipped.p {}
        13 depot -> services: Reply { error: true } _INBOX.w.3 wrong last sequence: 1
        "#);
    }

    #[test]
    fn what_the_library_and_the_harness_say_is_left_out() {
        let said = heard(
            "worker <<- [PUB $JS.API.CONSUMER.MSG.NEXT.s.c _INBOX.w.1 2] {}\n\
             worker ->> [HMSG _INBOX.w.1 1 4 4] NATS\n\
             worker <<- [PUB _INBOX.w.9 0]\n\
             worker ->> [MSG _INBOX.w.9 1 0]\n\
             harness <<- [PUB $JS.API.STREAM.NAMES _INBOX.h.1 0]\n\
             harness ->> [MSG _INBOX.h.1 1 2] {}\n\
             harness ->> [MSG pay 3 $JS.ACK.depot.reader.1.4.1.17.0 2] {}\n\
             client <<- [PUB _E2E.fence 0]\n\
             client ->> [MSG _E2E.fence 3 0]",
        );
        assert_eq!(said, "");
    }

    #[test]
    fn without_users_a_queue_group_or_a_pull_tells_a_service() {
        let said = heard("somebody <<- [PUB a 0]");
        assert_eq!(said, "0 client -> broker: Publish a");
        let said = heard("somebody <<- [SUB a workers 1]\nsomebody <<- [PUB b 0]");
        assert_eq!(said, "1 services -> broker: Publish b");
        let pull = "somebody <<- [PUB $JS.API.CONSUMER.MSG.NEXT.s.c _INBOX.x 0]";
        assert_eq!(
            heard(&format!("{pull}\nsomebody <<- [PUB b 0]")),
            "1 services -> broker: Publish b"
        );
    }

    #[test]
    fn what_two_get_is_told_of_both() {
        let said = heard(
            "client <<- [PUB a 2] {}\nworker ->> [MSG a 1 2] {}\nsomebody ->> [MSG a 1 2] {}",
        );
        assert_eq!(said, "0 client -> services: Publish a {}\n2 broker -> client: Publish a {}");
    }

    #[test]
    fn a_body_is_short_and_without_control_characters() {
        let said = heard(&format!("client <<- [PUB a 2] \u{1b}[31m\u{202e}{}", "x".repeat(500)));
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
        assert!(said.ends_with('…') && said.len() < 250, "{said}");
    }
}
