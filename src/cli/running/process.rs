//! Which process is meant: a pid, and when it began.

use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, geteuid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number, which the system gives to others later.
    pub pid: u32,
    /// When it began, in the system's own ticks; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let pid = std::process::id();
        Self { pid, started: started(pid) }
    }

    /// The one that has this number now.
    #[cfg(test)]
    pub fn of(pid: u32) -> Self {
        Self { pid, started: started(pid) }
    }

    /// Whether it belongs to this user; where the system does not tell, it lets nobody else signal it.
    pub fn is_ours(self) -> bool {
        let found = std::fs::metadata(format!("/proc/{}", self.pid));
        found.map_or(!cfg!(target_os = "linux"), |found| found.uid() == geteuid().as_raw())
    }

    /// Whether it lives, and is not another one of the same number.
    pub fn lives(self) -> bool {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        test_kill_process(pid).is_ok() && started(self.pid) == self.started
    }
}

/// Whether a living process has this number, whichever and whosever it is.
pub fn is_taken(pid: u32) -> bool {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    match test_kill_process(number) {
        // One that has ended has its number until its parent has asked how.
        Ok(()) => !cfg!(target_os = "linux") || started(pid).is_some(),
        Err(error) => error == rustix::io::Errno::PERM,
    }
}

/// The 22nd word of `/proc/PID/stat` (proc(5)); the second, the name, may have anything in it. `None`
/// for one that has ended, and whose parent has not asked how yet.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let words = stat.rsplit_once(") ")?.1;
    if words.starts_with('Z') {
        return None;
    }
    words.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_has_ended_lives_no_more_also_before_its_parent_has_asked() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let process = Process { pid: child.id(), started: started(child.id()) };
        assert!(process.lives() && is_taken(process.pid));
        child.kill().unwrap();
        let ended = || std::fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap();
        while !ended().contains(") Z ") {
            std::thread::yield_now();
        }
        assert!(!process.lives() && !is_taken(process.pid));
        child.wait().unwrap();
        assert!(!is_taken(process.pid) && !is_taken(0));
    }

    #[test]
    fn a_pid_that_was_given_to_another_is_not_it() {
        let this = Process::this();
        assert!(this.lives());
        let another = Process { started: Some(this.started.unwrap_or(7) - 1), ..this };
        assert!(!another.lives());
        assert!(!Process { pid: 0, started: None }.lives());
    }
}
