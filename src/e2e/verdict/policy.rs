//! What counts as broken where opinions may differ.

use std::time::Duration;

/// What counts as broken where opinions may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether a queue message may be lost.
    pub queue_loss: QueueLoss,
    /// How long after the last fault everything must be final; `None` is no bound.
    pub final_within: Option<Duration>,
}

/// Whether a queue message may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueLoss {
    /// Core NATS keeps nothing: losses are counted.
    #[default]
    Counted,
    /// A message that reached no worker is a violation.
    Forbidden,
}
