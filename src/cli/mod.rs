//! The command line: the only room that joins all others.
//!
//! A command is a file, or a folder, with `run(args, context, output) -> Result<Exit, CliError>`.
//! Nothing outside `output` prints; nothing outside `context` reads the environment.

mod args;
mod audit;
mod brokers;
mod call;
mod catalogue;
mod clients;
mod connect;
mod context;
mod contexts;
mod data;
mod dlq;
mod doctor;
mod driver;
mod e2e;
mod exit;
mod fixtures;
#[cfg(test)]
mod hint_flags;
mod history;
mod login;
mod new;
mod output;
mod own;
mod parts;
mod pay;
mod publish;
mod python;
mod review;
mod runtime_file;
mod serve;
mod services;
mod signals;
mod spec;
mod suite;
mod typed;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use context::Context;
use exit::{CliError, Exit};
use output::Output;

/// Runs the program: hidden roles first, then the command that the arguments name.
pub fn main() -> ExitCode {
    // With a umask of 0 everybody could write what we and our children make.
    let others_write = rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH;
    let found = rustix::process::umask(others_write);
    rustix::process::umask(found | others_write);
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == crate::process::reaper::SUBCOMMAND) {
        return crate::process::reaper::main(args);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout with status 0; a mistake to stderr.
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Success.into();
            }
            Output::new(false, &Context::from_environment()).usage(&error);
            return Exit::Usage.into();
        }
    };
    // One thread: everything here waits for the broker far more than it computes, and one thread
    // is 20 to 40 % faster at that than several.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            Output::new(cli.global.json, &Context::from_environment())
                .error(&CliError::infrastructure("start the runtime", error));
            return Exit::Infrastructure.into();
        }
    };
    runtime.block_on(dispatch(cli)).into()
}

async fn dispatch(cli: Cli) -> Exit {
    let context = Context::from_environment();
    let output = Output::new(cli.global.json, &context);
    output::start_log(&cli.global.log, &context);
    let (global, context) = (&cli.global, &context);
    if let Err(error) = context.require_home() {
        output.error(&error);
        return error.exit;
    }
    let result = match cli.command {
        Command::Serve(args) => serve::run(args, global, context, &output).await,
        Command::Call(args) => call::run(args, global, context, &output).await,
        Command::Publish(args) => publish::run(args, global, context, &output).await,
        Command::Pay(args) => pay::run(args, global, context, &output).await,
        Command::E2e(args) => e2e::run(args, global, context, &output).await,
        Command::Dlq(args) => dlq::run(args, global, context, &output).await,
        Command::Audit(args) => audit::run(args, global, context, &output).await,
        Command::History(args) => history::run(args, context, &output),
        Command::Driver(args) => driver::run(args, global, context, &output).await,
        Command::Spec(args) => spec::run(&args, &output),
        Command::Doctor(args) => doctor::run(args, global, context, &output).await,
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            output.error(&error);
            error.exit
        }
    }
}
