//! `stop`: asks `serve` processes of this user to end, and waits until they have.

use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::{Global, whole};
use super::output::Output;
use super::running::{self, Held, Process, Runtime};

/// How long a `serve` may take, by default: it finishes messages and requests for as long as its
/// `--drain-timeout` says, which is 10 s.
const LIMIT: Duration = Duration::from_secs(30);

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each finishes the messages and requests in progress, as after Ctrl-C. The exit code is 6 if one
has not ended in time.")]
pub struct StopArgs {
    /// The `serve` of this pid.
    #[arg(long, value_name = "PID", conflicts_with = "all", value_parser = whole::<u32>(1..=0x7fff_ffff))]
    pid: Option<u32>,
    /// Every `serve` of yours.
    #[arg(long)]
    all: bool,
}

pub async fn run(
    args: StopArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let limit = global.connection.timeout.unwrap_or(LIMIT);
    let chosen = match args.pid {
        Some(pid) => vec![running::of_pid("stop", pid, context)?],
        None => running::all("stop", context)?,
    };
    if chosen.len() > 1 && !args.all {
        let there = running::list(&chosen);
        let message = format!("stop: {} `serve` of yours are running: {there}", chosen.len());
        return Err(CliError::usage(message).hint("name one with --pid PID, or all with --all"));
    }
    // Each is asked before any is waited for, and what fails for one holds up no other.
    let asked: Vec<_> = chosen.into_iter().map(|runtime| (ask(&runtime), runtime)).collect();
    let ends = asked.into_iter().map(|(asked, runtime)| async move {
        let ended = match asked {
            Ok(Some(held)) => until_ended(&runtime, &held, limit).await.map(|()| true),
            // It ended by itself.
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        (ended, runtime)
    });
    let (mut stopped, mut not_stopped, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (ended, Runtime { process, url, .. }) in join_all(ends).await {
        match ended {
            Ok(true) => {
                output.line(format!("stopped  the `serve` at {url} (pid {})", process.pid));
                stopped.push(json!({ "pid": process.pid, "url": url }));
            }
            Ok(false) => {}
            Err(error) => {
                output.complain(&error);
                not_stopped
                    .push(json!({ "pid": process.pid, "url": url, "error": error.object() }));
                errors.push(error);
            }
        }
    }
    let worst = errors.iter().map(|error| error.exit).reduce(Exit::or_worse);
    let Some(worst) = worst else {
        output.object(&json!({ "ok": true, "stopped": stopped }));
        return Ok(Exit::Success);
    };
    let error = errors.iter().find(|error| error.exit == worst).map(CliError::object);
    output.object(&json!({
        "ok": false, "error": error, "stopped": stopped, "not_stopped": not_stopped
    }));
    Ok(worst)
}

/// Asks it to end; `None` if it has ended already.
fn ask(runtime: &Runtime) -> Result<Option<Held>, CliError> {
    let pid = runtime.process.pid;
    let failed = |e| CliError::infrastructure(&format!("stop the `serve` of pid {pid}"), e);
    let held = Held::take(runtime.process).map_err(failed)?;
    if let Some(held) = &held {
        held.ask_to_end().map_err(failed)?;
    }
    Ok(held)
}

async fn until_ended(runtime: &Runtime, held: &Held, limit: Duration) -> Result<(), CliError> {
    let Runtime { process: Process { pid, .. }, url, .. } = runtime;
    match tokio::time::timeout(limit, held.ended()).await {
        Ok(ended) => ended.map_err(|e| {
            CliError::infrastructure(&format!("wait for the end of the `serve` of pid {pid}"), e)
        }),
        Err(_) => {
            let message = format!(
                "stop: the `serve` at {url} (pid {pid}) was asked to end, and has not within {limit:?}"
            );
            Err(CliError::new(Exit::Timeout, message).hint(format!(
                "it may end yet: wait longer with --timeout; `kill -9 {pid}` ends it at once, and its \
                 broker with it"
            )))
        }
    }
}
