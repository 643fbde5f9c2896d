//! Supervises a reaper or a keeper: resumes it when somebody pauses it, and kills it if it does not
//! answer.
//!
//! A paused process notices neither our messages nor our end. So it asks the system for SIGCONT
//! when we end ([`woken_at_parents_end`], Linux), and while we run SIGCHLD tells us that it was
//! stopped.

use std::future::Future;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child as Process;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use super::farewell;

/// Our handle of the process. Dropping it changes nothing: the process is still waited for.
#[derive(Debug)]
pub(super) struct Attendant {
    /// As warnings name it: "the reaper of nats-server (process 12)".
    name: String,
    kill: Arc<Notify>,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Attendant {
    /// Supervises a process that was just started; `role` is as "the reaper of nats-server".
    pub(super) fn new(mut process: Process, role: &str) -> Attendant {
        let pid = process.id();
        farewell::started(pid, role);
        let name = format!("{role} (process {})", pid.unwrap_or_default());
        let kill = Arc::new(Notify::new());
        let (ended, status) = watch::channel(None);
        let told = kill.clone();
        let mut changes = signal(SignalKind::child()).ok();
        tokio::spawn(async move {
            let status = loop {
                // It has not been waited for, so its pid is nobody else's. One that runs ignores it.
                pid.into_iter().for_each(|pid| farewell::send(pid, Signal::CONT));
                let change = async {
                    match &mut changes {
                        Some(changes) => changes.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    status = process.wait() => break status,
                    () = told.notified() => drop(process.start_kill()),
                    _ = change => {}
                }
            };
            farewell::ended(pid);
            ended.send_replace(status.ok());
        });
        Attendant { name, kill, status }
    }

    /// Waits until it has ended; says how, where the system does.
    pub(super) async fn ended(&self) -> Option<ExitStatus> {
        let mut status = self.status.clone();
        status.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// Waits until it has ended, after it was told to, and returns how; kills it if it does not
    /// end.
    pub(super) async fn gone(&self) -> Option<ExitStatus> {
        if let Some(status) = self.answer(farewell::PATIENCE, self.ended()).await {
            return status;
        }
        // A killed process that a debugger holds can be reaped only by the debugger.
        tokio::time::timeout(farewell::KILLED, self.ended()).await.ok().flatten()
    }

    /// Its answer, or `None` if it does not answer within `patience`: then it is killed, and on
    /// Linux its child ends with it.
    pub(super) async fn answer<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        const TURNS: u32 = 5;
        let mut answer = pin!(answer);
        // Time in which we were paused ourselves does not count: it ends one turn at most.
        for _ in 0..TURNS {
            if let Ok(answer) = tokio::time::timeout(patience / TURNS, &mut answer).await {
                return Some(answer);
            }
        }
        tracing::warn!("{} did not answer within {patience:?} and is killed", self.name);
        self.kill();
        None
    }

    /// Kills it.
    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }
}

/// To be called by the process itself: SIGCONT resumes it when its parent ends. The signal also
/// comes when the thread that started it ends, which does no harm.
pub(super) fn woken_at_parents_end() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::CONT));
}
