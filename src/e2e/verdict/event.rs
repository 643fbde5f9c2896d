//! The events of runs, as plain data, in order. Reporters get these events and never a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::report::Report;
use crate::counted::counted;
use crate::e2e::record::hazard::Hazard;
pub use crate::e2e::record::run::RunId;
use crate::e2e::record::run::{Failure, Log, RunLeaks};
use crate::e2e::record::trace::{About, Trace};

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Before anything else.
    Started {
        /// Of what, with what and where.
        setup: Setup,
        /// How many scenarios were chosen.
        scenarios: usize,
        /// How many runs that makes.
        runs: usize,
        /// How many at a time.
        jobs: usize,
        /// For whatever is drawn by chance.
        seed: u64,
    },
    /// A run begins.
    RunStarted {
        /// Which.
        run: RunId,
    },
    /// A run begins a step.
    StepStarted {
        /// Which run.
        run: RunId,
        /// From 0.
        index: usize,
        /// Line of the fixture, from 1.
        line: usize,
        /// `call`, `request`, …
        verb: &'static str,
    },
    /// A process of a run has printed a line, where that is to be told.
    Printed {
        /// Which run.
        run: RunId,
        /// The service, or the program of a step.
        by: String,
        /// Cleaned, and without the passwords of the run.
        line: String,
    },
    /// A run came to its end.
    RunFinished(Box<RunReport>),
    /// After everything else.
    Finished(Summary),
}

/// The command, and where it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Invocation {
    /// The suite as people see it: its folder, or that it is the built-in one.
    pub suite: String,
    /// The command line, as a shell reads it.
    pub command: String,
    /// System, processor and how many cores.
    pub machine: String,
}

/// What was run, with which broker and on which machine; every report contains it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// The command, and where it ran.
    #[serde(flatten)]
    pub invocation: Invocation,
    /// How many scenarios the suite has, chosen or not.
    pub found: usize,
    /// The broker's program and version.
    pub broker: String,
}

impl Setup {
    /// `suite shop: 5 scenarios`.
    pub fn suite(&self) -> String {
        format!("suite {}: {}", self.invocation.suite, counted(self.found, "scenario"))
    }

    /// All of it, by name.
    pub fn facts(&self) -> [(&'static str, &str); 4] {
        let Invocation { suite, command, machine } = &self.invocation;
        [("suite", suite), ("command", command), ("broker", &self.broker), ("machine", machine)]
    }
}

/// How one run ended, with all the evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// Which run.
    pub run: RunId,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// From the broker's start to the last process's end, milliseconds.
    pub elapsed_ms: u64,
    /// What happened, redacted.
    pub transcript: String,
    /// The last lines of each process, for a run that did not pass.
    pub logs: Vec<Log>,
    /// The command that runs only this again.
    pub again: String,
    /// What the run's history came to; absent where the run ended before it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Box<RunHistory>>,
    /// What it left behind at the broker; absent where that is nothing, or where it did not get to its
    /// end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaks: Option<Box<RunLeaks>>,
    /// What does no harm yet; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Hazard>,
    /// How often each service was started again that had ended by itself; absent where none was.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub restarts: BTreeMap<String, u32>,
    /// Where the history was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_file: Option<String>,
    /// What is known of the scenario before it runs.
    #[serde(skip)]
    pub about: Arc<About>,
    /// Its trace, if a reporter needs it; for a flaky run that of the attempt that passed.
    #[serde(skip)]
    pub trace: Option<Box<Trace>>,
}

/// The verdict on the history of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunHistory {
    /// `valid`, `invalid` or `unknown`.
    pub verdict: &'static str,
    /// Promise by promise, and in numbers.
    #[serde(flatten)]
    pub report: Report,
    /// The suite's promises that the scenario switches off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<String>,
    /// Whether the scenario is about these numbers: it has a check on them.
    #[serde(skip)]
    pub asked_for: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// As expected.
    Passed,
    /// As expected by the fixture; its golden file was written.
    Updated {
        /// There was one, and it said something else.
        changed: bool,
    },
    /// Something differs.
    Failed(Failure),
    /// It did not pass at first, and passed when it was repeated: there is a race.
    Flaky {
        /// How many attempts did not pass.
        failures: u32,
        /// What the first of them ended with.
        first: Failure,
    },
    /// The client or the machine cannot do it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The harness could not do its part; nothing is known about the services.
    Broken {
        /// What could not be done, with the evidence.
        reason: String,
    },
}

impl Verdict {
    /// What did not pass, as a failure; `None` where it passed or was left out.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure.clone()),
            Self::Broken { reason } => {
                Some(Failure { message: reason.clone(), ..Failure::default() })
            }
            _ => None,
        }
    }

    /// Why it is no pass, in one line.
    pub fn reason(&self) -> Option<String> {
        let first = match self {
            Self::Failed(failure) => &failure.message,
            Self::Broken { reason } => reason,
            Self::Flaky { first, .. } => &first.message,
            Self::Passed | Self::Updated { .. } | Self::Skipped { .. } => return None,
        };
        Some(first.lines().next().unwrap_or_default().to_owned())
    }
}

/// How all runs ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Chosen scenarios.
    pub scenarios: usize,
    /// Runs that ended.
    pub runs: usize,
    /// As expected, golden files written included.
    pub passed: usize,
    /// Of those, golden files written.
    pub updated: usize,
    /// Something differs.
    pub failed: usize,
    /// Passed only when tried again.
    pub flaky: usize,
    /// Could not be done by this client or on this machine.
    pub skipped: usize,
    /// The harness failed.
    pub broken: usize,
    /// Not begun, after `fail_fast` or an interrupt.
    pub not_run: usize,
    /// Of what was run several times: how often it passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Rounds>,
    /// Whole time, milliseconds.
    pub elapsed_ms: u64,
    /// For whatever was drawn by chance.
    pub seed: u64,
    /// Ended by a signal: runs in progress are broken, and runs that had not started are not run.
    pub interrupted: bool,
    /// Files that could not be written, reports or files of the suite; they change no verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trouble: Vec<String>,
    /// Of what, with what and where.
    pub setup: Setup,
}

/// How often a run passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rounds {
    /// Which, without a round.
    #[serde(flatten)]
    pub run: RunId,
    /// So many times.
    pub passed: usize,
    /// Of so many.
    pub of: usize,
}

impl Summary {
    /// Counts a run.
    pub fn count(&mut self, run: &RunId, verdict: &Verdict) {
        self.runs += 1;
        if run.round.is_some() {
            self.count_round(run, verdict);
        }
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Updated { .. } => {
                self.passed += 1;
                self.updated += 1;
            }
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Flaky { .. } => self.flaky += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
            Verdict::Broken { .. } => self.broken += 1,
        }
    }

    fn count_round(&mut self, run: &RunId, verdict: &Verdict) {
        let run = RunId { round: None, ..run.clone() };
        let at = self.rounds.iter().position(|rounds| rounds.run == run);
        let at = at.unwrap_or_else(|| {
            self.rounds.push(Rounds { run, passed: 0, of: 0 });
            self.rounds.len() - 1
        });
        self.rounds[at].of += 1;
        self.rounds[at].passed += usize::from(*verdict == Verdict::Passed);
    }

    /// Whether everything is as expected.
    pub fn is_ok(&self) -> bool {
        self.failed == 0
            && self.flaky == 0
            && self.broken == 0
            && self.not_run == 0
            && !self.interrupted
    }

    /// Whether no run had a result that proves anything.
    pub fn is_empty(&self) -> bool {
        self.runs == self.skipped && self.not_run == 0
    }
}
