//! Why a bench has no figure.

/// Why a bench has no figure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BenchError {
    /// Something that is needed did not work: nothing was measured.
    #[error("{operation}: {evidence}")]
    Failed {
        /// What was tried.
        operation: String,
        /// What came back.
        evidence: String,
    },
    /// What is measured does wrong: its speed means nothing.
    #[error("{0}")]
    Wrong(String),
}

impl BenchError {
    /// A [`Failed`](Self::Failed).
    pub fn failed(operation: impl Into<String>, evidence: impl std::fmt::Display) -> Self {
        Self::Failed { operation: operation.into(), evidence: evidence.to_string() }
    }
}
