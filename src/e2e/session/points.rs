//! The points of a scenario at which a service is killed, and what came of each.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::counted::counted;
use crate::e2e::record::run::{Log, RunId, Watched};
use crate::e2e::run::execute::Execution;
use crate::e2e::run::stage::machine::{Client, Machine};
use crate::e2e::scenario::ast::crash::{self, Crash, Explore, Point};
use crate::e2e::scenario::ast::scenario::{Fixture, ProxyTable};
use crate::e2e::verdict::breach::{Breach, breaches};
use crate::e2e::verdict::evidence::Evidence;
use crate::e2e::verdict::finding::Verdict;
use crate::e2e::verdict::outcome::{End, Outcome, Stop};
use crate::e2e::verdict::silence::SILENCE;

/// How many lines of each log are shown where nobody knows what came of a kill.
const LAST_LINES: usize = 5;

/// What to explore of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exploring {
    /// The service that is killed: all of its processes.
    pub service: String,
    /// At most so many points.
    pub most: usize,
    /// Only at this one.
    pub at: Option<Point>,
}

/// What came of one point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explored {
    /// Which, as it is read again.
    pub point: String,
    /// What came of it.
    #[serde(flatten)]
    pub came: Came,
}

/// What came of a kill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Came {
    /// All holds.
    Held,
    /// Only a step does not: a client that asks once is not answered by a service that is killed.
    StepFailed {
        /// What differs, and where.
        message: String,
    },
    /// A promise or a check does not, or the run does not end well: a service does not end as it is told,
    /// or leaves something behind.
    Broken {
        /// The promises that are broken; none where something else is.
        promises: Vec<Breach>,
        /// The word of the check that fails, if one does: else the run does not end well.
        #[serde(skip_serializing_if = "Option::is_none")]
        check: Option<&'static str>,
        /// What differs, and where.
        message: String,
    },
    /// The message did not come, so that nothing was killed: the service sends others in each run.
    NeverCame,
    /// The harness could not do its part.
    Unknown {
        /// Why.
        reason: String,
        /// The last lines of each process, after its name.
        log: Vec<String>,
    },
}

/// What came of all points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exploration {
    /// How many messages the service sent and received in a run in which it was not killed; none where
    /// only one point was asked for.
    pub messages: Option<usize>,
    /// How many points the bound has left out.
    pub left_out: usize,
    /// The others, in the order of the messages.
    pub points: Vec<Explored>,
}

/// Why nothing was explored.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// There is no such service.
    #[error("there is no service `{name}` in this suite")]
    NoService {
        /// What was asked for.
        name: String,
        /// What is near.
        near: Option<String>,
        /// All.
        known: Vec<String>,
    },
    /// All services share one network.
    #[error(
        "the services share the network of the broker's fixed port {port}: nobody can tell whose messages \
         pass"
    )]
    Shared {
        /// Which.
        port: u16,
    },
    /// Nobody sees which message passes.
    #[error("the broker is one that somebody else runs: nobody sees which message passes")]
    Elsewhere,
    /// It does not hold without a kill.
    #[error("the scenario does not pass without a kill: {0}")]
    Fails(String),
    /// It cannot be run.
    #[error("the scenario cannot be run: {0}")]
    CannotRun(String),
    /// The service has no messages.
    #[error(
        "`{0}` sends and receives no message from the first step on, so there is nowhere to kill it"
    )]
    NoMessages(String),
}

impl ExploreError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoService { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::NoService { known, .. } if known.is_empty() => {
                Some("the suite has no services".to_owned())
            }
            Self::NoService { known, .. } => Some(format!("there are {}", known.join(", "))),
            Self::Shared { .. } => Some(
                "let the services take the URL that they are given, and leave `port` out"
                    .to_owned(),
            ),
            Self::NoMessages(_) => Some(
                "it is seen where it connects to the URL that it is given, without TLS".to_owned(),
            ),
            Self::Fails(_) | Self::CannotRun(_) | Self::Elsewhere => None,
        }
    }
}

/// Runs the scenario once for each point, several at a time, and says of each what came of it, in the
/// order of the messages: which these are, a run shows in which nothing is killed.
///
/// # Errors
/// [`ExploreError`] where there is no point.
pub(in crate::e2e) async fn each(
    machine: &Machine,
    (fixture, run, client): (&Fixture, &RunId, &Client),
    exploring: &Exploring,
    jobs: usize,
    told: &mut (dyn FnMut(&Explored) + Send),
) -> Result<Exploration, ExploreError> {
    let service = &exploring.service;
    let killed = |at: Option<Point>| {
        let crash = Some(Crash { service: service.clone(), at });
        let proxy = ProxyTable { services: true, ..fixture.proxy };
        let fixture = Fixture { crash, proxy, is_always_judged: true, ..fixture.clone() };
        once(machine, Arc::new(fixture), run, client)
    };
    let (messages, points, left_out) = match &exploring.at {
        Some(point) => (None, vec![point.clone()], 0),
        None => {
            let Watched { messages, .. } = unhurt(fixture, killed(None).await)?;
            if messages.is_empty() {
                return Err(ExploreError::NoMessages(service.clone()));
            }
            let all = crash::points(&messages);
            let many = all.len();
            let points = crash::bounded(all, exploring.most);
            let left_out = many - points.len();
            (Some(messages.len()), points, left_out)
        }
    };
    let runs = points.into_iter().map(|point| {
        let (told, outcome) = (point.to_string(), killed(Some(point)));
        async move { Explored { point: told, came: came(fixture, outcome.await) } }
    });
    let mut runs = stream::iter(runs).buffered(jobs);
    let mut points = Vec::new();
    while let Some(explored) = runs.next().await {
        told(&explored);
        points.push(explored);
    }
    Ok(Exploration { messages, left_out, points })
}

/// Runs a scenario once; nobody hears how it goes.
pub(in crate::e2e) async fn once(
    machine: &Machine,
    fixture: Arc<Fixture>,
    run: &RunId,
    client: &Client,
) -> Outcome {
    let (events, _) = mpsc::unbounded_channel();
    let fixture = &*fixture;
    Execution { machine, fixture, run, client, events: &events, traced: false }.execute().await
}

/// Of a run without a kill: what passed.
fn unhurt(fixture: &Fixture, outcome: Outcome) -> Result<Watched, ExploreError> {
    let shown = Evidence::of(fixture, &outcome).into_iter().next();
    match outcome.end {
        End::Held => match proves_nothing(fixture, &outcome) {
            Some(why) => Err(ExploreError::CannotRun(why)),
            None => Ok(outcome.watched.unwrap_or_default()),
        },
        End::Failed(failure) => Err(ExploreError::Fails(match shown {
            Some((evidence @ Evidence::Promise { .. }, said)) => format!("{evidence}: {said}"),
            _ => failure.message,
        })),
        End::Skipped(reason) | End::Broken(reason) => Err(ExploreError::CannotRun(reason)),
    }
}

/// Why a run that held says nothing: it has no check, and of what it did no promise says what is to become
/// of it.
fn proves_nothing(fixture: &Fixture, outcome: &Outcome) -> Option<String> {
    let report = &outcome.history.as_ref()?.report;
    let Some(Verdict::Unknown { why }) = report.verdict(SILENCE) else { return None };
    if !fixture.checks.is_empty() {
        return None;
    }
    Some(format!("nothing in it could turn red: it has no check, and {}", why.join("; ")))
}

/// Of a run with one.
fn came(fixture: &Fixture, outcome: Outcome) -> Came {
    let is_killed = outcome.watched.as_ref().is_some_and(|watched| watched.is_killed);
    let nothing = proves_nothing(fixture, &outcome);
    match outcome.end {
        End::Skipped(reason) | End::Broken(reason) => {
            let said = |log: &Log| {
                let last = log.lines.len().saturating_sub(LAST_LINES);
                let lines = log.lines[last..].iter();
                lines.map(|line| format!("{}: {line}", log.name)).collect::<Vec<_>>()
            };
            // What the harness waited for, it waited for in vain: they may say why.
            Came::Unknown { reason, log: outcome.logs.iter().flat_map(said).collect() }
        }
        End::Held if !is_killed => Came::NeverCame,
        End::Held => match nothing {
            Some(reason) => Came::Unknown { reason, log: Vec::new() },
            None => Came::Held,
        },
        End::Failed(failure) => {
            let promises = outcome.history.map(|of| breaches(&of.report)).unwrap_or_default();
            let line = failure.place.as_ref().map_or(0, |place| place.line);
            let in_step = fixture.step_at(line).is_some();
            let check = fixture.check_at(line).map(|check| check.kind.word());
            // It fails by itself, then: that no message came is not why.
            let when = if is_killed { "" } else { "before it was killed: " };
            let message = match failure.place {
                Some(place) => format!("{}:{}: {when}{}", place.file, place.line, failure.message),
                None => format!("{when}{}", failure.message),
            };
            match promises.is_empty() && in_step {
                true => Came::StepFailed { message },
                false => Came::Broken { promises, check, message },
            }
        }
    }
}

/// Of a run that held and whose scenario is to be explored, one point after the other: it fails where
/// one of them does.
pub(in crate::e2e) async fn also(
    machine: &Machine,
    what: (&Fixture, &RunId, &Client),
    outcome: Outcome,
) -> Outcome {
    let fixture = what.0;
    let (Some(explore), End::Held) = (&fixture.explore, &outcome.end) else { return outcome };
    let exploring = Exploring { service: explore.service.clone(), most: explore.points, at: None };
    let explored = each(machine, what, &exploring, 1, &mut |_| {}).await;
    let stop = match explored {
        Ok(exploration) => exploration.first_stop(fixture, explore),
        Err(ExploreError::CannotRun(reason)) => Some(Stop::broken("explore", reason)),
        Err(error) => Some(Stop::failed(fixture, &explore.span, error.to_string())),
    };
    match stop {
        Some(stop) => Outcome { end: stop.into(), ..outcome },
        None => outcome,
    }
}

impl Exploration {
    /// Why the scenario does not hold, if so: its first point that does not, and how many there are.
    fn first_stop(&self, fixture: &Fixture, explore: &Explore) -> Option<Stop> {
        let wrong = |explored: &&Explored| !matches!(explored.came, Came::Held | Came::NeverCame);
        let many = self.points.iter().filter(wrong).count();
        let Some(Explored { point, came }) = self.points.iter().find(wrong) else {
            let held = self.points.iter().any(|explored| explored.came == Came::Held);
            let nothing = "no message at which a service was to be killed came again";
            return (!held).then(|| Stop::failed(fixture, &explore.span, nothing));
        };
        let why = match came {
            Came::Unknown { reason, .. } => return Some(Stop::broken(point, reason)),
            Came::Broken { promises, message, .. } => match promises.first() {
                Some(breach) => format!("{breach}: {}", breach.message),
                None => message.clone(),
            },
            Came::StepFailed { message } => message.clone(),
            Came::Held | Came::NeverCame => return None,
        };
        let of = counted(self.points.len(), "point");
        let service = &explore.service;
        let message =
            format!("killed at {point}, {service} breaks something ({many} of {of}): {why}");
        Some(Stop::failed(fixture, &explore.span, message))
    }
}
