//! Starts everything, serves until a signal comes, and drains.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use super::announce::{DESCRIPTION, Listed, announce};
use super::announced::Announced;
use super::args::ServeArgs;
use super::earlier;
use super::journals::Journals;
use super::others::Others;
use super::serving::Serving;
use super::starter::{Starter, Store};
use super::watch::{Watch, too_small};
use crate::broker::Role;
use crate::cli::brokers::{Brokers, Wanted};
use crate::cli::connect::{SERVICES, named_again, named_by, named_target};
use crate::cli::context::Context;
use crate::cli::contexts;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::refused::not_let_in;
use crate::cli::running;
use crate::cli::services::Proof;
use crate::cli::signals::Signals;
use crate::modules::payment;
use crate::mono::{Connection, Target, without_secrets};

pub async fn run(
    args: ServeArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    if let Some(parent) = args.ends_with {
        end_with(parent)?;
    }
    let settings = args.settings(context)?;
    if let Some(name) = &args.save_context {
        contexts::may_be_saved(name, DESCRIPTION, context)?;
    }
    if let Some(path) = &args.ready_file {
        let removed = running::remove_stale(&context.absolute(path));
        removed.map_err(|e| CliError::new(Exit::Infrastructure, e))?;
        let folder = context.absolute(path).parent().map(Path::to_owned);
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let message = format!("--ready-file: there is no folder {}", folder.display());
            return Err(CliError::usage(message).hint("make it, or name a file elsewhere"));
        }
    }
    if !args.unlisted {
        let failed =
            |e| CliError::new(Exit::Infrastructure, format!("serve: {e}")).hint(running::ELSEWHERE);
        running::may_be_published(context).map_err(failed)?;
    }
    // All that is read comes first: what waits there, as for a pipe, a signal ends in the system's way.
    let system = match named_target(&global.connection, context)? {
        Some(target) => {
            args.refuse_broker_flags()?;
            if args.recreate && args.journal_dir.is_none() {
                let folder = context.state_dir().join("journals");
                return Err(CliError::usage(
                    "serve --recreate: what the gateway has charged is in the journals of this system, \
                     and without its streams nothing says which they are",
                )
                .hint(format!("name their folder with --journal-dir: one in {}", folder.display())));
            }
            System::Existing(target)
        }
        None => System::Ours(args.wanted(context)?),
    };
    let log = (!args.unlisted).then(|| running::begin_log(context)).transpose();
    let log = log.map_err(|e| CliError::new(Exit::Infrastructure, format!("serve: {e}")))?;
    if let Some(log) = log {
        output.also_to(log);
    }
    // From here on a signal is an orderly end, also while things are still starting.
    let mut signals = Signals::listen()?;
    let (mut broker, target) = match system {
        System::Existing(target) => {
            if let Some(variable) = named_by(&global.connection, context) {
                output.note(format!(
                    "note: joining {}, because {variable} names it; `env -u {variable} mono-demo \
                     serve` starts a broker",
                    without_secrets(&target.url)
                ));
            }
            (None, target)
        }
        System::Ours(wanted) => {
            let brokers = Brokers::start(&wanted, &global.tools, context, output);
            let brokers = match unless_told_to_end(&mut signals, brokers).await {
                Ok(brokers) => brokers,
                Err(end) => return end,
            };
            let target = brokers.serving();
            (Some(brokers), target)
        }
    };
    let connection = async {
        let opened = match &mut broker {
            Some(broker) => broker.connect().await,
            None => Connection::open(&target, SERVICES).await,
        };
        let opened = opened.map_err(|error| not_let_in(error, &target, Role::Worker, context))?;
        match too_small(&opened) {
            None => Ok(opened),
            Some(why) => Err(CliError::infrastructure("serve on this server", why)
                .hint("raise `max_payload` in its configuration; its default is 1 MiB")),
        }
    };
    let connection = match unless_told_to_end(&mut signals, connection).await {
        Ok(connection) => connection,
        Err(end) => return not_started(&mut signals, None, broker, end, output).await,
    };
    let store = match (&broker, &args.store_dir) {
        (None, _) => Store::Elsewhere,
        (Some(_), None) => Store::Temporary,
        (Some(_), Some(_)) => Store::Kept,
    };
    if let (Some(broker), Store::Kept) = (&broker, store) {
        for warning in broker.warnings() {
            output.note(format!("nats-server: {warning}"));
        }
    }
    let starter = Starter {
        settings,
        proof: Proof { sabotage: args.sabotage, note_deliveries: args.note_deliveries },
        store,
        recreate: args.recreate,
        refusals: payment::Refusals::default(),
    };
    let start = async {
        let (broker, settings) = (broker.as_ref(), &starter.settings);
        let others = match broker.is_some() {
            true => Others::default(),
            false => Others::find(&connection, &target, context).await?,
        };
        let again = named_again(&global.connection, &target, context);
        if let Some(warning) = &others.unasked {
            output.note(format!("warning: {warning}"));
        }
        // Services of a scenario have a system that was made for them.
        let unheard = match !args.recreate && broker.is_none() && !args.note_deliveries {
            true => others.refuse_lost(&connection, &target, &again).await?,
            false => None,
        };
        let journals = Journals::find(&args, broker, &connection, settings, context).await?;
        let mut warnings: Vec<String> = unheard.into_iter().collect();
        warnings.extend(others.with_other_journals(&journals));
        warnings.extend(earlier::told(&journals, &target.url, &again, &others, context).await?);
        for warning in &warnings {
            output.note(format!("warning: {warning}"));
        }
        let running = starter.start(&connection, &journals).await?;
        Ok((running, journals))
    };
    let (running, journals) = match unless_told_to_end(&mut signals, start).await {
        Ok(started) => started,
        Err(end) => return not_started(&mut signals, Some(connection), broker, end, output).await,
    };
    let mut serving = Serving { broker, connection, running, journals, starter };
    let watched = async {
        let watch = Watch::begin(&serving.connection, &serving.journals, store, args.recreate);
        let (watch, listed) = tokio::join!(watch, Listed::begin(&args, &serving.connection));
        Ok((watch, listed?))
    };
    let outcome = match unless_told_to_end(&mut signals, watched).await {
        Err(end) => end,
        Ok((watch, listed)) => {
            let announced = announce(&args, &serving, listed, &target, context, output);
            match announced_anyway(&mut signals, announced, args.drain_timeout).await {
                None => Ok(Exit::Interrupted),
                Some((Err(error), _)) => Err(error),
                // Whoever waits for the line would wait for ever; `Output::end` says why it ends.
                Some(_) if output.is_unwritten() => Ok(Exit::Success),
                Some((Ok(_), true)) => Ok(Exit::Success),
                Some((Ok(mut announced), false)) => {
                    let limit = args.drain_timeout;
                    let (announced, signals) = (&mut announced, &mut signals);
                    serving.until_stopped(watch, announced, signals, limit, context, output).await
                }
            }
        }
    };
    // In order, as ever: what is stored stays as it is.
    let stopped = tokio::select! {
        biased;
        stopped = serving.stop(args.drain_timeout, output) => stopped,
        () = signals.second() => {
            output.note("stopped at once: unfinished messages are delivered again");
            return Ok(Exit::Interrupted);
        }
    };
    if let (Err(_), Err(also)) = (&outcome, &stopped) {
        output.note(format!("error: {also}"));
    }
    outcome.and_then(|exit| stopped.map(|()| exit))
}

/// Has the system send SIGTERM when the parent ends, which may have happened already.
fn end_with(parent: u32) -> Result<(), CliError> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(|e| CliError::infrastructure("ask for a signal at the parent's end", e))?;
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    match now == Some(parent) {
        true => Ok(()),
        false => {
            Err(CliError::new(Exit::Interrupted, format!("serve: process {parent} has ended")))
        }
    }
}

/// What is served on.
enum System {
    /// One that somebody else runs.
    Existing(Target),
    /// A broker that is started for it.
    Ours(Wanted),
}

/// The outcome of a part of the start; or how everything ends, where that fails or a signal comes
/// first.
async fn unless_told_to_end<T>(
    signals: &mut Signals,
    part: impl Future<Output = Result<T, CliError>>,
) -> Result<T, Result<Exit, CliError>> {
    tokio::select! {
        outcome = part => outcome.map_err(Err),
        () = signals.first() => Err(Ok(Exit::Interrupted)),
    }
}

/// Announces, also where a signal comes meanwhile: whoever has seen the ready file and ends us at once
/// has the line too. Says whether one came; `None` where it then took too long.
async fn announced_anyway(
    signals: &mut Signals,
    announced: impl Future<Output = Result<Announced, CliError>>,
    limit: Duration,
) -> Option<(Result<Announced, CliError>, bool)> {
    let mut announced = pin!(announced);
    tokio::select! {
        announced = &mut announced => return Some((announced, false)),
        () = signals.first() => {}
    }
    tokio::time::timeout(limit, announced).await.ok().map(|announced| (announced, true))
}

/// Stops in order what was started before the services, so that what is stored stays as it is; at once
/// where another Ctrl-C comes.
async fn not_started(
    signals: &mut Signals,
    connection: Option<Connection>,
    broker: Option<Brokers>,
    end: Result<Exit, CliError>,
    output: &Output,
) -> Result<Exit, CliError> {
    let stop = async {
        if let Some(connection) = connection {
            connection.close(Duration::from_secs(2)).await;
        }
        match broker {
            Some(broker) => broker.stop().await,
            None => Ok(()),
        }
    };
    let stopped = tokio::select! {
        biased;
        stopped = stop => stopped,
        () = signals.second() => return Ok(Exit::Interrupted),
    };
    if let (Err(_), Err(also)) = (&end, &stopped) {
        output.note(format!("error: {also}"));
    }
    end.and_then(|exit| stopped.map(|()| exit))
}
