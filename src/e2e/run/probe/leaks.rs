//! What a scenario leaves behind at the broker, as the broker's monitoring tells it: looked at when
//! the services are ready, when the steps and checks are done, and when everybody has gone.
//!
//! | left behind | by whom | seen |
//! | --- | --- | --- |
//! | a connection | the client, a service | after the steps, as one more of that name than at the start |
//! | a connection | whoever should have ended | at the end |
//! | a subscription | the client, a service | after the steps |
//! | a consumer | whoever made it | at the end: not there at the start, and nobody used it after the steps |
//! | an unacknowledged message | whoever reads from the consumer | at the end |
//!
//! Closing takes the broker a moment: what looks like a leak is looked at again. A look that cannot
//! be had is told, and nothing is held against the run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::advisories::{GivenUp, How};
use super::left_behind::{held, key, left, new_consumers};
use crate::broker::LeakReport;
use crate::e2e::record::run::{Leak, RunLeaks};
use crate::e2e::run::stage::brokers::Brokers;
use crate::e2e::scenario::ast::scenario::{Fixture, Leaks};
use crate::e2e::verdict::outcome::Stop;

/// How long what looks like a leak may take to go where it is only told.
const PATIENCE: Duration = Duration::from_millis(500);
/// The same where it decides about a run.
const PATIENCE_OF_A_VERDICT: Duration = Duration::from_secs(2);
/// The broker does not tell when a connection is gone: it is asked.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Watches one run.
pub(in crate::e2e) struct Watch {
    policy: Leaks,
    /// So many service processes may each have a connection of one name.
    processes: usize,
    start: Option<LeakReport>,
    /// New consumers that somebody used after the steps.
    used: BTreeSet<(String, String)>,
    leaks: RunLeaks,
}

impl Watch {
    /// What a fixture says counts, else what is said for all.
    pub(in crate::e2e) fn new(fixture: &Fixture, of_all: Leaks) -> Self {
        let policy = fixture.leaks.as_ref().map_or(of_all, |(policy, _)| *policy);
        let (used, leaks) = (BTreeSet::new(), RunLeaks::default());
        Self { policy, processes: 0, start: None, used, leaks }
    }

    /// Whether it looks at all.
    pub(in crate::e2e) fn looks(&self) -> bool {
        self.policy != Leaks::Ignore
    }

    /// Whether it looks, and the broker could be asked so far.
    pub(in crate::e2e) fn is_known(&self) -> bool {
        self.looks() && self.leaks.unknown.is_none()
    }

    /// Looks at what is there before the first step.
    pub(in crate::e2e) async fn begin(&mut self, brokers: &Brokers, processes: usize) {
        if !self.looks() {
            return;
        }
        self.processes = processes;
        match brokers.leak_report().await {
            Ok(report) => self.start = Some(report),
            Err(reason) => self.unknown("at the start", reason),
        }
    }

    /// Looks at what client and services hold while nothing is asked of them any more.
    pub(in crate::e2e) async fn after_steps(
        &mut self,
        brokers: &Brokers,
        broken_network: Option<&str>,
    ) {
        let Some(start) = self.start.take() else { return };
        if let Some(name) = broken_network {
            // The broker cannot know who has gone.
            self.unknown("after the steps", format!("the network is still broken: {name}"));
        }
        let mut used = BTreeSet::new();
        let seen = self.look(brokers, |report| {
            used.extend(report.consumers.iter().filter(|c| c.in_use()).map(key));
            let unused =
                new_consumers(&start, report).any(|c| c.durable && !used.contains(&key(c)));
            let found = match broken_network {
                None => held(&start, report, self.processes),
                Some(_) => Vec::new(),
            };
            // A durable one that is fetched from is in use at the next look, perhaps.
            let again = unused || !found.is_empty();
            (found, again)
        });
        match seen.await {
            Ok(found) => self.leaks.found = found,
            Err(reason) => self.unknown("after the steps", reason),
        }
        (self.used, self.start) = (used, Some(start));
    }

    /// Looks at what is there once client and services have gone.
    pub(in crate::e2e) async fn at_end(&mut self, brokers: &Brokers) {
        let Some(start) = &self.start else { return };
        let seen = self.look(brokers, |report| {
            let found = left(start, report, &self.used);
            let again = !found.is_empty();
            (found, again)
        });
        match seen.await {
            Ok(found) => {
                // What was held after the steps and is still there is one leak.
                let told = |leak: &Leak| self.leaks.found.iter().any(|l| l.is_same(leak));
                let new: Vec<Leak> = found.into_iter().filter(|leak| !told(leak)).collect();
                self.leaks.found.extend(new);
            }
            Err(reason) => self.unknown("at the end", reason),
        }
    }

    /// Adds what consumers gave up and nobody expects.
    pub(in crate::e2e) fn given_up(
        &mut self,
        given_up: Result<GivenUp, String>,
        expected: impl Fn(&str, &str, How) -> bool,
    ) {
        match given_up {
            Ok(given_up) => self.leaks.found.extend(given_up.leaks(expected)),
            Err(reason) => self.unknown("at the end", reason),
        }
    }

    /// What was found, and what that means for a run that held.
    pub(in crate::e2e) fn verdict(self, fixture: &Fixture) -> (RunLeaks, Result<(), Stop>) {
        if self.policy != Leaks::Fail || self.leaks.found.is_empty() {
            return (self.leaks, Ok(()));
        }
        let told: String = self.leaks.found.iter().map(|leak| format!("\n- {leak}")).collect();
        let message = format!("this run leaves something behind at the broker{told}");
        let span = fixture.leaks.as_ref().map_or(0..0, |(_, span)| span.clone());
        (self.leaks, Err(Stop::failed(fixture, &span, message)))
    }

    /// Looks until there is no reason to look again, or for as long as that may take.
    async fn look(
        &self,
        brokers: &Brokers,
        mut judge: impl FnMut(&LeakReport) -> (Vec<Leak>, bool),
    ) -> Result<Vec<Leak>, String> {
        let patience = if self.policy == Leaks::Fail { PATIENCE_OF_A_VERDICT } else { PATIENCE };
        let deadline = Instant::now() + patience;
        loop {
            let (found, again) = judge(&brokers.leak_report().await?);
            if !again || Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn unknown(&mut self, when: &str, reason: String) {
        // The first says why; what follows from it says no more.
        self.leaks.unknown.get_or_insert(format!("{when}: {reason}"));
    }
}
