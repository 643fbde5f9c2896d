//! A program of a `run` step: its exit code and both outputs, whole, within a time.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::broker::Credentials;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::stage::aloud::Aloud;
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::scenario::ast::step::Program;
use crate::process::{Child, ExitStatus, Pipe, Reaper, Spawn};

/// How long a program may take where the step does not say.
pub(in crate::e2e) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The folder of a run that services, programs and promises share.
pub const DIR: &str = "MONO_DEMO_DIR";
/// A program that writes more to one pipe is ended: it takes the time of the runs beside it.
const FLOOD_MIB: u64 = 64;

/// Why there is no outcome.
pub(in crate::e2e) enum Failed {
    /// It could not be started.
    Start(String),
    /// It was ended before it ended by itself: it took too long, or wrote too much.
    Ended(String),
}

/// Runs `program` to its end, with `NATS_URL`, `NATS_USER` and `NATS_PASSWORD` in its environment, which
/// the `nats` command line reads, and the run's folder as [`DIR`].
pub(in crate::e2e) async fn run(
    reaper: &Reaper,
    program: &Program,
    root: &Path,
    (access, dir): (&Access, &Path),
    timeout: Duration,
    told: Option<&Aloud>,
) -> Result<Seen, Failed> {
    let [executable, args @ ..] = program.words.as_slice() else {
        return Err(Failed::Start("no program".to_owned()));
    };
    let cwd = program.cwd.as_ref().map_or_else(|| root.to_owned(), |cwd| root.join(cwd));
    if !cwd.is_dir() {
        let message =
            format!("cannot start {executable}: its `cwd` {} is no folder", cwd.display());
        return Err(Failed::Start(message));
    }
    let mut spawn = Spawn::new(executable.as_str(), executable)
        .args(args)
        .env("NATS_URL", &access.url)
        .env(DIR, dir)
        // What a person has set for other commands must not reach a scenario.
        .env_remove("NATS_CONTEXT")
        .env_remove("NATS_TOKEN")
        .env_remove("NATS_CREDS")
        .env_remove("NATS_NKEY")
        .keep_output()
        .cwd(cwd);
    if let Some(Credentials { user, password }) = &access.credentials {
        spawn = spawn.env("NATS_USER", user).env("NATS_PASSWORD", password);
    }
    for (name, value) in &program.env {
        spawn = spawn.env(name, value);
    }
    let child =
        Child::spawn(reaper, spawn).await.map_err(|error| Failed::Start(error.to_string()))?;
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    if let Some(told) = told {
        told.follow(&child);
    }
    let whole = async {
        if let Some(told) = told {
            told.lines(&child).await;
        }
        let ([stdout, stderr], status) = tokio::join!(child.output(), child.wait());
        Seen::program(exit(status).into(), stdout, stderr)
    };
    let flood = FLOOD_MIB << 20;
    let ended = tokio::select! {
        seen = whole => Ok(seen),
        () = child.exceeds(Pipe::Stdout, flood) => Err(flooded(Pipe::Stdout)),
        () = child.exceeds(Pipe::Stderr, flood) => Err(flooded(Pipe::Stderr)),
        () = tokio::time::sleep(timeout) => Err(late(&child, timeout)),
    };
    // What is left of its process group ends with it.
    child.close().await;
    ended.map_err(Failed::Ended)
}

fn flooded(pipe: Pipe) -> String {
    format!("wrote more than {FLOOD_MIB} MiB on {pipe} and was ended")
}

fn late(child: &Child, timeout: Duration) -> String {
    let tail = child.tail();
    let last = tail.last().map(|line| format!("; last line of stderr: `{line}`"));
    let last = last.unwrap_or_default();
    match child.try_status() {
        None => format!("did not end within {timeout:?}{last}"),
        Some(status) => {
            format!(
                "ended with {status}, and something still held its output after {timeout:?}{last}"
            )
        }
    }
}

fn exit(status: ExitStatus) -> Value {
    match status.code() {
        Some(code) => json!(code),
        None => json!(status.to_string()),
    }
}
