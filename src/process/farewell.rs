//! An orderly end is the last of all: it waits for the reapers and keepers, which end after us
//! otherwise.
//!
//! They tidy up once they see that we let go of them. Whoever waits for our end (a script that
//! starts the next one, or removes the folder) must not meet them, so the process returns from
//! `main` only when none of them is left.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// A reaper that has to end something stubborn needs some seconds; one that needs longer is let go.
const PATIENCE: Duration = Duration::from_secs(15);

/// The reapers and keepers of this process that nobody has waited for yet.
static UNDERWAY: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn underway() -> MutexGuard<'static, BTreeSet<u32>> {
    UNDERWAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes one that was started.
pub(super) fn started(pid: Option<u32>) {
    underway().extend(pid);
}

/// Forgets one that was waited for.
pub(super) fn ended(pid: Option<u32>) {
    if let Some(pid) = pid {
        underway().remove(&pid);
    }
}

/// Dropped, it waits until no reaper and no keeper of this process is left.
///
/// To be made before the runtime, so that it is dropped after it, also by a panic: nobody else may
/// wait for them any more, and everything that holds them must be gone.
#[derive(Debug)]
#[must_use = "dropped at once, it waits for nothing"]
pub struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *underway());
        if left.is_empty() {
            return;
        }
        let (gone, all_gone) = mpsc::channel();
        // A wait has no deadline of its own, so a thread waits.
        let waiting = std::thread::Builder::new().spawn(move || {
            left.into_iter().for_each(wait);
            let _ = gone.send(());
        });
        if waiting.is_ok() && all_gone.recv_timeout(PATIENCE).is_err() {
            tracing::warn!(
                "something that this process started is still ending after {PATIENCE:?}"
            );
        }
    }
}

/// Returns when this child has ended; at once if it is no child of ours any more.
fn wait(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    while matches!(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED), Err(Errno::INTR)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_what_was_started_and_not_for_what_has_been_waited_for() {
        let start = || std::process::Command::new("sleep").arg("0.2").spawn().unwrap();
        let (ours, mut others) =
            (start(), std::process::Command::new("sleep").arg("60").spawn().unwrap());
        started(Some(ours.id()));
        started(Some(others.id()));
        ended(Some(others.id()));
        drop(Farewell);
        let left = waitid(WaitId::Pid(Pid::from_child(&ours)), WaitIdOptions::EXITED);
        assert_eq!(left.err(), Some(Errno::CHILD), "it was waited for");
        others.kill().unwrap();
        others.wait().unwrap();
    }
}
