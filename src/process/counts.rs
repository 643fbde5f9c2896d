//! How much a child has written, by pipe.

use std::sync::Arc;

use tokio::sync::watch;

/// One of the two pipes that a child writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl std::fmt::Display for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Pipe::Stdout => "stdout",
            Pipe::Stderr => "stderr",
        })
    }
}

/// How many bytes a child has written so far, by pipe.
#[derive(Debug)]
pub(super) struct Counts {
    stdout: watch::Sender<u64>,
    stderr: watch::Sender<u64>,
}

impl Counts {
    pub(super) fn new() -> Arc<Counts> {
        Arc::new(Counts { stdout: watch::Sender::new(0), stderr: watch::Sender::new(0) })
    }

    fn of(&self, pipe: Pipe) -> &watch::Sender<u64> {
        match pipe {
            Pipe::Stdout => &self.stdout,
            Pipe::Stderr => &self.stderr,
        }
    }

    pub(super) fn add(&self, pipe: Pipe, bytes: usize) {
        self.of(pipe).send_modify(|count| *count += bytes as u64);
    }

    /// Completes once more than `bytes` have come.
    pub(super) async fn exceed(&self, pipe: Pipe, bytes: u64) {
        let mut count = self.of(pipe).subscribe();
        // The sender is ours: it does not go before we do.
        let _ = count.wait_for(|count| *count > bytes).await;
    }
}
