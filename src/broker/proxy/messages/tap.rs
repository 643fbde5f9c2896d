//! Hears every message of the connections of a proxy, and may stop all of them at one of these.

use std::fmt;

use tokio::sync::watch;

use super::kind::MessageKind;
use super::rule::Moment;
use crate::broker::proxy::direction::Direction;
use crate::process::clean;

/// A message that comes to a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Where it goes.
    pub direction: Direction,
    /// What it is.
    pub kind: MessageKind,
    /// Its subject, or that of what it answers, without control characters.
    pub subject: String,
}

/// Is asked of each message; it must not block.
type Hears = Box<dyn Fn(Passing) -> Option<Moment> + Send + Sync>;

/// Hears every message of the connections of a proxy, or of several. What it says stops all of them,
/// before a message or right after it: nothing passes any more, either way, and nobody is told, so that
/// whoever is killed then is killed at that message. Their connections end when one end does.
pub struct Tap {
    hears: Hears,
    holds: watch::Sender<bool>,
}

impl Tap {
    /// One that stops at the message for which it is told when.
    #[must_use]
    pub fn new(hears: impl Fn(Passing) -> Option<Moment> + Send + Sync + 'static) -> Self {
        Self { hears: Box::new(hears), holds: watch::Sender::default() }
    }

    /// Whether nothing passes.
    #[must_use]
    pub fn holds(&self) -> bool {
        *self.holds.borrow()
    }

    /// Waits until nothing passes.
    pub async fn held(&self) {
        // The sender is ours, and lives as long as we do.
        let _ = self.holds.subscribe().wait_for(|holds| *holds).await;
    }

    /// New connections pass again. Those that were stopped have a hole, and stay as they are.
    pub fn release(&self) {
        self.holds.send_replace(false);
    }

    /// When all is stopped, if this is the message.
    pub(super) fn hear(
        &self,
        direction: Direction,
        kind: MessageKind,
        subject: &[u8],
    ) -> Option<Moment> {
        let subject = clean(&String::from_utf8_lossy(subject));
        let moment = (self.hears)(Passing { direction, kind, subject })?;
        self.holds.send_replace(true);
        Some(moment)
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tap(holds: {})", self.holds())
    }
}
