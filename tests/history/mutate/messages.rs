//! Broken in replies, deliveries and emails.

use mono_demo::e2e::record::history::{Answers, Delivery, Event, History, Phase, What};
use mono_demo::proof::facts::Known;

use super::doctor::{
    Accepted, Mutant, accepted, change, changed, insert_after, message_of, naming, one_of, op_of,
    pick, renumbered, what,
};
use crate::history::model::{Dice, known};

fn returned(what: &What) -> bool {
    matches!(what, What::Ok(_) | What::Fail(_) | What::Unknown(_))
}

pub(super) fn second_reply(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, returned)?;
    Some(naming(insert_after(history, at, |_| {})))
}

pub(super) fn answered_again(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, returned)?;
    Some(naming(insert_after(history, at, |what| {
        *what = What::Answers(Answers {
            inbox: "_INBOX.a.b".to_owned(),
            first: "1".to_owned(),
            second: "2".to_owned(),
            in_all: 2,
        });
    })))
}

pub(super) fn drop_reply(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, returned)?;
    let op = op_of(what(history, at));
    let mut events = history.events.clone();
    events.remove(at);
    Some(Mutant { history: renumbered(events), touched: Box::new(move |what| op_of(what) == op) })
}

pub(super) fn drop_invoke(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(what, What::Invoke(_)))?;
    let op = op_of(what(history, at));
    let mut events = history.events.clone();
    events.remove(at);
    Some(Mutant { history: renumbered(events), touched: Box::new(move |what| op_of(what) == op) })
}

pub(super) fn two_workers(history: &History, dice: &mut Dice) -> Option<Mutant> {
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

pub(super) fn email_twice(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Email(_))))?;
    Some(naming(insert_after(history, at, |_| {})))
}

pub(super) fn email_of_two_workers(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at =
        pick(history, dice, |what| matches!(known(what), Some(Known::Email(email)) if email.sent))?;
    Some(naming(insert_after(history, at, |what| {
        change(what, |fact| {
            if let Known::Email(email) = fact {
                "mailer-9".clone_into(&mut email.worker);
            }
        })
    })))
}

/// Without one email in the mailer's journal: a message that is lost.
pub fn email_lost(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at =
        pick(history, dice, |what| matches!(known(what), Some(Known::Email(email)) if email.sent))?;
    let Some(Known::Email(lost)) = known(what(history, at)) else { return None };
    let published = history.events.iter().any(|event| {
        let What::Invoke(invoke) = &event.what else { return false };
        let ok = |event: &Event| matches!(&event.what, What::Ok(reply) if reply.op == invoke.op);
        message_of(&event.what) == Some(&lost.message) && history.events.iter().any(ok)
    });
    if !published {
        return None;
    }
    let mut events = history.events.clone();
    events.remove(at);
    let touched = move |what: &What| message_of(what) == Some(&lost.message);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

/// Swaps two deliveries whose publishes did not overlap.
pub(super) fn reorder(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let core = |at: usize| match what(history, at) {
        What::Delivery(delivery) if delivery.sequence.is_none() => Some(delivery),
        _ => None,
    };
    let publish = |delivery: &Delivery| {
        let begun = history
            .events
            .iter()
            .find(|event| message_of(&event.what) == Some(&delivery.message))?;
        let op = op_of(&begun.what);
        let ok = |event: &&Event| matches!(&event.what, What::Ok(reply) if Some(reply.op) == op);
        let What::Invoke(invoke) = &begun.what else { return None };
        Some((invoke.process.clone(), begun.seq, history.events.iter().find(ok)?.seq))
    };
    // What was on its way while something broke may come late.
    let broken = |from: u64, to: usize| {
        let (from, to) = (history.events[from as usize - 1].at_ns, history.events[to].at_ns);
        let mut under_way = 0;
        history.events.iter().filter(|event| event.at_ns <= to).any(|event| {
            let What::Fault(fault) = &event.what else { return false };
            under_way += if fault.phase == Phase::Begin { 1 } else { -1 };
            event.at_ns >= from
        }) || under_way > 0
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

/// Another acknowledgement gets this sequence.
fn with_sequence(history: &History, returned: usize, sequence: u64) -> Mutant {
    naming(changed(history, returned, |what| {
        if let What::Ok(reply) = what {
            reply.sequence = Some(sequence);
        }
    }))
}

pub(super) fn one_place(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let mut all = accepted(history);
    let first = all.pop()?;
    let second = one_of(all, dice)?;
    Some(with_sequence(history, second.returned, first.sequence))
}

/// What was submitted after all others had been acknowledged is said to be stored before them.
pub(super) fn place_went_back(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let all = accepted(history);
    let later = |later: &Accepted| all.iter().any(|first| first.returned < later.begun);
    let found = all.iter().filter(|submit| later(submit)).collect();
    Some(with_sequence(history, one_of(found, dice)?.returned, 0))
}
