//! What came to the inboxes of clients, where they share an account with the services.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::heard::heard;
use super::line::{Line, Way};
use super::said::{Heard, Said};
use crate::broker::Role;
use crate::e2e::record::delivery::ACKNOWLEDGE;
use crate::e2e::run::probe::answers::{self, By};

/// The server answers a question for several messages of a stream with each of them.
const OF_STREAM: &[u8] = b"Nats-Stream:";
/// The subjects on which each service answers for itself (ADR-32).
const SURVEY: &str = "$SRV.";
/// How a status begins; what has none begins with the line's end.
const STATUS: &[u8] = b"NATS/1.0 ";

/// Replies to what clients asked, by the lines of a trace in the order of time. What a service says is
/// heard as it says it, whether it reaches the client or not; what the server itself says, when it comes.
pub(in crate::e2e) fn answers(lines: &[Line], clock: impl Fn(Timestamp) -> u64) -> answers::Heard {
    let (mut asked, mut by_services) = (HashMap::new(), HashSet::new());
    let mut all = answers::Heard::default();
    for Heard { at, connection, what } in heard(lines) {
        let Said::Message { way, subject, reply, head, body, is_shown } = what else { continue };
        let is_client = connection.role() == Some(Role::Client);
        if way == Way::In && is_client && !reply.is_empty() {
            asked.insert(reply, subject);
        }
        let Some(question) = asked.get(subject) else { continue };
        // Only the server delivers, and says how it stands.
        if way == Way::Out && !is_a_reply(reply, head) {
            continue;
        }
        match way {
            Way::In => drop(by_services.insert(subject)),
            Way::Out if !is_client || !is_shown || by_services.contains(subject) => continue,
            Way::Out => {}
        }
        let by = match way {
            Way::Out => By::Server,
            Way::In => By::Service { is_survey: question.starts_with(SURVEY) },
        };
        all.hear(subject, body, by, clock(at));
    }
    all
}

/// Deliveries and their heartbeats come to inboxes too.
fn is_a_reply(reply: &str, head: &[u8]) -> bool {
    let of_stream = head.windows(OF_STREAM.len()).any(|part| part == OF_STREAM);
    !(reply.starts_with(ACKNOWLEDGE) || of_stream || head.starts_with(STATUS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::run::probe::broker_trace::line::parse;

    /// What a broker traced: who, and what, as `client <<- [PUB a 2] {}`.
    fn again(script: &str) -> Vec<(String, u64)> {
        let mut lines = Vec::new();
        for (n, line) in script.trim().lines().enumerate() {
            let (who, op) = line.trim().split_once(' ').unwrap();
            let (op, body) = op.split_once("] ").map_or((op, None), |(op, body)| (op, Some(body)));
            let head = format!(
                "[8] 2026/11/23 15:24:43.{n:06} [TRC] 127.0.0.1:3 - cid:{} - \"v1:go\" - \"$G/user:{who}\" - ",
                who.len()
            );
            lines.push(parse(&format!("{head}{}]", op.trim_end_matches(']'))).unwrap());
            if let Some(body) = body {
                lines.push(parse(&format!("{head}{} MSG_PAYLOAD: [{body:?}]", &op[..3])).unwrap());
            }
        }
        let told = answers(&lines, |_| 0).again();
        told.into_iter().map(|(_, answers)| (answers.inbox, answers.in_all)).collect()
    }

    #[test]
    fn two_services_that_answer_one_request_answer_twice() {
        let asked = "client <<- [PUB hi _INBOX.a.1 0]\nworker <<- [PUB _INBOX.a.1 1] x\n\
                     client ->> [MSG _INBOX.a.1 1 1] x\n";
        assert_eq!(again(asked), []);
        let twice = format!("{asked}member <<- [PUB _INBOX.a.1 1] y\n");
        assert_eq!(again(&twice), [("_INBOX.a.1".to_owned(), 2)]);
        // What only the server may say, said by a service.
        for said in [
            "worker <<- [PUB _INBOX.a.1 $JS.ACK.x 1] y",
            "worker <<- [HPUB _INBOX.a.1 14 15] Nats-Stream: xy",
            "worker <<- [PUB _INBOX.a.1 1] {\"type\":\"io.nats.micro.v1.x\"}",
        ] {
            assert_eq!(
                again(&format!("{asked}{said}\n")),
                [("_INBOX.a.1".to_owned(), 2)],
                "{said}"
            );
        }
        assert_eq!(again(&twice.replace("PUB hi", "PUB $SRV.PING")), []);
        // To somebody else's inbox.
        assert_eq!(again(&format!("{asked}worker <<- [PUB _INBOX.b.1 1] y\n")), []);
    }

    #[test]
    fn two_streams_that_store_one_message_answer_twice_and_deliveries_are_no_answers() {
        let stored = "client <<- [PUB orders.new _INBOX.a.1 0]\n\
                      client ->> [MSG _INBOX.a.1 1 9] {\"stream\":\"A\",\"seq\":4}\n";
        assert_eq!(again(stored), []);
        let twice =
            format!("{stored}client ->> [MSG _INBOX.a.1 1 9] {{\"stream\":\"B\",\"seq\":9}}\n");
        assert_eq!(again(&twice), [("_INBOX.a.1".to_owned(), 2)]);
        let pulled = "client <<- [PUB $JS.API.CONSUMER.MSG.NEXT.A.c _INBOX.a.2 0]\n\
                      client ->> [MSG _INBOX.a.2 1 $JS.ACK.A.c.1.1.1.1.0 1] x\n\
                      client ->> [MSG _INBOX.a.2 1 $JS.ACK.A.c.1.2.2.1.0 1] x\n";
        assert_eq!(again(pulled), []);
    }
}
