//! The shape of the command line.

use clap::{Args as _, ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::exit;
use super::global::{Colors, ConnectionArgs, Global};

/// Run, call, break and prove polyglot services over NATS.
#[derive(Debug, Parser)]
#[command(name = "mono-demo", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Commands that connect to no server that is named.
const UNCONNECTED: [&str; 6] = ["e2e", "history", "driver", "spec", "status", "logs"];

/// The command line. What says how to connect is shown only where it does something.
pub fn command() -> clap::Command {
    command_in(ColorChoice::Auto)
}

/// The same, with help in these colours.
fn command_in(color: ColorChoice) -> clap::Command {
    let mut all = Cli::command().color(color);
    // From here on each command has the flags of all.
    all.build();
    let flags = ConnectionArgs::augment_args(clap::Command::new("flags"));
    let flags: Vec<clap::Id> = flags.get_arguments().map(|flag| flag.get_id().clone()).collect();
    UNCONNECTED
        .into_iter()
        .fold(all, |all, name| all.mut_subcommand(name, |command| without(command, &flags)))
}

/// The arguments of this process. The whole command line is made only where its help or a mistake is to be
/// told: that takes longer than all else before a command begins.
///
/// # Errors
/// What there is to be told.
pub fn parse() -> Result<Cli, clap::Error> {
    if let Ok(cli) = Cli::try_parse() {
        return Ok(cli);
    }
    let words: Vec<String> =
        std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let color = match Colors::of_words(words.iter().map(String::as_str)) {
        Colors::Auto => ColorChoice::Auto,
        Colors::Always => ColorChoice::Always,
        Colors::Never => ColorChoice::Never,
    };
    let mut found = command_in(color).try_get_matches()?;
    Cli::from_arg_matches_mut(&mut found)
}

/// The command, and those below it, without these flags in their help.
fn without(command: clap::Command, flags: &[clap::Id]) -> clap::Command {
    command
        .mut_args(|arg| {
            let hidden = arg.is_global_set() && flags.contains(arg.get_id());
            if hidden { arg.hide(true) } else { arg }
        })
        .mut_subcommands(|below| without(below, flags))
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
