//! Runs one scenario with one client: a fresh broker, the services, the driver, step by step.
//!
//! | file | idea |
//! | --- | --- |
//! | `machine` | what it is given: broker, services and clients, and how to get each |
//! | `world` | everything that runs: started and stopped |
//! | `brokers` | the broker, or the cluster: started, broken on purpose, stopped |
//! | `networks` | proxies before the servers, for those who are to have a bad network |
//! | `ready` | starts a process of a service, and tells when it is ready |
//! | `services` | the service processes: started, started again, drained |
//! | `faults` | broken on purpose, and put on record |
//! | `steps` | does a step, again where it says so, and holds it against what is expected |
//! | `load` | a load under faults |
//! | `teardown` | what it adds to what the steps came to |
//! | `dying` | a client that dies right after it has published |
//! | `program` | a program of a `run` step |
//! | `record` | puts everything on record as a history, and has it judged |
//! | `standing` | what still stands at its end: looked at, followed, stopped |
//! | `secrets` | takes the passwords of a run out of what is told about it |
//! | `settle` | observes that nothing is in flight |
//! | `evidence` | reads the journals and the streams that checks are about |
//! | `leaks` | what is left behind at the broker |
//! | `recovery` | how soon after a fault's end an operation succeeds again |
//! | `check` | decides, from evidence alone |
//! | `drift` | holds every message on a subject against a schema |
//! | `tape`, `tap`, `trace` | for reports that draw: what was done when, what crossed the broker |
//!
//! The engine knows no reporter: it sends events and returns what it saw.

mod brokers;
mod check;
mod drift;
mod dying;
mod evidence;
mod faults;
mod leaks;
mod load;
mod machine;
mod networks;
mod program;
mod ready;
mod record;
mod recovery;
mod secrets;
mod services;
mod settle;
mod standing;
mod steps;
mod tap;
mod tape;
mod teardown;
mod trace;
mod world;

use std::path::{Path, PathBuf};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    event::{Event, Failure, Log, Place, RunHistory, RunId, RunLeaks},
    fixture::{Check, Fixture, Span, point_at, template::Variables},
    redact::Redactions,
    seen::Seen,
    trace::Trace,
    transcript::Transcript,
};
pub use machine::{
    CLIENT, Client, ContentOf, Machine, ServiceContext, ServiceSpawn, ServiceUnderTest, ServicesOf,
};
pub(super) use secrets::INSTEAD;
pub use standing::{Standing, StandingError};
use steps::Carried;
use world::World;

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
    /// What its history came to, if it was judged.
    pub history: Option<Box<RunHistory>>,
    /// What it left behind at the broker.
    pub leaks: RunLeaks,
    /// Where its history was kept.
    pub history_file: Option<PathBuf>,
    /// How it went, where that was asked for.
    pub trace: Option<Box<Trace>>,
}

impl Outcome {
    /// Of a run that did not get to do anything.
    pub fn unstarted(end: End) -> Self {
        Self {
            end,
            transcript: String::new(),
            seen: Vec::new(),
            logs: Vec::new(),
            history: None,
            leaks: RunLeaks::default(),
            history_file: None,
            trace: None,
        }
    }
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
            place: Some(Place {
                file: fixture.source.path.to_string(),
                line: fixture.source.line(span),
                column: Some(fixture.source.column(span)),
            }),
        })
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failed(failure) => &failure.message,
            Self::Skipped(reason) | Self::Broken(reason) => reason,
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

/// Runs one scenario with one client; whatever it starts, it stops. A `traced` run also says how it
/// went.
pub async fn execute(
    machine: &Machine,
    fixture: &Fixture,
    run: &RunId,
    client: &Client,
    events: &UnboundedSender<Event>,
    traced: bool,
) -> Outcome {
    let (outcome, standing) = leave_up(machine, fixture, run, client, events, traced).await;
    let stopped = match standing {
        Some(standing) => standing.stop().await,
        None => Ok(()),
    };
    match (outcome.end, stopped) {
        (End::Held, Err(error)) => Outcome { end: Stop::from(error).into(), ..outcome },
        (end, _) => Outcome { end, ..outcome },
    }
}

/// The same, but hands back what still stands at the end of it: the broker, if it did start, and of
/// a run that did not hold also its services and networks.
pub async fn leave_up(
    machine: &Machine,
    fixture: &Fixture,
    run: &RunId,
    client: &Client,
    events: &UnboundedSender<Event>,
    traced: bool,
) -> (Outcome, Option<Standing>) {
    if let Client::Unavailable(reason) = client {
        return (Outcome::unstarted(End::Skipped(reason.clone())), None);
    }
    let variables = match variables(machine, fixture, run, client) {
        Ok(variables) => variables,
        Err(reason) => return (Outcome::unstarted(End::Skipped(reason)), None),
    };
    let mut world = match World::start(machine, fixture, run, client, traced).await {
        Ok(world) => world,
        Err(failed) => {
            let unstarted = Outcome::unstarted(failed.stop.into());
            let outcome = failed.secrets.out_of(Outcome { logs: failed.logs, ..unstarted });
            return (outcome, failed.standing);
        }
    };
    let secrets = world.secrets();
    let transcript = Transcript::new(
        Redactions::new(literals(&world, machine))
            .with(fixture.redact.iter().chain(&machine.redact).cloned()),
    );
    let mut carried = Carried { variables, seen: Vec::new(), transcript };
    let mut ended = steps::all(&mut world, fixture, run, events, &mut carried).await;
    let mut history = None;
    if ended.is_ok() {
        ended = conclude(&mut world, fixture, &mut carried, &mut history).await;
    }
    let history_file = world.kept_history().map(Path::to_owned);
    let logs = world.logs();
    let tape = std::mem::take(&mut world.tape);
    let trace = match traced {
        true => {
            Some(Box::new(trace::gather(&world, tape, fixture, &carried.transcript, &ended).await))
        }
        false => None,
    };
    // Of a run that stopped on its way nobody expects that it has tidied up.
    let (left, watch, standing) = world.leave(ended.is_ok()).await;
    let (leaks, leaked) = watch.verdict(fixture);
    let end = match ended.and(left).and(leaked) {
        Err(stop) => stop.into(),
        Ok(()) => End::Held,
    };
    let (transcript, seen) = (carried.transcript.text().to_owned(), carried.seen);
    let outcome = Outcome { end, transcript, seen, logs, history, leaks, history_file, trace };
    (secrets.out_of(outcome), Some(standing))
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
fn variables(
    machine: &Machine,
    fixture: &Fixture,
    run: &RunId,
    client: &Client,
) -> Result<Variables, String> {
    use super::fixture::{Action, template::names};
    let is_command = matches!(client, Client::Command { .. });
    let steps = fixture.steps.iter().chain(&fixture.teardown);
    let programs = steps.filter_map(|step| match &step.action {
        Action::Run(program) => Some(program),
        _ => None,
    });
    for name in programs.flatten().flat_map(|text| names(text)) {
        if let Some(Err(reason)) = machine.variables.get(name) {
            return Err(format!("{{{{{name}}}}} is not available: {reason}"));
        }
        if name == CLIENT && !is_command {
            return Err(format!("{{{{{CLIENT}}}}} is a program, and {} is none", run.client));
        }
    }
    let available = machine.variables.iter().filter_map(|(name, value)| {
        Some((name.clone(), serde_json::Value::from(value.as_ref().ok()?.as_str())))
    });
    // Stays as it is in the transcript, which is the same for every client.
    let itself = (CLIENT.to_owned(), serde_json::Value::from(format!("{{{{{CLIENT}}}}}")));
    Ok(available.chain([itself]).collect())
}

/// Holds the checks: each must come true while the services run, and must still be true once they
/// have drained and ended.
async fn conclude(
    world: &mut World,
    fixture: &Fixture,
    carried: &mut Carried,
    history: &mut Option<Box<RunHistory>>,
) -> Result<(), Stop> {
    let checks: Vec<Check> =
        fixture.checks.iter().map(|check| check.filled(&carried.variables)).collect();
    let clock = world.recorder.clock();
    for check in &checks {
        let line = Some(fixture.source.line(&check.span));
        let heading = format!("check {}", check.kind.word());
        world.tape.begin(clock, &carried.transcript, line, "check", &heading);
        check::comes_true(world, fixture, check).await?;
    }
    // Unless a scenario left something paused, this changes nothing.
    world.brokers.resume().await;
    world.look_for_leaks().await;
    world.tape.begin(clock, &carried.transcript, None, "drain", "the services drain and end");
    world.services.drain(fixture).await?;
    world.tape.begin(
        clock,
        &carried.transcript,
        None,
        "judge",
        "the history, and all checks once more",
    );
    let report = record::conclude(world, fixture).await?;
    *history = Some(Box::new(RunHistory {
        verdict: report.word(),
        report: report.clone(),
        asked_for: fixture.checks.iter().any(|check| check::judges_the_history(&check.kind)),
    }));
    if report.word() == "invalid" {
        let message = format!("the history of this run is invalid\n{report}");
        return Err(Stop::failed(fixture, &(0..0), message));
    }
    for check in &checks {
        let evidence = check::still_true(world, fixture, check, &report).await?;
        carried.transcript.check(check, &evidence);
    }
    Ok(())
}
