//! How soon after a fault's end an operation succeeds again: from the history alone.

use std::time::Duration;

use crate::e2e::record::history::event::{Phase, What};
use crate::e2e::record::history::reader::History;

/// The end of a fault, and the first success after it.
#[derive(Debug, Clone, PartialEq)]
struct Recovery<'a> {
    fault: &'a str,
    /// `None` where nothing succeeded any more, or not before the next fault began.
    took: Option<Duration>,
}

/// How many faults were recovered from, if each was within the time.
///
/// A fault that another follows at once is left out: nobody promised anything for then.
pub(in crate::e2e) fn recovered(history: &History, within: Duration) -> Result<usize, String> {
    let recoveries = recoveries(history, within);
    if recoveries.is_empty() {
        return Err("no fault has ended: there is nothing to recover from".to_owned());
    }
    for recovery in &recoveries {
        let fault = recovery.fault;
        match recovery.took {
            Some(took) if took <= within => {}
            Some(took) => {
                return Err(format!(
                    "after the end of `{fault}` nothing succeeded for {took:.1?}, which is more than {within:?}"
                ));
            }
            None => return Err(format!("after the end of `{fault}` nothing succeeded any more")),
        }
    }
    Ok(recoveries.len())
}

fn recoveries(history: &History, within: Duration) -> Vec<Recovery<'_>> {
    let mut found = Vec::new();
    for (at, event) in history.events.iter().enumerate() {
        let What::Fault(fault) = &event.what else { continue };
        if fault.phase != Phase::End {
            continue;
        }
        let since = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(event.at_ns));
        let mut took = None;
        let mut disturbed = false;
        for later in &history.events[at + 1..] {
            match &later.what {
                What::Ok(_) => {
                    took = Some(since(later.at_ns));
                    break;
                }
                What::Fault(next) if next.phase == Phase::Begin => {
                    disturbed = since(later.at_ns) <= within;
                    took = (!disturbed).then(|| since(later.at_ns));
                    break;
                }
                _ => {}
            }
        }
        if !disturbed {
            found.push(Recovery { fault: &fault.name, took });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::{Fault, Reply};

    const WITHIN: Duration = Duration::from_secs(2);

    fn fault(at_ms: u64, phase: Phase) -> (u64, What) {
        (at_ms * 1_000_000, What::Fault(Fault { name: "cut".to_owned(), phase, hit: None }))
    }

    fn ok(at_ms: u64) -> (u64, What) {
        (at_ms * 1_000_000, What::Ok(Reply::default()))
    }

    fn judged(events: impl IntoIterator<Item = (u64, What)>) -> Result<usize, String> {
        recovered(&History::from_events(events), WITHIN)
    }

    #[test]
    fn a_success_in_time_is_a_recovery_and_a_late_one_or_none_is_not() {
        let (begin, end) = (fault(0, Phase::Begin), fault(1000, Phase::End));
        assert_eq!(judged([begin.clone(), end.clone(), ok(2999)]), Ok(1));
        let late = judged([begin.clone(), end.clone(), ok(3001)]).unwrap_err();
        assert!(late.contains("for 2.0s"), "{late}");
        let none = judged([begin.clone(), ok(500), end]).unwrap_err();
        assert!(none.contains("nothing succeeded any more"), "{none}");
        assert!(judged([begin, ok(1)]).unwrap_err().contains("no fault has ended"));
    }

    #[test]
    fn a_fault_that_is_followed_by_another_at_once_is_left_out() {
        let two =
            [fault(1000, Phase::End), fault(1500, Phase::Begin), fault(2000, Phase::End), ok(2100)];
        assert_eq!(judged(two), Ok(1));
        let late = [fault(1000, Phase::End), fault(3500, Phase::Begin), ok(3600)];
        assert!(judged(late).is_err(), "for 2.5 s nothing succeeded");
    }
}
