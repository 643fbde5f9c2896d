//! What a run is given: the broker's program, the services under test, the clients.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use super::kept::Kept;
use super::values;
use crate::broker::{Credentials, Roles};
use crate::e2e::driver::rust::TypedCalls;
use crate::e2e::run::oracle::Oracles;
use crate::e2e::scenario::ast::hazard::Hazards;
use crate::e2e::scenario::ast::scenario::{Fixture, Leaks};
use crate::e2e::scenario::ast::service::Ready;
use crate::e2e::text::redact::Row;
use crate::e2e::text::template::Variables;
use crate::process::{Reaper, Spawn};
use crate::provision::NatsServer;

/// What the machine offers to every run.
#[derive(Clone)]
pub struct Machine {
    /// Each run has one of its own; or why it is not available here.
    pub server: Result<NatsServer, String>,
    /// Holds every process.
    pub reaper: Reaper,
    /// Where the runs' private folders go.
    pub run_root: PathBuf,
    /// The services under test, for what a fixture says of them.
    pub services: ServicesOf,
    /// What clients and services may do at the broker.
    pub roles: Roles,
    /// What `{{name}}` stands for, or why it is not available here.
    pub variables: BTreeMap<String, Result<String, String>>,
    /// The working folder of `run` steps.
    pub root: PathBuf,
    /// The folder from which people see the suite's files: theirs, or the suite's.
    pub shown_from: PathBuf,
    /// For whatever is drawn by chance.
    pub seed: u64,
    /// Where histories are kept; `None` where they go with their runs.
    pub histories: Option<Arc<Kept>>,
    /// Who knows what the services promise.
    pub oracles: Oracles,
    /// A driver that aborts right after it has published a submission.
    pub dying_client: Option<Spawn>,
    /// What is done about leaks where a fixture does not say.
    pub leaks: Leaks,
    /// The same about hazards.
    pub hazards: Hazards,
    /// Streams whose leaders break in turns where a fault does not name one; the last takes
    /// submissions.
    pub leaders: Vec<String>,
    /// What differs from run to run, beside what fixtures say of it.
    pub redact: Vec<Row>,
    /// Whether what services and programs print is told while they print it.
    pub aloud: bool,
}

/// The services under test, for a fixture.
pub type ServicesOf = Arc<dyn Fn(&Fixture) -> Vec<ServiceUnderTest> + Send + Sync>;

impl Machine {
    /// Those that a fixture needs.
    pub(in crate::e2e) fn services_of(&self, fixture: &Fixture) -> Vec<ServiceUnderTest> {
        let needed = |service: &ServiceUnderTest| match &fixture.only {
            Some(only) => only.contains(&service.name),
            None => true,
        };
        (self.services)(fixture).into_iter().filter(needed).collect()
    }
}

/// One service under test.
#[derive(Clone)]
pub struct ServiceUnderTest {
    /// As faults and logs call it; unique.
    pub name: String,
    /// Builds its command.
    pub spawn: ServiceSpawn,
    /// How it is seen to be ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_within: Duration,
    /// How long it may take to drain.
    pub stop_within: Duration,
    /// How many processes run the command, for each that the fixture asks for.
    pub processes: u32,
    /// Whether it may end, in order, before it is told to: it does its work and goes.
    pub may_end: bool,
}

/// Builds the command that starts a service; its process is named after the service.
pub type ServiceSpawn = Arc<dyn Fn(&ServiceContext) -> Spawn + Send + Sync>;

/// What the command that starts a service is told.
#[derive(Debug, Clone)]
pub struct ServiceContext {
    /// The broker.
    pub url: String,
    /// Where a service connects that is behind a network of its own, by its name.
    pub networks: BTreeMap<String, String>,
    /// As whom the services connect.
    pub login: Option<Credentials>,
    /// The same as a NATS context: a file that only this user can read.
    pub credentials: PathBuf,
    /// TOML, a table a module.
    pub settings: PathBuf,
    /// Where the services keep journals of what they do outside NATS.
    pub journal_dir: PathBuf,
    /// A folder of this run that services, programs and promises share.
    pub dir: PathBuf,
    /// What `{{name}}` stands for, for services.
    pub variables: Variables,
    /// For whatever is drawn by chance.
    pub seed: u64,
}

impl ServiceContext {
    /// What one service is told: where it connects.
    pub(in crate::e2e) fn of(&self, service: &str) -> Self {
        let Some(url) = self.networks.get(service) else { return self.clone() };
        let mut of = Self { url: url.clone(), ..self.clone() };
        of.variables.extend(values::of_url(url, self.login.as_ref()));
        of
    }
}

/// The variable of `run` steps that stands for a client that is a program.
pub const CLIENT: &str = "client";

/// How to get one client under test.
#[derive(Clone)]
pub enum Client {
    /// The Rust client, in process.
    InProcess(Arc<dyn TypedCalls>),
    /// A driver program.
    Program(Box<Spawn>),
    /// A program that `run` steps start as `{{client}}`; what else a scenario does, Rust does.
    Command {
        /// The program and its first arguments.
        words: Vec<String>,
        /// For the raw verbs.
        raw: Arc<dyn TypedCalls>,
    },
    /// Not on this machine, and why.
    Unavailable(String),
}
