//! Everything that runs for one scenario: started, and stopped.

use std::{
    fs::File,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{select_all, try_join_all};

use super::{
    Client, Machine, ServiceContext, ServicesSpawn, Stop,
    brokers::{Access, Brokers},
    secrets::Secrets,
};
use crate::{
    broker::{self, Credentials, Proxy, Role},
    e2e::{
        driver::{self, Driver, PipeDriver, RustDriver},
        event::{Log, RunId},
        fixture::{Fixture, Processes},
        history::Recorder,
    },
    process::{Child, Signal},
    wire::context::NatsContext,
};

/// How long the services may take from their start to their line `Ready: …`.
const READY: Duration = Duration::from_secs(20);
/// How long the services may take to drain.
pub(super) const DRAIN: Duration = Duration::from_secs(15);
/// The last line of the services' start-up on stdout begins with it.
const READY_LINE: &str = "Ready: ";

/// What runs.
pub(super) struct World {
    machine: Machine,
    pub(super) brokers: Brokers,
    /// Between the client and the broker.
    pub(super) proxy: Option<Proxy>,
    /// The service processes, all of the same services.
    pub(super) services: Vec<Child>,
    processes: Processes,
    services_log: Vec<String>,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) recorder: Recorder,
    context: ServiceContext,
}

/// Why nothing runs.
pub(super) struct StartFailed {
    pub(super) stop: Stop,
    pub(super) logs: Vec<Log>,
    pub(super) secrets: Secrets,
}

impl World {
    /// Starts broker, services and driver, and returns once all three are ready.
    pub(super) async fn start(
        machine: &Machine,
        fixture: &Fixture,
        run: &RunId,
        client: &Client,
    ) -> Result<Self, StartFailed> {
        let bare = |stop| StartFailed { stop, logs: Vec::new(), secrets: Secrets::default() };
        let mut settings = broker::Settings::new(machine.server.clone(), machine.reaper.clone());
        settings.run_root = Some(machine.run_root.clone());
        settings.max_payload = fixture.broker.max_payload;
        settings.auth = Some(broker::Auth::Roles(broker::Roles::default()));
        let brokers = Brokers::start(settings, fixture.broker.cluster)
            .await
            .map_err(|error| bare(Stop::broken("cannot start the broker", error)))?;
        let context = match prepare(&brokers, fixture, machine.seed) {
            Ok(context) => context,
            Err(error) => {
                return Err(bare(Stop::broken("cannot write the services' files", error)));
            }
        };
        let recorder = match private_file(&history_path(&brokers)) {
            Ok(file) => Recorder::new(file),
            Err(error) => return Err(bare(Stop::broken("cannot write the history", error))),
        };
        let proxy = match proxy(fixture, &brokers, machine.seed).await {
            Ok(proxy) => proxy,
            Err(error) => return Err(bare(Stop::broken("cannot start the proxy", error))),
        };
        let mut access = brokers.access(Role::Client);
        access.url = proxy.as_ref().map_or(brokers.first_url().to_owned(), Proxy::url);
        let (services, driver) = tokio::join!(
            start_services(machine, &context, fixture.processes.services),
            start_driver(machine, run, client, &access)
        );
        let secrets = brokers.secrets();
        let mut logs = vec![log("broker", brokers.log_tail())];
        let stop = match (services, driver) {
            (Ok(services), Ok(driver)) => {
                return Ok(Self {
                    machine: machine.clone(),
                    brokers,
                    proxy,
                    services,
                    processes: fixture.processes,
                    services_log: Vec::new(),
                    driver,
                    recorder,
                    context,
                });
            }
            (Err((stop, tail)), _) => {
                logs.push(log("services", tail));
                stop
            }
            (Ok(_), Err(fault)) => Stop::broken("cannot start the driver", fault),
        };
        // The run is broken already; the reaper ends whatever does not stop.
        let _ = brokers.stop().await;
        Err(StartFailed { stop, logs, secrets })
    }

    /// The private folder of this run.
    pub(super) fn run_dir(&self) -> &Path {
        self.brokers.run_dir()
    }

    /// How a program in this role connects.
    pub(super) fn access(&self, role: Role) -> Access {
        self.brokers.access(role)
    }

    /// How the engine itself connects.
    pub(super) fn harness(&self) -> Access {
        self.access(Role::Harness)
    }

    /// What nobody is to be told.
    pub(super) fn secrets(&self) -> Secrets {
        self.brokers.secrets()
    }

    /// What every run shares.
    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Where the simulated gateway and mailer keep their journals.
    pub(super) fn journal_dir(&self) -> &Path {
        &self.context.journal_dir
    }

    /// The history of this run.
    pub(super) fn history_path(&self) -> PathBuf {
        history_path(&self.brokers)
    }

    /// Starts the service processes that are missing, on the broker that runs.
    pub(super) async fn start_services(&mut self) -> Result<(), Stop> {
        let missing = self.processes.services.saturating_sub(self.services.len() as u32);
        match start_services(&self.machine, &self.context, missing).await {
            Ok(services) => {
                self.services.extend(services);
                Ok(())
            }
            Err((stop, tail)) => {
                self.services_log = tail;
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
            if let Err(stop) = self.start_services().await {
                return stop;
            }
            if self.services.is_empty() {
                return std::future::pending().await;
            }
            let (_, at, _) = select_all(self.services.iter().map(|s| Box::pin(s.wait()))).await;
            let ended = self.services.remove(at);
            self.keep_log(ended).await;
        }
    }

    /// Stops the services in order; that they end well is part of what every scenario proves.
    pub(super) async fn drain(&mut self, fixture: &Fixture) -> Result<(), Stop> {
        // Unless a scenario left something paused, this changes nothing.
        self.brokers.resume().await;
        for services in std::mem::take(&mut self.services) {
            if self.processes.restart && services.try_status().is_some() {
                self.keep_log(services).await; // it ended unasked, as it may here
                continue;
            }
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
    pub(super) async fn keep_log(&mut self, services: Child) {
        services.drained().await;
        self.services_log = services.tail();
        services.close().await;
    }

    /// The last lines of each process.
    pub(super) fn logs(&self) -> Vec<Log> {
        let running = self.services.iter().flat_map(Child::tail);
        let services = self.services_log.iter().cloned().chain(running).collect();
        vec![
            log("broker", self.brokers.log_tail_since_ready()),
            log("services", services),
            log(&format!("driver {}", self.driver.name()), self.driver.log_tail()),
        ]
    }

    /// Stops everything and removes the run's folder.
    pub(super) async fn stop(self) -> Result<(), Stop> {
        self.brokers.resume().await;
        let driver = self.driver.close().await;
        if let Some(proxy) = self.proxy {
            proxy.stop().await;
        }
        for services in self.services {
            // Only a scenario that has failed already gets here with services.
            let _ = services.kill().await;
            services.close().await;
        }
        let stopped = self.brokers.stop().await;
        driver.map_err(|fault| Stop::broken("cannot end the driver", fault))?;
        stopped.map_err(|error| Stop::broken("cannot stop the broker", error))
    }
}

fn log(name: &str, lines: Vec<String>) -> Log {
    Log { name: name.to_owned(), lines }
}

fn prepare(brokers: &Brokers, fixture: &Fixture, seed: u64) -> std::io::Result<ServiceContext> {
    let folder = brokers.run_dir().join("services");
    let journal_dir: PathBuf = folder.join("journals");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&journal_dir)?;
    let settings = folder.join("settings.toml");
    let text = toml::to_string(&fixture.services).map_err(std::io::Error::other)?;
    private_file(&settings)?.write_all(text.as_bytes())?;
    let Access { url, role, credentials: login } = brokers.access(Role::Worker);
    let credentials = folder.join("worker.json");
    let mut context = NatsContext {
        description: "services under test".to_owned(),
        inbox_prefix: role.inbox_prefix().to_owned(),
        ..NatsContext::default()
    };
    if let Some(Credentials { user, password }) = login {
        (context.user, context.password) = (user, password);
    }
    context.save(&credentials)?;
    Ok(ServiceContext { url, credentials, settings, journal_dir, seed })
}

/// A new file that only this user can read.
fn private_file(path: &Path) -> std::io::Result<File> {
    File::options().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn history_path(brokers: &Brokers) -> PathBuf {
    brokers.run_dir().join("history.jsonl")
}

/// Puts the client behind a proxy, where the fixture says so.
async fn proxy(fixture: &Fixture, brokers: &Brokers, seed: u64) -> std::io::Result<Option<Proxy>> {
    match brokers.port().filter(|_| fixture.proxy.client) {
        Some(port) => Proxy::start(port, seed).await.map(Some),
        None => Ok(None),
    }
}

/// Starts so many processes side by side; on a cluster the first alone, which makes the streams:
/// of two that ask a cluster for the same new stream at once, one may get no answer.
async fn start_services(
    machine: &Machine,
    context: &ServiceContext,
    processes: u32,
) -> Result<Vec<Child>, (Stop, Vec<String>)> {
    let Some(spawn) = &machine.services else {
        return Ok(Vec::new());
    };
    let alone = u32::from(context.url.contains(',')).min(processes);
    let start = |_| start_process(machine, context, spawn);
    let mut services = try_join_all((0..alone).map(start)).await?;
    services.extend(try_join_all((alone..processes).map(start)).await?);
    Ok(services)
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

async fn start_driver(
    machine: &Machine,
    run: &RunId,
    client: &Client,
    access: &Access,
) -> Result<Arc<dyn Driver>, driver::DriverFault> {
    let driver: Arc<dyn Driver> = match client {
        Client::InProcess(typed) => Arc::new(RustDriver::new(typed.clone())),
        Client::Program(spawn) => {
            let spawn = spawn.as_ref().clone();
            Arc::new(PipeDriver::start(&run.client, &machine.reaper, spawn).await?)
        }
        Client::Unavailable(reason) => return Err(driver::DriverFault::Start(reason.clone())),
    };
    let credentials = access.credentials.as_ref();
    let greeted = driver::hello(driver.as_ref(), &access.url, credentials, machine.seed).await;
    if let Err(fault) = greeted {
        // It is gone before the run is; that it does not end well is no news.
        let _ = driver.close().await;
        return Err(fault);
    }
    Ok(driver)
}
