//! Runs all chosen scenarios with all their clients, side by side, and judges each against its
//! golden file.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::choose::Filter;
use super::discover::{golden_path, golden_source, load};
use super::golden::Golden;
use super::judge::{Judge, Judged};
use super::left_up::{Chooser, LeftUp};
use super::pool::{Finished, Job, Pool};
use super::settings::ClientUnderTest;
use super::settings::{Again, E2eError, Mode, Settings};
use crate::e2e::record::run::{Failure, RunId};
use crate::e2e::record::trace::About;
use crate::e2e::report::Reporter;
use crate::e2e::run::stage::machine::Client;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Action;
use crate::e2e::text::error;
use crate::e2e::text::name::Name;
use crate::e2e::verdict::event::{Event, RunReport, Summary, Verdict};
use crate::e2e::verdict::outcome::Outcome;

/// Runs what the settings choose, and tells the reporters.
///
/// Dropping the future ends every process and removes every folder.
///
/// # Errors
/// [`E2eError`] where nothing was run; what a scenario comes to is in the [`Summary`].
pub async fn run(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
) -> Result<Summary, E2eError> {
    Ok(all(settings, reporters, false).await?.0)
}

/// The same, but of the first run that does not pass everything stays up that can, and no other is
/// begun after it. If all pass, the run stays up if it is the only one. Golden files are not to be
/// updated meanwhile, nor runs tried again.
///
/// # Errors
/// As [`run`].
pub async fn run_and_leave_up(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
) -> Result<(Summary, Option<LeftUp>), E2eError> {
    all(settings, reporters, true).await
}

async fn all(
    settings: &Settings,
    reporters: &mut [&mut dyn Reporter],
    leaves_up: bool,
) -> Result<(Summary, Option<LeftUp>), E2eError> {
    let began = Instant::now();
    let fixtures: Vec<Arc<Fixture>> = chosen(settings)?.into_iter().map(Arc::new).collect();
    let jobs = jobs(settings, &fixtures);
    let parallel = if settings.jobs == 0 { usual_jobs() } else { settings.jobs };
    let mut summary =
        Summary { scenarios: fixtures.len(), seed: settings.machine.seed, ..Summary::default() };
    let mut tell = Telling { reporters };
    tell.event(&Event::Started {
        scenarios: fixtures.len(),
        runs: jobs.len(),
        jobs: parallel,
        seed: settings.machine.seed,
    })?;
    let goldens = goldens(settings, &fixtures, &jobs);
    if settings.mode == Mode::Compare {
        // What an earlier run left for review is about an earlier run.
        for (golden, _) in goldens.values() {
            golden.discard_pending().map_err(E2eError::Golden)?;
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
    loop {
        // Events first: a run's beginning is told before its end.
        let finished = tokio::select! {
            biased;
            Some(event) = incoming.recv() => {
                tell.event(&event)?;
                continue;
            }
            finished = pool.next() => finished,
        };
        let Some(Finished { run, outcome, mut standing, .. }) = finished else { break };
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
    for (run, verdict, outcome, elapsed) in judge.rest() {
        let report = report(settings, &abouts, run, verdict, outcome, elapsed);
        summary.count(&report.run, &report.verdict);
        tell.event(&Event::RunFinished(Box::new(report)))?;
    }
    summary.elapsed_ms = millis(began.elapsed());
    tell.event(&Event::Finished(summary.clone()))?;
    Ok((summary, chooser.chosen))
}

/// A run waits more than it works: for elections, acknowledgements, what is paused on purpose.
fn usual_jobs() -> usize {
    4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The scenarios that the filter leaves.
///
/// # Errors
/// [`E2eError`] for a fixture that makes no sense, chosen or not, and where nothing is left.
pub fn chosen(settings: &Settings) -> Result<Vec<Fixture>, E2eError> {
    let all = load(settings)?;
    let names: Vec<String> = all.iter().map(|fixture| fixture.name.to_string()).collect();
    let tags: Vec<String> = all.iter().flat_map(|fixture| fixture.tags.clone()).collect();
    let mut chosen = settings.filter.choose(all);
    if settings.filter.expression.is_some() {
        chosen.retain(|fixture| clients_of(settings, fixture).next().is_some());
    }
    if let Some(shard) = settings.filter.shard.filter(|_| !chosen.is_empty()) {
        // A shard without a scenario is no mistake: there are more machines than scenarios.
        return Ok(shard.choose(chosen));
    }
    // That a change touches nothing of what is wanted is no mistake either.
    if chosen.is_empty() && settings.filter.only.is_none() {
        let Filter { names: wanted, tags: tagged, .. } = &settings.filter;
        let near = |word: Option<&String>, known: &[String]| {
            error::nearest(word?, known.iter().map(String::as_str)).map(str::to_owned)
        };
        let near = near(wanted.first(), &names).or_else(|| near(tagged.first(), &tags));
        return Err(E2eError::NothingChosen { given: settings.filter.words().join(", "), near });
    }
    Ok(chosen)
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

/// A round of all of them after the other, so that a flake shows itself early.
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

/// What did not pass is tried again, up to a bound, and what passes then is flaky.
struct Retries {
    /// Of each run that may be tried again: the job, and how many attempts are left.
    left: BTreeMap<RunId, (Job, u32)>,
    /// Of each run that is being tried again: how many attempts did not pass, and the first.
    failures: BTreeMap<RunId, (u32, Failure)>,
}

enum Decision {
    /// It is told.
    Final(Box<Judged>),
    /// It is run again.
    Again(Job),
}

impl Retries {
    fn new(again: Again, jobs: &[Job]) -> Self {
        let left = match again {
            Again::Retries(most) => {
                jobs.iter().map(|job| (job.run.clone(), (job.clone(), most))).collect()
            }
            Again::Never | Again::Rounds(_) => BTreeMap::new(),
        };
        Self { left, failures: BTreeMap::new() }
    }

    /// True if this attempt is not followed by another one, whatever it comes to.
    fn is_last(&self, run: &RunId) -> bool {
        self.left.get(run).is_none_or(|(_, left)| *left == 0)
    }

    fn decide(&mut self, (run, verdict, outcome, elapsed): Judged) -> Decision {
        let Some(failure) = verdict.failure() else {
            let verdict = match (self.failures.remove(&run), verdict) {
                (Some((failures, first)), Verdict::Passed) => Verdict::Flaky { failures, first },
                // Left out at a later attempt: what is known is that it did not pass.
                (Some((_, first)), _) => Verdict::Failed(first),
                (None, verdict) => verdict,
            };
            return Decision::Final(Box::new((run, verdict, outcome, elapsed)));
        };
        match self.left.get_mut(&run) {
            Some((job, left)) if *left > 0 => {
                *left -= 1;
                match self.failures.entry(run) {
                    Entry::Vacant(entry) => _ = entry.insert((1, failure)),
                    Entry::Occupied(mut entry) => entry.get_mut().0 += 1,
                }
                Decision::Again(job.clone())
            }
            _ => Decision::Final(Box::new((run, verdict, outcome, elapsed))),
        }
    }
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
    fn event(&mut self, event: &Event) -> Result<(), E2eError> {
        for reporter in self.reporters.iter_mut() {
            reporter.event(event).map_err(|source: io::Error| E2eError::Report {
                path: reporter.name().into(),
                source,
            })?;
        }
        Ok(())
    }
}
