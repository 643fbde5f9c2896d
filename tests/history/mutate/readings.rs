//! Broken in what is read of a payment.

use mono_demo::e2e::record::history::{Event, History, Invoke, Json, Kind, Reply, What};
use mono_demo::proof::facts::{Known, Payment, Reading, Status};

use super::doctor::{
    Mutant, TWO_SECONDS, a_cent_more, changed, naming, op_of, outcome_of, payment_of, pick,
    reads_of, renumbered, what,
};
use crate::history::model::{Dice, known};

/// A reading after another one of the same payment had returned.
fn later_reading(history: &History, dice: &mut Dice, first: fn(Status) -> bool) -> Option<usize> {
    let status = |what: &What| match what {
        What::Ok(reply) => {
            reply.reading.as_ref().map(|reading| reading.read::<Reading>().unwrap().status)
        }
        _ => None,
    };
    let id_of = |op: u64| {
        history.events.iter().find_map(|event| match &event.what {
            What::Invoke(i) if i.op == op => Some((payment_of(&event.what)?, event.seq)),
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
            && let Some(json) = &mut reply.reading
        {
            let reading: Reading = json.read().unwrap();
            *json = Json::of(&Reading { status: status(reading.status), ..reading }).unwrap();
        }
    }))
}

pub(super) fn status_back(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = later_reading(history, dice, |status| status != Status::Pending)?;
    Some(with_status(history, at, |_| Status::Pending))
}

pub(super) fn final_changed(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = later_reading(history, dice, Status::is_final)?;
    Some(with_status(history, at, |status| match status {
        Status::Completed => Status::Failed,
        _ => Status::Completed,
    }))
}

fn told(what: &What) -> Option<Reading> {
    let What::Ok(reply) = what else { return None };
    reply.reading.as_ref().map(|reading| reading.read().unwrap())
}

pub(super) fn other_amount(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| told(what).is_some_and(|told| told.amount.is_some()))?;
    Some(naming(changed(history, at, |what| {
        let reading = told(what).unwrap();
        let reading = Reading { amount: reading.amount.map(a_cent_more), ..reading };
        if let What::Ok(reply) = what {
            reply.reading = Json::of(&reading).ok();
        }
    })))
}

/// Asked for two seconds after all that happened, and not final.
pub(super) fn stale(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let outcome = pick(history, dice, |what| matches!(known(what), Some(Known::Outcome(_))))?;
    let payment = Payment { id: payment_of(what(history, outcome))?, ..Payment::default() };
    let (process, op) = ("reader-late".to_owned(), 1_000_000);
    let (kind, subject) = (Kind::Status, "services.payment.status".to_owned());
    let about = Some(payment.about());
    let invoke = What::Invoke(Invoke { process: process.clone(), op, kind, subject, about });
    let reading: Reading =
        Reading { status: Status::Pending, content: None, amount: None, currency: None };
    let reading = Json::of(&reading).ok();
    let pending = What::Ok(Reply { process, op, reading, ..Reply::default() });
    let mut events = history.events.clone();
    let end = events.pop()?;
    let at_ns = events.iter().map(|event| event.at_ns).max()? + TWO_SECONDS;
    for what in [invoke, pending.clone(), end.what] {
        events.push(Event { seq: 0, at_ns, what });
    }
    Some(naming((renumbered(events), pending)))
}

/// Somebody was told an outcome that is nowhere on record.
pub(super) fn told_unrecorded(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| told(what).is_some_and(|told| told.status.is_final()))?;
    let op = op_of(what(history, at))?;
    let begun = history.events.iter().find(|e| matches!(&e.what, What::Invoke(i) if i.op == op))?;
    let id = payment_of(&begun.what)?;
    let (entry, _) = outcome_of(history, &id)?;
    let reads = reads_of(history, &id);
    let mut events = history.events.clone();
    events.remove(entry);
    // Any of those who were told shows it.
    let touched = move |what: &What| op_of(what).is_some_and(|op| reads.contains(&op));
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}
