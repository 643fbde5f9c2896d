//! The folder of journals that a `serve` writes to: its own, or that of the `serve` whose broker it joined.
//!
//! An idempotency key is worth something only where all who charge look it up in the same journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::ServeArgs;
use crate::cli::brokers::Brokers;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::running;
use crate::cli::services::{self, Settings};
use crate::mono::Connection;

/// Between two looks at who runs the broker: nobody tells when another one does.
const PAUSE: Duration = Duration::from_secs(3);

/// A folder of journals.
#[derive(Debug, Clone, Default)]
pub(super) struct Journals {
    pub(super) folder: PathBuf,
    /// It goes with the broker, which is not ours.
    follows: bool,
    /// Of the `serve` that runs the broker: it may be beside a store that outlives a power cut.
    of_another: bool,
    /// They are in the folder of a broker whose store is temporary, and are gone with it.
    pub(super) temporary: bool,
    /// Of a folder that the user named: the name of the system at a server of somebody else, which other
    /// folders are named after.
    pub(super) named_for: Option<String>,
}

impl Journals {
    /// Where flags or a broker of ours say; else those of the `serve` of this user that runs the
    /// broker, else a folder that is named after the system.
    ///
    /// # Errors
    /// A `serve` of this user says that the broker is its own, and does not prove it; or as
    /// [`services::system`].
    pub(super) async fn find(
        args: &ServeArgs,
        broker: Option<&Brokers>,
        connection: &Connection,
        settings: &Settings,
        context: &Context,
    ) -> Result<Self, CliError> {
        if let Some(folder) = args.journal_dir(broker, context) {
            let temporary = args.journal_dir.is_none() && args.store_dir.is_none();
            // What is not to be found is looked for by nobody later.
            let named_for = match broker.is_none() && !args.unlisted {
                true => Some(services::system(connection, settings, args.recreate).await?),
                false => None,
            };
            return Ok(Self { folder, temporary, named_for, ..Self::default() });
        }
        if let Some(runner) = running::runner(connection, context).await {
            let pid = runner.process.pid;
            running::runs(&runner, connection).await.map_err(|why| {
                let message = format!(
                    "serve: your `serve` with pid {pid} runs this broker, and does not answer for its \
                     journals, which this one is to use: {why}"
                );
                let hint = "let it go on, or end it; or name a folder with --journal-dir";
                CliError::new(Exit::Connection, message).hint(hint)
            })?;
            return Ok(Self::of_another(runner.journals));
        }
        let name = services::system(connection, settings, args.recreate).await?;
        let folder = context.state_dir().join("journals").join(name);
        Ok(Self { folder, follows: true, ..Self::default() })
    }

    /// The folder, where it is named after the system.
    pub(super) fn named_after_system(&self) -> Option<&Path> {
        (self.follows && !self.of_another).then_some(&self.folder)
    }

    /// Those of the `serve` that runs the broker.
    pub(super) fn of_another(folder: PathBuf) -> Self {
        Self { folder, follows: true, of_another: true, ..Self::default() }
    }

    /// Returns when the `serve` that runs the broker now has other journals, with their folder.
    pub(super) async fn moved(&self, connection: &Connection, context: &Context) -> PathBuf {
        if !self.follows {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Some(runner) = running::runner(connection, context).await
                && runner.journals != self.folder
                && running::runs(&runner, connection).await.is_ok()
            {
                return runner.journals;
            }
        }
    }

    /// Whether each line is on disk before it counts.
    pub(super) fn synced(&self, durable: bool) -> bool {
        durable || self.of_another
    }
}
