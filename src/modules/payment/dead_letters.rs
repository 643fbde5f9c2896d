//! The dead letters of payments: listed, shown, sent again, purged.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Stream;

use super::names::DEAD_LETTERS;
use super::store::{self, StoreError, Stored, failed};
use super::streams;
use crate::modules::{ClientError, publish_acknowledged};
use crate::mono::{Connection, LetterRemoved};
use crate::wire::{Unreadable, headers as h};

/// A dead letter, read.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its sequence among the dead letters: what `show`, `replay` and `purge` name it by.
    pub sequence: u64,
    /// `malformed`, `rejected`, `conflict` or `exhausted`.
    pub kind: String,
    /// Why, one line.
    pub reason: String,
    /// The subject it was published on.
    pub subject: String,
    /// Its sequence in the stream it came from.
    pub original_sequence: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// As stored.
    pub stored: Stored,
}

impl From<Stored> for DeadLetter {
    fn from(stored: Stored) -> Self {
        let text = |name: &str| {
            stored.headers.get(name).map(|v| v.as_str().to_owned()).unwrap_or_default()
        };
        let unreadable = Unreadable::of(Some(&stored.headers)).map(|what| what.to_string());
        Self {
            sequence: stored.sequence,
            kind: text(h::DEAD_KIND),
            reason: unreadable.unwrap_or_else(|| text(h::DEAD_REASON)),
            subject: text(h::DEAD_SUBJECT),
            original_sequence: text(h::DEAD_SEQUENCE).parse().unwrap_or(0),
            deliveries: text(h::DEAD_DELIVERIES).parse().unwrap_or(0),
            stored,
        }
    }
}

impl DeadLetter {
    /// The original's header block in base64, where it could not be read.
    pub fn raw_headers(&self) -> Option<&str> {
        self.stored.headers.get(h::DEAD_RAW_HEADERS).map(|value| value.as_str())
    }
}

/// The dead letters of a server.
pub struct DeadLetters {
    stream: Stream,
    connection: Connection,
}

impl DeadLetters {
    /// The dead letters behind this connection; `None` where no payment service ever ran.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let stream = store::find(connection, DEAD_LETTERS).await?;
        Ok(stream.map(|stream| Self { stream, connection: connection.clone() }))
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let contents = store::read(&self.stream).await?;
        Ok(contents.messages.into_iter().map(DeadLetter::from).collect())
    }

    /// Publishes the original again, body untouched, and removes the letter once the stream has
    /// acknowledged it. A process that dies in between leaves both: sent again twice, a payment is
    /// still charged at most once.
    ///
    /// The message id is left out: within the duplicate window the stream would drop the message.
    ///
    /// # Errors
    /// [`ClientError`]; the letter is still there.
    pub async fn replay(&self, letter: &DeadLetter, limit: Duration) -> Result<u64, ClientError> {
        let foreign = Unreadable::of(Some(&letter.stored.headers)).is_some();
        if foreign || letter.raw_headers().is_some() {
            // Without its headers it would be another message than the one that was refused.
            return Err(ClientError::BadInput(format!(
                "dead letter {0} cannot be sent again: its headers cannot be read; `dlq show {0}` \
                 has the body, which can be submitted as a message of its own",
                letter.sequence
            )));
        }
        if let Some(bytes) = letter.stored.headers.get(h::CUT_FROM) {
            return Err(ClientError::BadInput(format!(
                "dead letter {} is not whole: the original of {} bytes did not fit beside its reason",
                letter.sequence,
                bytes.as_str()
            )));
        }
        let mut headers = HeaderMap::new();
        for (name, values) in letter.stored.headers.iter() {
            let name: &str = name.as_ref();
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("mono-dead-letter-")
                || lower.starts_with(&h::DEAD_ORIGINAL_PREFIX.to_ascii_lowercase())
                || lower.starts_with("nats-")
            {
                continue;
            }
            for value in values {
                headers.append(name, value.clone());
            }
        }
        let caller = self.connection.caller();
        let body = letter.stored.body.clone();
        let ack = publish_acknowledged(caller, &letter.subject, headers, body, limit).await?;
        self.remove(letter, "replayed").await.map_err(|e| ClientError::Other {
            operation: format!("remove dead letter {} after sending it again", letter.sequence),
            evidence: e.to_string(),
        })?;
        Ok(ack.sequence)
    }

    /// Removes a letter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn purge(&self, letter: &DeadLetter) -> Result<(), StoreError> {
        self.remove(letter, "purged").await
    }

    /// That it is done on purpose is on record first: a letter that is gone without that is a loss,
    /// and its message, should it come once more, gets no second one.
    async fn remove(&self, letter: &DeadLetter, how: &str) -> Result<(), StoreError> {
        if let Some((_, message)) = letter.stored.subject.rsplit_once('.') {
            let removed = LetterRemoved { sequence: letter.sequence, how: how.to_owned() };
            let failures = streams::failures(1);
            let noted = failures.change(&self.connection, message, |record| {
                record.letter = Some(removed.clone());
            });
            noted
                .await
                .map_err(|e| failed("note the removal of a message from", DEAD_LETTERS, e))?;
        }
        let deleted = self.stream.delete_message(letter.sequence).await;
        deleted.map(drop).map_err(|e| failed("remove a message from", DEAD_LETTERS, e))
    }
}
