//! Records how many messages the streams of payments held when they were last seen, in a file
//! outside NATS.
//!
//! A broker that cannot read what it stored mostly reports nothing: a damaged stream comes back
//! shorter, empty, or not at all, and creating it again would hide the loss. So no stream is
//! created again if there were payments before. Two kinds of evidence show that: the content of the
//! other streams, and, for our own store, this file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_nats::jetstream::{consumer, stream};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::names::{CONSUMER, DEAD_LETTERS, INTENTS, LEDGER, REQUESTS, TOGETHER_NS};
use crate::counted::counted;
use crate::given::{in_background, read_private};
use crate::mono::{Connection, ModuleError, ensure};
use crate::whole;

/// All streams of payments.
const STREAMS: [&str; 4] = [INTENTS, LEDGER, DEAD_LETTERS, REQUESTS];
/// The streams from which nothing is ever removed.
pub(super) const WRITE_ONCE: [&str; 2] = [INTENTS, LEDGER];

/// The content of a stream, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Messages that are there.
    pub messages: u64,
    /// The last one's number, also of one that is gone.
    pub last_sequence: u64,
    /// When the stream was made, in nanoseconds since 1970 by the server's clock; nothing in books that
    /// were written before this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<i64>,
}

impl From<&stream::Info> for Held {
    fn from(info: &stream::Info) -> Self {
        Self {
            messages: info.state.messages,
            last_sequence: info.state.last_sequence,
            made_at: i64::try_from(info.created.unix_timestamp_nanos()).ok(),
        }
    }
}

/// What all streams held at one moment; one that is missing was not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Nothing has been handled since.
    pub at_rest: bool,
    /// By name.
    pub streams: BTreeMap<String, Held>,
}

impl Seen {
    /// What the streams hold now.
    ///
    /// # Errors
    /// [`ModuleError`] if JetStream does not say.
    pub async fn now(connection: &Connection) -> Result<Self, ModuleError> {
        let found = try_join_all(STREAMS.iter().map(|name| ensure::find(connection, name))).await?;
        let streams = STREAMS.iter().zip(found);
        let held = streams.filter_map(|(name, found)| {
            Some(((*name).to_owned(), Held::from(found?.cached_info())))
        });
        Ok(Self { at_rest: false, streams: held.collect() })
    }

    /// The content of the streams after this process has stopped handling messages; at rest only if
    /// no other process handles any.
    ///
    /// Acknowledgements are only sent, and the server takes a message out of the stream some time
    /// after it has taken its acknowledgement. So what waits is not what the stream holds, but what
    /// the consumer says is not acknowledged, asked when all our acknowledgements have been taken.
    ///
    /// # Errors
    /// [`ModuleError`] if JetStream does not say.
    pub async fn at_rest(connection: &Connection) -> Result<Self, ModuleError> {
        let failed = |e: &dyn std::fmt::Display| ModuleError::new("see what waits", e);
        // The consumer takes acknowledgements in order, and answers this one, which changes nothing,
        // after all those before it.
        let subject = format!("$JS.ACK.{REQUESTS}.{CONSUMER}.1.1.1.0.0");
        let taken = connection.client().request(subject, "+WPI".into()).await;
        taken.map_err(|e| failed(&e))?;
        let found = connection
            .jetstream()
            .get_consumer_from_stream::<consumer::pull::Config, _, _>(CONSUMER, REQUESTS)
            .await
            .map_err(|e| failed(&e))?;
        let info = found.cached_info();
        let mut seen = Self::now(connection).await?;
        if let Some(requests) = seen.streams.get_mut(REQUESTS) {
            let waiting = info.num_pending.saturating_add(info.num_ack_pending as u64);
            requests.messages = requests.messages.min(waiting);
        }
        seen.at_rest = info.num_waiting == 0;
        Ok(seen)
    }

    /// Streams that are not there although another one has had a message. All four are made before
    /// the first message can come, so they were there, and are lost.
    pub fn gone(&self) -> Vec<String> {
        let Some((witness, held)) = self.streams.iter().find(|(_, held)| held.last_sequence > 0)
        else {
            return Vec::new();
        };
        let last = held.last_sequence;
        self.missing()
            .into_iter()
            .map(|name| {
                format!("stream `{name}` does not exist, and `{witness}` has had {last} messages")
            })
            .collect()
    }

    /// The streams that are not there, whatever the others held.
    pub fn missing(&self) -> Vec<&'static str> {
        STREAMS.into_iter().filter(|name| !self.streams.contains_key(*name)).collect()
    }

    /// Streams that are younger than the requests, which have had messages: all others are made before
    /// these, so they were deleted, and made anew without what they held.
    pub fn made_anew(&self) -> Vec<String> {
        let requests = self.streams.get(REQUESTS).filter(|held| held.last_sequence > 0);
        let Some((since, had)) =
            requests.and_then(|held| Some((held.made_at?, held.last_sequence)))
        else {
            return Vec::new();
        };
        let made_anew = self.streams.iter().filter(|(_, held)| {
            held.made_at.is_some_and(|at| at > since.saturating_add(TOGETHER_NS))
        });
        made_anew
            .map(|(name, _)| {
                format!(
                    "stream `{name}` is younger than `{REQUESTS}`, which has had {}: it was deleted, and \
                     made anew without what it held",
                    counted(had, "message")
                )
            })
            .collect()
    }

    /// Whether one of the streams has had a message.
    pub fn has_had_messages(&self) -> bool {
        self.streams.values().any(|held| held.last_sequence > 0)
    }

    /// What was seen here and is not there now.
    pub fn lost(&self, now: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, before) in &self.streams {
            let Held { messages, last_sequence: last, .. } = before;
            let Some(held) = now.streams.get(name) else {
                lost.push(format!("stream `{name}` does not exist, and had {messages} messages"));
                continue;
            };
            if held.last_sequence < *last {
                let ends = held.last_sequence;
                lost.push(format!(
                    "stream `{name}` ended with message {last}, and ends with {ends}"
                ));
            }
            if WRITE_ONCE.contains(&name.as_str()) && held.messages < *messages {
                let has = held.messages;
                lost.push(format!("stream `{name}` had {messages} messages, and has {has}"));
            }
        }
        lost.extend(self.requests_unaccounted(now));
        lost
    }

    /// Of the requests that waited when nothing was handled any more, each is still waiting, or
    /// became an outcome or a dead letter.
    fn requests_unaccounted(&self, now: &Self) -> Option<String> {
        let before = self.streams.get(REQUESTS).filter(|_| self.at_rest)?;
        let waiting = now.streams.get(REQUESTS)?.messages;
        let more = |name| {
            let last = |seen: &Self| seen.streams.get(name).map_or(0, |held| held.last_sequence);
            last(now).saturating_sub(last(self))
        };
        let accounted = waiting.saturating_add(more(LEDGER)).saturating_add(more(DEAD_LETTERS));
        (accounted < before.messages).then(|| {
            format!(
                "stream `{REQUESTS}` had {} messages waiting, and has {waiting}",
                before.messages
            )
        })
    }
}

/// The file.
#[derive(Debug, Clone)]
pub struct Books {
    path: PathBuf,
}

impl std::fmt::Display for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Books {
    /// The file of the journals in this folder.
    pub fn beside(journals: &Path) -> Self {
        Self { path: journals.join("streams.json") }
    }

    /// What was written last; `None` where nothing ever was.
    ///
    /// # Errors
    /// A file that cannot be read, or that somebody else could have written, is an error, with its
    /// path: it may be what is damaged.
    pub async fn read(&self) -> Result<Option<Seen>, ModuleError> {
        match in_background(&self.path, read_private).await {
            Ok(text) => {
                serde_json::from_slice(&text).map(Some).map_err(|e| self.failed("read", &e))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("read", &e)),
        }
    }

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// [`ModuleError`] names the path.
    pub fn write(&self, seen: &Seen) -> Result<(), ModuleError> {
        let text = serde_json::json!(seen).to_string() + "\n";
        whole::write(&self.path, text).map_err(|e| self.failed("write", &e))
    }

    fn failed(&self, doing: &str, evidence: &dyn std::fmt::Display) -> ModuleError {
        ModuleError::new(format!("{doing} {}", self.path.display()), evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at_rest: bool, held: [(u64, u64); 4]) -> Seen {
        let held =
            held.map(|(messages, last_sequence)| Held { messages, last_sequence, made_at: None });
        let streams = STREAMS.iter().map(|name| (*name).to_owned()).zip(held);
        Seen { at_rest, streams: streams.collect() }
    }

    #[test]
    fn what_shrinks_of_itself_is_no_loss_and_what_never_does_is() {
        // Claims, outcomes, dead letters, requests: messages and the last one's number.
        let before = seen(true, [(5, 5), (3, 3), (1, 1), (2, 6)]);
        assert!(before.lost(&before).is_empty());
        // The two that waited became an outcome and a dead letter, and one of those was purged.
        let later = seen(false, [(6, 6), (4, 4), (1, 2), (0, 6)]);
        assert!(before.lost(&later).is_empty(), "{:?}", before.lost(&later));
        for (now, loss) in [
            ([(4, 5), (3, 3), (1, 1), (2, 6)], "`payment-intents` had 5 messages, and has 4"),
            ([(5, 5), (3, 3), (1, 1), (1, 6)], "had 2 messages waiting, and has 1"),
            ([(5, 5), (3, 3), (1, 1), (2, 4)], "ended with message 6, and ends with 4"),
            ([(5, 5), (3, 3), (0, 0), (2, 6)], "`payment-dead-letters` ended with message 1"),
        ] {
            let lost = before.lost(&seen(false, now));
            assert!(lost.len() == 1 && lost[0].contains(loss), "{lost:?}");
        }
        // While work goes on, waiting messages may be acknowledged without a new outcome.
        let at_work = Seen { at_rest: false, ..before.clone() };
        assert!(at_work.lost(&seen(false, [(5, 5), (3, 3), (1, 1), (0, 6)])).is_empty());
    }

    #[test]
    fn a_stream_that_is_younger_than_the_requests_was_made_anew() {
        let mut now = seen(false, [(0, 0), (3, 3), (0, 0), (0, 7)]);
        assert!(now.made_anew().is_empty(), "books of before say nothing");
        let minute = 60_000_000_000;
        for (name, at) in [(INTENTS, 0), (LEDGER, minute), (DEAD_LETTERS, 9), (REQUESTS, 10)] {
            now.streams.get_mut(name).unwrap().made_at = Some(at);
        }
        assert!(now.made_anew().is_empty(), "{:?}", now.made_anew());
        now.streams.get_mut(LEDGER).unwrap().made_at = Some(minute + 11);
        let told = now.made_anew();
        assert!(
            told.len() == 1 && told[0].starts_with("stream `payment-ledger` is younger"),
            "{told:?}"
        );
        // Where nothing was ever asked for, nothing can be lost.
        now.streams.get_mut(REQUESTS).unwrap().last_sequence = 0;
        assert!(now.made_anew().is_empty());
    }

    #[test]
    fn a_stream_that_is_missing_is_gone_only_if_another_had_a_message() {
        let mut new = seen(false, [(0, 0); 4]);
        new.streams.remove(LEDGER);
        assert!(new.gone().is_empty());
        let mut old = seen(false, [(0, 0), (0, 0), (0, 0), (0, 7)]);
        old.streams.remove(LEDGER);
        let gone = old.gone();
        assert!(gone.len() == 1 && gone[0].contains("`payment-ledger` does not exist"), "{gone:?}");
    }
}
