//! The signals that end a command.

use std::future::Future;
use std::pin::pin;

use futures_util::poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{CliError, Exit};

/// SIGXFSZ, on Linux and macOS alike.
const FILE_TOO_LARGE: i32 = 25;

/// A limit on the size of files (`ulimit -f`) is an error of the write that meets it, and ends no process
/// in silence: `setrlimit(2)`.
pub fn hear_of_large_files() {
    // Where the system does not let us, it does as before.
    let _ = signal(SignalKind::from_raw(FILE_TOO_LARGE));
}

/// SIGTERM, SIGHUP or Ctrl-C once to stop in order, Ctrl-C again to stop at once. None that comes
/// while nobody waits is lost.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Absent where whoever started us wants it ignored, as `nohup` does.
    hang_up: Option<Signal>,
}

impl Signals {
    /// From here on none of them ends the process by itself.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn listen() -> Result<Self, CliError> {
        let listen =
            |kind| signal(kind).map_err(|e| CliError::infrastructure("listen for signals", e));
        let hang_up = (!hang_up_is_ignored()).then(|| listen(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up,
        })
    }

    /// Returns when there was one.
    pub async fn first(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }

    /// Returns when there was another Ctrl-C.
    pub async fn second(&mut self) {
        self.interrupt.recv().await;
    }
}

/// Runs a command until a signal comes. Dropping the command ends what it started.
///
/// What a command does before it first waits, as reading its stdin, a signal ends in the system's own
/// way. So it waits once, with [`from_here_on`], before it starts anything.
///
/// # Errors
/// The command's own, and if the system does not let us listen.
pub async fn until_signal(
    command: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let mut command = pin!(command);
    if let std::task::Poll::Ready(result) = poll!(command.as_mut()) {
        return result;
    }
    let mut signals = Signals::listen()?;
    tokio::select! {
        result = command => result,
        () = signals.first() => Ok(Exit::Interrupted),
    }
}

/// Await this before anything is started: from here on a signal causes an orderly end.
pub async fn from_here_on() {
    tokio::task::yield_now().await;
}

/// Whether SIGHUP was ignored when we began. To listen for it would undo that.
#[cfg(target_os = "linux")]
fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// Nothing tells without `unsafe`, so SIGHUP is left as it is.
#[cfg(not(target_os = "linux"))]
fn hang_up_is_ignored() -> bool {
    true
}

/// Whether a process ignores a signal, by its `/proc/PID/status`: a bit each, the lowest is signal 1.
#[cfg(target_os = "linux")]
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::ignores;

    #[test]
    fn a_signal_is_a_bit_of_the_mask() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores("", 1));
    }
}
