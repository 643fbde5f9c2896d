//! `--keep`: chooses the run that is kept, and keeps it running.

use std::io;

use crate::broker::{Credentials, Role};
use crate::e2e::record::inventory::Inventory;
use crate::e2e::record::run::RunId;
use crate::e2e::run::stage::standing::{Standing, StandingError};
use crate::e2e::verdict::event::{RunReport, Verdict};

/// A run that has ended, whose broker and services still run where possible.
///
/// [`stop`](Self::stop) is the orderly end. Dropping it, or dying, ends every process at once and
/// removes the run's folder.
pub struct LeftUp {
    /// Which run.
    pub run: RunId,
    /// How it ended.
    pub verdict: Verdict,
    standing: Standing,
}

impl LeftUp {
    /// What still runs, and where; also what has ended by now.
    pub fn inventory(&mut self) -> Inventory {
        self.standing.inventory()
    }

    /// The login of a program in this role.
    pub fn credentials(&self, role: Role) -> Option<Credentials> {
        self.standing.credentials(role)
    }

    /// Writes what the services say to a file, from their last lines on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn follow_services(&mut self) -> io::Result<()> {
        self.standing.follow_services()
    }

    /// Waits until a process ends by itself; returns which, and how. Each end is reported once.
    pub async fn ended(&mut self) -> String {
        self.standing.ended().await
    }

    /// Stops the services, then the broker, and removes the run's folder.
    ///
    /// # Errors
    /// Why the broker did not stop, or what is left of it.
    pub async fn stop(self) -> Result<(), StandingError> {
        self.standing.drain_and_stop().await
    }
}

/// Decides which run is kept: the first that does not pass, else the only one.
pub(in crate::e2e) struct Chooser {
    /// True if there is only one run.
    alone: bool,
    pub(in crate::e2e) chosen: Option<LeftUp>,
}

impl Chooser {
    /// For so many runs.
    pub(in crate::e2e) fn among(runs: usize) -> Self {
        Self { alone: runs == 1, chosen: None }
    }

    /// Keeps a run, or stops it; a stop that fails is the run's failure.
    pub(in crate::e2e) async fn decide(&mut self, report: &mut RunReport, standing: Standing) {
        let passed = report.verdict == Verdict::Passed;
        let wanted = report.verdict.failure().is_some() || (passed && self.alone);
        if wanted && self.chosen.is_none() {
            let (run, verdict) = (report.run.clone(), report.verdict.clone());
            self.chosen = Some(LeftUp { run, verdict, standing });
            return;
        }
        let stopped = standing.stop().await;
        if let (true, Err(error)) = (passed, stopped) {
            report.verdict = Verdict::Broken { reason: error.to_string() };
        }
    }
}
