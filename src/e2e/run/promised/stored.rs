//! Looks at what streams and buckets have.

use async_nats::jetstream;
use async_nats::jetstream::stream::{Info, RetentionPolicy};
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};

use super::eyes::{Eye, Surroundings};
use super::known::Known;
use crate::counted::counted;
use crate::e2e::run::probe::evidence::{self, is_missing};
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::scenario::ast::promise::Pick;

/// The header of what stands in a bucket for an entry that is gone (ADR-8).
const KV_OPERATION: &str = "KV-Operation";

impl Eye {
    /// Looks for what is new in a stream; false where there is none.
    pub(super) async fn stream(
        &mut self,
        around: &Surroundings,
        name: &str,
        subjects: &[String],
    ) -> Result<bool, String> {
        let Some(info) = info(&around.harness, name).await? else { return Ok(false) };
        if info.config.retention != RetentionPolicy::Limits {
            self.gap = Some(format!(
                "stream {name} removes what was handled ({:?}): what was in it cannot be counted; \
                 look at its subject, or at what its worker writes",
                info.config.retention
            ));
            return Ok(true);
        }
        let gone = self.removed(name, &format!("stream {name}"), &info);
        let keeps_one = info.config.max_messages_per_subject == 1;
        // Where the subject says whose it is, only another one of the same takes its place.
        let is_there_once = keeps_one && !self.counts && matches!(self.key, Pick::Token(_));
        if keeps_one && self.counts {
            self.gap = Some(format!(
                "stream {name} keeps one message a subject, so that what was overwritten is not counted: \
                 give it a `max_msgs_per_subject` of 2 or more, or promise `times = \"at-least-once\"` with \
                 a token of the subject as `key`, and neither `final` nor `order`"
            ));
        } else if gone > 0 && self.gap.is_none() && !is_there_once {
            let many = counted(gone, "message");
            self.gap =
                Some(format!("stream {name} has removed {many}: what they were is not known"));
        }
        for stored in self.stored(around, name, subjects, info.state.last_sequence).await? {
            let place = format!("{name} sequence {} ({})", stored.sequence, stored.subject);
            self.message(&stored.subject, &stored, place, around);
        }
        Ok(true)
    }

    pub(super) async fn bucket(
        &mut self,
        around: &Surroundings,
        bucket: &str,
    ) -> Result<(), String> {
        let name = format!("KV_{bucket}");
        let Some(info) = info(&around.harness, &name).await? else { return Ok(()) };
        let gone = self.removed(&name, &format!("bucket {bucket}"), &info);
        if info.config.max_messages_per_subject == 1 && self.counts {
            self.gap = Some(format!(
                "bucket {bucket} keeps one value a key, so that what was written twice is not seen: \
                 give it a history of 2 or more, or promise `times = \"at-least-once\"`, and neither \
                 `final` nor `order`"
            ));
        } else if gone > 0 && self.counts {
            let many = counted(gone, "value");
            self.gap = Some(format!(
                "bucket {bucket} has removed {many}: what they were is not known; give it a longer \
                 history"
            ));
        }
        let prefix = format!("$KV.{bucket}.");
        for stored in self.stored(around, &name, &[], info.state.last_sequence).await? {
            let key = stored.subject.strip_prefix(&prefix).unwrap_or(&stored.subject).to_owned();
            if stored.headers.contains_key(KV_OPERATION) {
                self.gap = Some(format!(
                    "`{key}` was deleted from bucket {bucket} (revision {}): what was done there is \
                     there no more",
                    stored.sequence
                ));
                continue;
            }
            let place = format!("bucket {bucket}, revision {} of {key}", stored.sequence);
            self.message(&key, &stored, place, around);
        }
        Ok(())
    }

    /// How many messages a stream has no more; one that is made anew does not say.
    fn removed(&mut self, name: &str, place: &str, info: &Info) -> u64 {
        let known = self.known.entry(name.to_owned()).or_insert_with(|| Known::of(info));
        if known.is_anew(info) && self.counts {
            self.lost.get_or_insert_with(|| {
                format!("{place} was deleted and made anew: what was in it before is not known")
            });
        }
        known.removed(info)
    }

    async fn stored(
        &mut self,
        around: &Surroundings,
        stream: &str,
        subjects: &[String],
        last: u64,
    ) -> Result<Vec<evidence::Stored>, String> {
        let next = self.next.entry(stream.to_owned()).or_insert(1);
        if *next > last {
            return Ok(Vec::new()); // nothing is new, and a look is a consumer
        }
        let stored = evidence::stored_from(&around.harness, stream, subjects, *next).await?;
        *next = stored.last().map_or(0, |stored| stored.sequence).max(last) + 1;
        Ok(stored)
    }
}

/// A stream as it is; `None` where there is none.
async fn info(harness: &Harness, name: &str) -> Result<Option<Info>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot look at stream {name}: {error}");
    let context = jetstream::new(harness.client().await.map_err(|error| failed(&error))?);
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// All streams that there are, with their settings as JetStream has them.
pub(super) async fn streams(
    harness: &Harness,
) -> Result<Vec<(String, Map<String, Value>)>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot look at the streams: {error}");
    let context = jetstream::new(harness.client().await.map_err(|error| failed(&error))?);
    let all: Vec<Info> = context.streams().try_collect().await.map_err(|error| failed(&error))?;
    let all = all.into_iter().map(|info| {
        let config = serde_json::to_value(&info.config).map_err(|error| failed(&error))?;
        Ok((info.config.name, config.as_object().cloned().unwrap_or_default()))
    });
    all.collect()
}
