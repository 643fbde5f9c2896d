//! Everything is final soon after the last fault: outcomes and dead letters alike. What was submitted
//! only after it is measured from then.

use std::{collections::HashMap, time::Duration};

use crate::counted::counted;
use crate::e2e::record::history::event::Event;
use crate::e2e::verdict::finding::{Breach, Finding, Findings, Property, copies};
use crate::e2e::verdict::index::{Ended, Index};

/// How everything ended after the last fault.
pub(in crate::e2e) struct Endings<'a> {
    pub(in crate::e2e) fault: &'a Event,
    pub(in crate::e2e) all: Vec<Ending<'a>>,
    /// Acknowledged payments without an end.
    pub(in crate::e2e) open: usize,
}

/// One payment's outcome, or one dead letter.
pub(in crate::e2e) struct Ending<'a> {
    payment: Option<&'a str>,
    shown_by: Vec<&'a Event>,
    /// After the last fault, or after it was submitted where that came later.
    pub(in crate::e2e) after: Duration,
    what: &'static str,
}

/// `None` where nothing was broken.
pub(in crate::e2e) fn endings<'a>(index: &Index<'a>) -> Option<Endings<'a>> {
    let (fault, _) = index.last_fault()?;
    let after = |at_ns: u64, submitted: Option<u64>| {
        let submitted = submitted.unwrap_or(0);
        let what = if submitted > fault.at_ns { "it was submitted" } else { "the last fault" };
        let since = submitted.max(fault.at_ns);
        (Duration::from_nanos(at_ns.saturating_sub(since)), what)
    };
    let mut endings = Endings { fault, all: Vec::new(), open: 0 };
    for life in &index.payments {
        let submits = || life.submits.iter().map(|at| &index.operations[*at]);
        match index.first_final(life) {
            Some(first) => {
                let submitted = submits().map(|operation| operation.begun.at_ns).min();
                let (after, what) = after(first.at_ns, submitted);
                let payment = Some(life.id);
                endings.all.push(Ending { payment, shown_by: first.shown_by, after, what });
            }
            None => {
                let accepted = submits().any(|operation| operation.ended() == Ended::Ok);
                endings.open += usize::from(accepted);
            }
        }
    }
    let submitted: HashMap<u64, u64> = index
        .operations
        .iter()
        .filter_map(|operation| Some((operation.reply()?.sequence?, operation.begun.at_ns)))
        .collect();
    for (event, letter) in &index.dead_letters {
        let submitted = letter.sequence.and_then(|sequence| submitted.get(&sequence)).copied();
        let (after, what) = after(event.at_ns, submitted);
        let payment = letter.payment_id.as_deref();
        endings.all.push(Ending { payment, shown_by: vec![event], after, what });
    }
    Some(endings)
}

pub(in crate::e2e) fn check(index: &Index<'_>, within: Duration) -> Finding {
    let mut findings = Findings::default();
    let Some(Endings { fault, all, open }) = endings(index) else {
        findings.unknown("nothing was broken, so that nothing is after the last fault".to_owned());
        return findings.finish(Property::Final);
    };
    findings.looked_at = all.len();
    for Ending { payment, shown_by, after, what } in all {
        if after > within {
            let name = payment.unwrap_or("a dead letter");
            let message = format!("{name} was final {after:.1?} after {what}, not {within:?}");
            let evidence = copies(shown_by.into_iter().chain([fault]));
            findings.broken(Breach::FinalLate, message, evidence, []);
        }
    }
    if open > 0 {
        findings.unknown(format!(
            "with no final outcome here: {}",
            counted(open, "acknowledged payment")
        ));
    }
    findings.finish(Property::Final)
}
