//! The settings of a session, and its errors.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::choose::Filter;
use crate::e2e::run::stage::machine::{Client, Machine};
use crate::e2e::scenario::ast::promise::Promise;
use crate::e2e::scenario::ast::scenario::Defaults;
use crate::e2e::scenario::ast::service::Service;
use crate::e2e::scenario::clustered::OnCluster;
use crate::e2e::scenario::idle::Idle;
use crate::e2e::text::error::FixtureError;
use crate::e2e::text::schema::Schemas;
use crate::e2e::verdict::event::Invocation;

/// What to run, with which broker and clients, and what to do with golden files.
pub struct Settings {
    /// The folder of fixtures.
    pub fixtures: PathBuf,
    /// Which of them.
    pub filter: Filter,
    /// The clients under test, in order: with [`Mode::Update`] the first writes the golden file.
    pub clients: Vec<ClientUnderTest>,
    /// Names that a fixture's `clients` may use, chosen or not; empty is any.
    pub known_clients: Vec<String>,
    /// Names of services that a fault may use; empty where there is one kind of process.
    pub known_services: Vec<String>,
    /// The suite's services where they are commands, which a scenario may change and add to.
    pub commands: Option<Vec<Service>>,
    /// Defaults of every scenario; its `leaks` is that of the command line.
    pub defaults: Defaults,
    /// What the suite promises.
    pub promises: Vec<Promise>,
    /// Schemas that checks may name.
    pub schemas: Schemas,
    /// How many runs at a time; 0 is four times as many as the machine has cores.
    pub jobs: usize,
    /// What is done about golden files.
    pub mode: Mode,
    /// Begins no run after the first that does not pass.
    pub fail_fast: bool,
    /// What is run more than once.
    pub again: Again,
    /// Runs every scenario on a cluster.
    pub cluster: Option<OnCluster>,
    /// Broker, services, variables.
    pub machine: Machine,
    /// Says what is wrong with settings of services, if anything.
    pub validate_services: Arc<Validate>,
    /// How to run one scenario, up to its name: `mono-demo e2e`.
    pub command: String,
    /// Whether a selection that matches nothing is accepted.
    pub pass_with_no_runs: bool,
    /// What reports say about the command.
    pub invocation: Invocation,
}

/// What is run more than once, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Again {
    /// Nothing.
    #[default]
    Never,
    /// Every run this many times, each counted, to find scenarios that do not always pass.
    Rounds(u32),
    /// Runs that did not pass, up to this many times more. A run that passes then is flaky, and no
    /// pass.
    Retries(u32),
}

/// Checks settings of services, a table a module.
pub type Validate = dyn Fn(&toml::Table) -> Result<(), String> + Send + Sync;

/// One client under test.
#[derive(Clone)]
pub struct ClientUnderTest {
    /// As in a fixture's `clients`.
    pub name: String,
    /// How to get it.
    pub client: Client,
    /// Runs only the scenarios whose `clients` name it.
    pub only_where_named: bool,
}

/// What is done about golden files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Compare; write what differs beside the golden file, as `.snap.new`.
    Compare,
    /// Write golden files from the first client; the others must equal it.
    Update,
    /// Compare and write nothing.
    Ci,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum E2eError {
    /// All fixtures with mistakes.
    #[error("{}", render(.0))]
    Fixtures(Vec<FixtureError>),
    /// A promise of the suite is about nothing that is done.
    #[error(transparent)]
    Idle(#[from] Idle),
    /// Nothing is left to run.
    #[error("no scenario matches: {given}{}", in_suite(.suite))]
    NothingChosen {
        /// What of the filter chooses nothing, in words.
        given: String,
        /// The suite that was looked in, as people see it; empty where that goes without saying.
        suite: String,
        /// A name that is near.
        near: Option<String>,
        /// Whether nothing at all is chosen, and each name is one of the suite's. Otherwise a part of
        /// the filter is a slip.
        is_all: bool,
        /// Whether scenarios are chosen, and none of them runs with one of these clients.
        by_client: bool,
    },
    /// A folder or file of the suite cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A report cannot be written.
    #[error("cannot write the report {}: {source}", path.display())]
    Report {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl E2eError {
    pub(in crate::e2e) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Idle(Idle::NothingDone { near: Some((verb, on)), .. }) => {
                Some(format!("did you mean `{{ {} = \"{on}\" }}`?", verb.word()))
            }
            Self::Idle(Idle::SwitchedOff { name, .. }) => Some(format!(
                "leave it on in one of them, or take `[promise.{name}]` out of suite.toml"
            )),
            Self::Idle(_) => Some(
                "a promise is about steps with `submit`, `request`, `publish` or `call`; what a program of \
                 a `run` step does is not seen"
                    .to_owned(),
            ),
            Self::NothingChosen { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::NothingChosen { .. } => Some(
                "`--list` shows all scenarios, a suite of your own is named by its folder, and \
                 --pass-with-no-runs is for a choice that may be empty"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether the cause is the caller's input, and not the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Fixtures(_) | Self::Idle(_) | Self::NothingChosen { .. } | Self::Read { .. } => {
                true
            }
            Self::Report { .. } => false,
        }
    }
}

fn in_suite(suite: &str) -> String {
    if suite.is_empty() { String::new() } else { format!("; suite {suite}") }
}

fn render(errors: &[FixtureError]) -> String {
    errors.iter().map(FixtureError::to_string).collect::<Vec<_>>().join("\n\n")
}
