//! A driver that is a program: JSON lines over pipes, and every way in which it can go wrong.
//!
//! At its first fault a driver is ended, with its whole process group: what hangs would hang on,
//! and what floods would take the time of the runs beside it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::value::RawValue;
use tokio::{
    io::AsyncWriteExt as _,
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use super::lock::lock;
use crate::e2e::driver::{Driver, DriverFault, bound, word};
use crate::e2e::text::data::Data;
use crate::{
    process::{Child, ExitStatus, Pipe, Reaper, Spawn, StdoutError},
    wire::{
        driver::{Command, DriverError, ErrorKind, Op, Outcome, Reply},
        headers,
    },
};

/// How long a driver may take to drain and end after its input has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// How much of a stray line is quoted.
const QUOTED_BYTES: usize = 300;
/// How much a driver may log: nobody reads more, and draining a flood takes time from other runs.
pub(in crate::e2e) const MAX_LOG_MIB: u64 = 64;
/// How long a pipe may stay open after the driver's end: somebody else holds it then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running driver program.
pub struct PipeDriver {
    /// Whole lines; dropping the sender ends the driver's input.
    input: Mutex<Option<mpsc::UnboundedSender<String>>>,
    next_id: AtomicU64,
    shared: Arc<Shared>,
    /// It holds the child too: dropping the driver must end both.
    reader: AbortHandle,
    hang_bound: Option<Duration>,
}

/// What the reader of stdout and the callers share.
struct Shared {
    name: String,
    child: Child,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
    /// The first fault: after it, nothing the driver says can be trusted.
    fault: Mutex<Option<DriverFault>>,
}

impl Shared {
    /// Notes the fault, unless there was one before, and ends the driver's process group.
    fn fail(self: &Arc<Self>, fault: DriverFault) {
        lock(&self.fault).get_or_insert(fault);
        // Dropping the senders wakes everybody who waits.
        lock(&self.waiting).clear();
        if self.child.try_status().is_none() {
            let shared = self.clone();
            // What cannot be signalled ends when the child is dropped.
            tokio::spawn(async move { shared.child.kill().await });
        }
    }

    fn hung(&self, op: &'static str, after: Duration) -> DriverFault {
        DriverFault::Hung { name: self.name.clone(), op, after, tail: self.child.tail() }
    }

    fn exited(&self, status: ExitStatus) -> DriverFault {
        DriverFault::Exited { name: self.name.clone(), status, tail: self.child.tail() }
    }
}

impl PipeDriver {
    /// Starts the program; `name` is as in a fixture's `clients`.
    ///
    /// # Errors
    /// [`DriverFault::Start`] where the program cannot be started.
    pub async fn start(name: &str, reaper: &Reaper, spawn: Spawn) -> Result<Self, DriverFault> {
        let child = Child::spawn(reaper, spawn)
            .await
            .map_err(|error| DriverFault::Start(error.to_string()))?;
        let (input, lines) = mpsc::unbounded_channel();
        if let Some(stdin) = child.take_stdin() {
            tokio::spawn(write(stdin, lines));
        }
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            child,
            waiting: Mutex::default(),
            fault: Mutex::default(),
        });
        Ok(Self {
            input: Mutex::new(Some(input)),
            next_id: AtomicU64::new(1),
            reader: tokio::spawn(read(shared.clone())).abort_handle(),
            shared,
            hang_bound: None,
        })
    }

    /// Counts the driver as hung after this time, whatever the command's own bound.
    #[must_use]
    pub fn hang_bound(mut self, bound: Duration) -> Self {
        self.hang_bound = Some(bound);
        self
    }

    async fn ask(&self, op: Op) -> Result<Outcome, DriverFault> {
        let (word, bound) = (word(&op), self.hang_bound.unwrap_or_else(|| bound(&op)));
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.shared.waiting).insert(id, sender);
        if let Some(fault) = lock(&self.shared.fault).clone() {
            return Err(fault);
        }
        // Plain data: it always serialises.
        let line = serde_json::to_string(&Command { id, op }).unwrap_or_default();
        if let Some(input) = lock(&self.input).as_ref() {
            // A writer that has gone shows as the driver's exit, below.
            let _ = input.send(line);
        }
        match tokio::time::timeout(bound, answer).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err(self.first_fault()),
            Err(_) => {
                self.shared.fail(self.shared.hung(word, bound));
                Err(self.first_fault())
            }
        }
    }

    fn first_fault(&self) -> DriverFault {
        let fault = lock(&self.shared.fault).clone();
        fault.unwrap_or_else(|| DriverFault::Start(format!("{} is closed", self.shared.name)))
    }

    /// Ends its input, and returns once nothing of it is left.
    async fn end(&self) -> Result<(), DriverFault> {
        let ended = self.ended().await;
        self.shared.child.end().await;
        ended
    }

    async fn ended(&self) -> Result<(), DriverFault> {
        lock(&self.input).take();
        let child = &self.shared.child;
        let Ok(status) = tokio::time::timeout(DRAIN, child.wait()).await else {
            self.shared.fail(self.shared.hung("end of input", DRAIN));
            return Err(self.first_fault());
        };
        let earlier = lock(&self.shared.fault).clone();
        match earlier {
            // The reader reports the exit that we asked for as one.
            Some(DriverFault::Exited { .. }) | None if status.success() => Ok(()),
            Some(fault) => Err(fault),
            None => Err(self.shared.exited(status)),
        }
    }
}

impl Drop for PipeDriver {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Driver for PipeDriver {
    fn name(&self) -> &str {
        &self.shared.name
    }

    fn perform(&self, op: Op) -> BoxFuture<'_, Result<Outcome, DriverFault>> {
        self.ask(op).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), DriverFault>> {
        self.end().boxed()
    }

    fn log_tail(&self) -> Vec<String> {
        self.shared.child.tail()
    }

    fn timed_log(&self) -> Vec<(Instant, String)> {
        self.shared.child.timed_tail()
    }
}

async fn write(
    mut stdin: impl tokio::io::AsyncWrite + Unpin,
    mut lines: mpsc::UnboundedReceiver<String>,
) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        // A broken pipe shows as the driver's exit.
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// Hears the driver out, until its first fault or its end.
async fn read(shared: Arc<Shared>) {
    let flooded = shared.child.exceeds(Pipe::Stderr, MAX_LOG_MIB << 20);
    let fault = tokio::select! {
        fault = to_the_end(&shared) => fault,
        () = flooded => DriverFault::Flooded {
            name: shared.name.clone(),
            mib: MAX_LOG_MIB,
            tail: shared.child.tail(),
        },
    };
    shared.fail(fault);
}

async fn to_the_end(shared: &Shared) -> DriverFault {
    let child = &shared.child;
    let ended_long_ago = async {
        child.wait().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    if let Some(mut lines) = child.take_stdout() {
        let heard = tokio::select! {
            heard = hear(shared, &mut lines) => heard,
            () = ended_long_ago => Ok(()),
        };
        if let Err(fault) = heard {
            return fault;
        }
    }
    let status = child.wait().await;
    // Somebody else may hold stderr, and the tail is then as whole as it gets.
    let _ = tokio::time::timeout(LAST_WORDS, child.drained()).await;
    shared.exited(status)
}

/// Hands each reply to who waits for it, until the end of stdout.
async fn hear(
    shared: &Shared,
    lines: &mut mpsc::Receiver<Result<String, StdoutError>>,
) -> Result<(), DriverFault> {
    let stray = |line: &str, reason: String| DriverFault::StrayLine {
        name: shared.name.clone(),
        line: headers::bounded(line, QUOTED_BYTES),
        reason,
    };
    while let Some(line) = lines.recv().await {
        let line = line.map_err(|error| stray("", error.to_string()))?;
        let reply: Reply =
            serde_json::from_str(&line).map_err(|error| stray(&line, error.to_string()))?;
        let waiting = lock(&shared.waiting).remove(&reply.id);
        let Some(waiting) = waiting else {
            return Err(DriverFault::UnknownId { name: shared.name.clone(), id: reply.id });
        };
        // Nobody waits any more where the scenario was given up.
        let _ = waiting.send(all_of(reply.outcome, &line));
    }
    Ok(())
}

/// What a line says, unless that is more than an [`Outcome`] can hold: told as less, it would be equal to
/// what it is not.
fn all_of(outcome: Outcome, line: &str) -> Outcome {
    #[derive(serde::Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        ok: &'a RawValue,
    }
    let said = serde_json::from_str::<Said<'_>>(line).ok();
    match said.and_then(|said| Data::json(said.ok.get())).filter(Data::is_more) {
        Some(more) => Outcome::Err(DriverError {
            kind: ErrorKind::Other,
            definite: false,
            message: format!(
                "it returned a number with more digits than a double, or a key twice: {}; \
                 let the method return that as a string",
                headers::bounded(&more.to_string(), QUOTED_BYTES)
            ),
            code: None,
        }),
        None => outcome,
    }
}
