//! Broken in dead letters, and in what the gateway had settled.

use mono_demo::e2e::record::history::{History, What};
use mono_demo::proof::facts::{CONFLICT, DeadLetter, Known, Status};
use mono_demo::wire::journal::ChargeOutcome;

use super::doctor::{
    Mutant, accepted, change, changed, insert_after, naming, one_of, outcome_of, payment_of, pick,
    renumbered, what,
};
use crate::history::model::{Dice, fact, known};

fn is_letter(what: &What) -> bool {
    matches!(known(what), Some(Known::DeadLetter(_)))
}

fn is_charge(what: &What, outcome: ChargeOutcome) -> bool {
    matches!(known(what), Some(Known::Charge(charge)) if charge.outcome == outcome)
}

/// A letter of the message that was completed.
pub(super) fn completed_and_dead(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let completed = |what: &What| matches!(known(what), Some(Known::Outcome(o)) if o.reading.status == Status::Completed);
    let at = pick(history, dice, completed)?;
    let Some(Known::Outcome(outcome)) = known(what(history, at)) else { return None };
    let letter = fact(&Known::DeadLetter(DeadLetter {
        kind: "exhausted".to_owned(),
        sequence: outcome.sequence,
        payment_id: Some(outcome.payment_id),
        reason: Some("the gateway did not answer".to_owned()),
        ..DeadLetter::default()
    }));
    Some(naming(insert_after(history, at, |what| what.clone_from(&letter))))
}

/// Of a submission with the content that stands; its letter does not say the content.
pub(super) fn repetition_as_conflict(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let mut same = accepted(history);
    same.retain(|submit| {
        outcome_of(history, &submit.payment.id)
            .is_some_and(|(_, outcome)| outcome.reading.content == submit.payment.content)
    });
    let submit = one_of(same, dice)?;
    let letter = fact(&Known::DeadLetter(DeadLetter {
        kind: CONFLICT.to_owned(),
        sequence: Some(submit.sequence),
        payment_id: Some(submit.payment.id),
        reason: Some("submitted before with other content".to_owned()),
        ..DeadLetter::default()
    }));
    Some(naming(insert_after(history, submit.returned, |what| what.clone_from(&letter))))
}

pub(super) fn no_reason(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, is_letter)?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::DeadLetter(letter) = fact {
                letter.reason = Some(" ".to_owned());
            }
        })
    })))
}

/// The gateway never declined it.
pub(super) fn failed_without_reason(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| is_charge(what, ChargeOutcome::Declined))?;
    let (_, outcome) = outcome_of(history, &payment_of(what(history, at))?)?;
    let entry = fact(&Known::Outcome(outcome));
    let mut events = history.events.clone();
    events.remove(at);
    Some(naming((renumbered(events), entry)))
}

pub(super) fn given_up_without_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| is_charge(what, ChargeOutcome::Cancelled))?;
    let id = payment_of(what(history, at))?;
    outcome_of(history, &id)?;
    let cancelled = what(history, at).clone();
    let mut events = history.events.clone();
    events.retain(|event| match known(&event.what) {
        Some(Known::DeadLetter(letter)) => {
            letter.kind == CONFLICT || letter.payment_id.as_ref() != Some(&id)
        }
        _ => true,
    });
    Some(naming((renumbered(events), cancelled)))
}

fn charged_again(
    history: &History,
    dice: &mut Dice,
    first: ChargeOutcome,
    second: ChargeOutcome,
) -> Option<Mutant> {
    let at = pick(history, dice, |what| is_charge(what, first))?;
    Some(naming(insert_after(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                charge.outcome = second;
            }
        })
    })))
}

pub(super) fn approved_after_declined(history: &History, dice: &mut Dice) -> Option<Mutant> {
    charged_again(history, dice, ChargeOutcome::Declined, ChargeOutcome::Approved)
}

pub(super) fn approved_after_cancelled(history: &History, dice: &mut Dice) -> Option<Mutant> {
    charged_again(history, dice, ChargeOutcome::Cancelled, ChargeOutcome::Approved)
}

pub(super) fn declined_and_tried_again(history: &History, dice: &mut Dice) -> Option<Mutant> {
    charged_again(history, dice, ChargeOutcome::Declined, ChargeOutcome::Unavailable)
}

/// The charge is the same, and a nanosecond after the outcome.
pub(super) fn charged_after_completed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| is_charge(what, ChargeOutcome::Approved))?;
    let (entry, _) = outcome_of(history, &payment_of(what(history, at))?)?;
    let mut events = history.events.clone();
    events[at].at_ns = events[entry].at_ns + 1;
    let charge = what(history, at).clone();
    Some(naming((renumbered(events), charge)))
}

/// A content that was submitted after another one was acknowledged is the one that stands.
pub(super) fn second_content(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let all = accepted(history);
    let pairs = all.iter().flat_map(|first| all.iter().map(move |second| (first, second)));
    let pairs = pairs.filter(|(first, second)| {
        let (a, b) = (&first.payment, &second.payment);
        a.id == b.id
            && a.content != b.content
            && first.returned < second.begun
            // Nobody had submitted it before.
            && !history.events[..first.returned].iter().any(|event| {
                matches!(&event.what, What::Invoke(i) if i.about == Some(b.about()))
            })
    });
    let (_, second) = one_of(pairs.collect(), dice)?;
    let (entry, _) = outcome_of(history, &second.payment.id)?;
    Some(naming(changed(history, entry, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.reading.content.clone_from(&second.payment.content);
                outcome.reading.amount = second.payment.amount;
            }
        })
    })))
}
