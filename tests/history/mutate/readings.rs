//! Broken in what is read of a payment.

use mono_demo::e2e::record::history::{History, Json, What};
use mono_demo::proof::facts::{Reading, Status};

use super::doctor::{Mutant, changed, naming, op_of, payment_of};
use crate::history::model::Dice;

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
