//! Lines of a trace to what was heard: messages, whole, and subscriptions.

use std::collections::HashMap;

use jiff::Timestamp;

use super::imports::undone;
use super::line::{Line, Op, What};
use super::said::{Heard, Said};

/// Everything, in the order in which it was complete; `lines` are in the order of time.
///
/// A message is a line, and unless it is empty another one with what is in it; between them may be
/// lines of other connections.
pub(in crate::e2e) fn heard(lines: &[Line]) -> Vec<Heard<'_>> {
    // By connection and way: when, and what.
    let mut begun = HashMap::<_, (Timestamp, &Op)>::new();
    let mut out = Vec::new();
    for line in lines {
        let What::Trace { connection, op } = &line.what else { continue };
        let (at, what) = match op {
            // It has been read already.
            Op::Connect { .. } => continue,
            Op::Subscribe { queue, .. } => (line.at, Some(Said::Subscribe { queue: *queue })),
            Op::Message { bytes: 0, .. } => (line.at, whole(op, &[])),
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
    let Op::Message { way, subject, reply, header_bytes, .. } = op else { return None };
    let (head, body) = bytes.split_at((*header_bytes).min(bytes.len()));
    Some(Said::Message { way: *way, subject, reply, head, body })
}
