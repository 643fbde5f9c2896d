//! Whether the broker stores what payments need, as the services find out when they write.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::mono::Connection;

/// A write that fails so long after another one, with none stored in between, is no passing trouble,
/// as an election is. That nothing was written since says nothing.
const LASTING: Duration = Duration::from_secs(10);

/// What is said where the broker says nothing.
const SILENT: &str = "no acknowledgement";

/// Claims and outcomes that the broker has refused, or not acknowledged, since it last stored one: below
/// each prefix by itself, since one may take what the other refuses.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<watch::Sender<BTreeMap<&'static str, Refused>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    since: Instant,
    words: String,
    /// The server says that it has no room, or writes have failed for long.
    certain: bool,
}

impl Refusals {
    /// Waits until the broker stores nothing, and returns its words; at once where it says that it
    /// has no room, and with the first write that fails 10 s after another one for anything else.
    pub async fn begin(&self) -> String {
        let mut state = self.0.subscribe();
        let certain = state.wait_for(|state| state.values().any(|now| now.certain)).await;
        // Its sender is ours: there is no error.
        let certain = certain
            .ok()
            .and_then(|state| state.values().find(|now| now.certain).map(|now| now.words.clone()));
        certain.unwrap_or_default()
    }

    /// Waits until the broker has stored something again.
    pub async fn end(&self) {
        // Its sender is ours: there is no error.
        let _ = self.0.subscribe().wait_for(BTreeMap::is_empty).await;
    }

    pub(super) fn stored(&self, prefix: &'static str) {
        self.0.send_if_modified(|state| state.remove(prefix).is_some());
    }

    /// The broker answered that what was to be written is there already: it is not silent, and whether
    /// it has room is not known.
    pub(super) fn answered(&self, prefix: &'static str) {
        self.0.send_if_modified(|state| {
            let silent = state.get(prefix).is_some_and(|refused| refused.words == SILENT);
            silent && state.remove(prefix).is_some()
        });
    }

    /// A write failed. While the connection is away that says nothing of the store.
    pub(super) fn failed(
        &self,
        prefix: &'static str,
        connection: &Connection,
        error: &PublishError,
    ) {
        if connection.client().connection_state() == State::Connected {
            let silent = error.kind() == PublishErrorKind::TimedOut;
            let words = if silent { SILENT.to_owned() } else { error.to_string() };
            self.refused(prefix, words, has_no_room(error));
        }
    }

    fn refused(&self, prefix: &'static str, words: String, certain: bool) {
        self.0.send_if_modified(|state| {
            let before = state.get(prefix);
            let since = before.map_or_else(Instant::now, |refused| refused.since);
            // Both may come before anybody looks: the worse one stays.
            let known = before.is_some_and(|refused| refused.certain);
            let certain = certain || known || since.elapsed() >= LASTING;
            let new = Refused { since, words, certain };
            let changed = before != Some(&new);
            state.insert(prefix, new);
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
        let silence = || refusals.refused("ledger", "no acknowledgement".into(), false);
        silence();
        assert_eq!(brief(refusals.clone()).await, None);
        // Nothing was written since: that is no refusal.
        tokio::time::advance(10 * LASTING).await;
        assert_eq!(brief(refusals.clone()).await, None);
        silence();
        assert_eq!(refusals.begin().await, "no acknowledgement");
        refusals.stored("ledger");
        silence();
        assert_eq!(brief(refusals.clone()).await, None, "counted from the first that failed");
        refusals.refused("ledger", "insufficient resources".into(), true);
        assert_eq!(refusals.begin().await, "insufficient resources");
        refusals.stored("ledger");
        refusals.end().await;
        assert_eq!(brief(refusals.clone()).await, None);
        // Claims are stored, outcomes are not.
        silence();
        tokio::time::advance(LASTING).await;
        refusals.stored("claims");
        silence();
        assert_eq!(refusals.begin().await, SILENT);
        // An answer ends a silence, and makes no room.
        refusals.answered("ledger");
        refusals.end().await;
        refusals.refused("ledger", "insufficient resources".into(), true);
        refusals.answered("ledger");
        assert_eq!(refusals.begin().await, "insufficient resources");
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
