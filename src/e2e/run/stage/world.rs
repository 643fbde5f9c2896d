//! Everything that runs for one scenario: started, and stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::brokers::{Access, Brokers};
use super::crash::Crashing;
use super::files;
use super::harness::Harness;
use super::hearing::Hearing;
use super::lasting::Lasting;
use super::lost_replies::LostReplies;
use super::machine::{Client, Machine};
use super::networks::Networks;
use super::reached::Reached;
use super::refused;
use super::scene::Scene;
use super::secrets::Secrets;
use super::services::Services;
use super::standing::Standing;
use super::start;
use super::stored;
use super::values::{self, Ports};
use crate::broker::{MessageRule, Role, What};
use crate::counted::counted;
use crate::e2e::driver;
use crate::e2e::driver::Driver;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::run::{Log, RunId};
use crate::e2e::record::tape::Tape;
use crate::e2e::run::oracle::{Oracle, Oracles};
use crate::e2e::run::probe::advisories::Advisories;
use crate::e2e::run::probe::broker_trace::level;
use crate::e2e::run::probe::evidence::Probe;
use crate::e2e::run::probe::hazards::HazardWatch;
use crate::e2e::run::probe::leaks::Watch;
use crate::e2e::run::probe::watches::Watches;
use crate::e2e::scenario::ast::crash::Crash;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::span::Span;
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::headers::bounded;

/// How long the client may take to have the broker process all that it has sent.
const FLUSH: Duration = Duration::from_secs(2);
/// So much of a line of a log is shown, bytes.
const SHOWN: usize = 1000;

/// What runs.
pub(in crate::e2e) struct World {
    machine: Machine,
    /// Who knows what the services promise: the machine's, and this run's own.
    oracles: Oracles,
    hearing: Hearing,
    pub(in crate::e2e) brokers: Brokers,
    harness: Harness,
    /// Between the broker and those who are to have a bad network.
    pub(in crate::e2e) networks: Networks,
    pub(in crate::e2e) services: Services,
    pub(in crate::e2e) driver: Arc<dyn Driver>,
    /// What `{{client}}` of a `run` step is.
    command: Vec<String>,
    pub(in crate::e2e) recorder: Recorder,
    history: PathBuf,
    ports: Ports,
    /// What was done when.
    pub(in crate::e2e) tape: Tape,
    /// What is broken until something mends it, by the name in the history.
    pub(in crate::e2e) broken: Vec<Lasting>,
    /// Faults by message, with their names and where the fixture has them.
    pub(in crate::e2e) rules: Vec<(Arc<MessageRule>, String, Span)>,
    pub(in crate::e2e) lost_replies: LostReplies,
    /// The faults of networks.
    pub(in crate::e2e) reaches: Vec<Reached>,
    /// What broke, in order: the same for the same seed.
    pub(in crate::e2e) schedule: Vec<String>,
    watches: Watches,
}

/// Why nothing runs.
pub(in crate::e2e) struct StartFailed {
    pub(in crate::e2e) stop: Stop,
    pub(in crate::e2e) logs: Vec<Log>,
    pub(in crate::e2e) secrets: Secrets,
    /// The broker, if it did start.
    pub(in crate::e2e) standing: Option<Standing>,
}

impl World {
    /// Starts broker, services and driver, and returns once all three are ready.
    pub(in crate::e2e) async fn start(
        machine: &Machine,
        fixture: &Fixture,
        run: &RunId,
        client: &Client,
        traced: bool,
        hearing: Hearing,
    ) -> Result<Self, StartFailed> {
        let bare = |stop| StartFailed {
            stop,
            logs: Vec::new(),
            secrets: Secrets::default(),
            standing: None,
        };
        let leaks = Watch::new(fixture, machine.leaks);
        let hazards = HazardWatch::new(fixture, &machine.hazards);
        let is_read = hazards.looks() || machine.roles.shared.is_none();
        let trace = level::config(fixture, traced, is_read);
        let brokers = start::brokers(machine, fixture, trace, leaks.looks()).await.map_err(bare)?;
        let services = machine.services_of(fixture).into_iter().map(|service| service.name);
        if let Some(told) = hearing.told() {
            told.hide(brokers.secrets());
        }
        let networks = match Networks::start(
            fixture.proxy,
            &brokers,
            services,
            machine.seed,
            fixture.broker.port,
        )
        .await
        {
            Ok(networks) => networks,
            Err(error) => return Err(bare(Stop::broken("cannot start the proxies", error))),
        };
        let ports = match values::draw(&fixture.ports) {
            Ok(ports) => ports,
            Err(error) => return Err(bare(Stop::broken("cannot draw ports", error))),
        };
        let context = match files::of_services(&brokers, &networks, fixture, &ports, machine.seed) {
            Ok(context) => context,
            Err(error) => {
                return Err(bare(Stop::broken("cannot write the services' files", error)));
            }
        };
        let (history, recorder) = match files::history(machine, run, &brokers) {
            Ok((path, file)) => (path, Recorder::new(file)),
            Err(error) => return Err(bare(Stop::broken("cannot write the history", error))),
        };
        let harness = Harness::new(brokers.access(Role::Harness));
        let advisories = Advisories::listen(harness.access()).await;
        let advisories = advisories
            .map_err(|why| bare(Stop::broken("cannot listen to what consumers give up", why)))?;
        let made = stored::make(&harness, &fixture.stored).await;
        made.map_err(|why| bare(Stop::broken("cannot make what the services find", why)))?;
        let mut access = brokers.access(Role::Client);
        access.url = networks.client_url(&brokers);
        let mut services =
            Services::new(machine, &context, fixture, harness.clone(), hearing.clone());
        let (started, driver) = tokio::join!(
            async {
                match fixture.setup.is_empty() {
                    true => services.start().await,
                    // It comes first.
                    false => Ok(()),
                }
            },
            start::driver(machine, run, client, &access)
        );
        let secrets = brokers.secrets();
        let mut logs = vec![log("broker", brokers.log_tail_since_ready())];
        let stop = match (started, driver) {
            (Ok(()), Ok(driver)) => {
                return Ok(Self {
                    machine: machine.clone(),
                    oracles: machine.oracles.clone(),
                    hearing,
                    brokers,
                    harness,
                    networks,
                    services,
                    driver,
                    command: match client {
                        Client::Command { words, .. } => words.clone(),
                        _ => Vec::new(),
                    },
                    recorder,
                    history,
                    ports,
                    tape: Tape::default(),
                    broken: Vec::new(),
                    rules: Vec::new(),
                    lost_replies: LostReplies::default(),
                    reaches: Vec::new(),
                    schedule: Vec::new(),
                    watches: Watches::new(leaks, hazards, advisories),
                });
            }
            (Err(not_started), _) => {
                logs.insert(0, log(&not_started.service, not_started.log));
                let (reason, service) = (not_started.reason, &not_started.service);
                refused::explained(reason, service, &logs[1].lines, &fixture.broker)
            }
            (Ok(()), Err(fault)) => Stop::broken("cannot start the driver", fault),
        };
        let standing = Some(Standing::new(brokers, networks, context, history));
        Err(StartFailed { stop, logs, secrets, standing })
    }

    /// Starts the services of a scenario whose setup came first.
    pub(in crate::e2e) async fn start_services(&mut self, fixture: &Fixture) -> Result<(), Stop> {
        let started = self.services.start().await;
        started.map_err(|not_started| {
            let said = self.brokers.log_tail_since_ready();
            refused::explained(not_started.reason, &not_started.service, &said, &fixture.broker)
        })
    }

    /// What a step works with, and the services, of which one may have to be started again meanwhile.
    pub(in crate::e2e) fn apart(&mut self) -> (Scene<'_>, &mut Services) {
        let scene = Scene {
            machine: &self.machine,
            oracles: &self.oracles,
            brokers: &self.brokers,
            harness: &self.harness,
            driver: &*self.driver,
            recorder: &self.recorder,
            hearing: &self.hearing,
            lost_replies: &self.lost_replies,
            dir: self.services.context().dir.clone(),
            command: &self.command,
        };
        (scene, &mut self.services)
    }

    /// The private folder of this run.
    pub(in crate::e2e) fn run_dir(&self) -> &Path {
        self.brokers.run_dir()
    }

    /// How a program in this role connects.
    pub(in crate::e2e) fn access(&self, role: Role) -> Access {
        self.brokers.access(role)
    }

    /// What is looked for in every run.
    pub(in crate::e2e) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The connection of the harness itself.
    pub(in crate::e2e) fn harness(&self) -> &Harness {
        &self.harness
    }

    /// What nobody is to be told.
    pub(in crate::e2e) fn secrets(&self) -> Secrets {
        self.brokers.secrets()
    }

    /// What every run shares.
    pub(in crate::e2e) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Who knows what the services promise.
    pub(in crate::e2e) fn oracles(&self) -> &Oracles {
        &self.oracles
    }

    /// One more, who knows what this run promises.
    pub(in crate::e2e) fn add_oracle(&mut self, oracle: Arc<dyn Oracle>) {
        self.oracles.push(oracle);
    }

    /// What services print, where a promise is about it.
    pub(in crate::e2e) fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// The folder that services, programs and promises share.
    pub(in crate::e2e) fn dir(&self) -> &Path {
        &self.services.context().dir
    }

    /// What `{{name}}` stands for in steps, which are the client's.
    pub(in crate::e2e) fn values(&self) -> Variables {
        let access = self.access(Role::Client);
        let url = self.brokers.first_url();
        values::of_run(url, access.credentials.as_ref(), self.dir(), &self.ports)
    }

    /// Where the services keep journals of what they do outside NATS.
    pub(in crate::e2e) fn journal_dir(&self) -> &Path {
        &self.services.context().journal_dir
    }

    /// Looks at this run as the harness.
    pub(in crate::e2e) fn probe(&self) -> Probe<'_> {
        Probe::new(self.journal_dir(), self.harness(), &self.recorder, &self.history)
    }

    /// The history of this run.
    pub(in crate::e2e) fn history_path(&self) -> &Path {
        &self.history
    }

    /// The same, if it stays after the run.
    pub(in crate::e2e) fn kept_history(&self) -> Option<&Path> {
        self.machine.histories.as_ref().map(|_| self.history.as_path())
    }

    /// How the client under test connects: through its network, if it has one of its own.
    pub(in crate::e2e) fn client_access(&self) -> Access {
        let mut access = self.access(Role::Client);
        access.url = self.networks.client_url(&self.brokers);
        access
    }

    /// The last lines of each process.
    pub(in crate::e2e) fn logs(&self) -> Vec<Log> {
        let services = self.services.logs().into_iter();
        let mut logs: Vec<Log> = services.map(|(name, lines)| log(&name, lines)).collect();
        logs.push(log("broker", self.brokers.log_tail_since_ready()));
        logs.push(log(&format!("driver {}", self.driver.name()), self.driver.log_tail()));
        logs
    }

    /// From now on a service is looked after message by message, and killed at one.
    pub(in crate::e2e) fn watch(&mut self, crash: &Crash) {
        self.services.crash_at(Crashing::begin(crash, &self.networks, &self.recorder));
    }

    /// From now on it is not: nothing more of it is heard or stopped.
    pub(in crate::e2e) fn watch_no_more(&self) {
        if let Some(crashing) = self.services.crashing() {
            crashing.end(&self.networks);
        }
    }

    /// Looks at what is there before the first step.
    pub(in crate::e2e) async fn begin_looking_for_leaks(&mut self) {
        self.watches.before_steps(&self.brokers, self.services.processes()).await;
    }

    /// Looks for hazards, once, while the services are up.
    pub(in crate::e2e) async fn look_for_hazards(&mut self) {
        let services = self.services.by_pid();
        self.watches.services_up(&self.brokers, &self.harness, &services).await;
    }

    /// Looks at what is there after the last step.
    pub(in crate::e2e) async fn look_for_leaks(&mut self) {
        let broken = self.broken.iter().find(|lasting| lasting.fault.what.is_of_a_network());
        let broken = broken.map(|lasting| lasting.name.as_str());
        if self.watches.looks_for_leaks() && broken.is_none() {
            // What the client has subscribed to is on its way, perhaps. If this fails, nothing is
            // known to be missing.
            let _ = tokio::time::timeout(FLUSH, self.driver.perform(driver::barrier())).await;
        }
        self.watches.after_steps(&self.brokers, broken).await;
    }

    /// Sends the client away and hands back what still stands. Of a run that held, whose services
    /// have drained, that is the broker, and it is looked at what is left behind there. Of any other
    /// all is as it was when it stopped; only a broker that is paused goes on, for nobody could look
    /// at what it has.
    pub(in crate::e2e) async fn leave(
        mut self,
        fixture: &Fixture,
        held: bool,
    ) -> (Result<(), Stop>, Watches, Standing) {
        self.brokers.resume().await;
        let driver = self.driver.close().await;
        let driver = driver.map_err(|fault| Stop::broken("cannot end the driver", fault));
        if held {
            std::mem::take(&mut self.networks).stop().await;
            self.watches.at_end(fixture, &self.brokers, &self.harness).await;
        }
        let context = self.services.context().clone();
        let mut standing = Standing::new(self.brokers, self.networks, context, self.history);
        (standing.services, standing.last_lines) = self.services.left();
        let hit = |(rule, name, _): &(Arc<MessageRule>, String, Span)| {
            format!("{name}: hit {}", counted(rule.hits(), "message"))
        };
        standing.message_faults = self.rules.iter().map(hit).collect();
        standing.broken = self.broken;
        standing.broken.retain(|lasting| lasting.fault.what != What::PauseBroker);
        (driver, self.watches, standing)
    }
}

/// A line may be a whole document: its beginning tells which.
fn log(name: &str, lines: Vec<String>) -> Log {
    let shown = |line: String| match line.len() {
        0..=SHOWN => line,
        _ => bounded(&line, SHOWN),
    };
    Log { name: name.to_owned(), lines: lines.into_iter().map(shown).collect() }
}
