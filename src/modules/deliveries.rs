//! Records which worker began which message, for proofs; off by default.

use std::path::Path;
use std::sync::Arc;

use super::journal::{Journal, JournalError};
use crate::wire::journal::DeliveryRecord;

/// The workers' journal of the messages that they begin, in order; shared by all processes.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    journal: Option<Arc<Journal>>,
}

impl Deliveries {
    /// Noted in this file.
    ///
    /// # Errors
    /// [`JournalError`] names the path.
    pub fn noted(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { journal: Some(Arc::new(Journal::open(path, false)?)) })
    }

    /// Records one, if the journal is on; `record` gets the time.
    pub async fn note(&self, record: impl FnOnce(String) -> DeliveryRecord) {
        let Some(journal) = &self.journal else { return };
        if let Err(error) =
            Box::pin(journal.append(&record(jiff::Timestamp::now().to_string()))).await
        {
            tracing::warn!(%error, "a delivery could not be noted");
        }
    }
}
