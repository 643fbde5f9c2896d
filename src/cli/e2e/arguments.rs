//! The arguments of a run.

use std::path::PathBuf;

use clap::Args;

use crate::cli::global::whole;
use crate::cli::suite::Asked;
use crate::e2e::scenario::{Hazards, Leaks};
use crate::e2e::session::{Expression, Shard};
use crate::modules::payment::Sabotage;
use crate::provision::Pinned;

/// Arguments of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Suites' folders, fixtures or folders of them, or names of scenarios and parts of names
    /// [default: all].
    #[arg(value_name = "PATH|NAME")]
    pub(super) names: Vec<String>,
    /// Only scenarios with this tag; may be given several times.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Only runs that match this expression of tag(T), name(PART|FOLDER/|PATTERN), client(C), and,
    /// or, not, and parentheses: 'tag(fault) and not client(go)'.
    #[arg(short = 'E', long, value_name = "EXPRESSION")]
    pub(super) filter: Option<Expression>,
    /// Only this part of the scenarios, as 1/4: to spread them over several machines.
    #[arg(long, value_name = "K/N")]
    pub(super) shard: Option<Shard>,
    /// Only runs that did not pass when they were last run here; other choices hold too.
    #[arg(long, visible_alias = "lf", conflicts_with_all = ["watch", "update", "sabotage"])]
    pub(super) last_failed: bool,
    /// Exit with 0 also if the selection matches nothing, or if all runs are left out.
    #[arg(long)]
    pub(super) pass_with_no_runs: bool,
    /// Only this client: rust, python, node, go, rust-pipe, or one of your suite's; may be given
    /// several times [default: all clients whose tools this machine has].
    #[arg(long, value_name = "CLIENT")]
    pub client: Vec<String>,
    /// Clients that must be available, as rust,python,node,go: if one is missing, nothing is run.
    #[arg(long, value_name = "CLIENTS", value_delimiter = ',')]
    pub require: Vec<String>,
    /// The folder of scenarios [default: that of the suite.toml here or above, else fixtures, else the
    /// built-in ones].
    #[arg(long, value_name = "DIR")]
    pub(super) fixtures: Option<PathBuf>,
    /// Run the scenarios that are built into this program, whatever suite is in this folder.
    #[arg(long, conflicts_with_all = ["fixtures", "update", "record", "watch"])]
    pub(super) builtin: bool,
    /// Show the scenarios, with their tags, and run none.
    #[arg(long, conflicts_with_all = ["report", "history", "repeat", "retries", "sabotage"])]
    pub list: bool,
    /// Write the golden transcripts; read them before you commit them.
    #[arg(long, conflicts_with_all = ["ci", "sabotage"])]
    pub(super) update: bool,
    /// Write the results of steps that expect nothing yet into their fixture, as expectations; each
    /// scenario is run twice, and values that differ become matchers.
    #[arg(long, conflicts_with_all = ["ci", "update", "retries", "repeat", "report", "sabotage", "list"])]
    pub(super) record: bool,
    /// Write no golden files and no .snap.new files [default: if CI is set].
    #[arg(long)]
    pub(super) ci: bool,
    /// Start no run after the first that does not pass.
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Keep the broker, store and services of the first run that does not pass until Ctrl-C, print
    /// how to connect to them, and start no other run. A run that passes is kept only if it is the
    /// only one, chosen by name and --client.
    #[arg(long, conflicts_with_all = ["ci", "watch", "record", "update", "list", "retries"])]
    pub(super) keep: bool,
    /// Make the first run that failed smaller, as `e2e shrink` does, once all runs are done.
    #[arg(long, conflicts_with_all = ["watch", "record", "update", "list", "keep", "ci"])]
    pub(super) shrink: bool,
    /// Repeat a run that did not pass up to N times; if it passes then, it is reported as flaky,
    /// not as passed.
    #[arg(long, value_name = "N", conflicts_with_all = ["update", "repeat"],
          value_parser = whole::<u32>(0..=1_000_000))]
    pub(super) retries: Option<u32>,
    /// Do every run N times, to find scenarios that do not always pass.
    #[arg(long, value_name = "N", conflicts_with = "update",
          value_parser = whole::<u32>(1..=1_000_000))]
    pub(super) repeat: Option<u32>,
    /// Run every scenario on a cluster of N servers, with three copies of each stream; one that
    /// cannot is skipped, with the reason.
    #[arg(long, value_name = "N", conflicts_with = "update",
          value_parser = whole::<u16>(3..=5))]
    pub(super) cluster: Option<u16>,
    /// Run everything on each of these versions of nats-server, as 2.11,2.15: a line of releases means
    /// its newest patch release. With several, a table at the end says what differs, and reports and
    /// histories have the version in their names.
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',', conflicts_with = "nats_server")]
    pub(super) nats_server_version: Vec<&'static Pinned>,
    /// How many runs at a time [default: four times as many as there are cores].
    #[arg(short, long, value_name = "N", value_parser = whole::<usize>(1..=1_000_000))]
    pub(super) jobs: Option<usize>,
    /// What to do with a run that leaves something behind at the broker, if its fixture has no
    /// `leaks`: fail, report or ignore [default: that of the suite, else report].
    #[arg(long, value_name = "HOW")]
    pub(super) leaks: Option<Leaks>,
    /// What to do with a run that has hazards, unless its scenario says so with `hazards`: fail, report or
    /// ignore [default: that of the suite, else report].
    #[arg(long, value_name = "HOW")]
    pub(super) hazards: Option<Hazards>,
    /// Seed of everything that is drawn by chance.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(super) seed: u64,
    /// Also write a report: html=PATH, junit=PATH, json=PATH or tap=PATH; may be given several times.
    #[arg(long, value_name = "KIND=PATH", value_parser = report)]
    pub(super) report: Vec<(ReportKind, PathBuf)>,
    /// Keep the history of each run in this folder, as payment/happy-path.rust.jsonl;
    /// `mono-demo history check` judges it again.
    #[arg(long, value_name = "DIR")]
    pub(super) history: Option<PathBuf>,
    /// Test the tests: make the workers break their promises, so that scenarios must fail.
    #[arg(long, value_name = "HOW")]
    pub sabotage: Option<Sabotage>,
    /// Run the scenarios again that a changed file affects, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["update", "ci", "list"])]
    pub(super) watch: bool,
    /// Show what services and the programs of `run` steps print, while they print it.
    #[arg(long, conflicts_with = "list")]
    pub(super) no_capture: bool,
    /// Print no line for a run that passed.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// After the runs, show the N that took longest.
    #[arg(long, value_name = "N", value_parser = whole::<usize>(1..=1_000_000))]
    pub(super) durations: Option<usize>,
    /// Print the figures of the history under each run [default: under runs with a check on them].
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) verbose: bool,
}

impl RunArgs {
    /// What they say of which suite.
    pub(super) fn asked(&self) -> Asked<'_> {
        let Self { builtin, names, fixtures, .. } = self;
        Asked { builtin: *builtin, names, fixtures: fixtures.as_deref() }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ReportKind {
    Html,
    Junit,
    Json,
    Tap,
}

fn report(text: &str) -> Result<(ReportKind, PathBuf), String> {
    let expected = || "expected html=PATH, junit=PATH, json=PATH or tap=PATH".to_owned();
    let (kind, path) =
        text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
    let kind = match kind {
        "html" => ReportKind::Html,
        "junit" => ReportKind::Junit,
        "json" => ReportKind::Json,
        "tap" => ReportKind::Tap,
        _ => return Err(expected()),
    };
    Ok((kind, path.into()))
}
