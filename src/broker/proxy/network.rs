//! What every connection of a proxy shares.

use std::sync::Arc;

use tokio::sync::watch;

use super::counts::Counts;
use super::plan::Plan;

/// What every connection of a proxy shares.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) plan: Arc<watch::Sender<Plan>>,
    pub(super) counts: Arc<watch::Sender<Counts>>,
    pub(super) seed: u64,
}
