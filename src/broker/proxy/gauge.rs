//! What faults have done to what passed a proxy, for whoever asks when the proxy has gone.

use std::sync::Arc;

use tokio::sync::watch;

use super::counts::Counts;
use super::plan::Plan;

/// Reads a proxy.
#[derive(Clone, Debug)]
pub(in crate::broker) struct Gauge {
    pub(super) plan: Arc<watch::Sender<Plan>>,
    pub(super) counts: watch::Receiver<Counts>,
}

impl Gauge {
    /// What it has done so far.
    pub(in crate::broker) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// How many bytes are still to pass before a connection is cut, if one is to be.
    pub(in crate::broker) fn bytes_before_cut(&self) -> Option<u64> {
        self.plan.borrow().budget.map(|(_, bytes)| bytes)
    }
}
