//! A driver that is a program: JSON lines over pipes, and every way in which it can go wrong.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::AsyncWriteExt as _,
    sync::{mpsc, oneshot},
};

use super::{Driver, DriverFault, bound, word};
use crate::{
    process::{Child, Reaper, Spawn},
    wire::{
        driver::{Command, Op, Outcome, Reply},
        headers,
    },
};

/// How long a driver may take to drain and end after its input has ended.
const DRAIN: Duration = Duration::from_secs(5);
/// How much of a stray line is quoted.
const QUOTED_BYTES: usize = 300;

/// A running driver program.
pub struct PipeDriver {
    name: String,
    child: Arc<Child>,
    /// Whole lines; dropping the sender ends the driver's input.
    input: Mutex<Option<mpsc::UnboundedSender<String>>>,
    next_id: AtomicU64,
    shared: Arc<Shared>,
    hang_bound: Option<Duration>,
}

/// What the reader of stdout and the callers share.
#[derive(Default)]
struct Shared {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
    /// The first fault: after it, nothing the driver says can be trusted.
    fault: Mutex<Option<DriverFault>>,
}

impl Shared {
    fn fail(&self, fault: DriverFault) {
        lock(&self.fault).get_or_insert(fault);
        // Dropping the senders wakes everybody who waits.
        lock(&self.waiting).clear();
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
        let child = Arc::new(child);
        let shared = Arc::new(Shared::default());
        let (input, lines) = mpsc::unbounded_channel();
        if let Some(stdin) = child.take_stdin() {
            tokio::spawn(write(stdin, lines));
        }
        tokio::spawn(read(name.to_owned(), child.clone(), shared.clone()));
        Ok(Self {
            name: name.to_owned(),
            child,
            input: Mutex::new(Some(input)),
            next_id: AtomicU64::new(1),
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
                let hung = DriverFault::Hung {
                    name: self.name.clone(),
                    op: word,
                    after: bound,
                    tail: self.child.tail(),
                };
                self.shared.fail(hung.clone());
                Err(hung)
            }
        }
    }

    fn first_fault(&self) -> DriverFault {
        let fault = lock(&self.shared.fault).clone();
        fault.unwrap_or_else(|| DriverFault::Start(format!("{} is closed", self.name)))
    }

    async fn end(&self) -> Result<(), DriverFault> {
        lock(&self.input).take();
        let status = match tokio::time::timeout(DRAIN, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                let hung = DriverFault::Hung {
                    name: self.name.clone(),
                    op: "end of input",
                    after: DRAIN,
                    tail: self.child.tail(),
                };
                // Already reported as hung; what matters is that it is gone.
                let _ = self.child.kill().await;
                self.shared.fail(hung);
                return Err(self.first_fault());
            }
        };
        let earlier = lock(&self.shared.fault).clone();
        match earlier {
            // The reader reports the exit that we asked for as one.
            Some(DriverFault::Exited { .. }) | None if status.success() => Ok(()),
            Some(fault) => Err(fault),
            None => Err(exited(&self.name, &self.child, status)),
        }
    }
}

impl Driver for PipeDriver {
    fn name(&self) -> &str {
        &self.name
    }

    fn perform(&self, op: Op) -> BoxFuture<'_, Result<Outcome, DriverFault>> {
        self.ask(op).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), DriverFault>> {
        self.end().boxed()
    }

    fn log_tail(&self) -> Vec<String> {
        self.child.tail()
    }

    fn timed_log(&self) -> Vec<(Instant, String)> {
        self.child.timed_tail()
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

async fn read(name: String, child: Arc<Child>, shared: Arc<Shared>) {
    let Some(mut lines) = child.take_stdout() else {
        return;
    };
    while let Some(line) = lines.recv().await {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                let line = String::new();
                let reason = error.to_string();
                shared.fail(DriverFault::StrayLine { name: name.clone(), line, reason });
                continue;
            }
        };
        let reply: Reply = match serde_json::from_str(&line) {
            Ok(reply) => reply,
            Err(error) => {
                shared.fail(DriverFault::StrayLine {
                    name: name.clone(),
                    line: headers::bounded(&line, QUOTED_BYTES),
                    reason: error.to_string(),
                });
                continue;
            }
        };
        let waiting = lock(&shared.waiting).remove(&reply.id);
        match waiting {
            // Nobody waits any more where the scenario was given up.
            Some(waiting) => drop(waiting.send(reply.outcome)),
            None => shared.fail(DriverFault::UnknownId { name: name.clone(), id: reply.id }),
        }
    }
    let status = child.wait().await;
    child.drained().await;
    shared.fail(exited(&name, &child, status));
}

fn exited(name: &str, child: &Child, status: crate::process::ExitStatus) -> DriverFault {
    DriverFault::Exited { name: name.to_owned(), status, tail: child.tail() }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
