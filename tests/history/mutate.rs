//! Doctored histories: each mutation breaks one promise in one place.

use mono_demo::e2e::history::{
    Amount, Charge, Delivery, Event, History, Kind, Property, Status, What,
};
use mono_demo::wire::journal::ChargeOutcome;

use super::model::Dice;

/// A doctored history, and what tells the events that the evidence must name.
pub struct Mutant {
    pub history: History,
    pub touched: Box<dyn Fn(&What) -> bool>,
}

pub struct Mutation {
    pub name: &'static str,
    /// The promise that it breaks.
    pub property: Property,
    pub apply: fn(&History, &mut Dice) -> Option<Mutant>,
}

const fn mutation(
    name: &'static str,
    property: Property,
    apply: fn(&History, &mut Dice) -> Option<Mutant>,
) -> Mutation {
    Mutation { name, property, apply }
}

pub const MUTATIONS: [Mutation; 25] = [
    mutation("drop an outcome", Property::Acknowledged, drop_outcome),
    mutation("a second outcome", Property::Acknowledged, second_outcome),
    mutation("drop a dead letter", Property::Acknowledged, drop_dead_letter),
    mutation("a second dead letter", Property::Acknowledged, second_dead_letter),
    mutation("duplicate a charge", Property::Once, duplicate_charge),
    mutation("a cent more charged", Property::Once, cent_charged),
    mutation("a cent more completed", Property::Once, cent_completed),
    mutation("drop a charge", Property::Once, drop_charge),
    mutation("charge what failed", Property::Once, charge_what_failed),
    mutation("charge what nobody submitted", Property::Once, charge_unasked),
    mutation("a submit that failed was charged", Property::Once, failed_but_charged),
    mutation("charged, and never final", Property::Once, charged_never_final),
    mutation("a second reply", Property::Replies, second_reply),
    mutation("drop a reply", Property::Replies, drop_reply),
    mutation("drop an invoke", Property::Replies, drop_invoke),
    mutation("deliver to two workers", Property::Queue, two_workers),
    mutation("send an email twice", Property::Queue, email_twice),
    mutation("send an email to another worker too", Property::Queue, email_of_two_workers),
    mutation("reorder deliveries", Property::Order, reorder),
    mutation("another content charged", Property::Once, other_content_charged),
    mutation("another content completed", Property::Acknowledged, other_content_completed),
    mutation("an outcome long after the last fault", Property::Final, late_outcome),
    mutation("a dead letter long after the last fault", Property::Final, late_dead_letter),
    mutation("move a status back", Property::Status, status_back),
    mutation("change a final status", Property::Status, final_changed),
];

fn renumbered(events: Vec<Event>) -> History {
    History::from_events(events.into_iter().map(|event| (event.at_ns, event.what)))
}

/// One of the events that `wanted` takes.
fn pick(history: &History, dice: &mut Dice, wanted: impl Fn(&What) -> bool) -> Option<usize> {
    let found: Vec<usize> =
        (0..history.events.len()).filter(|at| wanted(&history.events[*at].what)).collect();
    (!found.is_empty()).then(|| found[dice.below(found.len())])
}

fn what(history: &History, at: usize) -> &What {
    &history.events[at].what
}

/// The event stays, and `change` makes another one of it that is put right behind it.
fn insert_after(history: &History, at: usize, change: impl Fn(&mut What)) -> (History, What) {
    let mut events = history.events.clone();
    let mut copy = events[at].clone();
    change(&mut copy.what);
    let what = copy.what.clone();
    events.insert(at + 1, copy);
    (renumbered(events), what)
}

fn changed(history: &History, at: usize, change: impl Fn(&mut What)) -> (History, What) {
    let mut events = history.events.clone();
    change(&mut events[at].what);
    let what = events[at].what.clone();
    (renumbered(events), what)
}

fn naming((history, what): (History, What)) -> Mutant {
    Mutant { history, touched: Box::new(move |seen| *seen == what) }
}

fn payment_of(what: &What) -> Option<&str> {
    match what {
        What::Invoke(invoke) => invoke.payment.as_ref().map(|payment| payment.id.as_str()),
        What::Charge(charge) => Some(&charge.payment_id),
        What::Outcome(outcome) => Some(&outcome.payment_id),
        _ => None,
    }
}

/// Numbers of the operations that read this payment's status.
fn reads_of(history: &History, id: &str) -> Vec<u64> {
    let reads = history.events.iter().filter_map(|event| match &event.what {
        What::Invoke(invoke) if invoke.kind == Kind::Status => {
            (payment_of(&event.what) == Some(id)).then_some(invoke.op)
        }
        _ => None,
    });
    reads.collect()
}

fn op_of(what: &What) -> Option<u64> {
    match what {
        What::Invoke(invoke) => Some(invoke.op),
        What::Ok(reply) => Some(reply.op),
        What::Fail(refusal) | What::Unknown(refusal) => Some(refusal.op),
        _ => None,
    }
}

/// Payments with a submit that was acknowledged.
fn is_acknowledged(history: &History, id: &str) -> bool {
    let submits: Vec<u64> = history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Invoke(i) if i.kind == Kind::Submit && payment_of(&event.what) == Some(id) => {
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
        let entry = matches!(&event.what, What::Outcome(outcome) if outcome.payment_id == id);
        !entry && op_of(&event.what).is_none_or(|op| !reads.contains(&op))
    });
    renumbered(events.cloned().collect())
}

fn drop_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Outcome(outcome) if is_acknowledged(history, &outcome.payment_id)),
    )?;
    let id = payment_of(what(history, at))?.to_owned();
    let history = without_outcome(history, &id);
    Some(Mutant { history, touched: Box::new(move |what| payment_of(what) == Some(&id)) })
}

fn second_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Outcome(_)))?;
    Some(naming(insert_after(history, at, |_| {})))
}

fn drop_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    // A conflict whose submit was acknowledged, or a message that is no payment at all.
    let acknowledged = |wanted: u64| {
        history.events.iter().any(|event| {
            matches!(&event.what, What::Ok(reply) if reply.sequence == Some(wanted) && !reply.duplicate)
        })
    };
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::DeadLetter(letter) if letter.sequence.is_some_and(acknowledged)),
    )?;
    let What::DeadLetter(letter) = what(history, at).clone() else { return None };
    let mut events = history.events.clone();
    events.remove(at);
    let touched =
        move |what: &What| matches!(what, What::Ok(reply) if reply.sequence == letter.sequence);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

fn second_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::DeadLetter(_)))?;
    Some(naming(insert_after(history, at, |_| {})))
}

fn approved(what: &What) -> bool {
    matches!(what, What::Charge(charge) if charge.outcome == ChargeOutcome::Approved)
}

fn duplicate_charge(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let another = |what: &mut What| {
        if let What::Charge(charge) = what {
            "another worker".clone_into(&mut charge.worker);
        }
    };
    Some(naming(insert_after(history, at, another)))
}

fn a_cent_more(amount: Amount) -> Amount {
    let cent = "0.01".parse().unwrap_or_default();
    amount.checked_add(cent).unwrap_or_default()
}

fn cent_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(changed(history, at, |what| {
        if let What::Charge(charge) = what {
            charge.amount = a_cent_more(charge.amount);
        }
    })))
}

fn cent_completed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Outcome(outcome) if outcome.reading.status == Status::Completed),
    )?;
    Some(naming(changed(history, at, |what| {
        if let What::Outcome(outcome) = what {
            outcome.reading.amount = outcome.reading.amount.map(a_cent_more);
        }
    })))
}

fn drop_charge(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let id = payment_of(what(history, at))?.to_owned();
    let mut events = history.events.clone();
    events.remove(at);
    let touched = move |what: &What| payment_of(what) == Some(&id);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

fn charge_what_failed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Charge(charge) if charge.outcome == ChargeOutcome::Declined),
    )?;
    Some(naming(changed(history, at, |what| {
        if let What::Charge(charge) = what {
            charge.outcome = ChargeOutcome::Approved;
        }
    })))
}

fn charge_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(insert_after(history, at, |what| {
        if let What::Charge(charge) = what {
            "pay-nobody".clone_into(&mut charge.payment_id);
        }
    })))
}

fn failed_but_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Fail(_)))?;
    let op = op_of(what(history, at))?;
    let invoke = history.events.iter().find_map(|event| match &event.what {
        What::Invoke(invoke) if invoke.op == op => Some(invoke),
        _ => None,
    })?;
    let payment = invoke.payment.as_ref().filter(|_| invoke.kind == Kind::Submit)?;
    let others = history.events.iter().any(|event| {
        payment_of(&event.what) == Some(&payment.id)
            && (!matches!(&event.what, What::Invoke(i) if i.op == op || i.kind == Kind::Status))
    });
    if others {
        return None;
    }
    let charge = What::Charge(Charge {
        payment_id: payment.id.clone(),
        outcome: ChargeOutcome::Approved,
        content: payment.content.clone(),
        amount: payment.amount?,
        currency: payment.currency.clone()?,
        worker: "w".to_owned(),
    });
    Some(naming(insert_after(history, at, |what| what.clone_from(&charge))))
}

fn charged_never_final(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    let id = payment_of(what(history, at))?.to_owned();
    let charge = what(history, at).clone();
    let history = without_outcome(history, &id);
    Some(Mutant { history, touched: Box::new(move |what| *what == charge) })
}

fn returned(what: &What) -> bool {
    matches!(what, What::Ok(_) | What::Fail(_) | What::Unknown(_))
}

fn second_reply(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, returned)?;
    Some(naming(insert_after(history, at, |_| {})))
}

fn drop_reply(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, returned)?;
    let op = op_of(what(history, at));
    let mut events = history.events.clone();
    events.remove(at);
    Some(Mutant { history: renumbered(events), touched: Box::new(move |what| op_of(what) == op) })
}

fn drop_invoke(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Invoke(_)))?;
    let op = op_of(what(history, at));
    let mut events = history.events.clone();
    events.remove(at);
    Some(Mutant { history: renumbered(events), touched: Box::new(move |what| op_of(what) == op) })
}

fn two_workers(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Delivery(delivery) if delivery.queue_group.is_some()),
    )?;
    Some(naming(insert_after(history, at, |what| {
        if let What::Delivery(delivery) = what {
            "mailer-9".clone_into(&mut delivery.worker);
        }
    })))
}

fn email_twice(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Email(_)))?;
    Some(naming(insert_after(history, at, |_| {})))
}

/// Swaps two deliveries whose publishes did not overlap.
fn reorder(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let core = |at: usize| match what(history, at) {
        What::Delivery(delivery) if delivery.sequence.is_none() => Some(delivery),
        _ => None,
    };
    let publish = |delivery: &Delivery| {
        let begun = history.events.iter().find(|event| {
            matches!(&event.what, What::Invoke(i) if i.message.as_ref() == Some(&delivery.message))
        })?;
        let op = op_of(&begun.what);
        let ok = |event: &&Event| matches!(&event.what, What::Ok(reply) if Some(reply.op) == op);
        let What::Invoke(invoke) = &begun.what else { return None };
        Some((invoke.process.clone(), begun.seq, history.events.iter().find(ok)?.seq))
    };
    // What was on its way while something broke may come late.
    let broken = |from: u64, to: usize| {
        history.events.iter().any(|event| {
            matches!(event.what, What::Fault(_))
                && event.at_ns >= history.events[from as usize - 1].at_ns
                && event.at_ns <= history.events[to].at_ns
        })
    };
    let deliveries: Vec<usize> =
        (0..history.events.len()).filter(|at| core(*at).is_some()).collect();
    let start = dice.below(deliveries.len());
    for first in deliveries.iter().cycle().skip(start).take(deliveries.len()) {
        for second in deliveries.iter().filter(|second| *second > first) {
            let (a, b) = (core(*first)?, core(*second)?);
            let (Some(earlier), Some(later)) = (publish(a), publish(b)) else { continue };
            let ordered = a.worker == b.worker && earlier.0 == later.0 && earlier.2 < later.1;
            if ordered && !broken(earlier.1, *second) {
                let mut events = history.events.clone();
                let (what_a, what_b) = (events[*first].what.clone(), events[*second].what.clone());
                events[*first].what = what_b.clone();
                events[*second].what = what_a.clone();
                // Others may stand between them: any of the two tells it.
                let touched = move |what: &What| *what == what_a || *what == what_b;
                return Some(Mutant { history: renumbered(events), touched: Box::new(touched) });
            }
        }
    }
    None
}

/// A reading after another one of the same payment had returned.
fn later_reading(history: &History, dice: &mut Dice, first: fn(Status) -> bool) -> Option<usize> {
    let status = |what: &What| match what {
        What::Ok(reply) => reply.reading.as_ref().map(|reading| reading.status),
        _ => None,
    };
    let id_of = |op: u64| {
        history.events.iter().find_map(|event| match &event.what {
            What::Invoke(i) if i.op == op => Some((i.payment.clone()?.id, event.seq)),
            _ => None,
        })
    };
    let candidates: Vec<usize> = (0..history.events.len())
        .filter(|at| {
            let event = &history.events[*at];
            let Some((id, begun)) = status(&event.what).and(op_of(&event.what)).and_then(id_of)
            else {
                return false;
            };
            history.events.iter().take_while(|earlier| earlier.seq < begun).any(|earlier| {
                status(&earlier.what).is_some_and(first)
                    && op_of(&earlier.what).and_then(id_of).is_some_and(|(other, _)| other == id)
            })
        })
        .collect();
    (!candidates.is_empty()).then(|| candidates[dice.below(candidates.len())])
}

fn with_status(history: &History, at: usize, status: impl Fn(Status) -> Status) -> Mutant {
    naming(changed(history, at, |what| {
        if let What::Ok(reply) = what
            && let Some(reading) = &mut reply.reading
        {
            reading.status = status(reading.status);
        }
    }))
}

fn status_back(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = later_reading(history, dice, |status| status != Status::Pending)?;
    Some(with_status(history, at, |_| Status::Pending))
}

fn final_changed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = later_reading(history, dice, Status::is_final)?;
    Some(with_status(history, at, |status| match status {
        Status::Completed => Status::Failed,
        _ => Status::Completed,
    }))
}

fn email_of_two_workers(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Email(email) if email.sent))?;
    Some(naming(insert_after(history, at, |what| {
        if let What::Email(email) = what {
            "mailer-9".clone_into(&mut email.worker);
        }
    })))
}

/// Without one email in the mailer's journal: a message that is lost.
pub fn email_lost(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Email(email) if email.sent))?;
    let What::Email(lost) = what(history, at).clone() else { return None };
    let published = history.events.iter().any(|event| {
        let What::Invoke(invoke) = &event.what else { return false };
        let ok = |event: &Event| matches!(&event.what, What::Ok(reply) if reply.op == invoke.op);
        invoke.message.as_ref() == Some(&lost.message) && history.events.iter().any(ok)
    });
    if !published {
        return None;
    }
    let mut events = history.events.clone();
    events.remove(at);
    let touched = move |what: &What| matches!(what, What::Invoke(invoke) if invoke.message.as_ref() == Some(&lost.message));
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

fn other_content_charged(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, approved)?;
    Some(naming(changed(history, at, |what| {
        if let What::Charge(charge) = what {
            charge.content = Some("another user pays".to_owned());
        }
    })))
}

fn other_content_completed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let is_conflict = |sequence: Option<u64>| {
        history.events.iter().any(
            |event| matches!(&event.what, What::DeadLetter(letter) if letter.sequence == sequence),
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
                && payment_of(&event.what) == Some(id)
                && history.events.iter().any(stored)
        })
    };
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Outcome(outcome) if accepted(&outcome.payment_id)),
    )?;
    Some(naming(changed(history, at, |what| {
        if let What::Outcome(outcome) = what {
            outcome.reading.content = Some("another user pays".to_owned());
        }
    })))
}

/// The event is moved to just after the time in which everything must be final, whatever came last.
fn made_late(history: &History, wanted: &What) -> Option<Mutant> {
    let last = history.events.iter().map(|event| event.at_ns).max()?;
    let bound = u64::try_from(super::FINAL_WITHIN.as_nanos()).ok()?;
    let mut events = history.events.clone();
    events.iter_mut().find(|event| event.what == *wanted)?.at_ns = last + bound + 1;
    Some(naming((renumbered(events), wanted.clone())))
}

fn late_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Outcome(_)))?;
    let outcome = what(history, at);
    // Nobody has read it before.
    let reads = reads_of(history, payment_of(outcome)?);
    let unread = history
        .events
        .iter()
        .filter(|event| op_of(&event.what).is_none_or(|op| !reads.contains(&op)));
    made_late(&renumbered(unread.cloned().collect()), outcome)
}

fn late_dead_letter(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::DeadLetter(_)))?;
    made_late(history, what(history, at))
}
