//! Whether a process does anything.

use rustix::process::Pid;

/// Whether no thread of a process runs, or will before it is told to go on: each is stopped, has ended,
/// or waits in the kernel for what no signal interrupts, behind which it stops before it does anything
/// of its own (proc(5), the third field of `stat`). False where the system does not say.
pub(super) fn stands_still(pid: Pid) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid()));
    let Ok(threads) = threads else { return false };
    let mut states = threads.map_while(Result::ok).map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The name, in brackets, may have anything in it. A thread that is gone has no line.
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('X')
    });
    states.all(|state| matches!(state, 'T' | 't' | 'D' | 'Z' | 'X'))
}
