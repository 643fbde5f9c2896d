//! Runs all chosen scenarios with all their clients, side by side, and judges each against its
//! golden file.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    E2eError, Mode, Settings,
    discover::{golden_path, load},
    engine::{self, Client, End, Outcome},
    event::{Event, RunId, RunReport, Summary, Verdict},
    fixture::Fixture,
    judge::Judge,
    report::Reporter,
    snapshot::Golden,
};

/// One scenario with one client, to be run.
struct Job {
    fixture: Arc<Fixture>,
    run: RunId,
    client: Client,
}

/// What a task comes back with; `None` where it was not begun. It hands its permit back, so that
/// the next run begins only after this one was judged.
type Finished = (RunId, Option<(Outcome, Duration)>, Option<OwnedSemaphorePermit>);

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
    let began = Instant::now();
    let fixtures: Vec<Arc<Fixture>> = chosen(settings)?.into_iter().map(Arc::new).collect();
    let jobs = jobs(settings, &fixtures);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parallel = if settings.jobs == 0 { cores } else { settings.jobs };
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
    let stop = Arc::new(AtomicBool::new(false));
    let (mut tasks, mut ids) = spawn(settings, jobs, parallel, &events, &stop);
    drop(events);
    loop {
        // Events first: a run's beginning is told before its end.
        tokio::select! {
            biased;
            Some(event) = incoming.recv() => tell.event(&event)?,
            joined = tasks.join_next_with_id() => match joined {
                None => break,
                Some(joined) => {
                    let (run, finished, _permit) = unpack(joined, &mut ids);
                    let Some((outcome, elapsed)) = finished else {
                        summary.not_run += 1;
                        continue;
                    };
                    for (run, verdict, outcome, elapsed) in judge.judge(run, outcome, elapsed) {
                        let report = report(settings, run, verdict, outcome, elapsed);
                        summary.count(&report.verdict);
                        let bad = matches!(report.verdict, Verdict::Failed(_) | Verdict::Broken { .. });
                        if bad && settings.fail_fast {
                            stop.store(true, Ordering::Relaxed);
                        }
                        tell.event(&Event::RunFinished(report))?;
                    }
                }
            },
        }
    }
    for (run, verdict, outcome, elapsed) in judge.rest() {
        let report = report(settings, run, verdict, outcome, elapsed);
        summary.count(&report.verdict);
        tell.event(&Event::RunFinished(report))?;
    }
    summary.elapsed_ms = millis(began.elapsed());
    tell.event(&Event::Finished(summary.clone()))?;
    Ok(summary)
}

/// The scenarios that the filter leaves.
///
/// # Errors
/// [`E2eError`] for a fixture that makes no sense, chosen or not, and where nothing is left.
pub fn chosen(settings: &Settings) -> Result<Vec<Fixture>, E2eError> {
    let all = load(settings)?;
    let names: Vec<String> = all.iter().map(|fixture| fixture.name.to_string()).collect();
    let chosen = settings.filter.choose(all);
    if chosen.is_empty() {
        let words = [&settings.filter.names[..], &settings.filter.tags[..]].concat();
        let near = words.first().and_then(|word| {
            super::fixture::nearest(word, names.iter().map(String::as_str)).map(str::to_owned)
        });
        return Err(E2eError::NothingChosen { given: words.join(", "), near });
    }
    Ok(chosen)
}

/// The names of the clients that a scenario runs with.
pub fn clients_of<'a>(
    settings: &'a Settings,
    fixture: &'a Fixture,
) -> impl Iterator<Item = &'a super::settings::ClientUnderTest> {
    settings.clients.iter().filter(|client| match &fixture.clients {
        Some(named) => named.contains(&client.name),
        None => !client.only_where_named,
    })
}

fn jobs(settings: &Settings, fixtures: &[Arc<Fixture>]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for fixture in fixtures {
        jobs.extend(clients_of(settings, fixture).map(|client| Job {
            fixture: fixture.clone(),
            run: RunId { scenario: fixture.name.clone(), client: client.name.clone() },
            client: client.client.clone(),
        }));
    }
    jobs
}

fn goldens(
    settings: &Settings,
    fixtures: &[Arc<Fixture>],
    jobs: &[Job],
) -> BTreeMap<super::fixture::Name, (Golden, String)> {
    let golden = |fixture: &Arc<Fixture>| {
        let first = jobs.iter().find(|job| {
            job.run.scenario == fixture.name && !matches!(job.client, Client::Unavailable(_))
        })?;
        let path = golden_path(settings, fixture);
        let golden = Golden::new(path, &fixture.source.path, &fixture.description);
        Some((fixture.name.clone(), (golden, first.run.client.clone())))
    };
    fixtures.iter().filter_map(golden).collect()
}

/// The tasks, and which run each of them is: a task that panics cannot say so itself.
fn spawn(
    settings: &Settings,
    jobs: Vec<Job>,
    parallel: usize,
    events: &mpsc::UnboundedSender<Event>,
    stop: &Arc<AtomicBool>,
) -> (JoinSet<Finished>, BTreeMap<tokio::task::Id, RunId>) {
    let permits = Arc::new(Semaphore::new(parallel));
    let mut tasks = JoinSet::new();
    let mut ids = BTreeMap::new();
    for job in jobs {
        let run = job.run.clone();
        let (machine, events) = (settings.machine.clone(), events.clone());
        let (permits, stop) = (permits.clone(), stop.clone());
        let handle = tasks.spawn(async move {
            // Nobody closes the semaphore.
            let permit = permits.acquire_owned().await.ok();
            if stop.load(Ordering::Relaxed) {
                return (job.run, None, permit);
            }
            let began = Instant::now();
            // A listener that has gone does not stop a run.
            let _ = events.send(Event::RunStarted { run: job.run.clone() });
            let outcome =
                engine::execute(&machine, &job.fixture, &job.run, &job.client, &events).await;
            (job.run, Some((outcome, began.elapsed())), permit)
        });
        ids.insert(handle.id(), run);
    }
    (tasks, ids)
}

/// A panic becomes a run that the harness broke.
fn unpack(
    joined: Result<(tokio::task::Id, Finished), tokio::task::JoinError>,
    ids: &mut BTreeMap<tokio::task::Id, RunId>,
) -> Finished {
    match joined {
        Ok((_, finished)) => finished,
        Err(error) => {
            let run = ids.remove(&error.id());
            let reason = match error.try_into_panic() {
                Ok(panic) => format!("the harness panicked: {}", panic_text(&*panic)),
                Err(error) => format!("the harness gave the run up: {error}"),
            };
            let run = run.unwrap_or_else(|| unreachable!("every task was noted: {reason}"));
            let outcome =
                Outcome { end: End::Broken(reason), transcript: String::new(), logs: Vec::new() };
            (run, Some((outcome, Duration::ZERO)), None)
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

fn report(
    settings: &Settings,
    run: RunId,
    verdict: Verdict,
    outcome: Outcome,
    elapsed: Duration,
) -> RunReport {
    let bad = matches!(verdict, Verdict::Failed(_) | Verdict::Broken { .. });
    let again = format!(
        "{} {} --client {} --seed {}",
        settings.again, run.scenario, run.client, settings.machine.seed
    );
    RunReport {
        run,
        verdict,
        elapsed_ms: millis(elapsed),
        transcript: outcome.transcript,
        logs: if bad { outcome.logs } else { Vec::new() },
        again,
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
