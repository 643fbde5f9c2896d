//! What a bucket and a consumer hold, as JetStream says it now.

use std::fmt::Display;

use async_nats::jetstream::{self, kv};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::e2e::run::stage::harness::Harness;
use crate::e2e::text::data::Data;
use crate::e2e::verdict::checks::held::{Entry, State};

/// How many keys of a bucket have a value, and what it has of one key.
///
/// # Errors
/// There is no such bucket, or it cannot be read.
pub(in crate::e2e) async fn bucket(
    harness: &Harness,
    bucket: &str,
    key: Option<&str>,
) -> Result<(u64, Entry), String> {
    let failed = |error: &dyn Display| format!("cannot read bucket {bucket}: {error}");
    let client = harness.client().await.map_err(|error| failed(&error))?;
    let store = jetstream::new(client).get_key_value(bucket).await;
    let store = store.map_err(|_| format!("there is no bucket {bucket}"))?;
    let keys = store.keys().await.map_err(|error| failed(&error))?;
    let keys: Vec<String> = keys.try_collect().await.map_err(|error| failed(&error))?;
    let mut entry = Entry::default();
    if let Some(key) = key {
        let mut history = store.history(key).await.map_err(|error| failed(&error))?;
        while let Some(one) = history.next().await {
            let one = one.map_err(|error| failed(&error))?;
            let is_put = one.operation == kv::Operation::Put;
            let value = is_put.then(|| Data::read(&one.value));
            entry.values.extend(value.clone());
            (entry.value, entry.revision) = (value, one.revision);
        }
    }
    Ok((keys.len() as u64, entry))
}

/// What a consumer has left.
///
/// # Errors
/// There is no such stream or consumer.
pub(in crate::e2e) async fn consumer(
    harness: &Harness,
    stream: &str,
    name: &str,
) -> Result<State, String> {
    let client = harness.client().await.map_err(|error| error.to_string())?;
    let found = jetstream::new(client).get_stream(stream).await;
    let found = found.map_err(|error| format!("cannot look at stream {stream}: {error}"))?;
    let info = found.consumer_info(name).await;
    let info =
        info.map_err(|error| format!("cannot look at consumer {name} of {stream}: {error}"))?;
    Ok(State {
        pending: info.num_pending,
        unacknowledged: info.num_ack_pending as u64,
        redelivered: info.num_redelivered as u64,
        ..State::default()
    })
}
