//! What left the child's process group and outlived it: adopted, and ended.
//!
//! A program that forks and calls `setsid` is out of its group's reach. On Linux its orphans become
//! children of the nearest ancestor that asked for them, which is the reaper; elsewhere they are
//! init's, and stay.

#[cfg(target_os = "linux")]
pub(super) use linux::{adopt, end};

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn end() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::{Duration, Instant};

    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
    };

    /// How long they may take to go by themselves: one may be the reaper of a child's child, which
    /// is tidying up.
    const FAREWELL: Duration = Duration::from_millis(500);
    /// When even something that forks faster than it is killed is let go.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Makes whatever is orphaned below us our child.
    pub fn adopt() {
        // A kernel before 3.4 cannot; then orphans are init's, as ever.
        let _ = set_child_subreaper(Some(getpid()));
    }

    /// Waits until we have no child, and ends those that do not go; to be called once the child
    /// has been reaped.
    pub fn end() {
        let began = Instant::now();
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(_)) => continue,
                Ok(None) if began.elapsed() < PATIENCE => {}
                // No child is left, as almost always at the first look; or too many come.
                Ok(None) | Err(_) => return,
            }
            if began.elapsed() >= FAREWELL {
                for child in children() {
                    // Nobody but us reaps it, so its pid is not somebody else's yet.
                    let _ = kill_process(child, Signal::KILL);
                }
            }
            // Several children cannot be awaited with a deadline.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn children() -> Vec<Pid> {
        let us = getpid();
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(Pid::from_raw).filter(|pid| parent(*pid) == Some(us)).collect()
    }

    fn parent(pid: Pid) -> Option<Pid> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        // Behind the name, which may have anything in it: the state, then the parent.
        Pid::from_raw(stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?)
    }
}
