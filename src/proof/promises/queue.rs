//! Each queue message to at most one worker. What core NATS lost is counted, and a violation only
//! where none may be lost.

use std::collections::HashMap;

use crate::counted::counted;
use crate::e2e::record::history::{DELIVERIES, Event, Kind};
use crate::e2e::verdict::index::{Ended, Operation};
use crate::e2e::verdict::{Finding, Findings, Property, QueueLoss, copies};
use crate::proof::breach;
use crate::proof::facts::EMAILS;
use crate::proof::lives::{Lives, MessageLife};

/// The promise.
pub const QUEUE: Property =
    Property { word: "queue", says: "each queue message to at most one worker" };

/// Whether a worker has dealt with a message: it is in the mailer's journal, or refused on record.
/// Where that journal is not whole, having been handed to a worker is all that can be known.
pub(crate) fn was_dealt_with(lives: &Lives<'_, '_>, life: &MessageLife<'_, '_>) -> bool {
    let done = life.letter.is_some() || !life.emails.is_empty();
    done || (lives.index.end_with_whole(EMAILS).is_none() && !life.deliveries.is_empty())
}

/// The publish of a queue message that was acknowledged by the broker, if there is one.
pub(crate) fn published<'i, 'a>(life: &MessageLife<'i, 'a>) -> Option<&'i Operation<'a>> {
    life.operations
        .iter()
        .copied()
        .find(|operation| operation.invoke.kind == Kind::Publish && operation.ended() == Ended::Ok)
}

/// Whether the history says of every message if a worker had it.
pub(crate) fn knows_losses(lives: &Lives<'_, '_>) -> bool {
    [DELIVERIES, EMAILS].into_iter().any(|records| lives.index.end_with_whole(records).is_some())
}

pub(crate) fn check(lives: &Lives<'_, '_>, loss: QueueLoss) -> Finding {
    let mut findings = Findings::default();
    let mut undelivered = 0;
    for life in &lives.messages {
        twice(life, &mut findings);
        two_ends(life, &mut findings);
        let Some(operation) = published(life) else { continue };
        findings.looked_at += 1;
        if was_dealt_with(lives, life) {
            continue;
        }
        undelivered += 1;
        if let (QueueLoss::Forbidden, Some(end), true) =
            (loss, lives.index.end, knows_losses(lives))
        {
            let message = format!("{} was published, and no worker has dealt with it", life.id);
            let evidence = copies(operation.events().into_iter().chain([end]));
            findings.broken(breach::LOST_IN_QUEUE, message, evidence, []);
        }
    }
    if undelivered > 0 && !knows_losses(lives) {
        findings.unknown(format!(
            "without a delivery here: {}; neither the deliveries nor the mailer's journal is whole",
            counted(undelivered, "published message")
        ));
    }
    findings.finish(QUEUE)
}

/// How often it may have arrived.
fn times(life: &MessageLife<'_, '_>) -> usize {
    // A message that was published again may be delivered again.
    life.operations.iter().filter(|operation| operation.ended() != Ended::Fail).count().max(1)
}

/// Of one message: sent by another worker than the one that had it, or sent and a dead letter too.
fn two_ends(life: &MessageLife<'_, '_>, findings: &mut Findings) {
    let Some((sent, email)) = life.emails.first().filter(|_| times(life) == 1) else { return };
    // A subscriber of its own has a copy.
    let mut of_the_group = life.deliveries.iter().filter(|(_, one)| one.queue_group.is_some());
    if let Some((had, delivery)) = of_the_group.clone().next()
        && of_the_group.all(|(_, delivery)| *delivery.worker != *email.worker)
    {
        let message = format!(
            "{} was delivered to {}, and handed to the mailer by {}",
            life.id, delivery.worker, email.worker
        );
        findings.broken(breach::SENT_BY_OTHER, message, copies([*had, *sent]), []);
    }
    let sent = life.emails.iter().find(|(_, email)| email.sent);
    if let (Some((sent, _)), Some(letter)) = (sent, life.letter) {
        let message = format!("{} was sent, and is a dead letter too", life.id);
        findings.broken(breach::SENT_DEAD, message, copies([*sent, letter]), []);
    }
}

fn twice(life: &MessageLife<'_, '_>, findings: &mut Findings) {
    let times = times(life);
    let context = || copies(life.operations.iter().flat_map(|operation| operation.events()));

    // Of a group one worker has it; subscribers of their own have a copy each.
    let mut receivers: HashMap<(bool, &str), Vec<(&Event, &str)>> = HashMap::new();
    for (event, delivery) in &life.deliveries {
        let receiver = match &delivery.queue_group {
            Some(group) => (true, group.as_str()),
            None => (false, delivery.worker.as_str()),
        };
        receivers.entry(receiver).or_default().push((event, &delivery.worker));
    }
    let mut receivers: Vec<_> = receivers.into_values().collect();
    receivers.sort_by_key(|events| events[0].0.seq);
    for events in receivers {
        if events.len() > times {
            let workers: Vec<&str> = events.iter().take(4).map(|(_, worker)| *worker).collect();
            let message = format!(
                "{} was delivered {} times, not {times}: to {}",
                life.id,
                events.len(),
                workers.join(", ")
            );
            let evidence = copies(events.iter().take(times + 1).map(|(event, _)| *event));
            findings.broken(breach::DELIVERED_TWICE, message, evidence, context());
        }
    }
    if life.emails.len() > times {
        let workers: Vec<&str> =
            life.emails.iter().take(4).map(|(_, email)| &*email.worker).collect();
        let message = format!(
            "{} was handed to the mailer {} times, not {times}: by {}",
            life.id,
            life.emails.len(),
            workers.join(", ")
        );
        let evidence = copies(life.emails.iter().take(times + 1).map(|(event, _)| *event));
        findings.broken(breach::SENT_TWICE, message, evidence, context());
    }
}
