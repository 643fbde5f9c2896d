//! Why a program that a run needs is missing, with the evidence and a hint.

use std::io;
use std::path::PathBuf;

use super::Version;
use super::source::Source;
use crate::private::is_refusal;

/// What to do where the cache folder is none that may be used.
pub const ANOTHER_CACHE: &str = "XDG_CACHE_HOME=DIR chooses another folder";

/// Why there is no nats-server, no Python environment, or no client of another language.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// A program that was named, or found, could not be run.
    #[error("could not run {} ({named_by}): {source}", path.display())]
    NotRunnable {
        /// The program.
        path: PathBuf,
        /// Who named it: `--nats-server`, `PATH`, …
        named_by: Source,
        /// What the operating system said.
        source: io::Error,
    },
    /// It ran, but what it said about its version makes no sense.
    #[error("{} ({named_by}) is no nats-server that will do: `{} --version` {problem}", path.display(), path.display())]
    NotAServer {
        /// The program.
        path: PathBuf,
        /// Who named it.
        named_by: Source,
        /// What it did instead of printing a version.
        problem: String,
    },
    /// It is too old.
    #[error("{} ({named_by}) is nats-server {found}; {oldest} or newer is needed", path.display())]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Who named it.
        named_by: Source,
        /// Its version.
        found: Version,
        /// The oldest that will do.
        oldest: Box<Version>,
    },
    /// Something would have to be installed, and that is forbidden.
    #[error("no {what} was found, and installing it is forbidden by --offline{}", listed(notes))]
    Offline {
        /// What is missing.
        what: String,
        /// What was found and would not do.
        notes: Vec<String>,
    },
    /// There is no Python interpreter that will do.
    #[error("no Python that will do was found: {problem}")]
    NoPython {
        /// What was tried, and what it said.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// A language's tools, which only its client needs, are not there.
    #[error("no {tool} that will do was found: {problem}")]
    NoTool {
        /// `node`, `npm`, `go`.
        tool: &'static str,
        /// What was tried, and what it said.
        problem: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A step of an installation failed.
    #[error("could not install {what}: `{command}` {problem}")]
    Install {
        /// What was being installed.
        what: String,
        /// The command that failed.
        command: String,
        /// How it ended, with the last lines it wrote.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// What was installed, or downloaded, is not what it should be.
    #[error("{} is not what was installed: its sha256 is {found}, it should be {expected}", path.display())]
    Tampered {
        /// The file.
        path: PathBuf,
        /// What its sha256 should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What was installed is there, and does not work any more.
    #[error("{} does not work: {problem}", path.display())]
    Broken {
        /// The program.
        path: PathBuf,
        /// What is to be removed, so that it is installed anew.
        remove: PathBuf,
        /// What came of running it.
        problem: String,
    },
    /// What was downloaded does not have the form it should have.
    #[error("could not install {what}: {problem}")]
    Malformed {
        /// What was being installed.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The cache folder could not be used.
    #[error("could not {doing} {}: {source}", path.display())]
    Cache {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn listed(notes: &[String]) -> String {
    match notes {
        [] => String::new(),
        notes => format!(" ({})", notes.join("; ")),
    }
}

impl ProvisionError {
    /// What to do about it, as one line, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotRunnable { named_by, .. } | Self::NotAServer { named_by, .. } => {
                format!("correct {named_by}, or leave it out and mono-demo finds or installs one")
            }
            Self::TooOld { named_by, .. } => format!(
                "name a newer one with --nats-server, or leave {named_by} out and mono-demo finds or installs one"
            ),
            Self::Offline { what, .. } if what.starts_with("nats-server") => {
                "run once without --offline, or name one with --nats-server".to_owned()
            }
            Self::Offline { .. } => "run once without --offline".to_owned(),
            Self::NoPython { hint, .. } | Self::Install { hint, .. } => hint.clone(),
            Self::NoTool { hint, .. } => (*hint).to_owned(),
            Self::Broken { remove, .. } => {
                format!("remove {} and run again: it is then installed anew", remove.display())
            }
            Self::Tampered { path, .. } => format!(
                "remove {} and run again: it is then installed anew",
                path.parent().unwrap_or(path).display()
            ),
            Self::Cache { source, .. } if is_refusal(source) => ANOTHER_CACHE.to_owned(),
            Self::Cache { .. } => {
                "make sure that you can write to that folder, and that its disk is not full"
                    .to_owned()
            }
            Self::Malformed { .. } => return None,
        })
    }
}
