//! The signals that end what waits for a person.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::CliError;

/// SIGTERM or Ctrl-C once to stop in order, Ctrl-C again to stop at once. None that comes while
/// nobody waits is lost.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on neither ends the process by itself.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn listen() -> Result<Self, CliError> {
        let listen =
            |kind| signal(kind).map_err(|e| CliError::infrastructure("listen for signals", e));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Returns when there was one.
    pub async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Returns when there was another Ctrl-C.
    pub async fn second(&mut self) {
        self.interrupt.recv().await;
    }
}
