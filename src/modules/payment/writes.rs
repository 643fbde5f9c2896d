//! Compare-and-set on an empty subject: one record, or many that are stored together or not at all.

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;

use super::refusals::Refusals;
use crate::mono::{Connection, is_wrong_last_sequence, store};
use crate::wire::headers::{
    BATCH_COMMIT, BATCH_ID, BATCH_SEQUENCE, EXPECTED_LAST_SUBJECT_SEQUENCE,
};

/// The answer, if there was one, went to a connection that is no more.
pub(super) const RECONNECTED: &str = "the connection was made anew before the broker answered";

/// Writes below one prefix.
#[derive(Debug, Clone)]
pub(super) struct Writes {
    pub(super) connection: Connection,
    pub(super) refusals: Refusals,
    pub(super) prefix: &'static str,
}

/// What is to be written, unless there is something on its subject.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) subject: String,
    pub(super) body: Bytes,
}

impl Writes {
    /// Writes it; `false` if its subject was not empty.
    ///
    /// # Errors
    /// The evidence; it may be written.
    pub(super) async fn one(&self, record: &Record) -> Result<bool, String> {
        let subjects = [record.subject.as_str()];
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        let (to, body) = (record.subject.clone(), record.body.clone());
        // Boxed, for it is handed on twice.
        let acknowledged = Box::pin(store(&self.connection, to, headers, body));
        let acknowledged = self.connection.unless_denied(&subjects, acknowledged);
        let answer = self.connection.unless_reconnected(acknowledged).await.transpose();
        match answer.map_err(|denied| denied.to_string())? {
            Some(Ok(_)) => {
                self.refusals.stored(self.prefix);
                Ok(true)
            }
            Some(Err(e)) if is_wrong_last_sequence(&e) => {
                self.refusals.answered(self.prefix);
                Ok(false)
            }
            Some(Err(e)) => {
                self.refusals.failed(self.prefix, &self.connection, &e);
                Err(e.to_string())
            }
            None => Err(RECONNECTED.to_owned()),
        }
    }

    /// Writes all of them in an atomic batch (ADR-50), which the server syncs once; `false` if none of them
    /// is written by that, for a reason that each is to be asked for by itself. Each subject must be there
    /// once.
    ///
    /// # Errors
    /// The evidence; they may be written.
    pub(super) async fn together(&self, records: &[&Record]) -> Result<bool, String> {
        let Some((last, earlier)) = records.split_last() else { return Ok(true) };
        let subjects: Vec<&str> = records.iter().map(|record| record.subject.as_str()).collect();
        let batch = nuid::next().to_string();
        let headers = |number: usize| {
            let mut headers = HeaderMap::new();
            headers.insert(EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
            headers.insert(BATCH_ID, batch.as_str());
            headers.insert(BATCH_SEQUENCE, number.to_string().as_str());
            headers
        };
        let client = self.connection.client();
        let acknowledged = Box::pin(async {
            for (number, record) in (1..).zip(earlier) {
                let (to, body) = (record.subject.clone(), record.body.clone());
                // One that is not sent is missing from the batch, and the last one is refused.
                let _ = client.publish_with_headers(to, headers(number), body).await;
            }
            let (to, body) = (last.subject.clone(), last.body.clone());
            let mut headers = headers(records.len());
            headers.insert(BATCH_COMMIT, "1");
            store(&self.connection, to, headers, body).await
        });
        let acknowledged = self.connection.unless_denied(&subjects, acknowledged);
        let answer = self.connection.unless_reconnected(acknowledged).await.transpose();
        match answer.map_err(|denied| denied.to_string())? {
            // A server that knows no batches has stored the last one by itself.
            Some(Ok(stored)) if stored.together != Some(records.len() as u64) => Ok(false),
            Some(Ok(_)) => {
                self.refusals.stored(self.prefix);
                Ok(true)
            }
            Some(Err(e)) => match e.kind() {
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                    self.refusals.failed(self.prefix, &self.connection, &e);
                    Err(e.to_string())
                }
                // The server's answer, and perhaps about one of them only.
                _ => Ok(false),
            },
            None => Err(RECONNECTED.to_owned()),
        }
    }
}
