//! A status never goes back: a reading that was asked for after another had returned says the same
//! or more. Readings that overlap may come in any order; a final status is the only one, ever.

use crate::e2e::record::history::Event;
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::facts::Reading;
use crate::proof::lives::{Lives, PaymentLife};

/// The promise.
pub const STATUS: Property = Property { word: "status", says: "status never goes back" };

/// A status that was read: asked at one point, answered at a later one.
#[derive(Clone, Copy)]
struct Read<'a> {
    begun: &'a Event,
    returned: &'a Event,
    reading: &'a Reading,
}

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    for life in &lives.payments {
        let mut reads = reads(lives, life);
        findings.looked_at += reads.len();
        went_back(&life.id, &mut reads, &mut findings);
        final_changed(lives, life, &mut findings);
    }
    findings.finish(STATUS)
}

fn reads<'a>(lives: &'a Lives<'_, 'a>, life: &PaymentLife<'a>) -> Vec<Read<'a>> {
    let read = life.reads.iter().filter_map(|at| {
        let operation = &lives.index.operations[*at];
        let reading = lives.reading(*at)?;
        Some(Read { begun: operation.begun, returned: operation.returned?, reading })
    });
    read.collect()
}

fn went_back(id: &str, reads: &mut [Read<'_>], findings: &mut Findings) {
    reads.sort_by_key(|read| read.returned.seq);
    // The furthest status of all that had returned, up to each place in the order of returns.
    let mut furthest: Vec<Read<'_>> = Vec::with_capacity(reads.len());
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
fn final_changed(lives: &Lives<'_, '_>, life: &PaymentLife<'_>, findings: &mut Findings) {
    let finals = lives.finals(life);
    let Some(first) = finals.first() else { return };
    let other = finals[1..].iter().find(|seen| {
        seen.reading.status != first.reading.status
            && (seen.shown_by.len() > 1 || first.shown_by.len() > 1)
    });
    if let Some(other) = other {
        let message = format!(
            "{} is {}, and is {} too: a final status never changes",
            life.id, first.reading.status, other.reading.status
        );
        let evidence = copies(first.shown_by.iter().chain(&other.shown_by).copied());
        findings.broken(breach::FINAL_CHANGED, message, evidence, []);
    }
}
