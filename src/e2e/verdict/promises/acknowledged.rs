//! Nothing acknowledged is lost: each accepted submit ends with one final outcome, or with the
//! dead letter that says why not; none with two.

use std::collections::HashMap;

use crate::counted::counted;
use crate::e2e::record::history::event::{DeadLetter, Event, Kind, Payment, Reading, Records};
use crate::e2e::verdict::finding::{Breach, Finding, Findings, Property, copies};
use crate::e2e::verdict::index::{Ended, Index, Operation, PaymentLife};
use crate::wire::subjects::PAYMENT_PROCESS;

/// What several payments have in common, told once.
#[derive(Default)]
struct Unsure {
    without_outcome: usize,
    without_letter: usize,
}

pub(in crate::e2e) fn check(index: &Index<'_>) -> Finding {
    let mut findings = Findings::default();
    let mut unsure = Unsure::default();
    let letters = Letters::new(index);
    for life in &index.payments {
        second_outcome(life, &mut findings);
        payment(index, life, &letters, &mut findings, &mut unsure);
    }
    for operation in &index.operations {
        if operation.invoke.kind == Kind::Submit
            && operation.invoke.subject == PAYMENT_PROCESS
            && operation.invoke.payment.is_none()
            && operation.ended() == Ended::Ok
        {
            findings.looked_at += 1;
            unacceptable(index, operation, &letters, &mut findings, &mut unsure);
        }
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
    findings.finish(Property::Acknowledged)
}

fn second_outcome(life: &PaymentLife<'_>, findings: &mut Findings) {
    if let [(first, _), (second, _), ..] = life.outcomes.as_slice() {
        let message = format!("{} has {} final outcomes, not one", life.id, life.outcomes.len());
        findings.broken(Breach::SecondOutcome, message, copies([*first, *second]), []);
    }
}

fn payment(
    index: &Index<'_>,
    life: &PaymentLife<'_>,
    letters: &Letters<'_>,
    findings: &mut Findings,
    unsure: &mut Unsure,
) {
    let accepted: Vec<&Operation<'_>> = life
        .submits
        .iter()
        .map(|at| &index.operations[*at])
        .filter(|operation| operation.ended() == Ended::Ok)
        .collect();
    findings.looked_at += accepted.len();
    let Some(first) = accepted.first() else { return };
    let finals = index.finals(life);
    let Some(outcome) = finals.first() else {
        match index.end.filter(|_| index.is_whole(Records::Outcomes)) {
            Some(end) => {
                let message = format!("{} was acknowledged, and has no final outcome", life.id);
                let evidence = copies(first.events().into_iter().chain([end]));
                let others = accepted[1..].iter().flat_map(|operation| operation.events());
                findings.broken(Breach::Lost, message, evidence, copies(others));
            }
            None => unsure.without_outcome += 1,
        }
        return;
    };
    // A submit with other content than the outcome's is a conflict, and on record as one. One that
    // was answered as a duplicate never reached the stream: its submitter was told.
    for operation in accepted {
        let (Some(payment), Some(reply)) = (operation.payment(), operation.reply()) else {
            continue;
        };
        if reply.duplicate || same_content(payment, outcome.reading) != Some(false) {
            continue;
        }
        if letters.of(operation, life) {
            continue;
        }
        match index.end.filter(|_| index.is_whole(Records::DeadLetters)) {
            Some(end) => {
                let message = format!(
                    "{} was acknowledged with other content than its outcome's, and no conflict is on record",
                    life.id
                );
                let shown = outcome.shown_by.iter().copied();
                let evidence = copies(operation.events().into_iter().chain(shown).chain([end]));
                findings.broken(Breach::ConflictLost, message, evidence, []);
            }
            None => unsure.without_letter += 1,
        }
    }
}

/// A message of the payments' stream with no payment in it can only end as a dead letter. Other
/// streams have no workers here, and nothing to lose.
fn unacceptable(
    index: &Index<'_>,
    operation: &Operation<'_>,
    letters: &Letters<'_>,
    findings: &mut Findings,
    unsure: &mut Unsure,
) {
    if letters.of(operation, &PaymentLife::default()) {
        return;
    }
    match index.end.filter(|_| index.is_whole(Records::DeadLetters)) {
        Some(end) => {
            let name = operation.invoke.message.as_deref().unwrap_or("a message");
            let message = format!("{name} was acknowledged, and there is no dead letter of it");
            let evidence = copies(operation.events().into_iter().chain([end]));
            findings.broken(Breach::Lost, message, evidence, []);
        }
        None => unsure.without_letter += 1,
    }
}

/// Whether a submit is the one that an outcome is about; `None` where nothing tells.
pub(in crate::e2e) fn same_content(payment: &Payment, reading: &Reading) -> Option<bool> {
    if let (Some(a), Some(b)) = (&payment.content, &reading.content) {
        return Some(a == b);
    }
    let (submitted, read) = (payment.amount?, reading.amount?);
    let currencies = payment.currency.as_ref().zip(reading.currency.as_ref());
    Some(submitted == read && currencies.is_none_or(|(a, b)| a == b))
}

/// Dead letters by their message's sequence, or by its id.
#[derive(Default)]
struct Letters<'a> {
    by_sequence: HashMap<u64, Vec<&'a Event>>,
    by_message: HashMap<&'a str, Vec<&'a Event>>,
}

impl<'a> Letters<'a> {
    fn new(index: &Index<'a>) -> Self {
        let mut letters = Self::default();
        for (event, letter) in &index.dead_letters {
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

    /// Whether a submit ended as a dead letter.
    fn of(&self, operation: &Operation<'_>, life: &PaymentLife<'_>) -> bool {
        let reply = operation.reply();
        if let Some(sequence) = reply.and_then(|reply| reply.sequence)
            && (self.by_sequence.contains_key(&sequence)
                // A duplicate is told the first one's sequence.
                || reply.is_some_and(|reply| reply.duplicate))
        {
            return true;
        }
        let message = operation.invoke.message.as_deref();
        message.is_some_and(|id| self.by_message.contains_key(id))
            || life.dead_letters.iter().any(|(_, letter)| letter.sequence.is_none())
    }

    fn twice(&self, findings: &mut Findings) {
        let mut all: Vec<_> = self.by_sequence.values().chain(self.by_message.values()).collect();
        all.sort_by_key(|events| events[0].seq);
        for events in all {
            if let [first, second, ..] = events.as_slice() {
                let message = format!("one message has {} dead letters, not one", events.len());
                findings.broken(Breach::SecondDeadLetter, message, copies([*first, *second]), []);
            }
        }
    }
}
