//! Order for each subject and publisher: a message that was published later is not delivered
//! earlier to the same worker. Redeliveries may come at any time, and so may messages that were in
//! transit during a fault, because their first delivery may have been lost with a process.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::finding::{Finding, Findings, Property, copies};
use super::index::{Ended, Index, Operation};
use crate::e2e::record::history::event::Event;

/// Subject, publisher, worker.
type Line<'a> = (&'a str, &'a str, &'a str);

/// The promise.
pub const ORDER: Property =
    Property { word: "order", says: "order for each subject and publisher" };
/// Delivered before a message that was published earlier.
pub const OUT_OF_ORDER: &str = "out_of_order";

pub(in crate::e2e) fn check(index: &Index<'_>) -> Finding {
    let mut findings = Findings::default();
    // Of each line, the delivery whose publish began last.
    let mut latest: HashMap<Line<'_>, (&Event, &Operation<'_>), RandomState> = HashMap::default();
    let mut seen: HashSet<(&str, Option<u64>, &str), RandomState> = HashSet::default();
    // Journals are read one after the other: what a worker noted is in the order of its times.
    let mut deliveries: Vec<_> = index.deliveries.iter().collect();
    deliveries.sort_by_key(|(event, _)| (event.at_ns, event.seq));
    for (event, delivery) in deliveries {
        // In core NATS each subscriber of its own has a copy, and each group one.
        let receiver = match (&delivery.sequence, &delivery.queue_group) {
            (Some(_), _) => "",
            (None, Some(group)) => group,
            (None, None) => &delivery.worker,
        };
        let again = !seen.insert((&delivery.message, delivery.sequence, receiver));
        // A message that was sent more than once has no one place in the order.
        let Some(operation) = index.only_write_of(&delivery.message) else { continue };
        if again || delivery.attempt > 1 || index.fault_between(operation.begun.at_ns, event.at_ns)
        {
            continue;
        }
        findings.looked_at += 1;
        let line =
            (delivery.subject.as_str(), operation.invoke.process.as_str(), &*delivery.worker);
        // Only what had returned before the other began was surely published first: concurrent
        // publishes have no order, and one that is unknown may have gone out at any time.
        let returned = operation.returned.filter(|_| operation.ended() == Ended::Ok);
        match (latest.get(&line), returned) {
            (Some((before, later)), Some(returned)) if later.begun.seq > returned.seq => {
                let message = format!(
                    "{} got a message of {} on {} after one that was published later",
                    line.2, line.1, line.0
                );
                let evidence = copies([operation.begun, returned, later.begun, *before, *event]);
                findings.broken(OUT_OF_ORDER, message, evidence, []);
            }
            _ => {}
        }
        let entry = latest.entry(line).or_insert((*event, operation));
        if operation.begun.seq > entry.1.begun.seq {
            *entry = (*event, operation);
        }
    }
    findings.finish(ORDER)
}
