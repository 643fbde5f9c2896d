//! Nothing acknowledged is lost: each accepted submit ends with one final outcome, or with the
//! dead letter that says why not; none with two.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::counted::counted;
use crate::e2e::record::history::Event;
use crate::e2e::verdict::index::{Ended, Operation};
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::facts::{DEAD_LETTERS, OUTCOMES, message_id};
use crate::proof::lives::{DeadLetter, Lives, Payment, PaymentLife, Reading, Submit};

/// The promise.
pub const ACKNOWLEDGED: Property =
    Property { word: "acknowledged", says: "nothing acknowledged is lost" };

/// What several payments have in common, told once.
#[derive(Default)]
struct Unsure {
    without_outcome: usize,
    without_letter: usize,
}

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    let mut unsure = Unsure::default();
    let letters = Letters::new(lives);
    for life in &lives.payments {
        second_outcome(life, &mut findings);
        payment(lives, life, &letters, &mut findings, &mut unsure);
    }
    for operation in lives.unacceptable.iter().filter(|one| one.ended() == Ended::Ok) {
        findings.looked_at += 1;
        unacceptable(lives, operation, &letters, &mut findings, &mut unsure);
    }
    letters.twice(&mut findings);
    if unsure.without_outcome > 0 {
        findings.unknown(format!(
            "with no final outcome here: {}; the outcomes were not all read",
            counted(unsure.without_outcome, "acknowledged payment")
        ));
    }
    if unsure.without_letter > 0 {
        findings.unknown(format!(
            "with neither outcome nor dead letter here: {}; the dead letters were not all read",
            counted(unsure.without_letter, "acknowledged message")
        ));
    }
    findings.finish(ACKNOWLEDGED)
}

fn second_outcome(life: &PaymentLife<'_, '_>, findings: &mut Findings) {
    if let [(first, _), (second, _), ..] = life.outcomes.as_slice() {
        let message = format!("{} has {} final outcomes, not one", life.id, life.outcomes.len());
        findings.broken(breach::SECOND_OUTCOME, message, copies([*first, *second]), []);
    }
}

fn payment(
    lives: &Lives<'_, '_>,
    life: &PaymentLife<'_, '_>,
    letters: &Letters<'_, '_>,
    findings: &mut Findings,
    unsure: &mut Unsure,
) {
    findings.looked_at += life.acknowledged().count();
    let Some(first) = life.acknowledged().next() else { return };
    let Some(outcome) = life.finals().next() else {
        match lives.index.end_with_whole(OUTCOMES) {
            Some(end) => {
                let message = format!("{} was acknowledged, and has no final outcome", life.id);
                let evidence = copies(first.operation.events().into_iter().chain([end]));
                let others = life.acknowledged().skip(1);
                let others = others.flat_map(|submit| submit.operation.events());
                findings.broken(breach::LOST, message, evidence, copies(others));
            }
            None => unsure.without_outcome += 1,
        }
        return;
    };
    // A submit with other content than the outcome's is a conflict, and on record as one. One that
    // was answered as a duplicate never reached the stream: its submitter was told.
    for Submit { operation, payment } in life.acknowledged() {
        let Some(reply) = operation.reply() else { continue };
        if reply.duplicate || same_content(payment, outcome.reading) != Some(false) {
            continue;
        }
        if letters.of(operation, life.unnumbered_letter) {
            continue;
        }
        match lives.index.end_with_whole(DEAD_LETTERS) {
            Some(end) => {
                let message = format!(
                    "{} was acknowledged with other content than its outcome's, and no conflict is on record",
                    life.id
                );
                let events = operation.events().into_iter().chain(outcome.shown_by());
                let evidence = copies(events.chain([end]));
                findings.broken(breach::CONFLICT_LOST, message, evidence, []);
            }
            None => unsure.without_letter += 1,
        }
    }
}

/// A message of the payments' stream with no payment in it can only end as a dead letter. Other
/// streams have no workers here, and nothing to lose.
fn unacceptable(
    lives: &Lives<'_, '_>,
    operation: &Operation<'_>,
    letters: &Letters<'_, '_>,
    findings: &mut Findings,
    unsure: &mut Unsure,
) {
    if letters.of(operation, false) {
        return;
    }
    match lives.index.end_with_whole(DEAD_LETTERS) {
        Some(end) => {
            let name = operation.about().and_then(message_id).unwrap_or("a message");
            let message = format!("{name} was acknowledged, and there is no dead letter of it");
            let evidence = copies(operation.events().into_iter().chain([end]));
            findings.broken(breach::LOST, message, evidence, []);
        }
        None => unsure.without_letter += 1,
    }
}

/// Whether a submit is the one that an outcome is about; `None` where nothing tells.
pub(crate) fn same_content(payment: &Payment<'_>, reading: &Reading<'_>) -> Option<bool> {
    if let (Some(a), Some(b)) = (&payment.content, &reading.content) {
        return Some(a == b);
    }
    let (submitted, read) = (payment.amount?, reading.amount?);
    let currencies = payment.currency.as_ref().zip(reading.currency.as_ref());
    Some(submitted == read && currencies.is_none_or(|(a, b)| a == b))
}

/// Dead letters by their message's sequence, or by its id.
#[derive(Default)]
struct Letters<'l, 'a> {
    by_sequence: HashMap<u64, Vec<&'a Event>, RandomState>,
    by_message: HashMap<&'l str, Vec<&'a Event>, RandomState>,
}

impl<'l, 'a> Letters<'l, 'a> {
    fn new(lives: &'l Lives<'_, 'a>) -> Self {
        let mut letters = Self::default();
        for (event, letter) in &lives.dead_letters {
            match letter {
                DeadLetter { sequence: Some(sequence), .. } => {
                    letters.by_sequence.entry(*sequence).or_default().push(event);
                }
                DeadLetter { message: Some(message), .. } => {
                    letters.by_message.entry(message).or_default().push(event);
                }
                _ => {}
            }
        }
        letters
    }

    /// Whether a submit ended as a dead letter; one of its payment may not say of which message it is.
    fn of(&self, operation: &Operation<'_>, unnumbered: bool) -> bool {
        let reply = operation.reply();
        if let Some(sequence) = reply.and_then(|reply| reply.sequence)
            && (self.by_sequence.contains_key(&sequence)
                // A duplicate is told the first one's sequence.
                || reply.is_some_and(|reply| reply.duplicate))
        {
            return true;
        }
        let message = operation.about().and_then(message_id);
        message.is_some_and(|id| self.by_message.contains_key(id)) || unnumbered
    }

    fn twice(&self, findings: &mut Findings) {
        let mut all: Vec<_> = self.by_sequence.values().chain(self.by_message.values()).collect();
        all.sort_by_key(|events| events[0].seq);
        for events in all {
            if let [first, second, ..] = events.as_slice() {
                let message = format!("one message has {} dead letters, not one", events.len());
                findings.broken(breach::SECOND_DEAD_LETTER, message, copies([*first, *second]), []);
            }
        }
    }
}
