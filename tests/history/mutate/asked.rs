//! Broken by what nobody asked for.

use mono_demo::e2e::record::history::{Event, History, What};
use mono_demo::proof::facts::{Email, Known, Outcome, Payment, Reading, Status};
use mono_demo::wire::journal::ChargeOutcome;

use super::doctor::{
    Mutant, TWO_SECONDS, change, changed, failed_submit, insert_after, message_of, naming, op_of,
    pick, renumbered, what,
};
use crate::history::model::{Dice, EMAIL, fact, known};

fn is_outcome(what: &What) -> bool {
    matches!(known(what), Some(Known::Outcome(_)))
}

pub(super) fn outcome_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, is_outcome)?;
    Some(naming(insert_after(history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                "pay-nobody".clone_into(&mut outcome.payment_id);
                outcome.sequence = None;
            }
        })
    })))
}

pub(super) fn outcome_of_other_content(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, is_outcome)?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.reading.content = Some("nobody submitted this".to_owned());
            }
        })
    })))
}

pub(super) fn outcome_of_failed_submit(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let (at, Payment { id, content, amount, currency }) = failed_submit(history, dice)?;
    let reading = Reading { status: Status::Failed, content, amount, currency };
    let outcome = fact(&Known::Outcome(Outcome { payment_id: id, sequence: None, reading }));
    Some(naming(insert_after(history, at, |what| what.clone_from(&outcome))))
}

/// A publish becomes one that failed, and its email stays.
pub(super) fn email_of_failed_publish(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Email(_))))?;
    let Some(Known::Email(email)) = known(what(history, at)) else { return None };
    let begun = |event: &&Event| message_of(&event.what) == Some(&email.message);
    let op = op_of(&history.events.iter().find(begun)?.what)?;
    let mut events = history.events.clone();
    let ok = events.iter_mut().find(|event| matches!(&event.what, What::Ok(r) if r.op == op))?;
    let What::Ok(reply) = &ok.what else { return None };
    let refusal = mono_demo::e2e::record::history::Refusal {
        process: reply.process.clone(),
        op,
        reason: "it was not sent".to_owned(),
    };
    ok.what = What::Fail(refusal);
    let sent = what(history, at).clone();
    Some(naming((renumbered(events), sent)))
}

pub(super) fn email_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Email(_))))?;
    let email = Email { message: "nobody | nothing".into(), worker: "mailer-0".into(), sent: true };
    let email = fact(&Known::Email(email));
    Some(naming(insert_after(history, at, |what| what.clone_from(&email))))
}

pub(super) fn delivery_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let core = |what: &What| matches!(what, What::Delivery(delivery) if delivery.subject == EMAIL);
    let at = pick(history, dice, core)?;
    Some(naming(insert_after(history, at, |what| {
        if let What::Delivery(delivery) = what {
            "nobody | nothing".clone_into(&mut delivery.message);
        }
    })))
}

pub(super) fn letter_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::DeadLetter(_))))?;
    Some(naming(insert_after(history, at, |what| {
        change(what, |fact| {
            if let Known::DeadLetter(letter) = fact {
                letter.sequence = Some(1_000_000);
                letter.payment_id = None;
                letter.content = None;
            }
        })
    })))
}

/// All but one charge happen two seconds later.
pub(super) fn charged_early(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Charge(c)) if c.outcome == ChargeOutcome::Approved),
    )?;
    let charge = what(history, at).clone();
    let mut events = history.events.clone();
    events.iter_mut().filter(|event| event.what != charge).for_each(|e| e.at_ns += TWO_SECONDS);
    Some(naming((renumbered(events), charge)))
}
