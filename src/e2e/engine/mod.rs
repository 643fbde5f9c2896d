//! Runs one scenario with one client: a fresh broker, the services, the driver, step by step.
//!
//! | file | idea |
//! | --- | --- |
//! | `world` | everything that runs: started and stopped |
//! | `brokers` | the broker, or the cluster: started, broken on purpose, stopped |
//! | `faults` | broken on purpose |
//! | `steps` | does a step, again where it says so, and holds it against what is expected |
//! | `load` | a load under faults |
//! | `program` | a program of a `run` step |
//! | `record` | puts everything on record as a history, and has it judged |
//! | `settle` | observes that nothing is in flight |
//! | `evidence` | reads the journals and the streams that checks are about |
//! | `check` | decides, from evidence alone |
//!
//! The engine knows no reporter: it sends events and returns what it saw.

mod brokers;
mod check;
mod evidence;
mod faults;
mod load;
mod program;
mod record;
mod settle;
mod steps;
mod world;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    driver::TypedCalls,
    event::{Event, Failure, Log, RunId},
    fixture::{Check, Fixture, Span, point_at, template::Variables},
    redact::Redactions,
    seen::Seen,
    transcript::Transcript,
};
use crate::{
    process::{Reaper, Spawn},
    provision::NatsServer,
};
use steps::Kept;
use world::World;

/// What the machine offers to every run.
#[derive(Clone)]
pub struct Machine {
    /// Each run has one of its own.
    pub server: NatsServer,
    /// Holds every process.
    pub reaper: Reaper,
    /// Where the runs' private folders go.
    pub run_root: PathBuf,
    /// How to start the services; `None` where a suite has none.
    pub services: Option<ServicesSpawn>,
    /// What `{{name}}` stands for, or why it is not available here.
    pub variables: BTreeMap<String, Result<String, String>>,
    /// The working folder of `run` steps.
    pub root: PathBuf,
    /// For whatever is drawn by chance.
    pub seed: u64,
}

/// Builds the command that starts the services.
pub type ServicesSpawn = Arc<dyn Fn(&ServiceContext) -> Spawn + Send + Sync>;

/// What the command that starts the services is told.
#[derive(Debug, Clone)]
pub struct ServiceContext {
    /// The broker.
    pub url: String,
    /// TOML, a table a module.
    pub settings: PathBuf,
    /// Where the simulated gateway and mailer keep their journals.
    pub journal_dir: PathBuf,
    /// For whatever is drawn by chance.
    pub seed: u64,
}

/// How to get one client under test.
#[derive(Clone)]
pub enum Client {
    /// The Rust client, in process.
    InProcess(Arc<dyn TypedCalls>),
    /// A driver program.
    Program(Box<Spawn>),
    /// Not on this machine, and why.
    Unavailable(String),
}

/// How a run came to its end, before its transcript is compared.
#[derive(Debug)]
pub enum End {
    /// All steps and checks hold.
    Held,
    /// Something differs.
    Failed(Failure),
    /// The client or the machine cannot do it.
    Skipped(String),
    /// The harness could not do its part.
    Broken(String),
}

/// What is left of a run.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// What happened, redacted.
    pub transcript: String,
    /// What each step came to, as far as it got.
    pub seen: Vec<Vec<Seen>>,
    /// The last lines of each process.
    pub logs: Vec<Log>,
}

/// Why a run ends before its last step.
#[derive(Debug)]
enum Stop {
    Failed(Failure),
    Skipped(String),
    Broken(String),
}

impl Stop {
    /// Something of the machine or the harness, with the evidence.
    fn broken(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Broken(format!("{doing}: {error}"))
    }

    /// Something differs, at a place of the fixture.
    fn failed(fixture: &Fixture, span: &Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Failed(Failure {
            excerpt: Some(point_at(&fixture.source, span, &message, None)),
            message,
            diff: None,
        })
    }
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => Self::Failed(failure),
            Stop::Skipped(reason) => Self::Skipped(reason),
            Stop::Broken(reason) => Self::Broken(reason),
        }
    }
}

/// Runs one scenario with one client; whatever it starts, it stops.
pub async fn execute(
    machine: &Machine,
    fixture: &Fixture,
    run: &RunId,
    client: &Client,
    events: &UnboundedSender<Event>,
) -> Outcome {
    let unstarted =
        |end| Outcome { end, transcript: String::new(), seen: Vec::new(), logs: Vec::new() };
    if let Client::Unavailable(reason) = client {
        return unstarted(End::Skipped(reason.clone()));
    }
    let variables = match variables(machine, fixture) {
        Ok(variables) => variables,
        Err(reason) => return unstarted(End::Skipped(reason)),
    };
    let mut world = match World::start(machine, fixture, run, client).await {
        Ok(world) => world,
        Err(failed) => return Outcome { logs: failed.logs, ..unstarted(failed.stop.into()) },
    };
    let transcript = Transcript::new(Redactions::new(literals(&world, machine)));
    let mut kept = Kept { variables, seen: Vec::new(), transcript };
    let mut ended = steps::all(&mut world, fixture, run, events, &mut kept).await;
    if ended.is_ok() {
        ended = conclude(&mut world, fixture, &mut kept).await;
    }
    let logs = world.logs();
    let stopped = world.stop().await;
    let end = match (ended, stopped) {
        (Err(stop), _) | (Ok(()), Err(stop)) => stop.into(),
        (Ok(()), Ok(())) => End::Held,
    };
    Outcome { end, transcript: kept.transcript.text().to_owned(), seen: kept.seen, logs }
}

/// Texts of this run and this machine that no golden file may have.
fn literals(world: &World, machine: &Machine) -> Vec<(String, &'static str)> {
    let mut literals = vec![
        (world.run_dir().display().to_string(), "run"),
        (machine.root.display().to_string(), "root"),
    ];
    if let Some(Ok(python)) = machine.variables.get("python") {
        literals.push((python.clone(), "python"));
    }
    literals
}

/// The caller's variables; those that a program needs and that are not available are a reason to
/// skip.
fn variables(machine: &Machine, fixture: &Fixture) -> Result<Variables, String> {
    use super::fixture::{Action, template::names};
    let programs =
        fixture.steps.iter().chain(&fixture.teardown).filter_map(|step| match &step.action {
            Action::Run(program) => Some(program),
            _ => None,
        });
    for name in programs.flatten().flat_map(|text| names(text)) {
        if let Some(Err(reason)) = machine.variables.get(name) {
            return Err(format!("{{{{{name}}}}} is not available: {reason}"));
        }
    }
    let available = machine.variables.iter().filter_map(|(name, value)| {
        Some((name.clone(), serde_json::Value::from(value.as_ref().ok()?.as_str())))
    });
    Ok(available.collect())
}

/// Holds the checks: each must come true while the services run, and must still be true once they
/// have drained and ended.
async fn conclude(world: &mut World, fixture: &Fixture, kept: &mut Kept) -> Result<(), Stop> {
    let checks: Vec<Check> =
        fixture.checks.iter().map(|check| check.filled(&kept.variables)).collect();
    for check in &checks {
        check::comes_true(world, fixture, check).await?;
    }
    world.drain(fixture).await?;
    let report = record::conclude(world, fixture).await?;
    if report.word() == "invalid" {
        let message = format!("the history of this run is invalid\n{report}");
        return Err(Stop::failed(fixture, &(0..0), message));
    }
    for check in &checks {
        let evidence = check::still_true(world, fixture, check, &report).await?;
        kept.transcript.check(check, &evidence);
    }
    Ok(())
}
