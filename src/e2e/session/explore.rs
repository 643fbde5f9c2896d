//! `e2e explore`: one scenario of a suite, killed at each of its points.

use super::points::{self, Exploration, ExploreError, Explored, Exploring};
use super::runner::usual_jobs;
use super::settings::{ClientUnderTest, Settings};
use crate::e2e::record::run::RunId;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::error::nearest;

/// A service of the suite, by its name.
///
/// # Errors
/// [`ExploreError::NoService`].
pub fn service_of(settings: &Settings, name: &str) -> Result<(), ExploreError> {
    let known = &settings.known_services;
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let near = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(ExploreError::NoService { name: name.to_owned(), near, known: known.clone() })
}

/// Runs the scenario once for each point, several at a time, and says of each what came of it, in the
/// order of the messages. Golden files are not compared: a transcript may say that something was done
/// again.
///
/// # Errors
/// [`ExploreError`] where there is no point.
pub async fn explore(
    settings: &Settings,
    fixture: &Fixture,
    client: &ClientUnderTest,
    exploring: &Exploring,
    told: &mut (dyn FnMut(&Explored) + Send),
) -> Result<Exploration, ExploreError> {
    service_of(settings, &exploring.service)?;
    if fixture.broker.url.is_some() {
        return Err(ExploreError::Elsewhere);
    }
    if let (Some(port), 2..) = (fixture.broker.port, settings.known_services.len()) {
        return Err(ExploreError::Shared { port });
    }
    let jobs = match settings.jobs {
        _ if fixture.exclusive => 1,
        0 => usual_jobs(),
        jobs => jobs,
    };
    let run = RunId { scenario: fixture.name.clone(), client: client.name.clone(), round: None };
    let what = (fixture, &run, &client.client);
    points::each(&settings.machine, what, exploring, jobs, told).await
}
