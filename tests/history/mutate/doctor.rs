//! What is done to a history, and what is asked of it first.

use mono_demo::e2e::record::history::{Event, History, Kind, What};

use mono_demo::proof::amount::Amount;
use mono_demo::proof::facts::{Known, Outcome, Payment};

use crate::history::model::{self, Dice, known};

/// A doctored history, and what tells the events that the evidence must name.
pub struct Mutant {
    pub history: History,
    pub touched: Box<dyn Fn(&What) -> bool>,
}

pub(super) fn renumbered(events: Vec<Event>) -> History {
    History::from_events(events.into_iter().map(|event| (event.at_ns, event.what)))
}

/// One of the events that `wanted` takes.
pub(super) fn pick(
    history: &History,
    dice: &mut Dice,
    wanted: impl Fn(&What) -> bool,
) -> Option<usize> {
    let found: Vec<usize> =
        (0..history.events.len()).filter(|at| wanted(&history.events[*at].what)).collect();
    (!found.is_empty()).then(|| found[dice.below(found.len())])
}

pub(super) fn what(history: &History, at: usize) -> &What {
    &history.events[at].what
}

/// The event stays, and `change` makes another one of it that is put right behind it.
pub(super) fn insert_after(
    history: &History,
    at: usize,
    change: impl Fn(&mut What),
) -> (History, What) {
    let mut events = history.events.clone();
    let mut copy = events[at].clone();
    change(&mut copy.what);
    let what = copy.what.clone();
    events.insert(at + 1, copy);
    (renumbered(events), what)
}

pub(super) fn changed(history: &History, at: usize, change: impl Fn(&mut What)) -> (History, What) {
    let mut events = history.events.clone();
    change(&mut events[at].what);
    let what = events[at].what.clone();
    (renumbered(events), what)
}

pub(super) fn naming((history, what): (History, What)) -> Mutant {
    Mutant { history, touched: Box::new(move |seen| *seen == what) }
}

pub(super) fn payment_of(what: &What) -> Option<String> {
    match what {
        What::Invoke(invoke) => Some(Payment::of(invoke.about.as_ref()?).unwrap()?.id),
        _ => match known(what)? {
            Known::Charge(charge) => Some(charge.payment_id),
            Known::Outcome(outcome) => Some(outcome.payment_id),
            Known::Email(_) | Known::DeadLetter(_) => None,
        },
    }
}

/// The id of the queue message that an operation is about.
pub(super) fn message_of(what: &What) -> Option<&str> {
    match what {
        What::Invoke(invoke) => invoke.about.as_ref().map(|about| about.key.as_str()),
        _ => None,
    }
}

/// The same fact with another content.
pub(super) fn change(what: &mut What, change: impl Fn(&mut Known)) {
    if let Some(mut fact) = known(what) {
        change(&mut fact);
        *what = model::fact(&fact);
    }
}

/// Numbers of the operations that read this payment's status.
pub(super) fn reads_of(history: &History, id: &str) -> Vec<u64> {
    let reads = history.events.iter().filter_map(|event| match &event.what {
        What::Invoke(invoke) if invoke.kind == Kind::Status => {
            (payment_of(&event.what).as_deref() == Some(id)).then_some(invoke.op)
        }
        _ => None,
    });
    reads.collect()
}

pub(super) fn op_of(what: &What) -> Option<u64> {
    match what {
        What::Invoke(invoke) => Some(invoke.op),
        What::Ok(reply) => Some(reply.op),
        What::Fail(refusal) | What::Unknown(refusal) => Some(refusal.op),
        _ => None,
    }
}

/// A submission of a payment that the stream acknowledged as stored anew.
pub(super) struct Accepted {
    pub(super) payment: Payment,
    pub(super) begun: usize,
    pub(super) returned: usize,
    pub(super) sequence: u64,
}

/// All of them, in the order in which they began.
pub(super) fn accepted(history: &History) -> Vec<Accepted> {
    let submits = history.events.iter().enumerate().filter_map(|(begun, event)| {
        let What::Invoke(invoke) = &event.what else { return None };
        if invoke.kind != Kind::Submit {
            return None;
        }
        let payment = Payment::of(invoke.about.as_ref()?).unwrap()?;
        history.events.iter().enumerate().find_map(|(returned, event)| match &event.what {
            What::Ok(reply) if reply.op == invoke.op && !reply.duplicate => {
                let (payment, sequence) = (payment.clone(), reply.sequence?);
                Some(Accepted { payment, begun, returned, sequence })
            }
            _ => None,
        })
    });
    submits.collect()
}

/// The ledger's entry of a payment.
pub(super) fn outcome_of(history: &History, id: &str) -> Option<(usize, Outcome)> {
    history.events.iter().enumerate().find_map(|(at, event)| match known(&event.what)? {
        Known::Outcome(outcome) if outcome.payment_id == id => Some((at, outcome)),
        _ => None,
    })
}

/// The end of a submit that certainly did not happen, and is the only one of its payment.
pub(super) fn failed_submit(history: &History, dice: &mut Dice) -> Option<(usize, Payment)> {
    let failed = history.events.iter().enumerate().filter_map(|(at, event)| {
        let What::Fail(refusal) = &event.what else { return None };
        let begun = history.events[..at].iter().find_map(|event| match &event.what {
            What::Invoke(invoke) if invoke.op == refusal.op => Some(invoke),
            _ => None,
        })?;
        let payment = Payment::of(begun.about.as_ref()?).unwrap()?;
        let is_other = |event: &Event| {
            let other_submit = !matches!(&event.what, What::Invoke(i) if i.op == refusal.op || i.kind == Kind::Status);
            other_submit && payment_of(&event.what).as_ref() == Some(&payment.id)
        };
        let alone = begun.kind == Kind::Submit && !history.events.iter().any(is_other);
        alone.then_some((at, payment))
    });
    one_of(failed.collect(), dice)
}

/// One of them.
pub(super) fn one_of<T>(mut found: Vec<T>, dice: &mut Dice) -> Option<T> {
    (!found.is_empty()).then(|| found.swap_remove(dice.below(found.len())))
}

/// Nanoseconds.
pub(super) const TWO_SECONDS: u64 = 2_000_000_000;

pub(super) fn a_cent_more(amount: Amount) -> Amount {
    amount.checked_add("0.01".parse().unwrap_or_default()).unwrap_or_default()
}
