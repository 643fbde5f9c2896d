//! Starts the services beside their journals, and again beside others.

use super::journals::Journals;
use crate::cli::exit::CliError;
use crate::cli::services::{self, Keeping, Proof, Settings};
use crate::modules::payment::Refusals;
use crate::mono::{Connection, Running};

/// How the services are started.
#[derive(Debug)]
pub(super) struct Starter {
    pub(super) settings: Settings,
    pub(super) proof: Proof,
    /// The streams are in a store folder of our own.
    pub(super) durable: bool,
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
            synced: journals.synced(self.durable),
            durable: self.durable,
            recreate: self.recreate,
            refusals: self.refusals.clone(),
        };
        services::start(connection, self.settings.clone(), keeping, self.proof).await
    }
}
