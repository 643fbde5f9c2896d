//! A status never goes back: a reading that was asked for after another had returned says the same
//! or more. Readings that overlap may come in any order; a final status is the only one, ever. What is
//! told is what is on record: the same money, and final where that is.

use std::time::Duration;

use crate::e2e::record::history::Event;
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::facts::OUTCOMES;
use crate::proof::lives::{Lives, Outcome, PaymentLife, Reading};

/// How long after an outcome was stored it is told: the clocks of server and client may differ, and a
/// node of a cluster may apply it later than another.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// The promise.
pub const STATUS: Property = Property { word: "status", says: "status never goes back" };

/// A status that was read: asked at one point, answered at a later one.
#[derive(Clone, Copy)]
struct Read<'l, 'a> {
    begun: &'a Event,
    returned: &'a Event,
    reading: &'l Reading<'a>,
}

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    for life in &lives.payments {
        let mut reads = reads(life);
        findings.looked_at += reads.len();
        went_back(&life.id, &mut reads, &mut findings);
        final_changed(life, &mut findings);
        match life.outcomes.first() {
            Some((entry, outcome)) => on_record(lives, entry, outcome, &reads, &mut findings),
            None => told_unrecorded(lives, &life.id, &reads, &mut findings),
        }
        other_money(life, &reads, &mut findings);
    }
    findings.finish(STATUS)
}

fn reads<'l, 'a>(life: &'l PaymentLife<'_, 'a>) -> Vec<Read<'l, 'a>> {
    let read = life.reads.iter().filter_map(|read| {
        let (returned, reading) = read.reading.as_ref()?;
        Some(Read { begun: read.operation.begun, returned, reading })
    });
    read.collect()
}

fn went_back(id: &str, reads: &mut [Read<'_, '_>], findings: &mut Findings) {
    reads.sort_by_key(|read| read.returned.seq);
    // The furthest status of all that had returned, up to each place in the order of returns.
    let mut furthest: Vec<Read<'_, '_>> = Vec::with_capacity(reads.len());
    for read in reads.iter() {
        let last = furthest.last().copied().unwrap_or(*read);
        let further = read.reading.status.rank() > last.reading.status.rank();
        furthest.push(if further { *read } else { last });
    }
    for later in reads.iter() {
        let before = reads.partition_point(|read| read.returned.seq < later.begun.seq);
        let Some(earlier) = before.checked_sub(1).map(|at| furthest[at]) else { continue };
        if later.reading.status.rank() < earlier.reading.status.rank() {
            let message = format!(
                "{id} was {}, and {} when it was asked for after that",
                earlier.reading.status, later.reading.status
            );
            let evidence = copies([earlier.begun, earlier.returned, later.begun, later.returned]);
            findings.broken(breach::WENT_BACK, message, evidence, []);
        }
    }
}

/// Ledger entries count too; two entries that differ are another promise's business.
fn final_changed(life: &PaymentLife<'_, '_>, findings: &mut Findings) {
    let mut finals = life.finals();
    let Some(first) = finals.next() else { return };
    let other = finals.find(|seen| {
        seen.reading.status != first.reading.status && (seen.was_told() || first.was_told())
    });
    if let Some(other) = other {
        let message = format!(
            "{} is {}, and is {} too: a final status never changes",
            life.id, first.reading.status, other.reading.status
        );
        let evidence = copies(first.shown_by().chain(other.shown_by()));
        findings.broken(breach::FINAL_CHANGED, message, evidence, []);
    }
}

/// A status that is asked for long after the outcome was stored is final. While something is broken,
/// and right after that, a node that was cut off may still tell what it knew.
fn on_record(
    lives: &Lives<'_, '_>,
    entry: &Event,
    outcome: &Outcome<'_>,
    reads: &[Read<'_, '_>],
    findings: &mut Findings,
) {
    let within_ns = TOLD_WITHIN.as_nanos() as u64;
    let stale = |read: &&Read<'_, '_>| {
        !read.reading.status.is_final()
            && read.begun.at_ns > entry.at_ns.saturating_add(within_ns)
            && !lives.index.fault_between(read.begun.at_ns - within_ns, read.begun.at_ns)
    };
    let early = |read: &Read<'_, '_>| {
        let is_final = read.reading.status.is_final();
        lives.index.clocks().after(entry, read.returned).filter(|_| is_final)
    };
    if let Some((read, clocks)) = reads.iter().find_map(|read| Some((read, early(read)?))) {
        let message = format!(
            "{} was {} when it was asked for, before it was {} on record",
            outcome.payment_id, read.reading.status, outcome.reading.status
        );
        let evidence = copies([read.begun, read.returned, entry].into_iter().chain(clocks));
        findings.broken(breach::TOLD_EARLY, message, evidence, []);
    }
    if let Some(read) = reads.iter().find(stale) {
        let message = format!(
            "{} is {} on record, and was {} when it was asked for long after that",
            outcome.payment_id, outcome.reading.status, read.reading.status
        );
        findings.broken(breach::STALE, message, copies([entry, read.begun, read.returned]), []);
    }
}

fn told_unrecorded(
    lives: &Lives<'_, '_>,
    id: &str,
    reads: &[Read<'_, '_>],
    findings: &mut Findings,
) {
    let told = reads.iter().find(|read| read.reading.status.is_final());
    if let (Some(read), Some(end)) = (told, lives.index.end_with_whole(OUTCOMES)) {
        let message =
            format!("{id} was {} when it was asked for, and has no outcome", read.reading.status);
        let evidence = copies([read.begun, read.returned, end]);
        findings.broken(breach::TOLD_UNRECORDED, message, evidence, []);
    }
}

/// Whatever is told of a payment is told of one content: that of its outcome, or what was told first.
fn other_money(life: &PaymentLife<'_, '_>, reads: &[Read<'_, '_>], findings: &mut Findings) {
    let entry = life.outcomes.first().map(|(event, outcome)| (vec![*event], &outcome.reading));
    let told = reads.iter().map(|read| (vec![read.begun, read.returned], read.reading));
    let mut all = entry.into_iter().chain(told).filter(|(_, reading)| says_money(reading));
    let Some((first, reading)) = all.next() else { return };
    if let Some((other, seen)) = all.find(|(_, seen)| differ(reading, seen)) {
        let message =
            format!("{} was told with {}, and is {}", life.id, money(seen), money(reading));
        let evidence = copies(first.into_iter().chain(other));
        findings.broken(breach::STATUS_OTHER, message, evidence, []);
    }
}

fn says_money(reading: &Reading<'_>) -> bool {
    reading.amount.is_some() || reading.currency.is_some() || reading.content.is_some()
}

fn differ(a: &Reading<'_>, b: &Reading<'_>) -> bool {
    fn other<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
        a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a != b)
    }
    other(&a.amount, &b.amount) || other(&a.currency, &b.currency) || other(&a.content, &b.content)
}

fn money(reading: &Reading<'_>) -> String {
    let amount = reading.amount.map(|amount| format!("{amount} "));
    let currency = reading.currency.as_deref().unwrap_or("another content");
    format!("{}{currency}", amount.unwrap_or_default())
}
