//! Each queue message to at most one worker. What core NATS lost is counted, and a violation only
//! where none may be lost.

use std::collections::HashMap;

use crate::counted::counted;
use crate::e2e::record::history::event::{Event, Kind, Records};
use crate::e2e::verdict::finding::{Breach, Finding, Findings, Property, copies};
use crate::e2e::verdict::index::{Ended, Index, MessageLife, Operation};
use crate::e2e::verdict::policy::QueueLoss;

/// Whether a worker has dealt with a message: it is in the mailer's journal, or refused on record.
/// Where that journal is not whole, having been handed to a worker is all that can be known.
pub(in crate::e2e) fn was_dealt_with(index: &Index<'_>, life: &MessageLife<'_>) -> bool {
    let done = !(life.emails.is_empty() && life.dead_letters.is_empty());
    done || (!index.is_whole(Records::Emails) && !life.deliveries.is_empty())
}

/// The publish of a queue message that was acknowledged by the broker, if there is one.
pub(in crate::e2e) fn published<'i, 'a>(
    index: &'i Index<'a>,
    life: &MessageLife<'a>,
) -> Option<&'i Operation<'a>> {
    life.operations
        .iter()
        .map(|at| &index.operations[*at])
        .find(|operation| operation.invoke.kind == Kind::Publish && operation.ended() == Ended::Ok)
}

/// Whether the history says of every message if a worker had it.
pub(in crate::e2e) fn knows_losses(index: &Index<'_>) -> bool {
    index.is_whole(Records::Deliveries) || index.is_whole(Records::Emails)
}

pub(in crate::e2e) fn check(index: &Index<'_>, loss: QueueLoss) -> Finding {
    let mut findings = Findings::default();
    let mut undelivered = 0;
    for life in &index.messages {
        twice(index, life, &mut findings);
        let Some(operation) = published(index, life) else { continue };
        findings.looked_at += 1;
        if was_dealt_with(index, life) {
            continue;
        }
        undelivered += 1;
        if let (QueueLoss::Forbidden, Some(end), true) = (loss, index.end, knows_losses(index)) {
            let message = format!("{} was published, and no worker has dealt with it", life.id);
            let evidence = copies(operation.events().into_iter().chain([end]));
            findings.broken(Breach::LostInQueue, message, evidence, []);
        }
    }
    if undelivered > 0 && !knows_losses(index) {
        findings.unknown(format!(
            "without a delivery here: {}; neither the deliveries nor the mailer's journal is whole",
            counted(undelivered, "published message")
        ));
    }
    findings.finish(Property::Queue)
}

fn twice(index: &Index<'_>, life: &MessageLife<'_>, findings: &mut Findings) {
    // A message that was published again may be delivered again.
    let publishes = life.operations.iter().map(|at| &index.operations[*at]);
    let times = publishes.filter(|operation| operation.ended() != Ended::Fail).count().max(1);
    let context = || copies(life.operations.iter().flat_map(|at| index.operations[*at].events()));

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
            findings.broken(Breach::DeliveredTwice, message, evidence, context());
        }
    }
    if life.emails.len() > times {
        let workers: Vec<&str> =
            life.emails.iter().take(4).map(|(_, email)| email.worker.as_str()).collect();
        let message = format!(
            "{} was handed to the mailer {} times, not {times}: by {}",
            life.id,
            life.emails.len(),
            workers.join(", ")
        );
        let evidence = copies(life.emails.iter().take(times + 1).map(|(event, _)| *event));
        findings.broken(Breach::SentTwice, message, evidence, context());
    }
}
