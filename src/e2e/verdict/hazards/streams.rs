//! What streams keep, and how it came there.

use std::collections::HashMap;

use super::circumstances::Circumstances;
use crate::broker::subject_matches;
use crate::counted::counted;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::observed::{Observed, StoredSeen, StreamSeen};
use crate::e2e::record::traffic::Traffic;
use crate::e2e::scenario::ast::hazard::HazardKind;

pub(super) fn judge(
    observed: &Observed,
    traffic: &Traffic,
    run: &Circumstances<'_>,
) -> Vec<Hazard> {
    let mut all = Vec::new();
    for stream in &observed.streams {
        let of = |kind, seen: String| Hazard::new(kind, format!("stream {} {seen}", stream.name));
        all.extend(twice(stream, run).map(|told| of(HazardKind::NoMessageId, told)));
        let told = untold(stream, traffic, run);
        all.extend(told.map(|told| of(HazardKind::PublishWithoutAck, told)));
        if !stream.is_bounded {
            let told = "keeps everything for ever: it has no `max_age`, `max_bytes` or `max_msgs`";
            all.push(of(HazardKind::StreamWithoutLimits, told.to_owned()));
        }
        if stream.is_in_memory {
            let told = "is kept in the memory of one server".to_owned();
            all.push(of(HazardKind::StreamInMemory, told));
        }
    }
    all
}

/// What others than the scenario's own steps published.
fn by_others<'a>(
    stream: &'a StreamSeen,
    run: &'a Circumstances<'_>,
) -> impl Iterator<Item = &'a StoredSeen> {
    stream
        .stored
        .iter()
        .filter(|stored| stream.is_published_to && !(run.publishes)(&stored.subject))
}

/// The same content, soon after.
fn twice(stream: &StreamSeen, run: &Circumstances<'_>) -> Option<String> {
    let mut first: HashMap<(&str, &[u8]), &StoredSeen> = HashMap::new();
    let mut again = Vec::new();
    for stored in by_others(stream, run).filter(|stored| !stored.has_id && !stored.body.is_empty())
    {
        match first.insert((&stored.subject, &stored.body), stored) {
            Some(before) if stored.at.saturating_sub(before.at) <= stream.duplicate_window => {
                again.push((before, stored));
            }
            _ => {}
        }
    }
    let (one, other) = again.first()?;
    Some(format!(
        "has {} stored again without a `Nats-Msg-Id`: sequences {} and {} on `{}` have one content",
        counted(again.len(), "message"),
        one.sequence,
        other.sequence,
        one.subject
    ))
}

/// What was sent to it without asking whether it is stored.
fn untold(stream: &StreamSeen, traffic: &Traffic, run: &Circumstances<'_>) -> Option<String> {
    let into = |subject: &str| stream.subjects.iter().any(|of| subject_matches(of, subject));
    let sent = traffic.unanswered.iter();
    let mut untold =
        sent.filter(|(subject, _)| into(subject) && !(run.publishes)(subject)).peekable();
    let (first, _) = *untold.peek()?;
    let many: u64 = untold.map(|(_, many)| many).sum();
    Some(format!(
        "was sent {} without asking for an acknowledgement, as on `{first}`",
        counted(many, "message")
    ))
}
