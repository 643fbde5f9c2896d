//! Each acknowledgement has its own sequence: no two messages of one subject have the same, and a
//! message that is stored later has a higher one. This detects a stream that forgot acknowledged
//! messages.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::finding::{Findings, copies};
use super::index::{Index, Operation};
use crate::e2e::record::history::event::{Event, OPERATIONS};

/// Two messages were acknowledged as one.
pub const ONE_PLACE: &str = "one_place";
/// What was stored later has the lower sequence.
pub const PLACE_WENT_BACK: &str = "place_went_back";

/// What was acknowledged as stored anew, and under which sequence.
#[derive(Clone, Copy)]
struct Stored<'i, 'a> {
    operation: &'i Operation<'a>,
    returned: &'a Event,
    sequence: u64,
}

/// A program that is not recorded may recreate a stream, and so may a request to JetStream: then
/// there is no verdict.
pub(in crate::e2e) fn check(index: &Index<'_>, findings: &mut Findings) {
    let Some(end) = index.end_with_whole(OPERATIONS) else { return };
    let remade =
        |operation: &Operation<'_>| operation.invoke.subject.starts_with("$JS.API.STREAM.DELETE.");
    if index.operations.iter().any(remade) {
        return;
    }
    let mut by_subject: HashMap<&str, Vec<Stored<'_, '_>>, RandomState> = HashMap::default();
    for operation in &index.operations {
        let (Some(returned), Some(reply)) = (operation.returned, operation.reply()) else {
            continue;
        };
        if let Some(sequence) = reply.sequence.filter(|_| !reply.duplicate) {
            let stored = Stored { operation, returned, sequence };
            by_subject.entry(&operation.invoke.subject).or_default().push(stored);
        }
    }
    for (subject, mut stored) in by_subject {
        one_place(subject, &stored, end, findings);
        went_back(subject, &mut stored, end, findings);
    }
}

fn one_place(subject: &str, stored: &[Stored<'_, '_>], end: &Event, findings: &mut Findings) {
    let mut first: HashMap<u64, Stored<'_, '_>, RandomState> = HashMap::default();
    for one in stored {
        let Some(other) = first.insert(one.sequence, *one) else { continue };
        let message = format!(
            "two messages on {subject} were acknowledged as the one with sequence {}",
            one.sequence
        );
        let events = other.operation.events().into_iter().chain(one.operation.events());
        findings.broken(ONE_PLACE, message, copies(events.chain([end])), []);
    }
}

/// By what had returned before the other began, of all subjects' order of beginning.
fn went_back(subject: &str, stored: &mut [Stored<'_, '_>], end: &Event, findings: &mut Findings) {
    let by_begun = stored.to_vec();
    stored.sort_by_key(|one| one.returned.seq);
    let mut returned = stored.iter();
    let mut next = returned.next();
    let mut highest: Option<Stored<'_, '_>> = None;
    for later in by_begun {
        while let Some(one) = next.filter(|one| one.returned.seq < later.operation.begun.seq) {
            highest = highest.filter(|high| high.sequence > one.sequence).or(Some(*one));
            next = returned.next();
        }
        if let Some(earlier) = highest.filter(|earlier| earlier.sequence > later.sequence) {
            let message = format!(
                "a message on {subject} was acknowledged with sequence {}, and one before it with {}",
                later.sequence, earlier.sequence
            );
            let events = earlier.operation.events().into_iter().chain(later.operation.events());
            findings.broken(PLACE_WENT_BACK, message, copies(events.chain([end])), []);
        }
    }
}
