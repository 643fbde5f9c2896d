//! Starts everything, serves until a signal comes, and drains.

use std::time::Duration;

use super::announce::announce;
use super::args::ServeArgs;
use super::serving::Serving;
use super::watch::Watch;
use crate::cli::args::Global;
use crate::cli::brokers::Brokers;
use crate::cli::connect::{named_by, named_target};
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::running;
use crate::cli::services::{self, Proof};
use crate::cli::signals::Signals;
use crate::modules::payment;
use crate::mono::{Connection, without_secrets};

pub async fn run(
    args: ServeArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let settings = args.settings(context)?;
    if let Some(name) = &args.save_context {
        contexts::path(name, context)?;
    }
    if let Some(path) = &args.ready_file {
        let removed = running::remove_stale(&context.absolute(path));
        removed.map_err(|e| CliError::new(Exit::Infrastructure, e))?;
    }
    // From here on a signal is an orderly end, also while things are still starting.
    let mut signals = Signals::listen()?;
    let (broker, target) = match named_target(&global.connection, context)? {
        Some(target) => {
            args.refuse_broker_flags()?;
            if let Some(variable) = named_by(&global.connection, context) {
                output.note(format!(
                    "note: joining {}, because {variable} names it; `env -u {variable} mono-demo \
                     serve` starts a broker",
                    without_secrets(&target.url)
                ));
            }
            (None, target)
        }
        None => {
            let wanted = args.wanted(context)?;
            let brokers = tokio::select! {
                started = Brokers::start(&wanted, &global.tools, context, output) => started?,
                () = signals.first() => return Ok(Exit::Interrupted),
            };
            let target = brokers.serving();
            (Some(brokers), target)
        }
    };
    let connection = Connection::open(&target, "mono-demo services").await?;
    let journals = args.journal_dir(broker.as_ref(), context);
    let proof = Proof { sabotage: args.sabotage, note_deliveries: args.note_deliveries };
    let refusals = payment::Refusals::default();
    let keeping = services::Keeping {
        journals: &journals,
        durable: args.store_dir.is_some(),
        recreate: args.recreate,
        refusals: refusals.clone(),
    };
    if let (Some(broker), true) = (&broker, keeping.durable) {
        for warning in broker.warnings() {
            output.note(format!("nats-server: {warning}"));
        }
    }
    let started = tokio::select! {
        started = services::start(&connection, settings, keeping, proof) => started.map(Some),
        () = signals.first() => Ok(None),
    };
    let running = match started {
        Ok(Some(running)) => running,
        not_started => {
            // In order, so that what is stored stays as it is.
            connection.close(Duration::from_secs(2)).await;
            if let Some(broker) = broker {
                broker.stop().await?;
            }
            return not_started.map(|_| Exit::Interrupted);
        }
    };
    let mut serving = Serving { broker, connection, running, journals, refusals };
    let watch = Watch::begin(&serving.connection).await;
    let mut announced = match announce(&args, &serving, &target, context, output).await {
        Ok(announced) => announced,
        Err(error) => {
            // In order, as ever: what is stored stays as it is.
            if let Err(also) = serving.stop(args.drain_timeout, output).await {
                output.note(format!("error: {also}"));
            }
            return Err(error);
        }
    };

    let stopped = serving.until_stopped(watch, &mut announced, &mut signals, output).await;
    drop(announced);
    let ended = tokio::select! {
        biased;
        ended = serving.stop(args.drain_timeout, output) => ended,
        () = signals.second() => {
            output.note("stopped at once: what was in hand is delivered again");
            return Ok(Exit::Interrupted);
        }
    };
    stopped.and(ended)
}
