//! A scenario: its settings, its steps, its checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::check::Check;
use super::crash::{Crash, Explore};
use super::elsewhere::Elsewhere;
use super::hazard::Hazards;
use super::promise::Promise;
use super::service::Service;
use super::step::Step;
use super::stored::Stored;
use crate::e2e::text::name::Name;
use crate::e2e::text::redact::Row;
use crate::e2e::text::source::Source;
use crate::e2e::text::span::Span;

/// One scenario, as written.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// Its path below the suite, without the extension; the name of its row follows, if it is one.
    pub name: Name,
    /// The row that it is, of a fixture with rows.
    pub row: Option<String>,
    /// Its text, for messages that point into it.
    pub source: Source,
    /// What it proves, one sentence.
    pub description: String,
    /// For filters.
    pub tags: Vec<String>,
    /// The clients it is for; `None` is all of them.
    pub clients: Option<Vec<String>>,
    /// Settings of the services, a table a module; handed on unread.
    pub services: toml::Table,
    /// The commands of the services that it needs, where the suite's are commands: the suite's, as the
    /// scenario changes them, and its own.
    pub commands: Vec<Service>,
    /// The names of the services that it needs; `None` is all.
    pub only: Option<BTreeSet<String>>,
    /// The service processes.
    pub processes: Processes,
    /// The broker's settings.
    pub broker: BrokerTable,
    /// Who is behind a network that can be made bad.
    pub proxy: ProxyTable,
    /// What the broker has before the services start: the suite's, then its own.
    pub stored: Vec<Stored>,
    /// Whether no other run goes on beside it.
    pub exclusive: bool,
    /// The ports that are drawn for a run, by the names in `{{port:name}}`.
    pub ports: BTreeSet<String>,
    /// What else differs from run to run, and is replaced in the transcript.
    pub redact: Vec<Row>,
    /// What is done about leaks, and where it says so.
    pub leaks: Option<(Leaks, Span)>,
    /// What is done about hazards, and where it says so.
    pub hazards: Option<(Hazards, Span)>,
    /// What becomes of operations: the suite's promises, then its own.
    pub promises: Vec<Promise>,
    /// The suite's promises that are not held against it.
    pub switched_off: Vec<String>,
    /// Where its own promises stand, by name.
    pub promise_spans: BTreeMap<String, Span>,
    /// How long its steps and checks may take, all together.
    pub within: Duration,
    /// What is done before the services start: the suite's, then its own.
    pub setup: Vec<Step>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is done after the steps, whatever they came to.
    pub teardown: Vec<Step>,
    /// What must hold at the end.
    pub checks: Vec<Check>,
    /// Which service is killed at each of its messages, in runs beside the scenario's own.
    pub explore: Option<Explore>,
    /// Which service is looked after message by message, or killed at one; no fixture says so.
    pub crash: Option<Crash>,
    /// Whether the promises are judged also where a step or a check fails, beside that.
    pub is_always_judged: bool,
}

impl Fixture {
    /// What is done, from the setup to the teardown.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.setup.iter().chain(&self.steps).chain(&self.teardown)
    }

    /// How many processes run of a service, or of all; where the suite's services are no commands, they are
    /// one.
    pub fn processes_of(&self, service: Option<&str>) -> usize {
        let each = self.processes.services as usize;
        let of_it = |one: &&Service| service.is_none_or(|name| name == one.name);
        match self.commands.is_empty() {
            true => each,
            false => {
                self.commands.iter().filter(of_it).map(|one| one.processes as usize * each).sum()
            }
        }
    }

    /// The step that a failure at this line is about: it points at the step or at what that expects. The
    /// steps of an included file are all at the line of their include.
    pub fn step_at(&self, line: usize) -> Option<&Step> {
        let is_there = |span: &Span| self.source.line(span) == line;
        self.all_steps().find(|step| {
            is_there(&step.span) || step.expects.iter().any(|expect| is_there(&expect.span))
        })
    }

    /// The check that a failure at this line is about.
    pub fn check_at(&self, line: usize) -> Option<&Check> {
        self.checks.iter().find(|check| self.source.line(&check.span) == line)
    }

    /// Its golden file, beside it: one a row, so that a row that changes is reviewed alone.
    pub fn golden(&self) -> PathBuf {
        let path = Path::new(&*self.source.path);
        match &self.row {
            Some(row) => path.with_extension(format!("{row}.snap")),
            None => path.with_extension("snap"),
        }
    }

    /// The files that say what it does and expects, as they are shown to people.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.source.paths().map(PathBuf::from).chain([self.golden()])
    }
}

/// What is done about what a run leaves behind at the broker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leaks {
    /// Nobody looks.
    Ignore,
    /// It is told.
    #[default]
    Report,
    /// It turns the run red.
    Fail,
}

impl Leaks {
    /// As fixtures and the command line say it.
    pub const WORDS: &[&str] = &["fail", "report", "ignore"];
}

impl std::str::FromStr for Leaks {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "fail" => Ok(Self::Fail),
            "report" => Ok(Self::Report),
            "ignore" => Ok(Self::Ignore),
            _ => Err(format!("expected one of {}", Self::WORDS.join(", "))),
        }
    }
}

/// `[processes]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processes {
    /// How many there are, all of the same services.
    pub services: u32,
    /// Whether one that ends unasked is started again, from the first step until what was promised is there.
    pub restart: bool,
    /// How often that may be for each service; however often if `None`.
    pub restarts: Option<u32>,
}

/// `[broker]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerTable {
    /// One that somebody else runs; none of the run's own is started then.
    pub url: Option<Elsewhere>,
    /// The server's `max_payload`, bytes.
    pub max_payload: Option<usize>,
    /// So many servers that replicate each other's streams; `None` is one server.
    pub cluster: Option<usize>,
    /// `auth = false`: who shows nothing is let in as a service.
    pub open: bool,
    /// The port it listens on; one that is free if `None`. The nodes of a cluster count on from it.
    pub port: Option<u16>,
    /// A file of nats-server's own settings, below the suite's folder.
    pub config: Option<String>,
}

/// `[[setup]]` of a suite, which is done before that of each scenario.
#[derive(Debug, Clone)]
pub struct SuiteSetup {
    /// The suite's text, into which the steps point.
    pub source: Source,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl SuiteSetup {
    /// The steps as a scenario does them: its text includes the suite's.
    pub(in crate::e2e) fn included(&self, source: &mut Source) -> Vec<Step> {
        let start = source.include(&self.source.path, &self.source.text, 0..0);
        let mut steps = self.steps.clone();
        for step in &mut steps {
            let spans = step.expects.iter_mut().map(|expect| &mut expect.span);
            for span in [&mut step.span].into_iter().chain(spans) {
                *span = span.start + start..span.end + start;
            }
        }
        steps
    }
}

/// What holds for every scenario of a suite that does not say otherwise.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// What is done about leaks.
    pub leaks: Option<Leaks>,
    /// What is done about hazards.
    pub hazards: Option<Hazards>,
    /// How long the steps and checks of one may take, all together.
    pub within: Option<Duration>,
    /// The broker's settings.
    pub broker: BrokerTable,
    /// Who is behind a network that can be made bad.
    pub proxy: ProxyTable,
    /// What the broker has before the services start.
    pub stored: Vec<Stored>,
    /// What is done before they start.
    pub setup: Option<SuiteSetup>,
    /// Whether its runs go on one at a time.
    pub exclusive: bool,
    /// The ports that its services ask for, by the names in `{{port:name}}`.
    pub ports: BTreeSet<String>,
}

/// `[proxy]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProxyTable {
    /// The client under test.
    pub client: bool,
    /// The service processes, behind proxies of their own.
    pub services: bool,
}
