//! Whether the broker stores what payments need, as the services find out when they write.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::mono::Connection;

/// After this long without a write that was stored, silence and elections are no passing trouble.
const LASTING: Duration = Duration::from_secs(10);

/// Claims and outcomes that the broker has refused, or not acknowledged, since it last stored one.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<watch::Sender<Option<Refused>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    since: Instant,
    words: String,
    /// The server says so, rather than nothing.
    certain: bool,
}

impl Refusals {
    /// Waits until the broker stores nothing, and returns its words; at once where it says that it
    /// has no room, and after 10 s for anything else.
    pub async fn begin(&self) -> String {
        let mut state = self.0.subscribe();
        loop {
            let refused = state.borrow_and_update().clone();
            let changed = match refused {
                None => state.changed().await,
                Some(Refused { words, certain: true, .. }) => return words,
                Some(Refused { words, since, .. }) => {
                    match timeout_at((since + LASTING).into(), state.changed()).await {
                        Ok(changed) => changed,
                        Err(_) => return words,
                    }
                }
            };
            debug_assert!(changed.is_ok(), "its sender is ours");
        }
    }

    /// Waits until the broker has stored something again.
    pub async fn end(&self) {
        // Its sender is ours: there is no error.
        let _ = self.0.subscribe().wait_for(Option::is_none).await;
    }

    pub(super) fn stored(&self) {
        self.0.send_if_modified(|state| state.take().is_some());
    }

    /// A write failed. While the connection is away that says nothing of the store.
    pub(super) fn failed(&self, connection: &Connection, error: &PublishError) {
        if connection.client().connection_state() == State::Connected {
            let silent = error.kind() == PublishErrorKind::TimedOut;
            let words = if silent { "no acknowledgement".to_owned() } else { error.to_string() };
            self.refused(words, has_no_room(error));
        }
    }

    fn refused(&self, words: String, certain: bool) {
        self.0.send_if_modified(|state| {
            let since = state.as_ref().map_or_else(Instant::now, |refused| refused.since);
            let new = Some(Refused { since, words, certain });
            let changed = *state != new;
            *state = new;
            changed
        });
    }
}

/// Whether the server says that it has no room, or that the stream is out of use.
fn has_no_room(error: &PublishError) -> bool {
    const CODES: [ErrorCode; 6] = [
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_STORE_FAILED,
        ErrorCode::STREAM_OFFLINE,
        ErrorCode::STREAM_OFFLINE_REASON,
    ];
    let answer = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    answer.is_some_and(|answer| CODES.contains(&answer.error_code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_at_once_and_silence_only_where_it_lasts() {
        let refusals = Refusals::default();
        let brief = |refusals: Refusals| async move {
            tokio::time::timeout(Duration::from_secs(1), refusals.begin()).await.ok()
        };
        assert_eq!(brief(refusals.clone()).await, None);
        refusals.refused("no acknowledgement".into(), false);
        assert_eq!(brief(refusals.clone()).await, None);
        assert_eq!(refusals.begin().await, "no acknowledgement");
        refusals.refused("insufficient resources".into(), true);
        assert_eq!(refusals.begin().await, "insufficient resources");
        refusals.stored();
        refusals.end().await;
        assert_eq!(brief(refusals.clone()).await, None);
    }

    #[test]
    fn the_server_says_that_there_is_no_room_by_number() {
        let error = |code: u64| {
            let text = format!(r#"{{"code":503,"err_code":{code},"description":"no"}}"#);
            let answer: jetstream::Error = serde_json::from_str(&text).unwrap();
            PublishError::with_source(PublishErrorKind::Other, answer)
        };
        assert!(has_no_room(&error(10023)) && has_no_room(&error(10077)));
        assert!(!has_no_room(&error(10008)), "an election");
        assert!(!has_no_room(&PublishError::new(PublishErrorKind::TimedOut)));
    }
}
