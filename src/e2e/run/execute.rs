//! Runs one scenario with one client: a fresh broker, the services, the driver, step by step.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::conclude::{asks_for_a_verdict, come_true, conclude, judge_beside};
use super::lacks::lacks;
use super::probe::inboxes::Inboxes;
use super::probe::trace;
use super::probe::watches::Watched;
use super::promised::{self, Declared, Sends, Surroundings};
use super::stage::hearing::Hearing;
use super::stage::lasting;
use super::stage::machine::{CLIENT, Client, Machine};
use super::stage::standing::Standing;
use super::stage::world::World;
use super::steps::limit::{self, Limit};
use super::steps::sequence::{self, Progress};
use crate::broker::Role;
use crate::e2e::record::run::RunId;
use crate::e2e::scenario::ast::check::Check;
use crate::e2e::scenario::ast::promise::Place;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::service::Service;
use crate::e2e::scenario::ast::step::{Action, Program};
use crate::e2e::text::redact::Redactions;
use crate::e2e::text::template::{Variables, names};
use crate::e2e::verdict::event::{Event, RunHistory};
use crate::e2e::verdict::outcome::{End, Outcome, Stop};
use crate::e2e::verdict::transcript::writer::Transcript;

/// One scenario with one client, to be run on this machine.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where, and with what.
    pub machine: &'a Machine,
    /// The scenario.
    pub fixture: &'a Fixture,
    /// Which run that is.
    pub run: &'a RunId,
    /// Who asks.
    pub client: &'a Client,
    /// Who hears how it goes.
    pub events: &'a UnboundedSender<Event>,
    /// Whether the outcome is to say how it went.
    pub traced: bool,
}

impl Execution<'_> {
    /// Runs it; whatever it starts, it stops.
    pub async fn execute(self) -> Outcome {
        let hearing = self.hearing();
        let (outcome, standing) = self.run(false, &hearing).await;
        let stopped = match standing {
            Some(standing) => standing.stop().await,
            None => Ok(()),
        };
        if let Some(told) = hearing.told() {
            told.ended().await;
        }
        match (outcome.end, stopped) {
            (End::Held, Err(error)) => Outcome { end: Stop::from(error).into(), ..outcome },
            (end, _) => Outcome { end, ..outcome },
        }
    }

    /// The same, but hands back what still stands at the end of it: the broker, if it did start, and
    /// of a run that did not hold also its services and networks.
    pub async fn leave_up(self) -> (Outcome, Option<Standing>) {
        self.run(true, &self.hearing()).await
    }

    fn hearing(&self) -> Hearing {
        let hearing = Hearing::of(promised::services(self.fixture));
        if self.machine.aloud { hearing.aloud(self.run, self.events) } else { hearing }
    }

    /// `stays_up`: somebody is to look at what still stands of a run that does not hold.
    async fn run(self, stays_up: bool, hearing: &Hearing) -> (Outcome, Option<Standing>) {
        let Self { machine, fixture, run, client, traced, .. } = self;
        if let Client::Unavailable(reason) = client {
            return (Outcome::unstarted(End::Skipped(reason.clone())), None);
        }
        let variables = match variables(machine, fixture, run, client) {
            Ok(variables) => variables,
            Err(reason) => return (Outcome::unstarted(End::Skipped(reason)), None),
        };
        if let Some(reason) = lacks(machine, fixture) {
            return (Outcome::unstarted(End::Skipped(reason)), None);
        }
        let hearing = hearing.clone();
        let mut world = match World::start(machine, fixture, run, client, traced, hearing).await {
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
        let variables = variables.into_iter().chain(world.values()).collect();
        let mut progress = Progress { variables, seen: Vec::new(), transcript };
        for name in &fixture.switched_off {
            let why = "the scenario switches it off".to_owned();
            progress.transcript.note(&format!("promise {name}"), &[why]);
        }
        let mut history = None;
        let through = self.through(stays_up, &mut world, &mut progress, &mut history).await;
        let ended = world.unmet(fixture, through);
        world.look_for_hazards().await;
        let watched = world.services.crashing().map(|crashing| crashing.watched());
        let history_file = world.kept_history().map(Path::to_owned);
        let (logs, restarts) = (world.logs(), world.services.restarts().clone());
        let tape = std::mem::take(&mut world.tape);
        let trace = match traced {
            true => Some(Box::new(
                trace::gather(&world, tape, fixture, progress.transcript.text(), ended.is_err())
                    .await,
            )),
            false => None,
        };
        let lasting = world.broken.clone();
        // Of a run that stopped on its way nobody expects that it has tidied up.
        let (left, watches, standing) = world.leave(fixture, ended.is_ok()).await;
        let Watched { leaks, hazards, verdict } = watches.verdict(fixture);
        let end = match ended.and(left).and(verdict) {
            Err(stop) => lasting::beside(&lasting, fixture, stop).into(),
            Ok(()) => End::Held,
        };
        let (transcript, seen) = (progress.transcript.text().to_owned(), progress.seen);
        let outcome = Outcome {
            end,
            transcript,
            seen,
            logs,
            history,
            leaks,
            hazards,
            restarts,
            history_file,
            trace,
            watched,
        };
        (secrets.out_of(outcome), Some(standing))
    }

    /// From the first step to the last check, while all is up.
    async fn through(
        self,
        stays_up: bool,
        world: &mut World,
        progress: &mut Progress,
        history: &mut Option<Box<RunHistory>>,
    ) -> Result<(), Stop> {
        let Self { fixture, run, events, .. } = self;
        let limit = Limit::of(fixture);
        // Boxed, each of these: what a run does is deep.
        let inboxes = Box::pin(begin(world, fixture, &progress.variables)).await?;
        let mut started = sequence::telling(fixture, run, events);
        if !fixture.setup.is_empty() {
            sequence::setup(world, fixture, limit, progress, &mut started).await?;
            world.start_services(fixture).await?;
        }
        if let Some(crash) = &fixture.crash {
            world.watch(crash);
        }
        let done = Box::pin(sequence::all(world, fixture, limit, progress, &mut started)).await;
        let goes_on = match &done {
            Ok(()) => true,
            Err(Stop::Failed(_)) => fixture.is_always_judged,
            Err(_) => false,
        };
        if !goes_on {
            let Err(failed @ Stop::Failed(_)) = done else { return done };
            // Whoever is to look at what still stands needs the services.
            if stays_up || !asks_for_a_verdict(fixture) {
                return Err(failed);
            }
            let judged = Box::pin(judge_beside(world, fixture, &inboxes, progress, history));
            let broken = timeout(limit.left(), judged).await.ok().flatten();
            return Err(match broken {
                Some(broken) => failed.and(broken),
                None => failed,
            });
        }
        let checks: Vec<Check> =
            fixture.checks.iter().map(|check| check.filled(&progress.variables)).collect();
        let mut unmet = None;
        let concluded = async {
            unmet = come_true(world, fixture, &checks, progress).await?;
            // Whoever is to look at what still stands needs the services.
            let still: &[Check] = match &unmet {
                Some(_) if stays_up => return Ok(()),
                Some(_) => &[],
                None => &checks,
            };
            Box::pin(conclude(world, fixture, &inboxes, still, progress, history)).await
        };
        let concluded = timeout(limit.left(), concluded).await;
        let concluded = concluded.unwrap_or_else(|_| Err(limit::reached(world, fixture)));
        let concluded = match (unmet, concluded) {
            (Some(unmet), Err(other)) => Err(unmet.and(other)),
            (Some(unmet), Ok(())) => Err(unmet),
            (None, concluded) => concluded,
        };
        // What came first explains more.
        done.and(concluded)
    }
}

/// Listens and looks, from before the first step.
async fn begin(
    world: &mut World,
    fixture: &Fixture,
    variables: &Variables,
) -> Result<Inboxes, Stop> {
    promise(world, fixture, variables).await?;
    let inboxes = Inboxes::listen(
        &world.access(Role::Harness),
        world.recorder.clock(),
        world.machine().roles.shared.is_some() && !world.brokers.is_elsewhere(),
    )
    .await;
    inboxes.map_err(|why| Stop::broken("listen to the clients' inboxes", why))
}

/// Looks after what the suite and the scenario promise.
async fn promise(world: &mut World, fixture: &Fixture, variables: &Variables) -> Result<(), Stop> {
    if fixture.promises.is_empty() {
        return Ok(());
    }
    let around = Surroundings {
        harness: world.harness().clone(),
        hearing: world.hearing().clone(),
        clock: world.recorder.clock(),
        dir: world.dir().to_owned(),
        root: world.machine().root.clone(),
        reaper: world.machine().reaper.clone(),
        access: world.access(Role::Harness),
    };
    let (recorder, history) = (&world.recorder, world.history_path());
    let (promises, sends) = (fixture.promises.clone(), Sends::of(fixture));
    let declared = Declared::begin(promises, sends, around, recorder, history, variables).await;
    let declared = declared.map_err(|why| Stop::broken("look after the promises", why))?;
    world.add_oracle(Arc::new(declared));
    Ok(())
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
    let is_command = matches!(client, Client::Command { .. });
    let programs = fixture.all_steps().filter_map(|step| match &step.action {
        Action::Run(program) => Some(program),
        _ => None,
    });
    let effects = fixture.promises.iter().flat_map(|promise| &promise.effects);
    let looking = effects.filter_map(|effect| match &effect.at {
        Place::Command(words) => Some(words),
        _ => None,
    });
    let looking = looking.flatten().map(String::as_str);
    let services = fixture.commands.iter().flat_map(Service::texts).map(String::as_str);
    for name in programs.flat_map(Program::texts).chain(looking).chain(services).flat_map(names) {
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
