//! Why a journal cannot be used.

use std::path::{Path, PathBuf};

/// Why a journal cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("journal {}: {operation}: {evidence}", path.display())]
pub struct JournalError {
    pub(super) path: PathBuf,
    pub(super) operation: &'static str,
    pub(super) evidence: String,
    /// The file can be used, and what is in it cannot.
    pub(super) content: bool,
}

impl JournalError {
    pub(super) fn new(
        path: &Path,
        operation: &'static str,
        evidence: impl std::fmt::Display,
    ) -> Self {
        let (path, evidence) = (path.to_owned(), evidence.to_string());
        Self { path, operation, evidence, content: false }
    }
}
