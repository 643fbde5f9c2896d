//! Everything is final soon after the last fault: outcomes and dead letters alike.

use std::time::Duration;

use super::super::{
    index::{Ended, Index},
    verdict::{Breach, Finding, Findings, Property, copies},
};

pub(in super::super) fn check(index: &Index<'_>, within: Duration) -> Finding {
    let mut findings = Findings::default();
    let Some((fault, _)) = index.last_fault() else {
        findings.unknown("nothing was broken, so that nothing is after the last fault".to_owned());
        return findings.finish(Property::Final);
    };
    let late = |at_ns: u64| {
        let after = Duration::from_nanos(at_ns.saturating_sub(fault.at_ns));
        (after > within).then_some(after)
    };
    let mut open = 0;
    for life in &index.payments {
        let Some(first) = index.first_final(life) else {
            let accepted = |at: &usize| index.operations[*at].ended() == Ended::Ok;
            open += usize::from(life.submits.iter().any(accepted));
            continue;
        };
        findings.looked_at += 1;
        if let Some(after) = late(first.at_ns) {
            let message =
                format!("{} was final {after:.1?} after the last fault, not {within:?}", life.id);
            let evidence = copies(first.shown_by.iter().copied().chain([fault]));
            findings.broken(Breach::FinalLate, message, evidence, []);
        }
    }
    for (event, _) in &index.dead_letters {
        findings.looked_at += 1;
        if let Some(after) = late(event.at_ns) {
            let message =
                format!("a dead letter came {after:.1?} after the last fault, not {within:?}");
            findings.broken(Breach::FinalLate, message, copies([*event, fault]), []);
        }
    }
    if open > 0 {
        findings.unknown(format!("{open} acknowledged payments have no final outcome here"));
    }
    findings.finish(Property::Final)
}
