//! A process of ours that looks after others, a reaper or a keeper: woken whenever somebody pauses it,
//! and ended where it does not answer.
//!
//! While it stands still it hears neither us nor our end. So it asks for SIGCONT for when we end
//! ([`woken_at_parents_end`], Linux), and meanwhile the system tells us (SIGCHLD) when it is stopped.

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

/// Our end. Dropping it changes nothing: the process is waited for all the same.
#[derive(Debug)]
pub(super) struct Attendant {
    /// As warnings name it: "the reaper of nats-server (process 12)".
    name: String,
    kill: Arc<Notify>,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Attendant {
    /// Looks after one that was just started; `role` is as "the reaper of nats-server".
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

    /// Waits until it has ended, now that it was told to, and says how; one that does not is killed.
    pub(super) async fn gone(&self) -> Option<ExitStatus> {
        if let Some(status) = self.answer(farewell::PATIENCE, self.ended()).await {
            return status;
        }
        // One that a debugger holds is gone for the debugger alone.
        tokio::time::timeout(farewell::KILLED, self.ended()).await.ok().flatten()
    }

    /// What it answers; nothing where it does not within `patience`, and is killed: on Linux what it
    /// looked after ends with it.
    pub(super) async fn answer<T>(
        &self,
        patience: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        const TURNS: u32 = 5;
        let mut answer = pin!(answer);
        // Time in which we were paused ourselves is not its own: that ends one turn at most.
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

/// To be called by the process itself: SIGCONT wakes it when its parent ends. That of a thread that
/// started it is told too, and does no harm.
pub(super) fn woken_at_parents_end() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::CONT));
}
