//! What can go wrong with a child, with the evidence.

use std::io;
use std::path::PathBuf;

use super::status::{ExitStatus, Signal};

/// A child could not be started; nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The program itself could not be started.
    #[error("could not start {name}: {}: {source}", program.display())]
    Program {
        /// What the child is called.
        name: String,
        /// The program that could not be started.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process's child holds the lock that this child needs.
    #[error("could not start {name}: {} is held by another process", path.display())]
    Locked {
        /// What the child is called.
        name: String,
        /// The lock file.
        path: PathBuf,
    },
    /// The reaper, which would have started the program, could not be started.
    #[error("could not start {name}: its reaper {}: {source}", exe.display())]
    Reaper {
        /// What the child is called.
        name: String,
        /// The reaper's executable.
        exe: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The reaper started but did not do its part.
    #[error("could not start {name}: its reaper {} {problem}", exe.display())]
    ReaperFailed {
        /// What the child is called.
        name: String,
        /// The reaper's executable.
        exe: PathBuf,
        /// What it did instead, with the last it wrote on stderr.
        problem: String,
    },
    /// The private socket to the reaper, or the log file, could not be made.
    #[error("could not start {name}: {what} {}: {source}", path.display())]
    Prepare {
        /// What the child is called.
        name: String,
        /// What was being made.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A signal was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The child has already ended, so there is nobody to signal.
    #[error("{name} was not sent {signal}: it has already ended with {status}")]
    Exited {
        /// What the child is called.
        name: String,
        /// The signal that was not sent.
        signal: Signal,
        /// How the child ended.
        status: ExitStatus,
    },
    /// The operating system refused.
    #[error("{name} was not sent {signal}: {source}")]
    Refused {
        /// What the child is called.
        name: String,
        /// The signal that was not sent.
        signal: Signal,
        /// What the operating system said.
        source: io::Error,
    },
}
