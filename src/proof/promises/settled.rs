//! What is settled stays settled: once the gateway has approved, declined or cancelled, nothing more
//! is asked of it under that key, and nothing is charged once the outcome is on record.

use crate::e2e::record::history::Event;
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::facts::Status;
use crate::proof::lives::{Charge, Lives, PaymentLife};
use crate::wire::journal::ChargeOutcome;

/// The promise.
pub const SETTLED: Property =
    Property { word: "settled", says: "what the gateway has settled stays so" };

/// So long, nanoseconds.
const ON_ITS_WAY: u64 = 1_000_000_000;

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    for life in &lives.payments {
        again(life, &mut findings);
        after_final(lives, life, &mut findings);
    }
    findings.finish(SETTLED)
}

/// Two approvals are another promise's business.
fn again(life: &PaymentLife<'_, '_>, findings: &mut Findings) {
    let mut settled: Option<&(&Event, Charge<'_>)> = None;
    for charge in &life.charges {
        findings.looked_at += 1;
        let both_approved = |first: &Charge<'_>| {
            [first, &charge.1].iter().all(|charge| charge.outcome == ChargeOutcome::Approved)
        };
        match settled {
            Some((before, first)) if !both_approved(first) => {
                let message = format!(
                    "{} was {} at the gateway, and {} after that",
                    life.id,
                    word(first.outcome),
                    word(charge.1.outcome)
                );
                let evidence = copies([*before, charge.0]);
                findings.broken(breach::SETTLED_AGAIN, message, evidence, []);
                return;
            }
            None if charge.1.outcome != ChargeOutcome::Unavailable => settled = Some(charge),
            _ => {}
        }
    }
}

fn word(outcome: ChargeOutcome) -> &'static str {
    match outcome {
        ChargeOutcome::Approved => "approved",
        ChargeOutcome::Declined => "declined",
        ChargeOutcome::Unavailable => "tried again",
        ChargeOutcome::Cancelled => "cancelled",
    }
}

/// What charges nothing may be on its way when another worker records the outcome.
fn after_final(lives: &Lives<'_, '_>, life: &PaymentLife<'_, '_>, findings: &mut Findings) {
    let Some((entry, outcome)) = life.outcomes.first() else { return };
    let status = outcome.reading.status;
    let late = |(event, charge): &(&Event, Charge<'_>)| {
        let charged = charge.outcome == ChargeOutcome::Approved && status == Status::Completed;
        match charged {
            true => lives.index.clocks().of_one_machine(entry, event),
            false => (event.at_ns > entry.at_ns.saturating_add(ON_ITS_WAY)).then_some(None),
        }
    };
    let first = life.charges.iter().find_map(|charge| Some((charge, late(charge)?)));
    if status.is_final()
        && let Some(((charge, late), clocks)) = first
    {
        let message = match late.outcome {
            ChargeOutcome::Approved => format!("{} was charged after it was {status}", life.id),
            other => {
                format!("{} was {} at the gateway after it was {status}", life.id, word(other))
            }
        };
        let evidence = copies([*entry, *charge].into_iter().chain(clocks));
        findings.broken(breach::CHARGED_AFTER, message, evidence, []);
    }
}
