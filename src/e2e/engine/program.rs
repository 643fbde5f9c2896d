//! A program of a `run` step: its exit code and both outputs, whole, within a time.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::brokers::Access;
use crate::{
    broker::Credentials,
    e2e::seen::Seen,
    process::{Child, ExitStatus, Reaper, Spawn},
};

/// How long a program may take where the step does not say.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// More lines are counted, not kept.
const MOST_LINES: usize = 5000;

/// Why there is no outcome.
pub(super) enum Failed {
    /// It could not be started.
    Start(String),
    /// It did not end in time.
    Late(String),
}

/// Runs `program` to its end, with `NATS_URL`, `NATS_USER` and `NATS_PASSWORD` in its environment: what
/// the `nats` command line reads.
pub(super) async fn run(
    reaper: &Reaper,
    program: &[String],
    cwd: &Path,
    access: &Access,
    timeout: Duration,
) -> Result<Seen, Failed> {
    let [executable, args @ ..] = program else {
        return Err(Failed::Start("no program".to_owned()));
    };
    let mut spawn = Spawn::new(executable.as_str(), executable)
        .args(args)
        .env("NATS_URL", &access.url)
        // What a person has set for other commands must not reach a scenario.
        .env_remove("NATS_CONTEXT")
        .env_remove("NATS_TOKEN")
        .env_remove("NATS_CREDS")
        .env_remove("NATS_NKEY")
        .cwd(cwd);
    if let Some(Credentials { user, password }) = &access.credentials {
        spawn = spawn.env("NATS_USER", user).env("NATS_PASSWORD", password);
    }
    let child =
        Child::spawn(reaper, spawn).await.map_err(|error| Failed::Start(error.to_string()))?;
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    let ended = tokio::time::timeout(timeout, async {
        let (stdout, stderr, status) = tokio::join!(stdout(&child), stderr(&child), child.wait());
        Seen::program(exit(status), stdout, stderr)
    })
    .await;
    let tail = child.tail();
    // What is left of its process group ends with it.
    child.close().await;
    ended.map_err(|_| {
        let last = tail.last().map(|line| format!("; last line of stderr: `{line}`"));
        Failed::Late(format!("did not end within {timeout:?}{}", last.unwrap_or_default()))
    })
}

async fn stdout(child: &Child) -> String {
    let mut text = Text::default();
    if let Some(mut lines) = child.take_stdout() {
        while let Some(line) = lines.recv().await {
            text.add(&line.unwrap_or_else(|error| format!("({error})")));
        }
    }
    text.end()
}

async fn stderr(child: &Child) -> String {
    let mut text = Text::default();
    let mut lines = child.stderr_lines();
    while let Some(line) = lines.next().await {
        text.add(&line);
    }
    text.end()
}

fn exit(status: ExitStatus) -> Value {
    match status.code() {
        Some(code) => json!(code),
        None => json!(status.to_string()),
    }
}

/// Lines, bounded in number.
#[derive(Default)]
struct Text {
    text: String,
    lines: usize,
}

impl Text {
    fn add(&mut self, line: &str) {
        self.lines += 1;
        if self.lines <= MOST_LINES {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    fn end(mut self) -> String {
        if self.lines > MOST_LINES {
            self.text.push_str(&format!("({} more lines)\n", self.lines - MOST_LINES));
        }
        self.text
    }
}
