//! What is asked of `e2e`: runs, once or after each change of a file, or a command beside them.

use super::arguments::RunArgs;
use super::explore;
use super::once::once;
use super::record;
use super::settings::shown_from;
use super::shrink;
use super::subcommand::{E2eArgs, E2eCommand};
use super::suites;
use super::versions;
use crate::cli::connect::provision_settings;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::cli::watch::{Touched, Watch};
use crate::cli::{fixtures, new, review, suite};

pub async fn run(
    args: E2eArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let suites = match args.command {
        None => suites::named(&args.run.names, context),
        Some(_) => Vec::new(),
    };
    match args.command {
        None if !suites.is_empty() => suites::run(&args.run, suites, global, context, output).await,
        None if args.run.nats_server_version.len() > 1 => {
            versions::run(&args.run, global, context, output).await
        }
        None if args.run.watch => watch(args.run, global, context, output).await,
        None => once(&args.run, None, None, global, context, output).await,
        Some(E2eCommand::New(args)) => new::run(&args, context, output),
        Some(E2eCommand::Fmt(args)) => fixtures::fmt(&args, context, output),
        Some(E2eCommand::Record(args)) => record::run(&args, global, context, output).await,
        Some(E2eCommand::Explore(args)) => explore::run(&args, global, context, output).await,
        Some(E2eCommand::Shrink(args)) => shrink::run(&args, global, context, output).await,
        Some(E2eCommand::Schema) => Ok(fixtures::schema(output)),
        Some(E2eCommand::Review(args)) => review::run(&args, context, output),
    }
}

/// Runs the chosen scenarios, then those that each change affects.
async fn watch(
    args: RunArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let failed = |e: String| CliError::infrastructure("watch the suite's files", e);
    let tools = provision_settings(&global.tools, context);
    let suite = suite::find(args.asked(), &tools, context, output).await?;
    if suite.built_in {
        return Err(CliError::usage("--watch: the built-in scenarios do not change"));
    }
    // From before the first run, so that no change is missed.
    let mut changes =
        Watch::start(&suite.root, &suite.fixtures, shown_from(&suite, context)).map_err(failed)?;
    let mut signals = Signals::listen()?;
    let mut only = None;
    loop {
        match once(&args, only, None, global, context, output).await {
            Ok(Exit::Interrupted) => return Ok(Exit::Success),
            Ok(_) => {}
            // A slip in a fixture is what the next change mends.
            Err(error) => output.error(&error),
        }
        if output.is_unwritten() {
            return Ok(Exit::Success);
        }
        output.note("watching for changes; Ctrl-C ends");
        let touched = tokio::select! {
            touched = changes.next() => touched.map_err(failed)?,
            () = signals.first() => return Ok(Exit::Success),
        };
        only = match touched {
            Touched::All => None,
            Touched::Files(files) => Some(files),
        };
    }
}
