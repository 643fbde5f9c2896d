//! Broken in charges, outcomes and dead letters.

use mono_demo::e2e::record::history::{Event, History, Kind, What};
use mono_demo::proof::facts::{Charge, Known, Status};
use mono_demo::wire::journal::ChargeOutcome;

use super::doctor::{
    Mutant, a_cent_more, change, changed, failed_submit, insert_after, naming, op_of, payment_of,
    pick, reads_of, renumbered, what,
};
use crate::history::model::{Dice, fact, known};

/// Payments with a submit that was acknowledged.
fn is_acknowledged(history: &History, id: &str) -> bool {
    let submits: Vec<u64> = history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Invoke(i)
                if i.kind == Kind::Submit && payment_of(&event.what).as_deref() == Some(id) =>
            {
                Some(i.op)
            }
            _ => None,
        })
        .collect();
    history
        .events
        .iter()
        .any(|event| matches!(&event.what, What::Ok(reply) if submits.contains(&reply.op)))
}

/// Without the ledger entry and without anybody who has read it.
fn without_outcome(history: &History, id: &str) -> History {
    let reads = reads_of(history, id);
    let events = history.events.iter().filter(|event| {
        let entry =
            matches!(known(&event.what), Some(Known::Outcome(outcome)) if outcome.payment_id == id);
        !entry && op_of(&event.what).is_none_or(|op| !reads.contains(&op))
    });
    renumbered(events.cloned().collect())
}

pub(super) fn drop_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Outcome(outcome)) if is_acknowledged(history, &outcome.payment_id)),
    )?;
    let id = payment_of(what(history, at))?;
    let history = without_outcome(history, &id);
    Some(Mutant { history, touched: Box::new(move |what| payment_of(what).as_ref() == Some(&id)) })
}

pub(super) fn second_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Outcome(_))))?;
    Some(naming(insert_after(history, at, |_| {})))
}

pub(super) fn drop_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    // A conflict whose submit was acknowledged, or a message that is no payment at all.
    let acknowledged = |wanted: u64| {
        history.events.iter().any(|event| {
            matches!(&event.what, What::Ok(reply) if reply.sequence == Some(wanted) && !reply.duplicate)
        })
    };
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::DeadLetter(letter)) if letter.kind != "exhausted" && letter.sequence.is_some_and(acknowledged)),
    )?;
    let Some(Known::DeadLetter(letter)) = known(what(history, at)) else { return None };
    let mut events = history.events.clone();
    events.remove(at);
    let touched =
        move |what: &What| matches!(what, What::Ok(reply) if reply.sequence == letter.sequence);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

pub(super) fn second_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::DeadLetter(_))))?;
    Some(naming(insert_after(history, at, |_| {})))
}

fn approved(what: &What) -> bool {
    matches!(known(what), Some(Known::Charge(charge)) if charge.outcome == ChargeOutcome::Approved)
}

pub(super) fn duplicate_charge(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let another = |what: &mut What| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                "another worker".clone_into(&mut charge.worker);
            }
        });
    };
    Some(naming(insert_after(history, at, another)))
}

pub(super) fn cent_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                charge.amount = a_cent_more(charge.amount);
            }
        })
    })))
}

pub(super) fn cent_completed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Outcome(outcome)) if outcome.reading.status == Status::Completed),
    )?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.reading.amount = outcome.reading.amount.map(a_cent_more);
            }
        })
    })))
}

pub(super) fn drop_charge(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let id = payment_of(what(history, at))?;
    let mut events = history.events.clone();
    events.remove(at);
    let touched = move |what: &What| payment_of(what).as_ref() == Some(&id);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

pub(super) fn charge_what_failed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Charge(charge)) if charge.outcome == ChargeOutcome::Declined),
    )?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                charge.outcome = ChargeOutcome::Approved;
            }
        })
    })))
}

pub(super) fn charge_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(insert_after(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                "pay-nobody".clone_into(&mut charge.payment_id);
            }
        })
    })))
}

pub(super) fn failed_but_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let (at, payment) = failed_submit(history, dice)?;
    let charge = fact(&Known::Charge(Charge {
        payment_id: payment.id.clone(),
        outcome: ChargeOutcome::Approved,
        content: payment.content.clone(),
        amount: payment.amount?,
        currency: payment.currency.clone()?,
        worker: "w".to_owned(),
    }));
    Some(naming(insert_after(history, at, |what| what.clone_from(&charge))))
}

pub(super) fn charged_never_final(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let id = payment_of(what(history, at))?;
    let charge = what(history, at).clone();
    let history = without_outcome(history, &id);
    Some(Mutant { history, touched: Box::new(move |what| *what == charge) })
}

pub(super) fn other_content_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                charge.content = Some("another user pays".to_owned());
            }
        })
    })))
}

pub(super) fn other_content_completed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let is_conflict = |sequence: Option<u64>| {
        history.events.iter().any(
            |event| matches!(known(&event.what), Some(Known::DeadLetter(letter)) if letter.sequence == sequence),
        )
    };
    // Stored under its own sequence, and not as a conflict.
    let accepted = |id: &str| {
        history.events.iter().any(|event| {
            let What::Invoke(invoke) = &event.what else { return false };
            let stored = |event: &Event| {
                matches!(&event.what, What::Ok(reply) if reply.op == invoke.op
                    && !reply.duplicate && !is_conflict(reply.sequence))
            };
            invoke.kind == Kind::Submit
                && payment_of(&event.what).as_deref() == Some(id)
                && history.events.iter().any(stored)
        })
    };
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Outcome(outcome)) if accepted(&outcome.payment_id)),
    )?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.reading.content = Some("another user pays".to_owned());
            }
        })
    })))
}

/// The event is moved to just after the time in which everything must be final, whatever came last.
fn made_late(history: &History, wanted: &What) -> Option<Mutant> {
    let last = history.events.iter().map(|event| event.at_ns).max()?;
    let bound = u64::try_from(crate::history::FINAL_WITHIN.as_nanos()).ok()?;
    let mut events = history.events.clone();
    events.iter_mut().find(|event| event.what == *wanted)?.at_ns = last + bound + 1;
    Some(naming((renumbered(events), wanted.clone())))
}

pub(super) fn late_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Outcome(_))))?;
    let outcome = what(history, at);
    // Nobody has read it before.
    let reads = reads_of(history, &payment_of(outcome)?);
    let unread = history
        .events
        .iter()
        .filter(|event| op_of(&event.what).is_none_or(|op| !reads.contains(&op)));
    made_late(&renumbered(unread.cloned().collect()), outcome)
}

pub(super) fn late_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::DeadLetter(_))))?;
    made_late(history, what(history, at))
}
