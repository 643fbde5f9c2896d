//! How long a scenario may take: whatever it waits for by then does not come.

use std::time::{Duration, Instant};

use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::verdict::outcome::Stop;

/// What is left of a scenario's time.
#[derive(Debug, Clone, Copy)]
pub(in crate::e2e) struct Limit {
    began: Instant,
    within: Duration,
}

impl Limit {
    /// From now on.
    pub(in crate::e2e) fn of(fixture: &Fixture) -> Self {
        Self { began: Instant::now(), within: fixture.within }
    }

    /// So long it may still take.
    pub(in crate::e2e) fn left(self) -> Duration {
        self.within.saturating_sub(self.began.elapsed())
    }
}

/// Told at what was under way, as a failure of the scenario.
pub(in crate::e2e) fn reached(world: &World, fixture: &Fixture) -> Stop {
    let (heading, line) = world.tape.under_way().unwrap_or(("its beginning", None));
    let within = fixture.within;
    let message = format!(
        "the scenario did not end within {within:?}, its limit (`within` at the top); under way: {heading}"
    );
    let steps = fixture.all_steps().map(|step| &step.span);
    let mut all = steps.chain(fixture.checks.iter().map(|check| &check.span));
    let span = all.find(|span| line == Some(fixture.source.line(span)));
    Stop::failed(fixture, span.unwrap_or(&(0..0)), message)
}
