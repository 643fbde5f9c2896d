//! What the broker carried: each message once, and who sent it.

use std::collections::HashSet;

use super::heard::heard;
use super::line::{Connection, Line, Way};
use super::said::{Heard, Said};
use crate::broker::Role;
use crate::e2e::record::carried::Carried;

/// The messages of a trace, whose lines are in the order of time, without those of the harness.
///
/// A delivery of what was sent is no message of its own, however often it comes.
pub(in crate::e2e) fn carried(lines: &[Line]) -> Vec<Carried> {
    let mut known: HashSet<(&str, &[u8])> = HashSet::new();
    let mut out = Vec::new();
    for Heard { connection, what, .. } in heard(lines) {
        let Said::Message { way, subject, reply, head, body, is_shown } = what else { continue };
        let first = known.insert((subject, body));
        let wanted = match way {
            Way::In => connection.role() != Some(Role::Harness),
            // Nobody can tell whether one that is not shown was sent before.
            Way::Out => first && is_shown && !is_status(head),
        };
        if wanted {
            out.push(Carried {
                subject: subject.to_owned(),
                reply: reply.to_owned(),
                body: body.to_owned(),
                sender: (way == Way::In).then(|| name(connection)),
            });
        }
    }
    out
}

/// `v0.51.0:rust:mono-demo services`.
fn name(connection: &Connection) -> String {
    connection.whose.split('"').nth(1).unwrap_or_default().to_owned()
}

/// The server says "no responders", "no messages": a first line of headers with a number (ADR-4).
fn is_status(head: &[u8]) -> bool {
    head.strip_prefix(b"NATS/1.0 ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `client 1 <<- [PUB a 2] {}`: who, on which connection, what.
    fn heard(script: &str) -> Vec<(String, String, Option<String>)> {
        let mut lines = Vec::new();
        for (n, line) in script.trim().lines().enumerate() {
            let [user, cid, rest] = line.trim().splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let (op, body) = rest.split_once("] ").unwrap_or((rest.trim_end_matches(']'), ""));
            let head = format!(
                "[8] 2026/11/23 15:24:43.{n:06} [TRC] 127.0.0.1:3 - cid:{cid} - \"v1:go:{user}\" - \"$G/user:{user}\" - "
            );
            let payload = format!("{head}{} MSG_PAYLOAD: [{body:?}]", &op[..3]);
            let payload = Some(payload).filter(|_| !body.is_empty());
            for line in [format!("{head}{op}]")].into_iter().chain(payload) {
                lines.push(crate::e2e::run::probe::broker_trace::line::parse(&line).unwrap());
            }
        }
        let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
        carried(&lines).into_iter().map(|c| (c.subject, text(c.body), c.sender)).collect()
    }

    fn sent(subject: &str, body: &str, by: &str) -> (String, String, Option<String>) {
        (subject.into(), body.into(), Some(format!("v1:go:{by}")))
    }

    #[test]
    fn what_is_delivered_was_sent_once_and_the_harness_is_nobody() {
        assert_eq!(
            heard(
                "client 1 <<- [PUB a _INBOX.1 2] {}
                 worker 2 ->> [MSG a 7 _INBOX.1 2] {}
                 worker 3 ->> [MSG a 7 _INBOX.1 2] {}
                 client 1 <<- [PUB a 2] {}
                 harness 4 <<- [PUB b 2] {}
                 client 1 ->> [MSG b 1 2] {}"
            ),
            [sent("a", "{}", "client"), sent("a", "{}", "client")]
        );
    }

    #[test]
    fn an_empty_message_is_one_too() {
        assert_eq!(
            heard("client 1 <<- [PUB a 0]\nworker 2 <<- [PUB _INBOX.1 0]"),
            [sent("a", "", "client"), sent("_INBOX.1", "", "worker")]
        );
    }

    #[test]
    fn what_the_server_says_of_its_own_accord_counts_but_no_status() {
        assert_eq!(
            heard(
                "client 1 <<- [PUB pay _INBOX.1 1] 1
                 client 1 ->> [MSG _INBOX.1 1 9] {\"seq\":1}
                 client 1 <<- [PUB none _INBOX.2 1] 2
                 client 1 ->> [HMSG _INBOX.2 1 16 16] NATS/1.0 503\r\n\r\n"
            ),
            [
                sent("pay", "1", "client"),
                ("_INBOX.1".into(), "{\"seq\":1}".into(), None),
                sent("none", "2", "client"),
            ]
        );
    }
}
