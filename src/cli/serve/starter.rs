//! Starts the services beside their journals, and again beside others.

use super::journals::Journals;
use crate::cli::exit::CliError;
use crate::cli::services::{self, Keeping, Proof, Settings};
use crate::modules::payment::Refusals;
use crate::mono::{Connection, Running};

/// Where the streams are, and what that says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// In a folder that was made just now and goes with the broker: there is none yet, and nothing of them is
    /// ever looked for again.
    Temporary,
    /// In a store folder of our own, which outlives a power cut.
    Kept,
    /// At a broker that somebody else runs.
    Elsewhere,
}

/// How the services are started.
#[derive(Debug)]
pub(super) struct Starter {
    pub(super) settings: Settings,
    pub(super) proof: Proof,
    /// Where the streams are.
    pub(super) store: Store,
    pub(super) recreate: bool,
    /// Where it is told whether the broker stores anything.
    pub(super) refusals: Refusals,
}

impl Starter {
    /// Starts them.
    ///
    /// # Errors
    /// As [`services::start`].
    pub(super) async fn start(
        &self,
        connection: &Connection,
        journals: &Journals,
    ) -> Result<Running, CliError> {
        let keeping = Keeping {
            journals: &journals.folder,
            synced: journals.synced(self.store == Store::Kept),
            durable: self.store == Store::Kept,
            is_new: self.store == Store::Temporary,
            recreate: self.recreate,
            refusals: self.refusals.clone(),
        };
        services::start(connection, self.settings.clone(), keeping, self.proof).await
    }
}
