//! Adopts and ends processes that left the child's process group and outlived it.
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

    use crate::process::subcommand::SUBCOMMAND;

    /// How long they may take to end by themselves.
    const FAREWELL: Duration = Duration::from_millis(500);
    /// How long a reaper or keeper of a grandchild may take: what it does not clean up would stay
    /// for ever, and on a loaded machine it needs time.
    const TIDYING: Duration = Duration::from_secs(8);
    /// When we give up on a process that forks faster than it is killed.
    const PATIENCE: Duration = Duration::from_secs(12);

    /// Makes every orphan below us our child.
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
            let waited = began.elapsed();
            if waited >= FAREWELL {
                for child in children().filter(|child| waited >= TIDYING || !tidies_up(*child)) {
                    // Nobody but us reaps it, so its pid is not somebody else's yet.
                    let _ = kill_process(child, Signal::KILL);
                }
            }
            // Several children cannot be awaited with a deadline.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn children() -> impl Iterator<Item = Pid> {
        let us = getpid();
        let processes = std::fs::read_dir("/proc").into_iter().flatten();
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(Pid::from_raw).filter(move |pid| parent(*pid) == Some(us))
    }

    /// Whether it is a reaper or a keeper, by its first argument. Somebody else's program that says so
    /// gains some seconds by it.
    fn tidies_up(pid: Pid) -> bool {
        let line = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(SUBCOMMAND.as_bytes())
    }

    fn parent(pid: Pid) -> Option<Pid> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        // Behind the name, which may have anything in it: the state, then the parent.
        Pid::from_raw(stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?)
    }
}
