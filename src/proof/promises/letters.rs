//! A dead letter for what was given up, with its reason, and for nothing else: none of what is
//! completed, none for the same content again, and nothing failed that neither the gateway refused
//! nor a letter explains.

use std::collections::HashSet;

use crate::counted::counted;
use crate::e2e::record::history::{Event, OPERATIONS, Text};
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::facts::{CHARGES, CONFLICT, DEAD_LETTERS, Status};
use crate::proof::lives::{DeadLetter, Lives, Outcome, PaymentLife, Submit};
use crate::proof::promises::acknowledged::same_content;
use crate::wire::journal::ChargeOutcome;

/// The promise.
pub const LETTERS: Property =
    Property { word: "letters", says: "a dead letter for what was given up, and for that alone" };

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    let stored = lives.stored();
    let (mut explained, mut unexplained) = (Explained::default(), 0);
    for (event, letter) in &lives.dead_letters {
        findings.looked_at += 1;
        explained.by(letter);
        if letter.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
            let message = format!("a dead letter of kind {} has no reason", letter.kind);
            findings.broken(breach::LETTER_WITHOUT_REASON, message, copies([*event]), []);
        }
        let by_sequence = || letter.sequence.and_then(|sequence| stored.get(&sequence));
        let life = match &letter.payment_id {
            Some(id) => lives.of_payment(id),
            None => by_sequence().map(|(life, _)| *life),
        };
        if let Some(life) = life {
            let submit = by_sequence().map(|(_, submit)| *submit);
            needless(life, event, letter, submit, &mut findings);
            unnumbered(lives, life, event, letter, &mut findings);
            after(lives, life, event, letter, &mut findings);
        }
    }
    for life in &lives.payments {
        if let Some((event, outcome)) = life.outcomes.first() {
            failed(lives, life, event, outcome, &explained, &mut findings, &mut unexplained);
        }
    }
    if unexplained > 0 {
        findings.unknown(format!(
            "failed, and nothing on record says why: {}; not all of the charges, the dead letters and \
             the operations are here",
            counted(unexplained, "payment")
        ));
    }
    findings.finish(LETTERS)
}

/// A letter of the message, or of the content, that the outcome is of.
fn needless(
    life: &PaymentLife<'_, '_>,
    event: &Event,
    letter: &DeadLetter<'_>,
    submit: Option<&Submit<'_, '_>>,
    findings: &mut Findings,
) {
    let Some((entry, outcome)) = life.outcomes.first() else { return };
    let same_message = letter.sequence.is_some() && letter.sequence == outcome.sequence;
    let is_outcomes =
        |content: &Option<_>| content.is_some() && *content == outcome.reading.content;
    let by_submit = submit.filter(|submit| is_outcomes(&submit.payment.content));
    let submit_shows = match () {
        () if same_message || is_outcomes(&letter.content) => None,
        () if by_submit.is_some() => by_submit,
        () => return,
    };
    let (breach, what) = match outcome.reading.status {
        _ if *letter.kind == *CONFLICT => {
            (breach::FALSE_CONFLICT, "has a dead letter as a conflict for the content that stands")
        }
        Status::Completed => (breach::COMPLETED_DEAD, "is completed, and a dead letter too"),
        _ => return,
    };
    let submit = submit_shows.map(|submit| submit.operation.events());
    let evidence = copies([*entry, event].into_iter().chain(submit.into_iter().flatten()));
    findings.broken(breach, format!("{} {what}", life.id), evidence, []);
}

/// A letter that says neither of which message nor of which content it is, of a payment of which every
/// submit has the content that was completed.
fn unnumbered(
    lives: &Lives<'_, '_>,
    life: &PaymentLife<'_, '_>,
    event: &Event,
    letter: &DeadLetter<'_>,
    findings: &mut Findings,
) {
    let Some((entry, outcome)) = life.outcomes.first() else { return };
    let Some(end) = lives.index.end_with_whole(OPERATIONS) else { return };
    let completed = outcome.reading.status == Status::Completed;
    let says = letter.sequence.is_some() || letter.content.is_some();
    let is_its = |submit: &Submit<'_, '_>| same_content(&submit.payment, &outcome.reading);
    if completed
        && !says
        && *letter.kind != *CONFLICT
        && !lives.unnamed.is_any()
        && life.submits.iter().all(|submit| is_its(submit) == Some(true))
    {
        let message = format!("{} is completed, and a dead letter too", life.id);
        findings.broken(breach::COMPLETED_DEAD, message, copies([*entry, event, end]), []);
    }
}

/// A letter is filed before the outcome that it explains, whoever is killed in between.
fn after(
    lives: &Lives<'_, '_>,
    life: &PaymentLife<'_, '_>,
    event: &Event,
    letter: &DeadLetter<'_>,
    findings: &mut Findings,
) {
    let Some((entry, outcome)) = life.outcomes.first() else { return };
    let explains = outcome.reading.status == Status::Failed
        && letter.sequence.is_some()
        && letter.sequence == outcome.sequence;
    if let Some(clocks) = lives.index.clocks().of_one_machine(entry, event).filter(|_| explains) {
        let message =
            format!("{} is failed, and its dead letter was filed only after that", life.id);
        let evidence = copies([*entry, event].into_iter().chain(clocks));
        findings.broken(breach::LETTER_AFTER, message, evidence, []);
    }
}

/// What dead letters explain; a conflict explains no outcome.
#[derive(Default)]
struct Explained<'a> {
    messages: HashSet<u64>,
    payments: HashSet<Text<'a>>,
    /// A letter that names neither: it may be of any.
    anything: bool,
}

impl<'a> Explained<'a> {
    fn by(&mut self, letter: &DeadLetter<'a>) {
        if *letter.kind == *CONFLICT {
            return;
        }
        match (letter.sequence, &letter.payment_id) {
            (Some(sequence), _) => drop(self.messages.insert(sequence)),
            (None, Some(id)) => drop(self.payments.insert(id.clone())),
            (None, None) => self.anything = true,
        }
    }

    fn has(&self, outcome: &Outcome<'_>) -> bool {
        let by_message = match outcome.sequence {
            Some(sequence) => self.messages.contains(&sequence),
            None => !self.messages.is_empty(),
        };
        by_message || self.anything || self.payments.contains(&*outcome.payment_id)
    }
}

/// Failed: the gateway said so, or a dead letter does; and a letter where it was given up.
///
/// A letter that is not there was removed, where somebody acted unseen: `dlq` does that.
fn failed(
    lives: &Lives<'_, '_>,
    life: &PaymentLife<'_, '_>,
    entry: &Event,
    outcome: &Outcome<'_>,
    explained: &Explained<'_>,
    findings: &mut Findings,
    unexplained: &mut usize,
) {
    let whole = |records: &[&str]| {
        let whole = records.iter().all(|name| lives.index.end_with_whole(name).is_some());
        lives.index.end.filter(|_| whole)
    };
    if outcome.reading.status != Status::Failed || explained.has(outcome) {
        return;
    }
    let said = |what| life.charges.iter().find(|(_, charge)| charge.outcome == what);
    let cancelled = said(ChargeOutcome::Cancelled);
    if said(ChargeOutcome::Declined).is_some() {
        return;
    }
    match (
        cancelled,
        whole(&[DEAD_LETTERS, OPERATIONS]),
        whole(&[DEAD_LETTERS, OPERATIONS, CHARGES]),
    ) {
        (Some((cancel, _)), Some(end), _) => {
            let message = format!("{} was given up, and there is no dead letter of it", life.id);
            let evidence = copies([entry, *cancel, end]);
            findings.broken(breach::GIVEN_UP_WITHOUT_LETTER, message, evidence, []);
        }
        (None, _, Some(end)) => {
            let message = format!(
                "{} is failed, and was neither declined nor cancelled, and there is no dead letter of it",
                life.id
            );
            let evidence = copies([entry, end]);
            findings.broken(breach::FAILED_WITHOUT_REASON, message, evidence, []);
        }
        _ => *unexplained += 1,
    }
}
