//! Crash points: the process aborts at a step of PAYMENTS.md, once a payment, where settings say so.
//!
//! Off unless `[payment] crash` names a step. They prove that a kill between any two steps is
//! harmless; a kill from outside hits such a place only by chance.

use serde::Deserialize;

use crate::modules::journal::{Journal, JournalError};
use crate::wire::journal::CrashRecord;

/// Where a process can be made to abort: right after the step of this letter in PAYMENTS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Step {
    /// The message was delivered.
    B,
    /// It was parsed and validated.
    C,
    /// The id is claimed.
    D,
    /// The gateway has answered.
    E,
    /// The outcome is in the ledger.
    F,
    /// The message is acknowledged.
    G,
}

/// Aborts after a step for every payment whose id begins so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashRule {
    /// After which step.
    pub step: Step,
    /// The beginning of the ids.
    pub prefix: String,
}

/// The crash points of a process; the journal tells what crashed before, in whichever process.
#[derive(Debug, Default)]
pub struct CrashPoints {
    rules: Vec<CrashRule>,
    journal: Option<Journal>,
}

impl CrashPoints {
    /// Crash points by these rules; without rules there is no journal and nothing happens.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn new(
        rules: Vec<CrashRule>,
        journal: impl FnOnce() -> Result<Journal, JournalError>,
    ) -> Result<Self, JournalError> {
        let journal = if rules.is_empty() { None } else { Some(journal()?) };
        Ok(Self { rules, journal })
    }

    /// False where no payment ever aborts the process after this step.
    pub fn may_come(&self, step: Step) -> bool {
        self.rules.iter().any(|rule| rule.step == step)
    }

    /// True if this payment has yet to abort the process after this step; it is noted as done, so
    /// that the next delivery gets further.
    pub async fn due(&self, step: Step, key: &str) -> bool {
        let matches = |rule: &CrashRule| rule.step == step && key.starts_with(&rule.prefix);
        let Some(journal) = self.journal.as_ref().filter(|_| self.rules.iter().any(matches)) else {
            return false;
        };
        let crash = CrashRecord { step: format!("{step:?}"), key: key.to_owned() };
        let noted = Box::pin(journal.transact(move |follow| {
            let (before, _, _) = follow.since::<CrashRecord>(0)?;
            let due = !before.contains(&crash);
            if due {
                follow.append(&crash)?;
            }
            Ok(due)
        }));
        noted.await.unwrap_or(false)
    }

    /// Aborts the process if [`Self::due`].
    pub async fn reach(&self, step: Step, key: &str) {
        if self.due(step, key).await {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_payment_crashes_once_at_its_step_and_only_where_a_rule_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Journal::open(folder.path().join("crashes"), false);
        let rules = vec![CrashRule { step: Step::E, prefix: "e-".into() }];
        let points = CrashPoints::new(rules.clone(), open).unwrap();
        assert!(!points.due(Step::D, "e-1").await);
        assert!(!points.due(Step::E, "other").await);
        assert!(points.due(Step::E, "e-1").await);
        assert!(!points.due(Step::E, "e-1").await);
        let next_process = CrashPoints::new(rules, open).unwrap();
        assert!(!next_process.due(Step::E, "e-1").await);
        assert!(next_process.due(Step::E, "e-2").await);
        let off = CrashPoints::new(vec![], || panic!("no journal without rules")).unwrap();
        assert!(!off.due(Step::E, "e-3").await);
    }
}
