//! The command line: the only room that joins all others.
//!
//! A command is a file, or a folder, with `run(args, context, output) -> Result<Exit, CliError>`.
//! Nothing outside `output` prints; nothing outside `context` reads the environment.

mod args;
mod audit;
mod bench;
mod brokers;
mod call;
mod catalogue;
mod clients;
mod complete;
mod config;
mod connect;
mod context;
mod contexts;
mod control;
mod data;
mod diagnosis;
mod dlq;
mod doctor;
#[cfg(test)]
mod documented;
mod driver;
mod e2e;
mod exit;
mod fixtures;
mod folders;
mod global;
#[cfg(test)]
mod hint_flags;
mod history;
mod login;
mod logs;
mod manual;
mod near_suites;
mod new;
mod nobody_listens;
mod output;
mod own;
mod parts;
mod pay;
mod publish;
mod python;
mod reachable;
mod reader;
mod reference;
mod refused;
mod review;
mod running;
mod serve;
mod serve_log;
mod services;
mod shell;
mod signals;
mod spec;
mod status;
mod stop;
mod suite;
mod typed;
mod versions;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;

use args::{Cli, Command, Parsed, Unparsed};
use context::Context;
use exit::{CliError, Exit};
use output::Output;
use signals::until_signal;

use crate::process::Farewell;

/// How long the end waits for a call that blocks a thread.
const BLOCKED: Duration = Duration::from_secs(1);

/// Runs the program: hidden roles first, then the command that the arguments name.
pub fn main() -> ExitCode {
    // With a umask of 0 everybody could write what we and our children make.
    let others_write = rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH;
    let found = rustix::process::umask(others_write);
    rustix::process::umask(found | others_write);
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == crate::process::SUBCOMMAND) {
        return crate::process::reaper::main(args);
    }
    let context = Context::from_environment();
    let parsed = match args::parse(&context) {
        Ok(parsed) => parsed,
        Err(Unparsed::Config { error, json, color }) => {
            Output::new(json, &context.with_colors(color)).error(&error);
            return error.exit.into();
        }
        Err(Unparsed::Told(error)) => {
            // Help goes to stdout with status 0; a mistake to stderr.
            let output = Output::new(false, &context);
            if error.use_stderr() {
                output.usage(&error);
                return Exit::Usage.into();
            }
            output.help(&error);
            return output.end(Exit::Success).into();
        }
    };
    // Dropped last, so that this process ends after everything that it started.
    let _farewell = Farewell;
    // One thread: everything here waits for the broker far more than it computes, and one thread
    // is 20 to 40 % faster at that than several.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            Output::new(parsed.cli.global.json, &context)
                .error(&CliError::infrastructure("start the runtime", error));
            return Exit::Infrastructure.into();
        }
    };
    let exit = runtime.block_on(dispatch(parsed, context));
    // A blocking read or lock that does not return must not keep the process.
    runtime.shutdown_timeout(BLOCKED);
    exit.into()
}

/// Commands that connect to nothing refuse what would say how.
fn refuse_connection(cli: &Cli, path: &str) -> Result<(), CliError> {
    match cli.command {
        // It is the other half of a bench.
        Command::Bench(ref args) if args.is_peer() => Ok(()),
        _ => args::refuse(path, &cli.global.connection),
    }
}

async fn dispatch(Parsed { cli, path, defaults, passed_over }: Parsed, context: Context) -> Exit {
    let context = context.with_colors(cli.global.color);
    let output = Output::new(cli.global.json, &context);
    let tells_refusals = matches!(
        cli.command,
        Command::Call(_)
            | Command::Publish(_)
            | Command::Pay(_)
            | Command::Dlq(_)
            | Command::Audit(_)
    ) || matches!(cli.command, Command::E2e(ref args) if args.connects());
    output::start_log(&cli.global.log, tells_refusals, &context, &output);
    signals::hear_of_large_files();
    if let Some(defaults) = defaults {
        output.also_note(move |error| defaults.note_about(error.about));
    }
    if let Some(error) = passed_over {
        output.note(format!("warning: {path} goes on without the defaults of the file: {error}"));
        error.hint.into_iter().for_each(|hint| output.note(format!("hint: {hint}")));
    }
    let (global, context) = (&cli.global, &context);
    if let Err(error) = context.require_home().and_then(|()| refuse_connection(&cli, &path)) {
        output.error(&error);
        return error.exit;
    }
    let result = match cli.command {
        Command::Serve(args) => serve::run(args, global, context, &output).await,
        Command::Status => until_signal(status::run(context, &output)).await,
        Command::Stop(args) => until_signal(stop::run(args, global, context, &output)).await,
        Command::Logs(args) => until_signal(logs::run(args, context, &output)).await,
        Command::Call(args) => until_signal(call::run(args, global, context, &output)).await,
        Command::Publish(args) => until_signal(publish::run(args, global, context, &output)).await,
        Command::Pay(args) => until_signal(pay::run(args, global, context, &output)).await,
        Command::E2e(args) => e2e::run(*args, global, context, &output).await,
        Command::Dlq(args) => until_signal(dlq::run(args, global, context, &output)).await,
        Command::Audit(args) => until_signal(audit::run(args, global, context, &output)).await,
        Command::Bench(args) => until_signal(bench::run(args, global, context, &output)).await,
        Command::History(args) => history::run(args, context, &output),
        Command::Driver(args) => until_signal(driver::run(args, global, context, &output)).await,
        Command::Control(args) => until_signal(control::run(args, global, context, &output)).await,
        Command::Spec(args) => spec::run(&args, &output),
        Command::Config(_) => config::run(global, &Cli::command(), context, &output),
        Command::Version => Ok(versions::run(global, context, &output).await),
        Command::Completions(args) => Ok(complete::script(&args, &output)),
        Command::Complete(args) => Ok(complete::run(&args, args::command(), context, &output)),
        Command::Man(args) => manual::run(&args, args::command(), context, &output),
        Command::Doctor(args) => until_signal(doctor::run(args, global, context, &output)).await,
    };
    let exit = result.unwrap_or_else(|error| {
        output.error(&error);
        error.exit
    });
    output.end(exit)
}
