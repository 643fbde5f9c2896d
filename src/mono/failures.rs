//! Records how often a message failed by its own fault, in a stream of its own.
//!
//! The server counts deliveries, also those that a dead broker or a killed process cost; they are no
//! fault of the message. So the failures are counted here, one small message each, and a message that
//! never fails costs nothing. A record that is lost costs attempts, and nothing else.

use std::fmt::Display;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, LastRawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use serde::{Deserialize, Serialize};

use super::connect::Connection;
use super::ensure;
use super::error::Failure;
use super::headers::set_header;
use super::refusal::is_wrong_last_sequence;
use crate::wire::headers::EXPECTED_LAST_SUBJECT_SEQUENCE;

/// How often a record is read again because another process wrote it meanwhile.
const CONTENTIONS: usize = 5;

/// What is on record about one message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FailureRecord"))]
pub struct Record {
    /// How often it failed by its own fault.
    pub failures: u64,
    /// Why, the last time.
    #[serde(default)]
    pub reason: String,
    /// How often in a row a handler began with it, and neither ended nor stopped in an orderly way.
    #[serde(default)]
    pub begun: u64,
    /// Its dead letter was taken away on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<LetterRemoved>,
}

/// A dead letter that was sent again or purged, and not lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LetterRemoved {
    /// The letter's sequence in the stream of dead letters.
    pub sequence: u64,
    /// `replayed` or `purged`.
    pub how: String,
}

/// The stream of the records of one consumer.
#[derive(Debug, Clone)]
pub struct Failures {
    /// Its configuration; made if it does not exist.
    pub stream: Config,
    /// A record is stored on `<prefix>.<sequence>-<time>`, as the message's dead letter would be.
    pub prefix: String,
}

impl Failures {
    /// A stream of this name, which keeps the latest record of each message in so many copies.
    pub fn new(stream: &str, prefix: &str, replicas: usize) -> Self {
        let stream = Config {
            name: stream.to_owned(),
            subjects: vec![format!("{prefix}.*")],
            max_messages_per_subject: 1,
            discard: DiscardPolicy::Old,
            num_replicas: replicas,
            ..Config::default()
        };
        Self { stream, prefix: prefix.to_owned() }
    }

    /// What is on record about a message; an empty record where nothing is.
    ///
    /// # Errors
    /// [`Failure::Later`] if the broker does not say.
    pub async fn read(&self, connection: &Connection, message: &str) -> Result<Record, Failure> {
        self.found(connection, message).await.map(|(_, record)| record)
    }

    /// Changes what is on record, whoever else does so at the same time, and returns it.
    ///
    /// # Errors
    /// [`Failure::Later`] if the broker did not acknowledge it; it may be on record.
    pub async fn change(
        &self,
        connection: &Connection,
        message: &str,
        change: impl Fn(&mut Record),
    ) -> Result<Record, Failure> {
        for _ in 0..CONTENTIONS {
            let (revision, mut record) = self.found(connection, message).await?;
            change(&mut record);
            if self.write(connection, message, revision, &record).await? {
                return Ok(record);
            }
        }
        Err(later("note", message, &"others write it all the time"))
    }

    async fn found(
        &self,
        connection: &Connection,
        message: &str,
    ) -> Result<(u64, Record), Failure> {
        let failed = |evidence: &dyn Display| later("read", message, evidence);
        let jetstream = connection.jetstream();
        let stream = jetstream.get_stream_no_info(&self.stream.name).await;
        let stream = stream.map_err(|e| failed(&e))?;
        let subject = self.subject(message);
        let asked = stream.get_last_raw_message_by_subject(&subject);
        let answer = connection.unless_reconnected(asked).await;
        let error = match answer.ok_or_else(|| failed(&"the connection was made anew"))? {
            // A record that cannot be read counts as lost.
            Ok(found) => {
                let record = serde_json::from_slice(&found.payload).unwrap_or_default();
                return Ok((found.sequence, record));
            }
            Err(error) => error,
        };
        match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok((0, Record::default())),
            LastRawMessageErrorKind::JetStream(e) if is_missing(&e) => {
                self.remake(connection).await;
                Ok((0, Record::default()))
            }
            _ => Err(failed(&error)),
        }
    }

    /// False if somebody else has written since `revision`.
    async fn write(
        &self,
        connection: &Connection,
        message: &str,
        revision: u64,
        record: &Record,
    ) -> Result<bool, Failure> {
        let failed = |evidence: &dyn Display| later("note", message, evidence);
        let body = serde_json::to_vec(record).map_err(|e| failed(&e))?;
        let mut headers = HeaderMap::new();
        set_header(&mut headers, EXPECTED_LAST_SUBJECT_SEQUENCE, &revision.to_string());
        let jetstream = connection.jetstream();
        let subject = self.subject(message);
        let acknowledged =
            async { jetstream.publish_with_headers(subject, headers, body.into()).await?.await };
        match connection.unless_reconnected(acknowledged).await {
            Some(Ok(_)) => Ok(true),
            Some(Err(e)) if is_wrong_last_sequence(&e) => Ok(false),
            Some(Err(e)) => {
                if e.kind() == PublishErrorKind::StreamNotFound {
                    self.remake(connection).await;
                }
                Err(failed(&e))
            }
            None => Err(failed(&"the connection was made anew")),
        }
    }

    /// Deleted under us. Unlike the streams of what was accepted it is made again.
    async fn remake(&self, connection: &Connection) {
        if let Err(error) = ensure::stream(connection, &self.stream).await {
            tracing::warn!(%error, "failures cannot be counted");
        }
    }

    fn subject(&self, message: &str) -> String {
        format!("{}.{message}", self.prefix)
    }
}

fn is_missing(error: &jetstream::Error) -> bool {
    error.error_code() == ErrorCode::STREAM_NOT_FOUND
}

fn later(doing: &str, message: &str, evidence: &dyn Display) -> Failure {
    Failure::Later(format!("{doing} the failures of message {message}: {evidence}"))
}
