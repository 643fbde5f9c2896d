//! `logs`: what a running `serve` of this user has said, and says.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::CliError;
use super::exit::Exit;
use super::global::whole;
use super::output::Output;
use super::running::{self, Held, LeftLog};
use super::serve_log::LogReader;

/// How often `--follow` looks.
const LOOKS: Duration = Duration::from_millis(100);

/// Arguments of `logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
The log has what `serve` says on stdout and stderr, with times. It is kept in the folder of the running
`serve` ($XDG_RUNTIME_DIR/mono-demo, else ~/.cache/mono-demo/run), 1 MiB at most, and goes with it. That of
a `serve` that was killed or crashed is there until the next one starts.
What the services of `serve --log debug` log is in there too.")]
pub struct LogsArgs {
    /// How many of the last lines.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = whole::<usize>(0..=1_000_000))]
    lines: usize,
    /// Go on with each further line, until Ctrl-C or the end of the `serve`.
    #[arg(short, long)]
    follow: bool,
    /// The log of its nats-server instead; of a cluster that of its first node.
    #[arg(long)]
    broker: bool,
    /// The `serve` of this pid [default: the newest; if none runs, the last one that was killed or crashed].
    #[arg(long, value_name = "PID", value_parser = whole::<u32>(1..=0x7fff_ffff))]
    pid: Option<u32>,
}

pub async fn run(args: LogsArgs, context: &Context, output: &Output) -> Result<Exit, CliError> {
    if let Some(left) = left(&args, context) {
        return show_left(&args, &left, output);
    }
    let runtime = match args.pid {
        Some(pid) => running::of_pid("logs", pid, context)?,
        None => {
            let mut living = running::all("logs", context)?;
            if living.len() > 1 {
                let there = running::list(&living);
                output.note(format!(
                    "note: this is the newest `serve` of {there}: --pid names another"
                ));
            }
            living.swap_remove(0)
        }
    };
    let path = match (args.broker, &runtime.broker_log) {
        (false, _) => running::log_path(context, runtime.process.pid),
        (true, Some(path)) => path.clone(),
        (true, None) => {
            let message = format!(
                "logs --broker: the `serve` at {} has no nats-server of its own",
                runtime.url
            );
            return Err(CliError::usage(message).hint("whoever runs that server has its log"));
        }
    };
    let held = Held::take(runtime.process);
    let held = held.map_err(|e| CliError::infrastructure("watch the `serve`", e))?;
    let failed = |e| unreadable(&path, e);
    let (lines, mut reader) = LogReader::open(&path, args.lines).map_err(failed)?;
    print(&lines, output);
    if !args.follow {
        return Ok(Exit::Success);
    }
    let ended = async {
        match &held {
            Some(held) => held.ended().await,
            None => Ok(()),
        }
    };
    let mut ended = std::pin::pin!(ended);
    loop {
        let is_last = tokio::select! {
            ended = &mut ended => {
                ended.map_err(|e| CliError::infrastructure("watch the `serve`", e))?;
                true
            }
            // Whoever writes to a file tells nobody.
            () = tokio::time::sleep(LOOKS) => false,
            () = output.unread() => return Ok(Exit::Success),
        };
        print(&reader.more().map_err(failed)?, output);
        // What cannot be written is told at the end; that it ever can be is not to be waited for.
        if is_last || output.is_unwritten() {
            return Ok(Exit::Success);
        }
    }
}

/// The log that is meant, if its `serve` ended without removing it.
fn left(args: &LogsArgs, context: &Context) -> Option<LeftLog> {
    let living = running::living(context);
    let mut left = running::left_logs(context).into_iter();
    match args.pid {
        Some(pid) if living.iter().any(|runtime| runtime.process.pid == pid) => None,
        Some(pid) => left.find(|log| log.pid == pid),
        None => left.next().filter(|_| living.is_empty()),
    }
}

fn show_left(args: &LogsArgs, left: &LeftLog, output: &Output) -> Result<Exit, CliError> {
    let LeftLog { pid, path, .. } = left;
    if args.broker {
        let message = format!(
            "logs --broker: the `serve` of pid {pid} was killed or crashed, and the log of its nats-server went with it"
        );
        return Err(CliError::usage(message).hint("without --broker its own log is shown"));
    }
    let read = LogReader::open(path, args.lines).map_err(|error| unreadable(path, error));
    output.note(format!("note: the `serve` of pid {pid} was killed or crashed: its log remains"));
    print(&read?.0, output);
    Ok(Exit::Success)
}

fn print(lines: &[String], output: &Output) {
    for line in lines {
        output.line(line);
        output.object(&json!({ "line": line }));
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> CliError {
    CliError::infrastructure(&format!("read the log {}", path.display()), error)
        .hint("a `serve` of an older version keeps none; `mono-demo status` says which it is")
}
