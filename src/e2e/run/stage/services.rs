//! The service processes of a run: started, started again, drained.

mod supervision;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all, select_all, try_join_all},
};

use tokio::sync::watch;

use super::asked::Asked;
use super::crash::Crashing;
use super::harness::Harness;
use super::hearing::Hearing;
use super::last_words::{LastWords, Printed, printed};
use super::machine::{Machine, ServiceContext, ServiceUnderTest};
use super::ready::{NotStarted, answers, start_process};
use super::restarts::Restarts;
use super::service_process::ServiceProcess;
use crate::broker::ServiceProcesses;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::service::Ready;
use crate::e2e::text::telling::telling_line;
use crate::e2e::verdict::outcome::Stop;
use crate::process::{Child, ExitStatus, Reaper, Signal, Stopped};

/// How long the last lines of one that has ended may take.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The service processes.
pub(in crate::e2e) struct Services {
    reaper: Reaper,
    context: ServiceContext,
    harness: Harness,
    /// How many brokers there are.
    servers: usize,
    hearing: Hearing,
    wanted: Vec<Wanted>,
    /// Of those that end unasked.
    restarts: Restarts,
    running: Vec<Child>,
    /// While only one service is looked at, the processes of the others.
    aside: Vec<Child>,
    /// Of those that have ended.
    last_words: LastWords,
    /// Whether some are being started.
    starting: watch::Sender<bool>,
    /// One that is killed at one of its messages.
    crashing: Option<Arc<Crashing>>,
}

/// A service, and how many processes of it there are to be.
#[derive(Clone)]
struct Wanted {
    service: ServiceUnderTest,
    processes: usize,
    /// How many faults have left; one that ends by itself is started again up to these.
    left: usize,
    /// False while another service is looked at.
    in_view: bool,
}

/// While it lives, some are being started.
struct Starting(watch::Sender<bool>);

impl Starting {
    fn begin(told: &watch::Sender<bool>) -> Self {
        told.send_replace(true);
        Self(told.clone())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Services {
    /// As many as suite and fixture say, none of which runs yet.
    pub(in crate::e2e) fn new(
        machine: &Machine,
        context: &ServiceContext,
        fixture: &Fixture,
        harness: Harness,
        hearing: Hearing,
    ) -> Self {
        let times = fixture.processes.services;
        let wanted = machine.services_of(fixture).into_iter().map(|service| Wanted {
            processes: (service.processes * times) as usize,
            left: (service.processes * times) as usize,
            in_view: true,
            service,
        });
        Self {
            reaper: machine.reaper.clone(),
            context: context.clone(),
            harness,
            servers: fixture.broker.cluster.unwrap_or(1),
            hearing,
            wanted: wanted.collect(),
            restarts: Restarts::new(fixture),
            running: Vec::new(),
            aside: Vec::new(),
            last_words: LastWords::default(),
            crashing: None,
            starting: watch::Sender::default(),
        }
    }

    /// Starts all of them, and returns once they are ready.
    pub(in crate::e2e) async fn start(&mut self) -> Result<(), NotStarted> {
        self.start_missing(|wanted| wanted.processes).await
    }

    /// How many run just now.
    pub(in crate::e2e) fn processes(&self) -> usize {
        self.running.len() + self.aside.len()
    }

    /// What they were told.
    pub(in crate::e2e) fn context(&self) -> &ServiceContext {
        &self.context
    }

    /// Until [`all_in_view`](Self::all_in_view), faults hit only this service; `None` is all.
    pub(in crate::e2e) fn only(&mut self, name: Option<&str>) {
        let Some(name) = name else { return };
        self.wanted.iter_mut().for_each(|wanted| wanted.in_view = wanted.service.name == name);
        self.aside.extend(self.running.extract_if(.., |process| process.name() != name));
    }

    /// Faults hit all services; what was just hit counts as the youngest.
    pub(in crate::e2e) fn all_in_view(&mut self) {
        self.wanted.iter_mut().for_each(|wanted| wanted.in_view = true);
        let in_view = std::mem::take(&mut self.running);
        self.running.append(&mut self.aside);
        self.running.extend(in_view);
    }

    /// Whether some are being started, for whoever would not cut that short.
    pub(in crate::e2e) fn starting(&self) -> watch::Receiver<bool> {
        self.starting.subscribe()
    }

    /// Starts those that are missing side by side, on the broker that runs.
    async fn start_missing(&mut self, wanted: impl Fn(&Wanted) -> usize) -> Result<(), NotStarted> {
        let mut starting = Vec::new();
        for one in self.wanted.iter().filter(|one| one.in_view) {
            let name = &one.service.name;
            let running = self.running.iter().filter(|child| child.name() == name).count();
            for _ in running..wanted(one) {
                starting.push(start_process(
                    &self.reaper,
                    &self.context,
                    &one.service,
                    &self.hearing,
                ));
            }
        }
        if starting.is_empty() {
            return Ok(());
        }
        let _until_they_are = Starting::begin(&self.starting);
        let mut failed = None;
        // One that did not start is no reason to end another.
        for started in join_all(starting).await {
            match started {
                Ok(child) => {
                    self.hearing.follow(&child);
                    self.running.push(child);
                }
                Err(reason) => failed = Some(reason),
            }
        }
        let started = match failed {
            Some(not_started) => Err(not_started),
            None => self.answering().await,
        };
        started.inspect_err(|NotStarted { service, log, .. }| {
            self.last_words.never_ready(service, log);
        })
    }

    /// Waits until those are ready of whom only the broker can tell.
    async fn answering(&self) -> Result<(), NotStarted> {
        let connections = self.wanted.iter().map(|Wanted { service, .. }| match service.ready {
            Ready::Connected(each) => self.of(&service.name).count() * each as usize,
            _ => 0,
        });
        let broker = &Asked {
            harness: &self.harness,
            servers: self.servers,
            connections: connections.sum(),
            variables: &self.context.variables,
        };
        let waiting = self.wanted.iter().filter(|wanted| wanted.in_view).map(|wanted| {
            let service = &wanted.service;
            let mine = self.running.iter().filter(|child| child.name() == service.name).collect();
            answers(service, mine, broker)
        });
        try_join_all(waiting).await.map(drop)
    }

    /// The names of those that run, by pid.
    pub(in crate::e2e) fn by_pid(&self) -> BTreeMap<u32, String> {
        let all = self.running.iter().chain(&self.aside);
        all.map(|child| (child.pid(), child.name().to_owned())).collect()
    }

    /// How often each was started again that had ended by itself.
    pub(in crate::e2e) fn restarts(&self) -> &BTreeMap<String, u32> {
        self.restarts.times()
    }

    /// Keeps the logs of those that have ended; true if there were any.
    async fn let_ended_go(&mut self) -> bool {
        let before = self.running.len();
        while let Some(at) = self.running.iter().position(|s| s.try_status().is_some()) {
            self.let_go(at).await;
        }
        self.running.len() < before
    }

    /// Stops the services in order; that they end well is part of what every scenario proves.
    pub(in crate::e2e) async fn drain(&mut self, fixture: &Fixture) -> Result<(), Stop> {
        while let Some(process) = self.running.first() {
            if self.restarts.wanted && process.try_status().is_some() {
                self.let_go(0).await; // it ended unasked, as it may here
                continue;
            }
            // Unless a scenario left it paused, this changes nothing.
            let _ = process.signal(Signal::Cont).await;
            let earlier = process.try_status();
            let limit = self.limit_of(process.name());
            let ended = process.stop_or_kill(limit).await;
            let name = process.name().to_owned();
            self.let_go(0).await;
            if let Some(status) = earlier.filter(|status| !self.may_end(&name, *status)) {
                let message = unasked(&name, status, self.last_words.of(&name));
                return Err(Stop::failed(fixture, &(0..0), message));
            }
            let Stopped { status, was_killed } =
                ended.map_err(|error| Stop::broken("cannot stop the services", error))?;
            if !is_orderly(status) {
                let message = match was_killed {
                    true => format!(
                        "{name} was told to drain by SIGTERM and had not ended within `stop_within` = \
                         {limit:?}, so that mono-demo killed it"
                    ),
                    false => format!("{name} was told to drain and ended with {status}"),
                };
                return Err(Stop::failed(fixture, &(0..0), message));
            }
        }
        Ok(())
    }

    fn limit_of(&self, name: &str) -> Duration {
        let wanted = self.wanted.iter().find(|wanted| wanted.service.name == name);
        wanted.map_or(Duration::ZERO, |wanted| wanted.service.stop_within)
    }

    /// Lets a process go that has ended, and keeps the end of its log. Until then it stays in the
    /// list: whoever gives up waiting here loses neither.
    async fn let_go(&mut self, at: usize) {
        let process = &self.running[at];
        process.drained().await;
        process.end().await;
        let process = self.running.remove(at);
        self.last_words.keep(&process);
    }

    /// The last lines of each that ended or runs: when it came, whose it is, and the line.
    pub(in crate::e2e) fn timed_log(&self) -> Vec<Printed> {
        let running = self.running.iter().chain(&self.aside).flat_map(printed);
        self.last_words.all().iter().cloned().chain(running).collect()
    }

    /// The last lines of each service: of its last process that ended, then of those that run. Those
    /// of services that ended badly come first.
    pub(in crate::e2e) fn logs(&self) -> Vec<(String, Vec<String>)> {
        let mut names: Vec<&String> = self.wanted.iter().map(|one| &one.service.name).collect();
        names.sort_by_key(|name| !self.of(name).any(|process| ended_badly(process).is_some()));
        let lines = |name: &String| {
            let ended = self.last_words.of(name).iter().cloned();
            ended.chain(self.of(name).flat_map(Child::tail)).collect()
        };
        names.into_iter().map(|name| (name.clone(), lines(name))).collect()
    }

    /// The processes of a service that have not been let go.
    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Child> {
        self.running.iter().chain(&self.aside).filter(move |process| process.name() == name)
    }

    /// Waits until a process ends that nobody has told to; says whose it was, how it ended, and what it
    /// said last. One that may end, and ends well, was done.
    async fn ends_unasked(&self) -> String {
        let all = self.running.iter().chain(&self.aside);
        let ends = all.map(|process| async move {
            let status = process.wait().await;
            if self.may_end(process.name(), status) {
                std::future::pending().await
            }
            (process, status)
        });
        let ends: Vec<_> = ends.map(Box::pin).collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        let ((process, status), ..) = select_all(ends).await;
        // Somebody else may hold its output.
        let _ = tokio::time::timeout(LAST_LINES, process.drained()).await;
        unasked(process.name(), status, &process.tail())
    }

    /// Whether a service may end like this though nobody has told it to.
    fn may_end(&self, name: &str, status: ExitStatus) -> bool {
        let wanted = self.wanted.iter().find(|wanted| wanted.service.name == name);
        is_orderly(status) && wanted.is_some_and(|wanted| wanted.service.may_end)
    }

    /// What is left of them, and the last lines of those that have ended; only a scenario that has
    /// failed already gets here with services.
    pub(in crate::e2e) fn left(mut self) -> (Vec<ServiceProcess>, Vec<(String, String)>) {
        self.all_in_view();
        let running = std::mem::take(&mut self.running);
        let left = running
            .into_iter()
            .map(|child| ServiceProcess { stop_within: self.limit_of(child.name()), child });
        let left = left.collect();
        let last_lines = self.last_words.all().iter();
        (left, last_lines.map(|(_, name, line)| (name.clone(), line.clone())).collect())
    }
}

impl ServiceProcesses for Services {
    fn running(&mut self) -> &mut Vec<Child> {
        &mut self.running
    }

    fn oldest_ended(&mut self) -> BoxFuture<'_, ()> {
        let name = self.running.first().map(Child::name);
        let of_it = self.wanted.iter_mut().find(|wanted| Some(&*wanted.service.name) == name);
        of_it.into_iter().for_each(|wanted| wanted.left = wanted.left.saturating_sub(1));
        self.let_go(0).boxed()
    }

    fn start_missing(&mut self) -> BoxFuture<'_, Result<(), String>> {
        let in_view = self.wanted.iter_mut().filter(|wanted| wanted.in_view);
        in_view.for_each(|wanted| wanted.left = wanted.processes);
        self.started_by_a_fault().boxed()
    }

    fn restarts(&self) -> bool {
        // One that is killed at its message may be away just now, too.
        self.restarts.wanted || self.crashing.as_ref().is_some_and(|crashing| crashing.is_due())
    }

    fn drain_limit(&self) -> Duration {
        let in_view = self.wanted.iter().filter(|wanted| wanted.in_view);
        in_view.map(|wanted| wanted.service.stop_within).max().unwrap_or_default()
    }
}

/// What is said of a service that ended though nobody had told it to.
fn unasked(name: &str, status: ExitStatus, log: &[String]) -> String {
    let said = telling_line(log).map(|line| format!("; its log says `{line}`")).unwrap_or_default();
    let help = match is_orderly(status) {
        true => format!(
            "; nobody had told it to: a service that does its work and ends has `may_end = true` in \
             [services.{name}], and one that ends when its standard input does finds /dev/null there"
        ),
        false => String::new(),
    };
    format!("{name} ended with {status}{said}{help}")
}

/// How a process ended that was not to end so.
fn ended_badly(process: &Child) -> Option<ExitStatus> {
    process.try_status().filter(|status| !is_orderly(*status))
}

/// A program that knows nothing of SIGTERM ends by it, and a shell says so with 128 + 15.
fn is_orderly(status: ExitStatus) -> bool {
    status.success() || status == ExitStatus::Signal(15) || status.code() == Some(143)
}
