//! What others find a `serve` by.

use crate::cli::running::{Prover, RuntimeFile};

/// What others find a `serve` by, while it is held.
pub(super) struct Announced {
    pub(super) _files: Vec<RuntimeFile>,
    pub(super) prover: Option<Prover>,
}

impl Announced {
    /// Returns, once, why commands do not find this `serve` any more. Dropping the wait loses nothing.
    pub(super) async fn lost(&mut self) -> String {
        match &mut self.prover {
            Some(prover) => prover.lost().await,
            None => std::future::pending().await,
        }
    }
}
