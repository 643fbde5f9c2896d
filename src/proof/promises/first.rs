//! Of two contents of one id, the one that was acknowledged first stands: before the other was even
//! submitted, so that nothing depends on whose message was faster.

use crate::e2e::verdict::index::{Ended, Operation};
use crate::e2e::verdict::{Finding, Findings, Property, copies};
use crate::proof::breach;
use crate::proof::lives::{Lives, PaymentLife, Submit};
use crate::proof::promises::acknowledged::same_content;

/// The promise.
pub const FIRST: Property =
    Property { word: "first", says: "of two contents the first acknowledged stands" };

pub(crate) fn check(lives: &Lives<'_, '_>) -> Finding {
    let mut findings = Findings::default();
    for life in &lives.payments {
        payment(life, &mut findings);
    }
    findings.finish(FIRST)
}

fn payment(life: &PaymentLife<'_, '_>, findings: &mut Findings) {
    let Some((entry, outcome)) = life.outcomes.first() else { return };
    // Their places are in the order in which they began.
    let contents = || {
        life.submits.iter().filter_map(|Submit { operation, payment }| {
            Some((*operation, same_content(payment, &outcome.reading)?))
        })
    };
    let Some((second, _)) = contents().find(|(_, stands)| *stands) else { return };
    findings.looked_at += 1;
    // One that was a duplicate of another message never reached the stream.
    let was_first = |operation: &Operation<'_>| {
        operation.reply().is_some_and(|reply| !reply.duplicate)
            && operation.ended() == Ended::Ok
            && operation.returned.is_some_and(|event| event.seq < second.begun.seq)
    };
    let first = contents().find(|(operation, stands)| !stands && was_first(operation));
    if let Some((first, _)) = first {
        let message = format!(
            "{} was acknowledged, and what stands is other content that was submitted only after that",
            life.id
        );
        let evidence = copies(first.events().into_iter().chain([second.begun, *entry]));
        findings.broken(breach::SECOND_CONTENT, message, evidence, []);
    }
}
