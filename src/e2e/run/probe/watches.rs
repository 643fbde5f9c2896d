//! What is looked for in every run, whether or not its scenario asks: what is left behind, and what does
//! no harm yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::advisories::{Advisories, How};
use super::broker_trace::reading::Reading;
use super::hazards::HazardWatch;
use super::leaks::Watch;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::run::RunLeaks;
use crate::e2e::run::stage::brokers::Brokers;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::verdict::outcome::Stop;

/// Those of one run.
pub(in crate::e2e) struct Watches {
    leaks: Watch,
    hazards: HazardWatch,
    /// What consumers give up.
    advisories: Advisories,
    /// As much of the broker's trace as was looked at.
    traced: Mutex<Reading>,
}

/// What they have seen, and what that means for the run.
pub(in crate::e2e) struct Watched {
    pub(in crate::e2e) leaks: RunLeaks,
    pub(in crate::e2e) hazards: Vec<Hazard>,
    pub(in crate::e2e) verdict: Result<(), Stop>,
}

impl Watches {
    pub(in crate::e2e) fn new(leaks: Watch, hazards: HazardWatch, advisories: Advisories) -> Self {
        Self { leaks, hazards, advisories, traced: Mutex::default() }
    }

    /// What consumers give up.
    pub(in crate::e2e) fn advisories(&self) -> &Advisories {
        &self.advisories
    }

    /// As much of the broker's trace as was looked at.
    pub(in crate::e2e) fn traced(&self) -> MutexGuard<'_, Reading> {
        self.traced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody looks at what is left behind.
    pub(in crate::e2e) fn looks_for_leaks(&self) -> bool {
        self.leaks.looks()
    }

    /// Looks at what is there before the first step, of so many service processes.
    pub(in crate::e2e) async fn before_steps(&mut self, brokers: &Brokers, processes: usize) {
        self.leaks.begin(brokers, processes).await;
    }

    /// Looks at what is left behind after the last step; under a fault of the network, that is not known.
    pub(in crate::e2e) async fn after_steps(&mut self, brokers: &Brokers, broken: Option<&str>) {
        self.leaks.after_steps(brokers, broken).await;
    }

    /// Looks for hazards, once, while the services, told by their process ids, are up.
    pub(in crate::e2e) async fn services_up(
        &mut self,
        brokers: &Brokers,
        harness: &Harness,
        services: &BTreeMap<u32, String>,
    ) {
        self.hazards.look(harness, brokers, &self.advisories, services, &self.traced).await;
    }

    /// Looks once more when everybody has gone.
    pub(in crate::e2e) async fn at_end(
        &mut self,
        fixture: &Fixture,
        brokers: &Brokers,
        harness: &Harness,
    ) {
        self.leaks.at_end(brokers).await;
        self.hazards.at_end(harness).await;
        if self.leaks.is_known() {
            let expected =
                |stream: &str, consumer: &str, how| is_checked(fixture, stream, consumer, how);
            self.leaks.given_up(self.advisories.given_up().await, expected);
        }
    }

    /// What was seen; the verdict is that of the leaks, else that of the hazards.
    pub(in crate::e2e) fn verdict(self, fixture: &Fixture) -> Watched {
        let (leaks, leaked) = self.leaks.verdict(fixture);
        let (hazards, endangered) = self.hazards.verdict(fixture);
        Watched { leaks, hazards, verdict: leaked.and(endangered) }
    }
}

/// Whether a check says how many messages this consumer is to give up.
fn is_checked(fixture: &Fixture, stream: &str, consumer: &str, how: How) -> bool {
    fixture.checks.iter().any(|check| match &check.kind {
        CheckKind::Consumer(check) if check.stream == stream && check.name == consumer => match how
        {
            How::Terminated => check.terminated.is_some(),
            How::Exhausted => check.exhausted.is_some(),
        },
        _ => false,
    })
}
