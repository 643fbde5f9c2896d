//! Waits until a program is seen to be ready: for the sign, for its end, or for as long as it may take.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::select_all;

use super::child::Child;
use super::status::ExitStatus;

/// Why the sign did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// One of the processes has ended before.
    Ended {
        /// Which, by its place among them.
        at: usize,
        /// How.
        status: ExitStatus,
    },
    /// Not in time.
    Late,
}

/// Waits for a sign of these processes; one that ends before, or no sign within `limit`, is the reason.
///
/// # Errors
/// [`NotReady`]; of what has ended all lines are read then.
pub async fn until_ready(
    processes: &[&Child],
    sign: impl Future<Output = ()>,
    limit: Duration,
) -> Result<(), NotReady> {
    tokio::pin!(sign);
    let ended = select_all(processes.iter().map(|process| Box::pin(process.wait())));
    tokio::select! {
        biased;
        () = &mut sign => Ok(()),
        (status, at, _) = ended => {
            processes[at].drained().await;
            // It was ready, and ended before we had read what it said.
            match tokio::task::unconstrained(&mut sign).now_or_never() {
                Some(()) => Ok(()),
                None => Err(NotReady::Ended { at, status }),
            }
        }
        () = tokio::time::sleep(limit) => Err(NotReady::Late),
    }
}

impl Child {
    /// Waits until it prints a line with this text; for ever where its outputs close before: how it ended
    /// tells more.
    pub async fn prints(&self, text: &str) {
        let mut lines = self.stderr_lines();
        while let Some(line) = lines.next().await {
            if line.contains(text) {
                return;
            }
        }
        std::future::pending().await
    }
}
