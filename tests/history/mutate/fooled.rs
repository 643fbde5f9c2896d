//! What somebody who tried to fool the judge got past it, once.

use std::collections::HashSet;

use mono_demo::e2e::record::history::{Event, History, Kind, What};
use mono_demo::proof::facts::{DeadLetter, Known, Outcome, Payment, Status};
use mono_demo::wire::journal::ChargeOutcome;

use super::doctor::{
    Mutant, TWO_SECONDS, accepted, change, changed, insert_after, naming, one_of, op_of,
    outcome_of, payment_of, pick, renumbered, what,
};
use super::letters;
use crate::history::model::{Dice, EMAIL, SUBMIT, fact, known};

/// Nobody has sent so many.
const NEVER: u64 = 1_000_000;

fn letter(what: &What) -> Option<DeadLetter> {
    match known(what) {
        Some(Known::DeadLetter(letter)) => Some(letter),
        _ => None,
    }
}

fn outcome(what: &What) -> Option<Outcome> {
    match known(what) {
        Some(Known::Outcome(outcome)) => Some(outcome),
        _ => None,
    }
}

/// The gateway charged nothing.
fn is_refusal(what: &What) -> bool {
    matches!(known(what), Some(Known::Charge(charge)) if charge.outcome != ChargeOutcome::Approved)
}

/// A letter of a message that the stream acknowledged.
fn numbered_letter(history: &History, dice: &mut Dice) -> Option<usize> {
    let stored: HashSet<u64> = accepted(history).iter().map(|one| one.sequence).collect();
    pick(history, dice, |what| {
        letter(what).and_then(|letter| letter.sequence).is_some_and(|of| stored.contains(&of))
    })
}

fn with_letter(history: &History, at: usize, another: impl Fn(&mut DeadLetter)) -> Mutant {
    naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::DeadLetter(letter) = fact {
                another(letter);
            }
        })
    }))
}

pub(super) fn letter_of_another_payment(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = numbered_letter(history, dice)?;
    Some(with_letter(history, at, |letter| letter.payment_id = Some("pay-nobody".to_owned())))
}

pub(super) fn letter_with_another_content(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = numbered_letter(history, dice)?;
    Some(with_letter(history, at, |letter| letter.content = Some("another user pays".to_owned())))
}

pub(super) fn no_reason_at_all(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| letter(what).is_some())?;
    Some(with_letter(history, at, |letter| letter.reason = None))
}

/// Whether all that was sent to the workers of payments is a payment.
fn all_are_payments(history: &History) -> bool {
    history.events.iter().all(|event| match &event.what {
        What::Invoke(invoke) => invoke.subject != SUBMIT || payment_of(&event.what).is_some(),
        _ => true,
    })
}

fn unnumbered(payment_id: &str) -> What {
    fact(&Known::DeadLetter(DeadLetter {
        kind: "exhausted".to_owned(),
        payment_id: Some(payment_id.to_owned()),
        reason: Some("the gateway did not answer".to_owned()),
        ..DeadLetter::default()
    }))
}

pub(super) fn letter_of_no_message(history: &History, dice: &mut Dice) -> Option<Mutant> {
    if !all_are_payments(history) {
        return None;
    }
    let at = pick(history, dice, |what| outcome(what).is_some())?;
    let letter = unnumbered("pay-nobody");
    Some(naming(insert_after(history, at, |what| what.clone_from(&letter))))
}

pub(super) fn completed_and_unnumbered(history: &History, dice: &mut Dice) -> Option<Mutant> {
    if !all_are_payments(history) {
        return None;
    }
    let at = pick(history, dice, |what| {
        outcome(what).is_some_and(|outcome| {
            let completed = outcome.reading.status == Status::Completed;
            let same = |submit: &Payment| submit.content == outcome.reading.content;
            completed && submits(history, &outcome.payment_id).iter().all(|(_, of)| same(of))
        })
    })?;
    let letter = unnumbered(&outcome(what(history, at))?.payment_id);
    Some(naming(insert_after(history, at, |what| what.clone_from(&letter))))
}

/// The submits of a payment, by their numbers.
fn submits(history: &History, id: &str) -> Vec<(u64, Payment)> {
    let of = history.events.iter().filter_map(|event| match &event.what {
        What::Invoke(invoke) if invoke.kind == Kind::Submit => {
            let payment = Payment::of(invoke.about.as_ref()?).unwrap()?;
            (payment.id == id).then_some((invoke.op, payment))
        }
        _ => None,
    });
    of.collect()
}

/// How many of them have a place in the stream that nobody knows.
fn unknown(history: &History, id: &str) -> usize {
    let submits = submits(history, id);
    let of = |op| submits.iter().any(|(submit, _)| *submit == op);
    let ends = history.events.iter().filter(|event| match &event.what {
        What::Unknown(refusal) => of(refusal.op),
        What::Ok(reply) => reply.duplicate && of(reply.op),
        _ => false,
    });
    ends.count()
}

/// A letter more than messages may have been stored.
pub(super) fn more_letters_than_submits(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| {
        outcome(what).is_some_and(|outcome| unknown(history, &outcome.payment_id) > 0)
    })?;
    let id = outcome(what(history, at))?.payment_id;
    let letters: Vec<What> = (0..=unknown(history, &id) as u64)
        .map(|n| {
            fact(&Known::DeadLetter(DeadLetter {
                kind: "exhausted".to_owned(),
                sequence: Some(NEVER + n),
                payment_id: Some(id.clone()),
                reason: Some("the gateway did not answer".to_owned()),
                ..DeadLetter::default()
            }))
        })
        .collect();
    let mut events = history.events.clone();
    for what in &letters {
        events.insert(at + 1, Event { what: what.clone(), ..events[at].clone() });
    }
    let touched = move |what: &What| letters.contains(what);
    Some(Mutant { history: renumbered(events), touched: Box::new(touched) })
}

/// The event is moved to two seconds after another one.
fn two_seconds_after(history: &History, at: usize, other: usize) -> Mutant {
    let mut events = history.events.clone();
    events[at].at_ns = events[other].at_ns + TWO_SECONDS;
    naming((renumbered(events), what(history, at).clone()))
}

pub(super) fn letter_after_outcome(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let entry = |letter: &DeadLetter| {
        let (at, outcome) = outcome_of(history, letter.payment_id.as_deref()?)?;
        let failed = outcome.reading.status == Status::Failed;
        (failed && outcome.sequence == letter.sequence).then_some(at)
    };
    let at = pick(history, dice, |what| letter(what).as_ref().and_then(entry).is_some())?;
    let entry = entry(&letter(what(history, at))?)?;
    Some(two_seconds_after(history, at, entry))
}

/// The gateway is asked for what is on record as failed.
pub(super) fn asked_after_final(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let entry = |what: &What| outcome_of(history, &payment_of(what)?).map(|(at, _)| at);
    let at = pick(history, dice, |what| is_refusal(what) && entry(what).is_some())?;
    Some(two_seconds_after(history, at, entry(what(history, at))?))
}

/// All but one event happen two seconds later.
fn early(history: &History, at: usize) -> Mutant {
    let mut events = history.events.clone();
    for (n, event) in events.iter_mut().enumerate() {
        event.at_ns += if n == at { 0 } else { TWO_SECONDS };
    }
    naming((renumbered(events), what(history, at).clone()))
}

pub(super) fn letter_before_submit(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| letter(what).is_some_and(|one| one.payment_id.is_some()))?;
    Some(early(history, at))
}

pub(super) fn outcome_before_submit(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| outcome(what).is_some())?;
    Some(early(history, at))
}

pub(super) fn email_before_publish(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| matches!(known(what), Some(Known::Email(_))))?;
    Some(early(history, at))
}

/// What is on record two seconds after somebody was told.
pub(super) fn told_early(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let entry = |what: &What| {
        let What::Ok(reply) = what else { return None };
        reply.reading.as_ref()?;
        let begun = |event: &&Event| matches!(&event.what, What::Invoke(i) if i.op == reply.op);
        let id = payment_of(&history.events.iter().find(begun)?.what)?;
        outcome_of(history, &id)
    };
    let at = pick(history, dice, |what| {
        let told = matches!(what, What::Ok(reply) if reply.reading.as_ref().is_some_and(|reading| {
            reading.read::<mono_demo::proof::facts::Reading>().unwrap().status.is_final()
        }));
        told && entry(what).is_some()
    })?;
    let (entry, _) = entry(what(history, at))?;
    Some(two_seconds_after(history, entry, at))
}

fn with_charge(
    history: &History,
    dice: &mut Dice,
    wanted: fn(&What) -> bool,
    another: impl Fn(&mut mono_demo::proof::facts::Charge),
) -> Option<Mutant> {
    let at = pick(history, dice, wanted)?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Charge(charge) = fact {
                another(charge);
            }
        })
    })))
}

pub(super) fn other_content_refused(history: &History, dice: &mut Dice) -> Option<Mutant> {
    with_charge(history, dice, is_refusal, |charge| {
        charge.content = Some("another user pays".to_owned());
    })
}

pub(super) fn refused_unasked(history: &History, dice: &mut Dice) -> Option<Mutant> {
    with_charge(history, dice, is_refusal, |charge| {
        "pay-nobody".clone_into(&mut charge.payment_id);
    })
}

pub(super) fn less_than_nothing(history: &History, dice: &mut Dice) -> Option<Mutant> {
    with_charge(
        history,
        dice,
        |what| payment_of(what).is_some() && approved(what),
        |charge| {
            charge.amount = format!("-{}", charge.amount).parse().unwrap();
        },
    )
}

fn approved(what: &What) -> bool {
    matches!(known(what), Some(Known::Charge(charge)) if charge.outcome == ChargeOutcome::Approved)
}

/// Of a payment of which each submit was acknowledged, or certainly failed.
pub(super) fn outcome_of_another_message(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, |what| {
        outcome(what).is_some_and(|outcome| unknown(history, &outcome.payment_id) == 0)
    })?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.sequence = Some(NEVER);
            }
        })
    })))
}

pub(super) fn second_content_by_amount(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let Mutant { history, .. } = letters::second_content(history, dice)?;
    // The one that was changed says a content, and is told by its amount alone now.
    let is_second = |what: &What| {
        outcome(what).is_some_and(|outcome| {
            let first = accepted(&history).into_iter().find(|one| {
                one.payment.id == outcome.payment_id
                    && one.payment.content != outcome.reading.content
                    && submits(&history, &outcome.payment_id)
                        .iter()
                        .filter(|(_, of)| of.content == outcome.reading.content)
                        .all(|(op, _)| begun(&history, *op) > one.returned)
            });
            first.is_some()
        })
    };
    let all = (0..history.events.len()).filter(|at| is_second(what(&history, *at)));
    let at = one_of(all.collect(), dice)?;
    Some(naming(changed(&history, at, |what| {
        change(what, |fact| {
            if let Known::Outcome(outcome) = fact {
                outcome.reading.content = None;
            }
        })
    })))
}

fn begun(history: &History, op: u64) -> usize {
    let is_it = |event: &Event| matches!(&event.what, What::Invoke(invoke) if invoke.op == op);
    history.events.iter().position(is_it).unwrap_or_default()
}

pub(super) fn delivery_of_no_submit(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(
        history,
        dice,
        |what| matches!(what, What::Delivery(delivery) if delivery.sequence.is_some()),
    )?;
    Some(naming(insert_after(history, at, |what| {
        if let What::Delivery(delivery) = what {
            "pay-nobody".clone_into(&mut delivery.message);
            delivery.sequence = Some(NEVER);
        }
    })))
}

pub(super) fn delivered_elsewhere(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let core = |what: &What| matches!(what, What::Delivery(delivery) if delivery.subject == EMAIL);
    let at = pick(history, dice, core)?;
    Some(naming(changed(history, at, |what| {
        if let What::Delivery(delivery) = what {
            "services.other".clone_into(&mut delivery.subject);
        }
    })))
}

/// Of an email that a worker of the group had.
pub(super) fn sent_by_another(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let had = |message: &str| {
        history.events.iter().any(|event| {
            matches!(&event.what, What::Delivery(delivery)
                if delivery.message == message && delivery.queue_group.is_some())
        })
    };
    let at = pick(
        history,
        dice,
        |what| matches!(known(what), Some(Known::Email(email)) if had(&email.message)),
    )?;
    Some(naming(changed(history, at, |what| {
        change(what, |fact| {
            if let Known::Email(email) = fact {
                "mailer-9".clone_into(&mut email.worker);
            }
        })
    })))
}

pub(super) fn sent_and_dead(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at =
        pick(history, dice, |what| matches!(known(what), Some(Known::Email(email)) if email.sent))?;
    let Some(Known::Email(email)) = known(what(history, at)) else { return None };
    let letter = fact(&Known::DeadLetter(DeadLetter {
        kind: "rejected".to_owned(),
        message: Some(email.message),
        reason: Some("it has no recipient".to_owned()),
        ..DeadLetter::default()
    }));
    Some(naming(insert_after(history, at, |what| what.clone_from(&letter))))
}

fn acknowledged(what: &What) -> bool {
    matches!(what, What::Ok(_))
}

pub(super) fn reply_of_another_client(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, acknowledged)?;
    Some(naming(changed(history, at, |what| {
        if let What::Ok(reply) = what {
            reply.process.push_str("-of-another");
        }
    })))
}

pub(super) fn reply_before_question(history: &History, dice: &mut Dice) -> Option<Mutant> {
    let at = pick(history, dice, acknowledged)?;
    let op = op_of(what(history, at))?;
    let mut events = history.events.clone();
    events[at].at_ns = events[begun(history, op)].at_ns - 1;
    Some(naming((renumbered(events), what(history, at).clone())))
}
