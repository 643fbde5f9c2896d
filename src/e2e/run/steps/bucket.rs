//! What the harness does for a step, since drivers have no words for it: entries of buckets, objects,
//! and messages that name where to reply.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::{self, context::KeyValueErrorKind, kv, object_store};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::attempt::DEFAULT_TIMEOUT;
use super::running_step::RunningStep;
use crate::e2e::driver::raw::{failed, header_map};
use crate::e2e::record::seen::Seen;
use crate::e2e::run::record;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::scenario::ast::beside::{Kv, KvVerb, Object};
use crate::e2e::scenario::ast::step::Outgoing;
use crate::e2e::text::data::Data;
use crate::e2e::text::inside::LARGEST_BODY;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::{DriverError, ErrorKind, Op, Outcome};

/// JetStream's number for an entry that is not as it was thought to be.
const WRONG_LAST_SEQUENCE: u16 = 10071;

type Done = Result<Seen, DriverError>;

/// Watches a key, or those that match, from now on.
///
/// # Errors
/// There is no such bucket, or it cannot be watched.
pub(in crate::e2e) async fn watch(
    harness: &Harness,
    bucket: &str,
    key: &str,
) -> Result<kv::Watch, String> {
    let watched = async {
        let store = open(harness, bucket).await?;
        store.watch(key).await.map_err(|error| other(&error))
    };
    watched
        .await
        .map_err(|error| format!("cannot watch {key} of bucket {bucket}: {}", error.message))
}

impl RunningStep<'_> {
    /// Does one thing with a bucket.
    pub(in crate::e2e) async fn kv(&self, kv: &Kv) -> Result<Seen, Stop> {
        if kv.does == KvVerb::Watch {
            return self.next_change(kv).await;
        }
        let value = self.bytes(&kv.value)?;
        // Whoever says nothing of it means that it is there.
        let may_be_absent = self.step.open || self.step.expects.iter().any(|e| e.key == "entry");
        Ok(self.in_time(done(self.scene.harness, kv, value, may_be_absent)).await)
    }

    /// The next change of what is watched.
    async fn next_change(&self, kv: &Kv) -> Result<Seen, Stop> {
        let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
        let of = format!("{} of bucket {}", kv.key, kv.bucket);
        let name = (kv.bucket.clone(), kv.key.clone());
        let Some(watch) = self.subscriptions.watches.get(&name) else {
            return Err(self.failed(format!("{of} is not watched")));
        };
        let mut watch = watch.lock().await;
        match tokio::time::timeout(within, watch.next()).await {
            Ok(Some(Ok(entry))) => {
                let key = Data::String(entry.key.clone());
                Ok(Seen::entry([described(&entry), vec![("key", key)]].concat()))
            }
            Ok(Some(Err(error))) => Err(self.failed(format!("{of} is watched no more: {error}"))),
            Ok(None) => Err(self.failed(format!("{of} is watched no more"))),
            Err(_) => Err(self.failed(format!("no change of {of} within {within:?}"))),
        }
    }

    /// Writes or reads an object.
    pub(in crate::e2e) async fn object(&self, object: &Object) -> Result<Seen, Stop> {
        let content = object.put.as_ref().map(|put| self.bytes(put)).transpose()?;
        Ok(self.in_time(stored(self.scene.harness, object, content)).await)
    }

    /// Sends a message that names where to reply; no driver has a word for it.
    pub(in crate::e2e) async fn publish_for_reply(&self, out: &Outgoing) -> Result<Seen, Stop> {
        let (subject, payload_base64, headers) = self.message(out)?;
        let body = self.bytes(&out.payload)?;
        let op = Op::Publish { subject: subject.clone(), payload_base64, headers: headers.clone() };
        let begun = record::begin(self.scene.recorder, self.scene.oracles, "harness", &op);
        let reply_to = out.reply_to.clone().unwrap_or_default();
        let lost = |error: &dyn Display| failed(ErrorKind::Connection, false, error);
        let sent = async {
            let client = self.scene.harness.client().await.map_err(|error| lost(&error))?;
            let headers = header_map(&headers)?;
            let sent =
                client.publish_with_reply_and_headers(subject, reply_to, headers, body.into());
            sent.await.map_err(|error| failed(ErrorKind::BadInput, true, &error))?;
            client.flush().await.map_err(|error| lost(&error))
        };
        let outcome = match sent.await {
            Ok(()) => Outcome::Ok(json!({})),
            Err(error) => Outcome::Err(error),
        };
        if let Some(begun) = begun {
            begun.end(&outcome);
        }
        Ok(Seen::publish(outcome))
    }

    /// What comes of it within the step's time.
    async fn in_time(&self, doing: impl Future<Output = Done>) -> Seen {
        let limit = self.step.timeout.unwrap_or(DEFAULT_TIMEOUT);
        seen(limit, doing).await
    }
}

async fn seen(limit: Duration, doing: impl Future<Output = Done>) -> Seen {
    match tokio::time::timeout(limit, doing).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) => Seen::Err(error),
        Err(_) => {
            Seen::Err(failed(ErrorKind::Timeout, false, &format!("no answer within {limit:?}")))
        }
    }
}

async fn open(harness: &Harness, bucket: &str) -> Result<kv::Store, DriverError> {
    let context = context(harness).await?;
    context.get_key_value(bucket).await.map_err(|error| match error.kind() {
        KeyValueErrorKind::GetBucket => {
            failed(ErrorKind::NoStream, true, &format!("there is no bucket {bucket}"))
        }
        _ => other(&error),
    })
}

async fn context(harness: &Harness) -> Result<jetstream::Context, DriverError> {
    let client = harness.client().await;
    let client = client.map_err(|error| failed(ErrorKind::Connection, true, &error))?;
    Ok(jetstream::new(client))
}

async fn done(harness: &Harness, kv: &Kv, value: Vec<u8>, may_be_absent: bool) -> Done {
    let (store, key) = (open(harness, &kv.bucket).await?, kv.key.as_str());
    let wrong = |words: &str| DriverError {
        code: Some(WRONG_LAST_SEQUENCE),
        ..failed(ErrorKind::ServiceError, true, &words)
    };
    let revision = match kv.does {
        KvVerb::Get => {
            return match store.entry(key).await.map_err(|error| other(&error))? {
                Some(entry) if entry.operation == kv::Operation::Put => {
                    Ok(Seen::entry(described(&entry)))
                }
                _ if may_be_absent => Ok(Seen::nothing()),
                _ => {
                    let message = format!("bucket {} has no {key}", kv.bucket);
                    Err(failed(ErrorKind::Other, true, &message))
                }
            };
        }
        KvVerb::Put => store.put(key, value.into()).await.map_err(|error| other(&error))?,
        KvVerb::Create => {
            store.create(key, value.into()).await.map_err(|error| match error.kind() {
                kv::CreateErrorKind::AlreadyExists => wrong(&format!("{key} is there already")),
                _ => other(&error),
            })?
        }
        KvVerb::Update => {
            let revision = kv.revision.as_ref();
            let number =
                revision.and_then(|one| one.as_u64().or_else(|| one.as_str()?.parse().ok()));
            let Some(number) = number else {
                let message = format!("{} is no revision", revision.unwrap_or_default());
                return Err(failed(ErrorKind::BadInput, true, &message));
            };
            store.update(key, value.into(), number).await.map_err(|error| match error.kind() {
                kv::UpdateErrorKind::WrongLastRevision => {
                    wrong(&format!("{key} is not at revision {number}"))
                }
                _ => other(&error),
            })?
        }
        KvVerb::Delete => {
            store.delete(key).await.map_err(|error| other(&error))?;
            return Ok(Seen::Ok(Default::default()));
        }
        KvVerb::Watch => return Ok(Seen::nothing()),
    };
    Ok(Seen::entry(vec![("revision", json!(revision).into())]))
}

/// An entry as it can be expected.
fn described(entry: &kv::Entry) -> Vec<(&'static str, Data)> {
    let operation = match entry.operation {
        kv::Operation::Put => "put",
        kv::Operation::Delete => "delete",
        kv::Operation::Purge => "purge",
    };
    let mut fields = vec![
        ("operation", Data::String(operation.to_owned())),
        ("revision", json!(entry.revision).into()),
    ];
    if entry.operation == kv::Operation::Put {
        fields.push(("value", Data::read(&entry.value)));
    }
    fields
}

async fn stored(harness: &Harness, object: &Object, content: Option<Vec<u8>>) -> Done {
    let Object { store, name, .. } = object;
    let context = context(harness).await?;
    let open = context.get_object_store(store).await.map_err(|error| match error.kind() {
        jetstream::context::ObjectStoreErrorKind::GetStore => {
            failed(ErrorKind::NoStream, true, &format!("there is no object store {store}"))
        }
        _ => other(&error),
    })?;
    match content {
        Some(content) => {
            let put = open.put(name.as_str(), &mut content.as_slice()).await;
            put.map_err(|error| other(&error))?;
            Ok(Seen::Ok(Default::default()))
        }
        None => {
            let read = open.get(name.as_str()).await.map_err(|error| match error.kind() {
                object_store::GetErrorKind::NotFound => {
                    failed(ErrorKind::Other, true, &format!("object store {store} has no {name}"))
                }
                _ => other(&error),
            })?;
            let mut bytes = Vec::new();
            let whole = read.take(LARGEST_BODY).read_to_end(&mut bytes).await;
            whole.map_err(|error| other(&error))?;
            Ok(Seen::content(&bytes))
        }
    }
}

/// What may have happened or not.
fn other(error: &dyn Display) -> DriverError {
    failed(ErrorKind::Other, false, error)
}
