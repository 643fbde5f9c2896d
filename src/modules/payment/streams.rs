//! The streams of payments, as they are made.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Republish, RetentionPolicy, StorageType,
};

use super::names::DEAD_LETTERS;
use super::names::{FAILURES, INTENTS, LEDGER, REQUESTS};
use crate::mono::Failures;
use crate::wire::subjects::{
    DEAD_LETTER_PREFIX, EVENT_PREFIX, FAILURE_PREFIX, INTENT_PREFIX, LEDGER_PREFIX, PAYMENT_PROCESS,
};

/// Every stream of payments, as it is made with so many copies.
pub fn streams(replicas: usize) -> [Config; 5] {
    [
        requests_stream(replicas),
        intents_stream(replicas),
        ledger_stream(replicas),
        dead_letters_stream(replicas),
        failures(replicas).stream,
    ]
}

/// The outcomes; each is published once more for whoever waits for it.
pub(super) fn ledger_stream(replicas: usize) -> Config {
    Config {
        republish: Some(Republish {
            source: format!("{LEDGER_PREFIX}.*"),
            destination: format!("{EVENT_PREFIX}.{{{{wildcard(1)}}}}"),
            headers_only: false,
        }),
        ..write_once(LEDGER, LEDGER_PREFIX, replicas)
    }
}

/// The claims.
pub(super) fn intents_stream(replicas: usize) -> Config {
    write_once(INTENTS, INTENT_PREFIX, replicas)
}

/// One message a subject, for ever: the server itself refuses a second one.
fn write_once(name: &str, prefix: &str, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![format!("{prefix}.*")],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        deny_delete: true,
        deny_purge: true,
        // Where every write is synced, those that come together are written together.
        allow_atomic_publish: true,
        // Reads go to the leader: a lagging replica could answer `pending` after `completed`.
        allow_direct: false,
        num_replicas: replicas,
        ..Config::default()
    }
}

/// The stream that keeps submissions until they are settled.
pub(super) fn requests_stream(replicas: usize) -> Config {
    Config {
        name: REQUESTS.to_owned(),
        subjects: vec![PAYMENT_PROCESS.to_owned()],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        duplicate_window: Duration::from_secs(120),
        num_replicas: replicas,
        ..Config::default()
    }
}

/// Where the failures of submissions are counted.
pub(super) fn failures(replicas: usize) -> Failures {
    Failures::new(FAILURES, FAILURE_PREFIX, replicas)
}

/// The stream that keeps dead letters: one for each original message.
pub(super) fn dead_letters_stream(replicas: usize) -> Config {
    Config {
        name: DEAD_LETTERS.to_owned(),
        subjects: vec![format!("{DEAD_LETTER_PREFIX}.*")],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        num_replicas: replicas,
        ..Config::default()
    }
}
