//! Repeats runs that did not pass, up to a limit; a run that passes then is flaky.

use std::collections::{BTreeMap, btree_map::Entry};

use super::judge::Judged;
use super::pool::Job;
use super::settings::Again;
use crate::e2e::record::run::{Failure, RunId};
use crate::e2e::verdict::event::Verdict;

/// Which runs may be tried again, and which are.
pub(in crate::e2e) struct Retries {
    /// Of each run that may be tried again: the job, and how many attempts are left.
    left: BTreeMap<RunId, (Job, u32)>,
    /// Of each run that is being tried again: how many attempts did not pass, and the first.
    failures: BTreeMap<RunId, (u32, Failure)>,
}

/// What to do with a verdict.
pub(in crate::e2e) enum Decision {
    /// Report it.
    Final(Box<Judged>),
    /// Run it again.
    Again(Job),
}

impl Retries {
    pub(in crate::e2e) fn new(again: Again, jobs: &[Job]) -> Self {
        let left = match again {
            Again::Retries(most) => {
                jobs.iter().map(|job| (job.run.clone(), (job.clone(), most))).collect()
            }
            Again::Never | Again::Rounds(_) => BTreeMap::new(),
        };
        Self { left, failures: BTreeMap::new() }
    }

    /// True if this attempt is not followed by another one, whatever it comes to.
    pub(in crate::e2e) fn is_last(&self, run: &RunId) -> bool {
        self.left.get(run).is_none_or(|(_, left)| *left == 0)
    }

    pub(in crate::e2e) fn decide(&mut self, (run, verdict, outcome, elapsed): Judged) -> Decision {
        let Some(failure) = verdict.failure() else {
            let verdict = match (self.failures.remove(&run), verdict) {
                (Some((failures, first)), Verdict::Passed) => Verdict::Flaky { failures, first },
                // Left out at a later attempt: what is known is that it did not pass.
                (Some((_, first)), _) => Verdict::Failed(first),
                (None, verdict) => verdict,
            };
            return Decision::Final(Box::new((run, verdict, outcome, elapsed)));
        };
        match self.left.get_mut(&run) {
            Some((job, left)) if *left > 0 => {
                *left -= 1;
                match self.failures.entry(run) {
                    Entry::Vacant(entry) => _ = entry.insert((1, failure)),
                    Entry::Occupied(mut entry) => entry.get_mut().0 += 1,
                }
                Decision::Again(job.clone())
            }
            _ => Decision::Final(Box::new((run, verdict, outcome, elapsed))),
        }
    }
}
