//! The service processes of a run: started, started again, drained.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, select_all, try_join_all},
};
use serde_json::Value;

use super::{
    Machine, ServiceContext, ServiceUnderTest, Stop, brokers::Access, standing::ServiceProcess,
};
use crate::{
    broker::ServiceProcesses,
    e2e::{fixture::Fixture, suite::Ready},
    process::{Child, ExitStatus, Reaper, Signal},
};

/// NATS has no event for a new subscription: a service is asked until it answers.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The service processes.
pub(super) struct Services {
    reaper: Reaper,
    context: ServiceContext,
    harness: Access,
    wanted: Vec<Wanted>,
    /// Whether one that ends unasked is started again.
    restart: bool,
    running: Vec<Child>,
    /// While only one service is looked at, the processes of the others.
    aside: Vec<Child>,
    /// The end of the log of the last that ended.
    log: Vec<String>,
    /// Of all that have ended: the moment in which a line came, whose it is, and the line.
    timed: Vec<(Instant, String, String)>,
}

/// A service, and how many processes of it there are to be.
#[derive(Clone)]
struct Wanted {
    service: ServiceUnderTest,
    processes: usize,
    /// False while another service is looked at.
    in_view: bool,
}

/// Why none run: the reason, and the end of the log.
pub(super) type NotStarted = (Stop, Vec<String>);

impl Services {
    /// Starts as many as suite and fixture say, and returns once all are ready.
    pub(super) async fn start(
        machine: &Machine,
        context: &ServiceContext,
        fixture: &Fixture,
        harness: Access,
    ) -> Result<Self, NotStarted> {
        let times = fixture.processes.services;
        let wanted = (machine.services)(&fixture.services).into_iter().map(|service| Wanted {
            processes: (service.processes * times) as usize,
            in_view: true,
            service,
        });
        let mut services = Self {
            reaper: machine.reaper.clone(),
            context: context.clone(),
            harness,
            wanted: wanted.collect(),
            restart: fixture.processes.restart,
            running: Vec::new(),
            aside: Vec::new(),
            log: Vec::new(),
            timed: Vec::new(),
        };
        match services.start_missing().await {
            Ok(()) => Ok(services),
            Err(stop) => Err((stop, services.log)),
        }
    }

    /// How many run just now.
    pub(super) fn processes(&self) -> usize {
        self.running.len() + self.aside.len()
    }

    /// What they were told.
    pub(super) fn context(&self) -> &ServiceContext {
        &self.context
    }

    /// Until [`all_in_view`](Self::all_in_view), faults hit only this service; `None` is all.
    pub(super) fn only(&mut self, name: Option<&str>) {
        let Some(name) = name else { return };
        self.wanted.iter_mut().for_each(|wanted| wanted.in_view = wanted.service.name == name);
        self.aside.extend(self.running.extract_if(.., |process| process.name() != name));
    }

    /// Faults hit all services.
    pub(super) fn all_in_view(&mut self) {
        self.wanted.iter_mut().for_each(|wanted| wanted.in_view = true);
        self.running.append(&mut self.aside);
    }

    /// Starts those that are missing side by side, on the broker that runs.
    async fn start_missing(&mut self) -> Result<(), Stop> {
        let mut starting = Vec::new();
        for Wanted { service, processes, .. } in self.wanted.iter().filter(|w| w.in_view) {
            let running = self.running.iter().filter(|child| child.name() == service.name).count();
            for _ in running..*processes {
                starting.push(start_process(&self.reaper, &self.context, service));
            }
        }
        let started = try_join_all(starting).await;
        let started = match started {
            Ok(started) => started,
            Err((stop, tail)) => {
                self.log = tail;
                return Err(stop);
            }
        };
        self.running.extend(started);
        self.answering().await
    }

    /// Waits until those are ready of whom only the broker can tell.
    async fn answering(&mut self) -> Result<(), Stop> {
        let waiting = self.wanted.iter().filter(|wanted| wanted.in_view).map(|wanted| {
            let service = &wanted.service;
            let mine = self.running.iter().filter(|child| child.name() == service.name).collect();
            answers(service, mine, &self.harness)
        });
        let waited = try_join_all(waiting).await;
        waited.map(drop).map_err(|(stop, tail)| {
            self.log = tail;
            stop
        })
    }

    /// Starts again what ends unasked, where the fixture says so; returns only with an error.
    pub(super) async fn supervise(&mut self) -> Stop {
        if !self.restart {
            return std::future::pending().await;
        }
        loop {
            if let Err(stop) = self.start_missing().await {
                return stop;
            }
            if self.running.is_empty() {
                return std::future::pending().await;
            }
            let (_, at, _) = select_all(self.running.iter().map(|s| Box::pin(s.wait()))).await;
            let ended = self.running.remove(at);
            self.keep_log(ended).await;
        }
    }

    /// Stops the services in order; that they end well is part of what every scenario proves.
    pub(super) async fn drain(&mut self, fixture: &Fixture) -> Result<(), Stop> {
        for process in std::mem::take(&mut self.running) {
            if self.restart && process.try_status().is_some() {
                self.keep_log(process).await; // it ended unasked, as it may here
                continue;
            }
            // Unless a scenario left it paused, this changes nothing.
            let _ = process.signal(Signal::Cont).await;
            let ended = process.stop(self.limit_of(process.name())).await;
            let name = process.name().to_owned();
            self.keep_log(process).await;
            let status = ended.map_err(|error| Stop::broken("cannot stop the services", error))?;
            if !is_orderly(status) {
                let message = format!("{name} was told to drain and ended with {status}");
                return Err(Stop::failed(fixture, &(0..0), message));
            }
        }
        Ok(())
    }

    fn limit_of(&self, name: &str) -> Duration {
        let wanted = self.wanted.iter().find(|wanted| wanted.service.name == name);
        wanted.map_or(Duration::ZERO, |wanted| wanted.service.stop_within)
    }

    /// Lets a process go that has ended, and keeps the end of its log.
    async fn keep_log(&mut self, process: Child) {
        process.drained().await;
        self.log = process.tail();
        self.timed.extend(timed(&process));
        process.close().await;
    }

    /// The last lines of each that ended or runs: when it came, whose it is, and the line.
    pub(super) fn timed_log(&self) -> Vec<(Instant, String, String)> {
        let running = self.running.iter().chain(&self.aside).flat_map(timed);
        self.timed.iter().cloned().chain(running).collect()
    }

    /// The last lines: of the last that ended, then of those that run.
    pub(super) fn log_tail(&self) -> Vec<String> {
        let running = self.running.iter().flat_map(Child::tail);
        self.log.iter().cloned().chain(running).collect()
    }

    /// What is left of them, and the last lines of those that have ended; only a scenario that has
    /// failed already gets here with services.
    pub(super) fn left(mut self) -> (Vec<ServiceProcess>, Vec<(String, String)>) {
        self.all_in_view();
        let running = std::mem::take(&mut self.running);
        let left = running
            .into_iter()
            .map(|child| ServiceProcess { stop_within: self.limit_of(child.name()), child });
        let left = left.collect();
        (left, self.timed.into_iter().map(|(_, name, line)| (name, line)).collect())
    }
}

impl ServiceProcesses for Services {
    fn running(&mut self) -> &mut Vec<Child> {
        &mut self.running
    }

    fn ended(&mut self, process: Child) -> BoxFuture<'_, ()> {
        self.keep_log(process).boxed()
    }

    fn start_missing(&mut self) -> BoxFuture<'_, Result<(), String>> {
        let started = Services::start_missing(self);
        started.map(|started| started.map_err(|stop| stop.to_string())).boxed()
    }

    fn drain_limit(&self) -> Duration {
        let in_view = self.wanted.iter().filter(|wanted| wanted.in_view);
        in_view.map(|wanted| wanted.service.stop_within).max().unwrap_or_default()
    }
}

fn timed(process: &Child) -> impl Iterator<Item = (Instant, String, String)> {
    let name = process.name();
    process.timed_tail().into_iter().map(move |(at, line)| (at, name.to_owned(), line))
}

/// A program that knows nothing of SIGTERM ends by it, and a shell says so with 128 + 15.
fn is_orderly(status: ExitStatus) -> bool {
    status.success() || status == ExitStatus::Signal(15) || status.code() == Some(143)
}

/// Starts one process, and waits for its line where that is how it is seen to be ready.
async fn start_process(
    reaper: &Reaper,
    context: &ServiceContext,
    service: &ServiceUnderTest,
) -> Result<Child, NotStarted> {
    let mut spawn = (service.spawn)(context);
    spawn.name.clone_from(&service.name);
    let child = Child::spawn(reaper, spawn).await.map_err(|error| {
        (Stop::broken(&format!("cannot start {}", service.name), error), Vec::new())
    })?;
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    let Ready::Line(text) = &service.ready else { return Ok(child) };
    let printed = async {
        let mut lines = child.stderr_lines();
        while let Some(line) = lines.next().await {
            if line.contains(text.as_str()) {
                return;
            }
        }
        // Its outputs are closed: how it ended tells more.
        std::future::pending().await
    };
    let how = format!("print a line with `{text}`");
    within(service, &[&child], printed, &how).await?;
    Ok(child)
}

/// Waits until the processes of a service answer, where that is how they are seen to be ready.
async fn answers(
    service: &ServiceUnderTest,
    processes: Vec<&Child>,
    harness: &Access,
) -> Result<(), NotStarted> {
    if processes.is_empty() {
        return Ok(());
    }
    match &service.ready {
        Ready::Line(_) => Ok(()),
        Ready::Subject(subject) => {
            let how = format!("answer a request on {subject}");
            within(service, &processes, replied(harness, subject), &how).await
        }
        Ready::Service(name) => {
            let subject = format!("$SRV.PING.{name}");
            let (asked, many) = (instances(harness, &subject, processes.len()), processes.len());
            let how = format!("answer {subject} with {many} of them");
            within(service, &processes, asked, &how).await
        }
    }
}

/// Waits for a sign of readiness; a process that ends before, or no sign in time, is the reason.
async fn within(
    service: &ServiceUnderTest,
    processes: &[&Child],
    sign: impl Future<Output = ()>,
    how: &str,
) -> Result<(), NotStarted> {
    let name = &service.name;
    let limit = service.ready_within;
    tokio::pin!(sign);
    let ended = select_all(processes.iter().map(|process| Box::pin(process.wait())));
    tokio::select! {
        biased;
        () = &mut sign => Ok(()),
        (status, at, _) = ended => {
            processes[at].drained().await;
            // It was ready, and ended before we had read what it said.
            if tokio::task::unconstrained(&mut sign).now_or_never().is_some() {
                return Ok(());
            }
            let tail = processes[at].tail();
            let last = tail.last().cloned().unwrap_or_default();
            let reason = format!(
                "{name} ended with {status} before it was ready; last line of its log: `{last}`"
            );
            Err((Stop::Broken(reason), tail))
        }
        () = tokio::time::sleep(limit) => {
            let tail = processes.iter().flat_map(|process| process.tail()).collect();
            Err((Stop::Broken(format!("{name} did not {how} within {limit:?}")), tail))
        }
    }
}

/// Returns once anything answers a request there.
async fn replied(harness: &Access, subject: &str) {
    loop {
        if let Ok(client) = harness.connect().await {
            while client.connection_state() == async_nats::connection::State::Connected {
                if client.request(subject.to_owned(), "".into()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Returns once so many different instances answer.
async fn instances(harness: &Access, subject: &str, many: usize) {
    loop {
        if let Ok(seen) = ping(harness, subject, many).await
            && seen >= many
        {
            return;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// How many instances answer, up to `many`.
async fn ping(harness: &Access, subject: &str, many: usize) -> Result<usize, async_nats::Error> {
    let client = harness.connect().await?;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?;
    let mut seen = BTreeSet::new();
    loop {
        client.publish_with_reply(subject.to_owned(), inbox.clone(), "".into()).await?;
        // Each answers at once; one that is not up yet is asked again.
        let again = tokio::time::sleep(5 * ASK_AGAIN);
        tokio::pin!(again);
        loop {
            let reply = tokio::select! {
                reply = replies.next() => reply.ok_or("the connection has ended")?,
                () = &mut again => break,
            };
            let reply: Value = serde_json::from_slice(&reply.payload).unwrap_or_default();
            seen.extend(reply["id"].as_str().map(str::to_owned));
            if seen.len() >= many {
                return Ok(seen.len());
            }
        }
    }
}
