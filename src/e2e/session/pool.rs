//! Runs in parallel, each in its own task.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedSender},
    task::{Id, JoinError, JoinSet},
};

use super::points;
use crate::e2e::record::run::RunId;
use crate::e2e::run::execute::Execution;
use crate::e2e::run::stage::machine::{Client, Machine};
use crate::e2e::run::stage::standing::Standing;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::verdict::event::Event;
use crate::e2e::verdict::outcome::{End, Outcome};
use crate::mono::panic_text;

/// One scenario with one client, to be run.
#[derive(Clone)]
pub(in crate::e2e) struct Job {
    pub(in crate::e2e) fixture: Arc<Fixture>,
    pub(in crate::e2e) run: RunId,
    pub(in crate::e2e) client: Client,
}

/// The result of a task.
pub(in crate::e2e) struct Finished {
    pub(in crate::e2e) run: RunId,
    /// `None` where it was not begun.
    pub(in crate::e2e) outcome: Option<(Outcome, Duration)>,
    /// What is still up, where that was asked for.
    pub(in crate::e2e) standing: Option<Standing>,
    /// Handed back, so that the next run begins only after this one was judged.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The runs in progress, and those that wait.
pub(in crate::e2e) struct Pool {
    machine: Machine,
    traced: bool,
    leaves_up: bool,
    events: UnboundedSender<Event>,
    permits: Arc<Semaphore>,
    /// How many there are: a run that wants no other beside it takes all of them.
    places: u32,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Finished>,
    /// The run of each task: a task that panicked cannot report it.
    ids: BTreeMap<Id, RunId>,
}

impl Pool {
    /// Runs at most `parallel` at a time, and tells `events` how they go; where it `leaves_up` what
    /// they end with, whoever takes a run also stops it.
    pub(in crate::e2e) fn new(
        machine: Machine,
        parallel: usize,
        traced: bool,
        leaves_up: bool,
        events: UnboundedSender<Event>,
    ) -> Self {
        Self {
            machine,
            traced,
            leaves_up,
            events,
            permits: Arc::new(Semaphore::new(parallel)),
            places: u32::try_from(parallel).unwrap_or(u32::MAX),
            stop: Arc::default(),
            tasks: JoinSet::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Runs a job when its turn comes.
    pub(in crate::e2e) fn spawn(&mut self, job: Job) {
        let run = job.run.clone();
        let (machine, events) = (self.machine.clone(), self.events.clone());
        let (permits, stop) = (self.permits.clone(), self.stop.clone());
        let (traced, leaves_up) = (self.traced, self.leaves_up);
        let places = if job.fixture.exclusive { self.places } else { 1 };
        let handle = self.tasks.spawn(async move {
            // Nobody closes the semaphore.
            let permit = permits.acquire_many_owned(places).await.ok();
            if stop.load(Ordering::Relaxed) {
                return Finished { run: job.run, outcome: None, standing: None, _permit: permit };
            }
            let began = Instant::now();
            // A listener that has gone does not stop a run.
            let _ = events.send(Event::RunStarted { run: job.run.clone() });
            let Job { fixture, run, client } = job;
            let execution = Execution {
                machine: &machine,
                fixture: &fixture,
                run: &run,
                client: &client,
                events: &events,
                traced,
            };
            let (outcome, standing) = if leaves_up {
                execution.leave_up().await
            } else {
                let ran = execution.execute().await;
                (points::also(&machine, (&fixture, &run, &client), ran).await, None)
            };
            let outcome = Some((outcome, began.elapsed()));
            Finished { run, outcome, standing, _permit: permit }
        });
        self.ids.insert(handle.id(), run);
    }

    /// Begins no other run.
    pub(in crate::e2e) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How many have not been handed out, begun or not.
    pub(in crate::e2e) fn left(&self) -> usize {
        self.tasks.len()
    }

    /// The next run that has ended; `None` where none is left. Dropping this loses nothing.
    pub(in crate::e2e) async fn next(&mut self) -> Option<Finished> {
        let joined = self.tasks.join_next_with_id().await?;
        Some(match joined {
            Ok((id, finished)) => {
                self.ids.remove(&id);
                finished
            }
            Err(error) => self.given_up(error),
        })
    }

    /// A panic becomes a run that the harness broke.
    fn given_up(&mut self, error: JoinError) -> Finished {
        let run = self.ids.remove(&error.id());
        let reason = match error.try_into_panic() {
            Ok(panic) => format!("the harness panicked: {}", panic_text(&*panic)),
            Err(error) => format!("the harness gave the run up: {error}"),
        };
        let run = run.unwrap_or_else(|| unreachable!("every task was noted: {reason}"));
        let outcome = Outcome::unstarted(End::Broken(reason));
        let outcome = Some((outcome, Duration::ZERO));
        Finished { run, outcome, standing: None, _permit: None }
    }
}
