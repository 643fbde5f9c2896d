//! Everything is final soon after the last fault: outcomes and dead letters alike. What was submitted
//! only after it is measured from then.

use std::{collections::HashMap, time::Duration};

use foldhash::fast::RandomState;

use crate::counted::counted;
use crate::e2e::record::history::Event;
use crate::e2e::verdict::promises::FINAL;
use crate::e2e::verdict::{Finding, Findings, copies};
use crate::proof::breach;
use crate::proof::lives::{Final, Lives};
use crate::wire::subjects::PAYMENT_PROCESS;

/// How everything ended after the last fault.
pub(crate) struct Endings<'l, 'a> {
    pub(crate) fault: &'a Event,
    pub(crate) all: Vec<Ending<'l, 'a>>,
    /// Acknowledged payments without an end.
    pub(crate) open: usize,
}

/// One payment's outcome, or one dead letter.
pub(crate) struct Ending<'l, 'a> {
    payment: Option<&'l str>,
    asked: Option<&'a Event>,
    said: &'a Event,
    /// After the last fault, or after it was submitted where that came later.
    pub(crate) after: Duration,
    what: &'static str,
}

/// `None` where nothing was broken.
pub(crate) fn endings<'l, 'a>(lives: &'l Lives<'_, 'a>) -> Option<Endings<'l, 'a>> {
    let fault = lives.index.last_fault()?;
    let after = |at_ns: u64, submitted: Option<u64>| {
        let submitted = submitted.unwrap_or(0);
        let what = if submitted > fault.at_ns { "it was submitted" } else { "the last fault" };
        let since = submitted.max(fault.at_ns);
        (Duration::from_nanos(at_ns.saturating_sub(since)), what)
    };
    let mut endings = Endings { fault, all: Vec::new(), open: 0 };
    for life in &lives.payments {
        match life.finals().min_by_key(Final::at_ns) {
            Some(first) => {
                let submitted = life.submitting().map(|operation| operation.begun.at_ns).min();
                let (after, what) = after(first.at_ns(), submitted);
                let (payment, Final { asked, said, .. }) = (Some(&*life.id), first);
                endings.all.push(Ending { payment, asked, said, after, what });
            }
            None => endings.open += usize::from(life.acknowledged().next().is_some()),
        }
    }
    // What was sent again is told the first one's sequence.
    let stored = lives.index.operations.iter().rev().filter_map(|operation| {
        let reply = operation.reply().filter(|reply| !reply.duplicate)?;
        Some((reply.sequence?, operation.begun.at_ns))
            .filter(|_| operation.invoke.subject == PAYMENT_PROCESS)
    });
    let submitted: HashMap<u64, u64, RandomState> = stored.collect();
    for (event, letter) in &lives.dead_letters {
        let submitted = letter.sequence.and_then(|sequence| submitted.get(&sequence)).copied();
        let (after, what) = after(event.at_ns, submitted);
        let (payment, asked, said) = (letter.payment_id.as_deref(), None, *event);
        endings.all.push(Ending { payment, asked, said, after, what });
    }
    Some(endings)
}

pub(crate) fn check(lives: &Lives<'_, '_>, within: Duration) -> Finding {
    let mut findings = Findings::default();
    let Some(Endings { fault, all, open }) = endings(lives) else {
        findings.unknown("nothing was broken, so that nothing is after the last fault".to_owned());
        return findings.finish(FINAL);
    };
    findings.looked_at = all.len();
    for Ending { payment, asked, said, after, what } in all {
        if after > within {
            let name = payment.unwrap_or("a dead letter");
            let message = format!("{name} was final {after:.1?} after {what}, not {within:?}");
            let evidence = copies(asked.into_iter().chain([said, fault]));
            findings.broken(breach::FINAL_LATE, message, evidence, []);
        }
    }
    if open > 0 {
        findings.unknown(format!(
            "with no final outcome here: {}",
            counted(open, "acknowledged payment")
        ));
    }
    findings.finish(FINAL)
}
