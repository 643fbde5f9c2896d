//! The shape of the command line.

pub mod examples;
mod unconnected;

use clap::{ArgMatches, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::config::{self, SetByFile};
use super::context::Context;
use super::exit::{self, CliError};
use super::global::{Colors, Global};

pub use unconnected::refuse;

/// Run, call, break and prove polyglot services over NATS.
#[derive(Debug, Parser)]
#[command(name = "mono-demo", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The command line. What says how to connect is shown only where it does something.
pub fn command() -> clap::Command {
    command_in(ColorChoice::Auto)
}

/// The same, with help in these colours.
fn command_in(color: ColorChoice) -> clap::Command {
    let mut all = Cli::command().color(color);
    // From here on each command has the flags of all.
    all.build();
    examples::added(unconnected::hidden(all))
}

/// What was typed, with the defaults of a file.
pub struct Parsed {
    pub cli: Cli,
    /// The command, and the one below it: `e2e record`.
    pub path: String,
    /// What a file has set.
    pub defaults: Option<SetByFile>,
    /// Why the file is passed over, where the command goes on without it.
    pub passed_over: Option<CliError>,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub enum Unparsed {
    /// What the parser has to tell: a mistake, help, the version.
    Told(clap::Error),
    /// The file with defaults, and how what was typed wants that told.
    Config { error: CliError, json: bool, color: Colors },
}

impl From<clap::Error> for Unparsed {
    fn from(error: clap::Error) -> Self {
        Self::Told(error)
    }
}

/// The arguments of this process. The whole command line is made only where its help or a mistake is to be
/// told, or a file has defaults: that takes longer than all else before a command begins.
///
/// # Errors
/// What there is to be told.
pub fn parse(context: &Context) -> Result<Parsed, Unparsed> {
    let Ok(mut matches) = Cli::command().try_get_matches() else {
        let words = context.arguments.iter().filter_map(|word| word.to_str());
        let color = match Colors::of_words(words) {
            Colors::Auto => ColorChoice::Auto,
            Colors::Always => ColorChoice::Always,
            Colors::Never => ColorChoice::Never,
        };
        let mut found = command_in(color).try_get_matches()?;
        let path = path(&found);
        let cli = Cli::from_arg_matches_mut(&mut found)?;
        return Ok(Parsed { cli, path, defaults: None, passed_over: None });
    };
    let path = path(&matches);
    let global = Global::from_arg_matches(&matches)?;
    let (mut defaults, mut passed_over) = (None, None);
    // Completion goes on with a broken file, which `config` shows by itself; a driver speaks its protocol.
    let takes_none = ["complete", "config", "driver"].contains(&command_of(&path));
    if !takes_none && !global.no_config {
        let shape = Cli::command();
        let file = config::found(global.config.as_deref(), &shape, context);
        match file {
            Ok(None) => {}
            Ok(Some(file)) => {
                let (with, set) =
                    config::with_defaults(&file, matches, shape, &command(), context)?;
                (matches, defaults) = (with, Some(set));
            }
            Err(error) if global.config.is_none() && only_looks_or_ends(&path) => {
                passed_over = Some(error);
            }
            Err(error) => {
                return Err(Unparsed::Config { error, json: global.json, color: global.color });
            }
        }
    }
    Ok(Parsed { cli: Cli::from_arg_matches_mut(&mut matches)?, path, defaults, passed_over })
}

/// Commands that are wanted most where something is wrong: a mistake in a file that nobody named does not
/// keep them, since nothing that they do rests on it.
fn only_looks_or_ends(path: &str) -> bool {
    ["completions", "doctor", "logs", "man", "status", "stop", "version"]
        .contains(&command_of(path))
}

/// The command, without the one below it.
fn command_of(path: &str) -> &str {
    path.split(' ').next().unwrap_or_default()
}

/// The names of the commands, one below the other.
fn path(matches: &ArgMatches) -> String {
    let (mut names, mut inner) = (Vec::new(), matches.subcommand());
    while let Some((name, matches)) = inner {
        names.push(name);
        inner = matches.subcommand();
    }
    names.join(" ")
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a broker and the three services, and keep them running.
    Serve(super::serve::ServeArgs),
    /// Show the running `serve`: services, broker, URL, store.
    Status,
    /// End a running `serve`, and wait until it has ended.
    Stop(super::stop::StopArgs),
    /// Print what a running `serve` has said, and with --follow what it says.
    Logs(super::logs::LogsArgs),
    /// Ask a request-reply service and print its reply.
    Call(super::call::CallArgs),
    /// Publish a message: to a queue group, or with -J to JetStream.
    Publish(super::publish::PublishArgs),
    /// Submit a payment and follow it to its outcome.
    Pay(super::pay::PayArgs),
    /// List, show, replay and purge the dead letters of payments.
    Dlq(super::dlq::DlqArgs),
    /// Compare the payment streams with each other and with the gateway's journal.
    Audit(super::audit::AuditArgs),
    /// Measure how fast it is, beside what this machine allows in the same run.
    Bench(super::bench::BenchArgs),
    /// Run the scenarios, each with its own broker, with each client.
    E2e(Box<super::e2e::E2eArgs>),
    /// Judge the histories of runs that `e2e --history DIR` kept.
    History(super::history::HistoryArgs),
    /// Run the Rust client as a driver on stdin and stdout, or check your own driver.
    Driver(super::driver::DriverArgs),
    /// Start, break and watch brokers and services for a test, by JSON lines on stdin and stdout.
    Control(super::control::ControlArgs),
    /// Print the contract of the services: AsyncAPI or JSON Schema.
    Spec(super::spec::SpecArgs),
    /// Show the tools found on this machine, and how to install what is missing.
    Doctor(super::doctor::DoctorArgs),
    /// Show which file gives defaults of flags here, and what it sets.
    Config(config::ConfigArgs),
    /// Print the versions of this program, the broker and the client libraries.
    Version,
    /// Print a script with which a shell completes commands, scenarios, tags and contexts.
    Completions(super::complete::CompletionsArgs),
    /// Print what could come next on a command line.
    #[command(hide = true)]
    Complete(super::complete::CompleteArgs),
    /// Print the man page of a command, or write all pages into a folder.
    Man(super::manual::ManArgs),
}
