//! Workers that break the promises of emails on purpose: the checks must find it out.
//!
//! Off unless `serve --sabotage` asks for it, which only `e2e --sabotage` does.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use super::types::Email;

/// How the workers break their promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Hands emails over in another order.
    OutOfOrder,
    /// Hands each email over twice.
    Twice,
    /// Hands over an email that nobody published beside each.
    Unasked,
}

impl Sabotage {
    /// The additional email.
    pub(super) fn beside(self, email: &Email) -> Option<Email> {
        match self {
            Self::OutOfOrder => None,
            Self::Twice => Some(email.clone()),
            Self::Unasked => Some(Email { to: "nobody@example.com".to_owned(), ..email.clone() }),
        }
    }
}

/// How long the last email of an odd number is held back.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lets every second message overtake the one before it.
#[derive(Debug, Default)]
pub(super) struct Overtaking {
    /// A message is being held back.
    held: Mutex<bool>,
    overtaken: Notify,
}

impl Overtaking {
    /// Returns when it is this message's turn.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let is_first = {
            let mut held = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *held = !*held;
            *held
        };
        if is_first {
            // The time is up where no other message comes.
            let _ = tokio::time::timeout(PATIENCE, self.overtaken.notified()).await;
        }
        Turn { overtaken: (!is_first).then_some(&self.overtaken) }
    }
}

/// Held while a message is handled; then comes the one that was overtaken.
pub(super) struct Turn<'a> {
    overtaken: Option<&'a Notify>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(overtaken) = self.overtaken {
            overtaken.notify_one();
        }
    }
}
