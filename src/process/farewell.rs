//! Waits at an orderly end for the reapers and keepers, which would otherwise end after us.
//!
//! They clean up once we close their channel. A script that waits for our end, and then starts the
//! next process or removes the folder, must not meet them, so the process returns from `main` only
//! when all of them have ended.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// A reaper that has to end something stubborn needs some seconds (`orphans`); one that needs longer is
/// killed, and on Linux its child with it.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long a killed reaper or keeper may take to end: it needs some milliseconds.
pub(super) const KILLED: Duration = Duration::from_secs(1);

/// The reapers and keepers of this process that nobody has waited for yet, and what warnings call them.
static UNDERWAY: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

fn underway() -> MutexGuard<'static, BTreeMap<u32, String>> {
    UNDERWAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes one that was started; `role` is as "the keeper of /tmp".
pub(super) fn started(pid: Option<u32>, role: &str) {
    underway().extend(pid.map(|pid| (pid, role.to_owned())));
}

/// Forgets one that was waited for.
pub(super) fn ended(pid: Option<u32>) {
    if let Some(pid) = pid {
        underway().remove(&pid);
    }
}

/// Waits, when it is dropped, until no reaper and no keeper of this process is left.
///
/// Make it before the runtime, so that it is dropped after the runtime, also by a panic: then
/// nobody else waits for them, and everything that holds them has been dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it waits for nothing"]
pub struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *underway());
        if !left.is_empty() {
            until_all_have_ended(left, PATIENCE);
        }
    }
}

/// Kills those that take longer. All are left to the system to reap once we end: until then no pid of
/// theirs is somebody else's.
fn until_all_have_ended(mut left: BTreeMap<u32, String>, patience: Duration) {
    const TURNS: u32 = 15;
    let pids: Vec<u32> = left.keys().copied().collect();
    let (waiting, waited) = mpsc::channel::<()>();
    // A wait has no deadline of its own, so a thread waits.
    let _ = std::thread::Builder::new().spawn(move || {
        pids.into_iter().for_each(|pid| while !has_ended(pid, WaitIdOptions::empty()) {});
        drop(waiting);
    });
    let all_end = |limit| waited.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected);
    for _ in 0..TURNS {
        // One that was paused meanwhile could not end.
        left.keys().for_each(|pid| send(*pid, Signal::CONT));
        if all_end(patience / TURNS) {
            return;
        }
    }
    left.retain(|pid, _| !has_ended(*pid, WaitIdOptions::NOHANG));
    for (pid, role) in &left {
        tracing::warn!("{role} (process {pid}) did not end within {patience:?} and is killed");
        send(*pid, Signal::KILL);
    }
    all_end(KILLED);
}

/// Whether this child has ended, or is no child of ours any more.
fn has_ended(pid: u32, options: WaitIdOptions) -> bool {
    let Some(pid) = pid_of(pid) else { return true };
    let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)) | Err(Errno::CHILD))
}

/// Signals a child of ours that nobody has waited for.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = pid_of(pid) {
        let _ = kill_process(pid, signal);
    }
}

fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn sleep(seconds: &str) -> std::process::Child {
        std::process::Command::new("sleep").arg(seconds).spawn().unwrap()
    }

    #[test]
    fn it_waits_for_what_was_started_and_not_for_what_has_been_waited_for() {
        let (mut ours, mut others) = (sleep("0.2"), sleep("60"));
        started(Some(ours.id()), "a sleeper");
        started(Some(others.id()), "another one");
        ended(Some(others.id()));
        drop(Farewell);
        assert!(ours.try_wait().unwrap().is_some(), "it was waited for");
        assert!(others.try_wait().unwrap().is_none());
        others.kill().unwrap();
        others.wait().unwrap();
    }

    #[test]
    fn one_that_is_paused_is_woken_and_one_that_does_not_end_is_killed() {
        let (mut paused, mut stays) = (sleep("0.2"), sleep("60"));
        send(paused.id(), Signal::STOP);
        let left = [&paused, &stays].map(|child| (child.id(), "a sleeper".to_owned()));
        until_all_have_ended(left.into(), Duration::from_secs(3));
        assert!(paused.wait().unwrap().success(), "it was woken");
        assert_eq!(stays.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    }
}
