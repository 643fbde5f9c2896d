//! Runs all chosen scenarios with all their clients, in parallel, and compares each with its golden
//! file.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::discover::{Fixtures, golden_path, golden_source, load};
use super::golden::Golden;
use super::judge::Judge;
use super::left_up::{Chooser, LeftUp};
use super::pool::{Finished, Job, Pool};
use super::retries::{Decision, Retries};
use super::settings::ClientUnderTest;
use super::settings::{Again, E2eError, Mode, Settings};
use crate::e2e::record::run::RunId;
use crate::e2e::record::trace::About;
use crate::e2e::report::Reporter;
use crate::e2e::run::stage::machine::Client;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Action;
use crate::e2e::text::name::Name;
use crate::e2e::verdict::event::{Event, RunReport, Setup, Summary, Verdict};
use crate::e2e::verdict::outcome::{End, Outcome};

/// Runs what the settings choose, and tells the reporters.
///
/// When `interrupted` returns, runs in progress end at once, and the reports of finished runs are
/// written. Dropping the future ends every process and removes every folder.
///
/// # Errors
/// [`E2eError`] where nothing was run; what a scenario comes to, and a report that could not be
/// written, is in the [`Summary`].
pub async fn run(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
    interrupted: impl Future<Output = ()>,
) -> Result<Summary, E2eError> {
    Ok(all(settings, reporters, interrupted, false).await?.0)
}

/// The same, but the first run that does not pass is kept running where possible, and no other run
/// starts after it. If all pass, the run is kept if it is the only one. Not for updates of golden
/// files and for retries.
///
/// # Errors
/// As [`run`].
pub async fn run_and_leave_up(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
    interrupted: impl Future<Output = ()>,
) -> Result<(Summary, Option<LeftUp>), E2eError> {
    all(settings, reporters, interrupted, true).await
}

async fn all(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
    interrupted: impl Future<Output = ()>,
    leaves_up: bool,
) -> Result<(Summary, Option<LeftUp>), E2eError> {
    let began = Instant::now();
    let mut interrupted = pin!(interrupted);
    let found = load(settings)?.fixtures;
    let setup = setup(settings, found.len());
    let fixtures: Vec<Arc<Fixture>> = choose(settings, found).into_iter().map(Arc::new).collect();
    let jobs = jobs(settings, &fixtures);
    let parallel = if settings.jobs == 0 { usual_jobs() } else { settings.jobs };
    let mut summary = Summary {
        scenarios: fixtures.len(),
        seed: settings.machine.seed,
        setup: setup.clone(),
        ..Summary::default()
    };
    let mut tell = Telling { reporters };
    tell.event(&Event::Started {
        setup,
        scenarios: fixtures.len(),
        runs: jobs.len(),
        jobs: parallel,
        seed: settings.machine.seed,
    })?;
    let goldens = goldens(settings, &fixtures, &jobs);
    if settings.mode == Mode::Compare {
        // What an earlier run left for review is about an earlier run.
        for (golden, _) in goldens.values() {
            let discarded = golden.discard_pending();
            summary.trouble.extend(discarded.err().map(|error| error.to_string()));
        }
    }
    let mut judge = Judge::new(settings.mode, goldens);
    let (events, mut incoming) = mpsc::unbounded_channel();
    let traced = tell.reporters.iter().any(|reporter| reporter.wants_trace());
    let mut pool = Pool::new(settings.machine.clone(), parallel, traced, leaves_up, events);
    let can_run = |job: &&Job| !matches!(job.client, Client::Unavailable(_));
    let mut chooser = Chooser::among(jobs.iter().filter(can_run).count());
    let abouts = abouts(&fixtures);
    let mut retries = Retries::new(settings.again, &jobs);
    jobs.into_iter().for_each(|job| pool.spawn(job));
    let mut under_way = BTreeMap::new();
    loop {
        // Events before ends: a run's beginning is told before its end.
        let finished = tokio::select! {
            biased;
            () = &mut interrupted => {
                summary.interrupted = true;
                break;
            }
            Some(event) = incoming.recv() => {
                if let Event::RunStarted { run } = &event {
                    under_way.insert(run.clone(), Instant::now());
                }
                tell.event(&event)?;
                continue;
            }
            finished = pool.next() => finished,
        };
        let Some(Finished { run, outcome, mut standing, .. }) = finished else { break };
        under_way.remove(&run);
        let Some((outcome, elapsed)) = outcome else {
            summary.not_run += 1;
            continue;
        };
        let last = retries.is_last(&run);
        for judged in judge.judge(run, outcome, elapsed, last) {
            let (run, verdict, outcome, elapsed) = match retries.decide(judged) {
                Decision::Final(judged) => *judged,
                Decision::Again(job) => {
                    pool.spawn(job);
                    continue;
                }
            };
            let mut report = report(settings, &abouts, run, verdict, outcome, elapsed);
            if let Some(standing) = standing.take() {
                chooser.decide(&mut report, standing).await;
            }
            summary.count(&report.run, &report.verdict);
            if (settings.fail_fast || leaves_up) && report.verdict.failure().is_some() {
                pool.stop();
            }
            tell.event(&Event::RunFinished(Box::new(report)))?;
        }
    }
    let cut_short = under_way.into_iter().map(|(run, began)| {
        let reason = "interrupted before it came to its end".to_owned();
        let outcome = Outcome::unstarted(End::Broken(reason.clone()));
        (run, Verdict::Broken { reason }, outcome, began.elapsed())
    });
    summary.not_run += pool.left().saturating_sub(cut_short.len());
    for (run, verdict, outcome, elapsed) in judge.rest().into_iter().chain(cut_short) {
        let report = report(settings, &abouts, run, verdict, outcome, elapsed);
        summary.count(&report.run, &report.verdict);
        tell.event(&Event::RunFinished(Box::new(report)))?;
    }
    summary.elapsed_ms = millis(began.elapsed());
    // The results of the runs matter more than a report that could not be written.
    if let Err(error) = tell.event(&Event::Finished(summary.clone())) {
        summary.trouble.push(error.to_string());
    }
    Ok((summary, chooser.chosen))
}

/// A run waits more than it works: for elections, acknowledgements, what is paused on purpose.
pub(in crate::e2e) fn usual_jobs() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The scenarios that the filter leaves, and what was passed over.
///
/// # Errors
/// [`E2eError`] for a fixture that makes no sense, unless others are chosen by name, and where no run is
/// left.
pub fn chosen(settings: &Settings) -> Result<Fixtures, E2eError> {
    let Fixtures { fixtures: all, passed_over } = load(settings)?;
    let may_be_empty = settings.pass_with_no_runs;
    let unmatched = settings.filter.unmatched(&all);
    // One that chooses nothing is a slip, whatever the others choose.
    if !unmatched.is_empty() && !may_be_empty {
        let near = unmatched.iter().find_map(|(_, near)| near.clone());
        let given: Vec<String> = unmatched.into_iter().map(|(given, _)| given).collect();
        let names_are_right = settings.filter.wrong_names(&all).next().is_none();
        let is_all = names_are_right && !has_runs(settings, &choose(settings, all));
        return Err(nothing(settings, &given, near, is_all, false));
    }
    let chosen = choose(settings, all);
    let runs = has_runs(settings, &chosen);
    // That a change touches nothing of what is wanted is no mistake.
    if runs || may_be_empty || settings.filter.only.is_some() {
        return Ok(Fixtures { fixtures: chosen, passed_over });
    }
    let mut given = settings.filter.words();
    let by_client = !chosen.is_empty();
    if by_client {
        given.extend(settings.clients.iter().map(|client| format!("--client {}", client.name)));
    }
    if given.is_empty() {
        given.push("there is none".to_owned());
    }
    Err(nothing(settings, &given, None, true, by_client))
}

fn has_runs(settings: &Settings, chosen: &[Fixture]) -> bool {
    chosen.iter().any(|fixture| clients_of(settings, fixture).next().is_some())
}

fn nothing(
    settings: &Settings,
    given: &[String],
    near: Option<String>,
    is_all: bool,
    by_client: bool,
) -> E2eError {
    let suite = settings.invocation.suite.clone();
    E2eError::NothingChosen { given: given.join(", "), suite, near, is_all, by_client }
}

/// The same, but without an error if no run is left because a client is missing on this machine:
/// that is reported elsewhere.
fn choose(settings: &Settings, all: Vec<Fixture>) -> Vec<Fixture> {
    let mut chosen = settings.filter.choose(all);
    if settings.filter.expression.is_some() {
        chosen.retain(|fixture| clients_of(settings, fixture).next().is_some());
    }
    match settings.filter.shard {
        Some(shard) => shard.choose(chosen),
        None => chosen,
    }
}

fn setup(settings: &Settings, found: usize) -> Setup {
    let broker = match &settings.machine.server {
        Ok(server) => format!("nats-server {}", server.version),
        Err(reason) => format!("no nats-server: {reason}"),
    };
    Setup { invocation: settings.invocation.clone(), found, broker }
}

/// The names of the clients that a scenario runs with.
pub fn clients_of<'a>(
    settings: &'a Settings,
    fixture: &'a Fixture,
) -> impl Iterator<Item = &'a ClientUnderTest> {
    settings.clients.iter().filter(|client| {
        let meant = match &fixture.clients {
            Some(named) => named.contains(&client.name),
            None => !client.only_where_named,
        };
        meant && settings.filter.takes(fixture, &client.name)
    })
}

/// One round of all runs after the other, so that a flaky run is found early.
fn jobs(settings: &Settings, fixtures: &[Arc<Fixture>]) -> Vec<Job> {
    let rounds: Vec<Option<u32>> = match settings.again {
        Again::Rounds(rounds) if rounds > 1 => (1..=rounds).map(Some).collect(),
        _ => vec![None],
    };
    let mut jobs = Vec::new();
    for round in rounds {
        for fixture in fixtures {
            let adapted = match &settings.cluster {
                Some(cluster) => cluster.adapt(fixture).map(Arc::new),
                None => Ok(fixture.clone()),
            };
            jobs.extend(clients_of(settings, fixture).map(|client| Job {
                fixture: adapted.as_ref().unwrap_or(fixture).clone(),
                run: RunId { scenario: fixture.name.clone(), client: client.name.clone(), round },
                client: match &adapted {
                    Ok(_) => client.client.clone(),
                    Err(reason) => Client::Unavailable(reason.clone()),
                },
            }));
        }
    }
    jobs
}

fn goldens(
    settings: &Settings,
    fixtures: &[Arc<Fixture>],
    jobs: &[Job],
) -> BTreeMap<Name, (Golden, String)> {
    let golden = |fixture: &Arc<Fixture>| {
        let first = jobs.iter().find(|job| {
            job.run.scenario == fixture.name && !matches!(job.client, Client::Unavailable(_))
        })?;
        let path = golden_path(settings, fixture);
        let source = golden_source(settings, fixture);
        let golden = Golden::new(path, &source, &fixture.source.path, &fixture.description);
        Some((fixture.name.clone(), (golden, first.run.client.clone())))
    };
    fixtures.iter().filter_map(golden).collect()
}

/// What reports say of a scenario, by its name.
type Abouts = BTreeMap<Name, Arc<About>>;

fn abouts(fixtures: &[Arc<Fixture>]) -> Abouts {
    let about = |fixture: &Arc<Fixture>| {
        let mut faults: Vec<&'static str> = Vec::new();
        for step in &fixture.steps {
            let own = match &step.action {
                Action::Fault(fault) if !fault.what.mends() => Some(fault.what.word()),
                _ => None,
            };
            let under =
                step.load.iter().flat_map(|load| &load.under).map(|(fault, _)| fault.what.word());
            for word in own.into_iter().chain(under) {
                if !faults.contains(&word) {
                    faults.push(word);
                }
            }
        }
        let about = About {
            description: fixture.description.clone(),
            path: fixture.source.path.clone(),
            faults,
        };
        (fixture.name.clone(), Arc::new(about))
    };
    fixtures.iter().map(about).collect()
}

fn report(
    settings: &Settings,
    abouts: &Abouts,
    run: RunId,
    verdict: Verdict,
    outcome: Outcome,
    elapsed: Duration,
) -> RunReport {
    let bad = verdict.failure().is_some();
    let again = format!(
        "{} {} --client {} --seed {}",
        settings.command, run.scenario, run.client, settings.machine.seed
    );
    RunReport {
        about: abouts.get(&run.scenario).cloned().unwrap_or_default(),
        trace: outcome.trace,
        run,
        verdict,
        elapsed_ms: millis(elapsed),
        transcript: outcome.transcript,
        logs: if bad { outcome.logs } else { Vec::new() },
        again,
        history: outcome.history,
        leaks: Some(outcome.leaks).filter(|leaks| !leaks.is_empty()).map(Box::new),
        hazards: outcome.hazards,
        restarts: outcome.restarts,
        history_file: outcome.history_file.map(|path| path.display().to_string()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// All reporters at once.
struct Telling<'a, 'b> {
    reporters: &'a mut [&'b mut dyn Reporter],
}

impl Telling<'_, '_> {
    /// Tells all of them, also after one that cannot write.
    fn event(&mut self, event: &Event) -> Result<(), E2eError> {
        let mut told = Ok(());
        for reporter in self.reporters.iter_mut() {
            if let Err(source) = reporter.event(event) {
                let failed = E2eError::Report { path: reporter.name().into(), source };
                told = told.and(Err(failed));
            }
        }
        told
    }
}
