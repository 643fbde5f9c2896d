//! Lines of a trace to what was heard: messages, whole, and subscriptions.

use std::collections::HashMap;

use jiff::Timestamp;

use super::imports::undone;
use super::line::{Line, Op, Way, What};
use super::said::{Heard, Said};

/// Everything, in the order in which it was complete; `lines` are in the order of time.
///
/// A message is a line, and unless it is empty another one with what is in it; between them may be
/// lines of other connections. nats-server before 2.12 does not trace what is in those that it delivers:
/// their bodies are empty here.
pub(in crate::e2e) fn heard(lines: &[Line]) -> Vec<Heard<'_>> {
    // By connection and way: when, and what.
    let mut begun = HashMap::<_, (Timestamp, &Op)>::new();
    let mut out = Vec::new();
    let delivered = |line: &Line| {
        matches!(line.what, What::Trace { op: Op::Payload { way: Way::Out, .. }, .. })
    };
    let shows_delivered = lines.iter().any(delivered);
    for line in lines {
        let What::Trace { connection, op } = &line.what else { continue };
        let (at, what) = match op {
            // It has been read already.
            Op::Connect { .. } => continue,
            Op::Subscribe { queue, .. } => (line.at, Some(Said::Subscribe { queue: *queue })),
            Op::Message { bytes: 0, .. } => (line.at, whole(op, &[])),
            Op::Message { way: Way::Out, .. } if !shows_delivered => {
                (line.at, message(op, &[], false))
            }
            Op::Message { way, .. } => {
                begun.insert((connection.id, *way), (line.at, op));
                continue;
            }
            Op::Payload { way, bytes } => match begun.remove(&(connection.id, *way)) {
                Some((at, op)) => (at, whole(op, bytes)),
                None => continue,
            },
        };
        out.extend(what.map(|what| Heard { at, connection, what }));
    }
    undone(out)
}

fn whole<'a>(op: &'a Op, bytes: &'a [u8]) -> Option<Said<'a>> {
    message(op, bytes, true)
}

fn message<'a>(op: &'a Op, bytes: &'a [u8], is_shown: bool) -> Option<Said<'a>> {
    let Op::Message { way, subject, reply, header_bytes, .. } = op else { return None };
    let (head, body) = bytes.split_at((*header_bytes).min(bytes.len()));
    Some(Said::Message { way: *way, subject, reply, head, body, is_shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::run::probe::broker_trace::line::parse;

    /// As nats-server 2.11 traces a question and its answer between two accounts.
    const OLD: &str = "\
7 - <<- [PUB math.add _INBOX.a.1 3]
7 - <<- MSG_PAYLOAD: [\"1+2\"]
8 - ->> [HMSG math.add 1 _R_.x.y 20 23]
8 - <<- [PUB _R_.x.y 1]
8 - <<- MSG_PAYLOAD: [\"3\"]";

    #[test]
    fn an_answer_is_known_by_its_question_also_where_what_is_delivered_is_not_traced() {
        let line = |(n, text): (usize, &str)| {
            let head = format!("[1] 2026/11/30 02:06:{n:02}.000000 [TRC] 127.0.0.1:9 - cid:");
            parse(&format!("{head}{text}")).unwrap()
        };
        let lines: Vec<Line> = OLD.lines().enumerate().map(line).collect();
        let told: Vec<String> = heard(&lines)
            .iter()
            .map(|heard| match &heard.what {
                Said::Message { way, subject, reply, body, .. } => {
                    format!("{way:?} {subject} {reply} {}", String::from_utf8_lossy(body))
                }
                Said::Subscribe { .. } => "subscribed".to_owned(),
            })
            .collect();
        let expected =
            ["In math.add _INBOX.a.1 1+2", "Out math.add _INBOX.a.1 ", "In _INBOX.a.1  3"];
        assert_eq!(told, expected);
    }
}
