//! `stop`: asks `serve` processes of this user to end, and waits until they have.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::{Global, whole};
use super::output::Output;
use super::running::{self, Held, Runtime};

/// How long a `serve` may take, by default: it finishes messages and requests for as long as its
/// `--drain-timeout` says, which is 10 s.
const LIMIT: Duration = Duration::from_secs(30);

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each finishes the messages and requests in progress, as after Ctrl-C. The exit code is 6 if one has not
ended within --timeout (default: 30s).

Examples:
  mono-demo stop
  mono-demo stop --pid 4711 --timeout 1m
  mono-demo stop --all")]
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
    // Each is asked before any is waited for.
    let mut asked = Vec::new();
    for runtime in chosen {
        let pid = runtime.process.pid;
        let failed = |e| CliError::infrastructure(&format!("stop the `serve` of pid {pid}"), e);
        let Some(held) = Held::take(runtime.process).map_err(failed)? else { continue };
        held.ask_to_end().map_err(failed)?;
        asked.push((runtime, held));
    }
    let began = Instant::now();
    let mut stopped = Vec::new();
    for (runtime, held) in &asked {
        let Runtime { process, url, .. } = runtime;
        match tokio::time::timeout(limit.saturating_sub(began.elapsed()), held.ended()).await {
            Ok(ended) => ended.map_err(|e| {
                let what = format!("wait for the end of the `serve` of pid {}", process.pid);
                CliError::infrastructure(&what, e)
            })?,
            Err(_) => {
                let message = format!(
                    "stop: the `serve` at {url} (pid {}) was asked to end, and has not within {limit:?}",
                    process.pid
                );
                return Err(CliError::new(Exit::Timeout, message).hint(format!(
                    "it may end yet: wait longer with --timeout; `kill -9 {}` ends it at once, and its \
                     broker with it",
                    process.pid
                )));
            }
        }
        output.line(format!("stopped  the `serve` at {url} (pid {})", process.pid));
        stopped.push(json!({ "pid": process.pid, "url": url }));
    }
    output.object(&json!({ "ok": true, "stopped": stopped }));
    Ok(Exit::Success)
}
