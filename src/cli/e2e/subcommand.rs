//! The arguments of `e2e`: a run, or a subcommand beside it.

use clap::{Args, Subcommand};

use super::arguments::RunArgs;
use super::explore::ExploreArgs;
use super::record::RecordArgs;
use super::shrink::ShrinkArgs;
use crate::cli::fixtures::FmtArgs;
use crate::cli::{new, review};

/// Arguments of `e2e`: a run, unless there is a subcommand.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct E2eArgs {
    #[command(subcommand)]
    pub(super) command: Option<E2eCommand>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl E2eArgs {
    /// Whether it is about a system that runs already; all else has brokers of its own.
    pub fn connects(&self) -> bool {
        matches!(self.command, Some(E2eCommand::Record(_)))
    }
}

/// Subcommands beside a run. A scenario with the name of a subcommand is run by its path.
#[derive(Debug, Subcommand)]
pub(super) enum E2eCommand {
    /// Create your own suite, with a service in Python and a scenario, that passes at once.
    New(new::NewArgs),
    /// Format fixtures; their meaning and comments stay the same.
    Fmt(FmtArgs),
    /// Kill a service before and after each of its messages, a run each, and show what that breaks.
    Explore(ExploreArgs),
    /// Make a failing scenario smaller, until nothing can go, and write it as a fixture.
    Shrink(ShrinkArgs),
    /// Listen on a running system, and write what happens as a scenario.
    Record(RecordArgs),
    /// Print the JSON Schema of fixtures, for editors.
    Schema,
    /// Show each changed transcript, and accept or reject it.
    Review(review::ReviewArgs),
}
