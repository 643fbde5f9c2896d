//! The service processes of a run: started, started again, drained.

use std::time::Duration;

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, select_all, try_join_all},
};

use super::{Machine, ServiceContext, ServicesSpawn, Stop};
use crate::{
    broker::ServiceProcesses,
    e2e::fixture::{Fixture, Processes},
    process::{Child, Signal},
};

/// How long the services may take from their start to their line `Ready: …`.
const READY: Duration = Duration::from_secs(20);
/// How long the services may take to drain.
const DRAIN: Duration = Duration::from_secs(15);
/// The last line of the services' start-up on stdout begins with it.
const READY_LINE: &str = "Ready: ";

/// The service processes, all of the same services.
pub(super) struct Services {
    machine: Machine,
    context: ServiceContext,
    processes: Processes,
    running: Vec<Child>,
    /// The end of the log of the last that ended.
    log: Vec<String>,
}

/// Why none run: the reason, and the end of the log.
pub(super) type NotStarted = (Stop, Vec<String>);

impl Services {
    /// Starts as many as the fixture says, and returns once all are ready.
    pub(super) async fn start(
        machine: &Machine,
        context: &ServiceContext,
        processes: Processes,
    ) -> Result<Self, NotStarted> {
        let running = start_services(machine, context, processes.services).await?;
        let (machine, context) = (machine.clone(), context.clone());
        Ok(Self { machine, context, processes, running, log: Vec::new() })
    }

    /// What they were told.
    pub(super) fn context(&self) -> &ServiceContext {
        &self.context
    }

    /// Starts those that are missing, on the broker that runs.
    async fn start_missing(&mut self) -> Result<(), Stop> {
        let missing = self.processes.services.saturating_sub(self.running.len() as u32);
        match start_services(&self.machine, &self.context, missing).await {
            Ok(services) => {
                self.running.extend(services);
                Ok(())
            }
            Err((stop, tail)) => {
                self.log = tail;
                Err(stop)
            }
        }
    }

    /// Starts again what ends unasked, where the fixture says so; returns only with an error.
    pub(super) async fn supervise(&mut self) -> Stop {
        if !self.processes.restart {
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
        for services in std::mem::take(&mut self.running) {
            if self.processes.restart && services.try_status().is_some() {
                self.keep_log(services).await; // it ended unasked, as it may here
                continue;
            }
            // Unless a scenario left it paused, this changes nothing.
            let _ = services.signal(Signal::Cont).await;
            let ended = services.stop(DRAIN).await;
            self.keep_log(services).await;
            let status = ended.map_err(|error| Stop::broken("cannot stop the services", error))?;
            if !status.success() {
                let message = format!("the services were told to drain and ended with {status}");
                return Err(Stop::failed(fixture, &(0..0), message));
            }
        }
        Ok(())
    }

    /// Lets services go that have ended, and keeps the end of their log.
    async fn keep_log(&mut self, services: Child) {
        services.drained().await;
        self.log = services.tail();
        services.close().await;
    }

    /// The last lines: of the last that ended, then of those that run.
    pub(super) fn log_tail(&self) -> Vec<String> {
        let running = self.running.iter().flat_map(Child::tail);
        self.log.iter().cloned().chain(running).collect()
    }

    /// Ends what is left; only a scenario that has failed already gets here with services.
    pub(super) async fn end(self) {
        for services in self.running {
            let _ = services.kill().await;
            services.close().await;
        }
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
        DRAIN
    }
}

/// Starts so many processes side by side.
async fn start_services(
    machine: &Machine,
    context: &ServiceContext,
    processes: u32,
) -> Result<Vec<Child>, (Stop, Vec<String>)> {
    let Some(spawn) = &machine.services else {
        return Ok(Vec::new());
    };
    try_join_all((0..processes).map(|_| start_process(machine, context, spawn))).await
}

async fn start_process(
    machine: &Machine,
    context: &ServiceContext,
    spawn: &ServicesSpawn,
) -> Result<Child, (Stop, Vec<String>)> {
    let child = Child::spawn(&machine.reaper, spawn(context))
        .await
        .map_err(|error| (Stop::broken("cannot start the services", error), Vec::new()))?;
    let Some(mut lines) = child.take_stdout() else {
        return Ok(child);
    };
    let ready = async {
        while let Some(line) = lines.recv().await {
            if line.is_ok_and(|line| line.starts_with(READY_LINE)) {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(READY, ready).await {
        Ok(true) => {
            // Whatever they print later must not fill the pipe.
            tokio::spawn(async move { while lines.recv().await.is_some() {} });
            Ok(child)
        }
        Ok(false) => {
            let status = child.wait().await;
            child.drained().await;
            let tail = child.tail();
            let last = tail.last().cloned().unwrap_or_default();
            let reason = format!(
                "the services ended with {status} before they were ready; last line of their log: `{last}`"
            );
            Err((Stop::Broken(reason), tail))
        }
        Err(_) => {
            let tail = child.tail();
            child.close().await;
            let reason = format!("the services did not print `{READY_LINE}…` within {READY:?}");
            Err((Stop::Broken(reason), tail))
        }
    }
}
