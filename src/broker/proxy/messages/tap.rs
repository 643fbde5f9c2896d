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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;
    use crate::broker::proxy::messages::sieve::{Conversation, Sieve};

    const SENT: &str = "SUB orders.* 1\r\nPUB orders.a 1\r\nx\r\nPUB orders.b 1\r\ny\r\nPING\r\n";

    /// What passes of [`SENT`] where it is stopped at this subject, and what is heard.
    fn stopped(at: &'static str, moment: Moment) -> (String, Vec<String>, bool) {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let hearing = heard.clone();
        let tap = Arc::new(Tap::new(move |passing| {
            hearing.lock().unwrap().push(format!("{} {}", passing.kind, passing.subject));
            (passing.subject == at).then_some(moment)
        }));
        let mut sieve = Sieve::new(Direction::ToServer, Arc::<Conversation>::default());
        sieve.heard_by(Some(tap.clone()));
        let sifted = sieve.read(SENT.as_bytes(), &[], Instant::now());
        assert_eq!(sifted.held, tap.holds());
        assert_eq!(sifted.pass.len() + sifted.lost, SENT.len());
        let heard = heard.lock().unwrap().clone();
        (String::from_utf8(sifted.pass).unwrap(), heard, sifted.held)
    }

    #[test]
    fn all_stops_before_a_message_or_behind_it() {
        let (pass, heard, held) = stopped("orders.b", Moment::Before);
        assert_eq!(pass, "SUB orders.* 1\r\nPUB orders.a 1\r\nx\r\n");
        assert!(held && heard == ["publish orders.a", "publish orders.b"], "{heard:?}");
        let (pass, ..) = stopped("orders.a", Moment::After);
        assert_eq!(pass, "SUB orders.* 1\r\nPUB orders.a 1\r\nx\r\n");
    }

    #[test]
    fn where_nothing_is_stopped_every_byte_passes() {
        let (pass, heard, held) = stopped("orders.none", Moment::Before);
        assert_eq!(pass, SENT);
        assert!(!held && heard.len() == 2, "{heard:?}");
    }

    #[tokio::test]
    async fn what_was_stopped_can_be_waited_for_and_is_released() {
        let tap = Tap::new(|_| Some(Moment::Before));
        tap.hear(Direction::ToServer, MessageKind::Publish, b"orders.a");
        tap.held().await;
        tap.release();
        assert!(!tap.holds());
    }
}
