//! What is on record in NATS: streams, and messages that are valid.

use serde_json::Value;

use super::answer::Answer;
use super::drift::named;
use crate::counted::counted;
use crate::e2e::text::data::Data;
use crate::e2e::text::matcher::{canonical, compare};
use crate::e2e::text::schema::Schema;

/// What a stream holds.
pub(in crate::e2e) struct Held {
    pub(in crate::e2e) messages: u64,
    pub(in crate::e2e) subjects: u64,
    /// The bodies, oldest first, where they are asked for.
    pub(in crate::e2e) bodies: Vec<(String, Data)>,
}

pub(in crate::e2e) fn valid(subject: &str, messages: &[Schema], replies: &[Schema]) -> Vec<String> {
    let mut lines = vec![format!("each message on {subject} is {}", named(messages))];
    if !replies.is_empty() {
        lines.push(format!("each reply is {}", named(replies)));
    }
    lines
}

pub(in crate::e2e) fn stream(
    name: &str,
    held: &Held,
    messages: Option<u64>,
    subjects: Option<u64>,
    each: Option<&Value>,
) -> Answer {
    for (wanted, seen, what) in
        [(messages, held.messages, "message"), (subjects, held.subjects, "subject")]
    {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != seen) {
            return Err(format!("{name} holds {}, not {wanted}", counted(seen, what)));
        }
    }
    if let Some(pattern) = each {
        for (subject, body) in &held.bodies {
            compare(pattern, body, false, "each")
                .map_err(|difference| format!("{name}, on {subject}: {difference}"))?;
        }
    }
    let mut lines = Vec::new();
    lines.extend(messages.map(|messages| format!("{name}: {}", counted(messages, "message"))));
    lines.extend(subjects.map(|subjects| format!("{name}: {}", counted(subjects, "subject"))));
    lines.extend(each.map(|pattern| format!("{name}: each is {}", canonical(pattern))));
    if lines.is_empty() {
        lines.push(format!("{name} is there"));
    }
    Ok(lines)
}
