//! What is read of a run by whoever judges it: the journals, which are kept outside NATS, and the
//! streams.

use std::{fmt::Display, io, path::Path, time::Duration};

use async_nats::jetstream;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::context::GetStreamByNameErrorKind;
use async_nats::jetstream::stream::{
    ConsumerError, ConsumerErrorKind, RawMessageErrorKind, Stream,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::broker::last_sequence;
use crate::e2e::driver::raw::wire_headers;
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::seen;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::text::data::Data;
use crate::e2e::verdict::checks::held::{self, Held};
use crate::wire::driver::Headers;

/// How long a whole stream may take to read.
const READ: Duration = Duration::from_secs(30);
/// Between two readings of a node whose copy is behind: nobody tells when it has caught up.
const BEHIND: Duration = Duration::from_millis(20);

/// Looks at a run, as the harness, which may see everything.
pub struct Probe<'a> {
    journal_dir: &'a Path,
    harness: &'a Harness,
    recorder: &'a Recorder,
    history: &'a Path,
}

/// A message of a stream.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Where it was published.
    pub subject: String,
    /// When the server stored it.
    pub at: Timestamp,
    /// Its headers.
    pub headers: Headers,
    /// Its body: JSON, or what it is as text.
    pub body: Value,
    /// Its body as it came.
    pub bytes: Bytes,
}

impl<'a> Probe<'a> {
    /// Of a run whose services were told to keep their journals in this folder.
    pub(in crate::e2e) fn new(
        journal_dir: &'a Path,
        harness: &'a Harness,
        recorder: &'a Recorder,
        history: &'a Path,
    ) -> Self {
        Self { journal_dir, harness, recorder, history }
    }

    /// What has been recorded so far.
    ///
    /// # Errors
    /// It cannot be written, or read.
    pub fn history(&self) -> Result<History, String> {
        self.recorder.flush().map_err(|error| error.to_string())?;
        History::open(self.history).map_err(|error| error.to_string())
    }

    /// A journal of the services, by the name of its file; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read, or has a line that is no record.
    pub fn journal<T: DeserializeOwned>(&self, file: &str) -> Result<Vec<T>, String> {
        journal(&self.journal_dir.join(file))
    }

    /// All messages of a stream, or of one of its subjects, oldest first; none where there is no such
    /// stream.
    ///
    /// # Errors
    /// The server's or the client library's words, with the stream's name.
    pub async fn stored(&self, stream: &str, subject: Option<&str>) -> Result<Vec<Stored>, String> {
        let subjects: Vec<String> = subject.into_iter().map(str::to_owned).collect();
        stored_from(self.harness, stream, &subjects, 1).await
    }
}

/// Whole lines only: a process that was killed may have left half a line behind, cut anywhere.
///
/// A whole line that is no record may hide one: then nothing can be judged by the rest.
pub(in crate::e2e) fn journal<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, String> {
    let text = text(path)?;
    records(path, whole_lines(&text).0)
}

/// The same of a file whose last line may be whole without a line feed; and whether it ends with half a
/// line.
pub(in crate::e2e) fn lines<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, bool), String> {
    let text = text(path)?;
    let (whole, last) = whole_lines(&text);
    let mut all = records(path, whole)?;
    let last = last.trim_ascii();
    // Half a number is a number too.
    let closed = matches!(last.last(), Some(b'}' | b']' | b'"'));
    match serde_json::from_slice(last) {
        Ok(record) if closed => all.push(record),
        _ => return Ok((all, !last.is_empty())),
    }
    Ok((all, false))
}

/// All up to the last line feed, and what is behind it.
fn whole_lines(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1))
}

fn text(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn Display| format!("cannot read {}: {error}", path.display());
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // A pipe would be waited for.
        Ok(found) if !found.is_file() => return Err(failed(&"it is not a file")),
        _ => {}
    }
    std::fs::read(path).map_err(|error| failed(&error))
}

fn records<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<Vec<T>, String> {
    let lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(n, line)| {
            serde_json::from_slice(line).map_err(|error| damaged(path, n, line, &error))
        })
        .collect()
}

fn damaged(path: &Path, n: usize, line: &[u8], error: &serde_json::Error) -> String {
    let start = String::from_utf8_lossy(&line[..line.len().min(80)]);
    let start: String =
        start.trim_end().chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
    format!(
        "the journal {} is damaged, so what happened cannot be judged by it: line {} is no record \
         ({error}); it begins `{start}`",
        path.display(),
        n + 1
    )
}

/// What a stream of any retention holds, read by its numbers: a consumer would change a work queue.
pub(in crate::e2e) async fn held(
    harness: &Harness,
    stream: &str,
    bodies: bool,
) -> Result<Held, String> {
    let read = async {
        let context = jetstream::new(harness.client().await?);
        let stream = context.get_stream(stream).await?;
        let state = &stream.cached_info().state;
        let (messages, subjects) = (state.messages, state.subjects_count);
        let mut held = Held { count: messages, subjects, messages: Vec::new() };
        // A stream that never had a message begins with none.
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            if !bodies {
                break;
            }
            match stream.get_raw_message(sequence).await {
                Ok(message) => {
                    let headers = wire_headers(Some(&message.headers));
                    held.messages.push(held::Message {
                        subject: message.subject.to_string(),
                        headers: seen::headers(&headers),
                        body: Data::read(&message.payload),
                    });
                }
                // Acknowledged or removed in between.
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok::<_, async_nats::Error>(held)
    };
    in_time(stream, read).await
}

/// JSON as serde_json has it, else text, else base64.
fn body(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap_or_else(|_| Data::text(payload.to_vec()).nearest())
}

/// The same, from a sequence on, and of several subjects; of all of them where none is given.
pub(in crate::e2e) async fn stored_from(
    harness: &Harness,
    stream: &str,
    subjects: &[String],
    from: u64,
) -> Result<Vec<Stored>, String> {
    // Boxed, as it is large and below much else.
    let read = Box::pin(stored(harness, stream, subjects, from));
    in_time(stream, read).await
}

async fn stored(
    harness: &Harness,
    stream: &str,
    subjects: &[String],
    from: u64,
) -> Result<Vec<Stored>, async_nats::Error> {
    let client = harness.client().await?;
    let is_cluster = client.server_info().cluster.is_some();
    let stream = match jetstream::new(client).get_stream(stream).await {
        Ok(stream) => stream,
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    loop {
        let last = match is_cluster {
            true => last_sequence(&stream, subjects.iter().map(String::as_str)).await?,
            false => 0,
        };
        let all = read(&stream, subjects, from).await?;
        // The node that hands them out may have been away, and not have all of them yet.
        if last < from || all.last().is_some_and(|newest| newest.sequence >= last) {
            return Ok(all);
        }
        tokio::time::sleep(BEHIND).await;
    }
}

async fn read(
    stream: &Stream,
    subjects: &[String],
    from: u64,
) -> Result<Vec<Stored>, async_nats::Error> {
    let config = jetstream::consumer::pull::OrderedConfig {
        filter_subjects: subjects.to_vec(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await?;
    // As it was made: another node may not have heard of it yet.
    let pending = usize::try_from(consumer.cached_info().num_pending)?;
    // Made anew where the connection breaks: then the last message tells its name.
    let mut name = consumer.cached_info().name.clone();
    let mut messages = consumer.messages().await?.take(pending);
    let mut out = Vec::new();
    while let Some(message) = messages.next().await {
        let message = message?;
        let info = message.info()?;
        name = info.consumer.to_owned();
        let at = Timestamp::from_nanosecond(info.published.unix_timestamp_nanos())?;
        let headers = wire_headers(message.headers.as_ref());
        let (sequence, subject) = (info.stream_sequence, message.subject.to_string());
        let (body, bytes) = (body(&message.payload), message.payload.clone());
        out.push(Stored { sequence, subject, at, headers, body, bytes });
    }
    drop(messages);
    // Else it stays for half a minute, and looks as if somebody had forgotten it.
    match stream.delete_consumer(&name).await {
        Err(error) if !is_no_consumer(&error) => Err(error.into()),
        _ => Ok(out),
    }
}

fn is_no_consumer(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error)
        if error.error_code() == jetstream::ErrorCode::CONSUMER_NOT_FOUND)
}

/// The stream that has a subject; `None` where JetStream says that none has.
pub(in crate::e2e) async fn stream_of(
    harness: &Harness,
    subject: &str,
) -> Result<Option<String>, async_nats::Error> {
    let context = jetstream::new(harness.client().await?);
    match context.stream_by_subject(subject).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What was read of a stream, or why it could not be read in time.
async fn in_time<T>(
    stream: &str,
    read: impl Future<Output = Result<T, async_nats::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(READ, read).await {
        Ok(result) => result.map_err(|error| format!("cannot read stream {stream}: {error}")),
        Err(_) => Err(format!("stream {stream} could not be read within {READ:?}")),
    }
}

pub(in crate::e2e) fn is_missing(error: &jetstream::context::GetStreamError) -> bool {
    use jetstream::context::GetStreamErrorKind as Kind;
    matches!(error.kind(), Kind::JetStream(error)
        if error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_without_its_line_feed_is_a_record_or_half_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("done.jsonl");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            lines::<Value>(&path).map(|(all, half)| (all.len(), half))
        };
        assert_eq!(lines::<Value>(&path), Ok((Vec::new(), false)));
        assert_eq!(read("{\"id\":1}\n{\"id\":2}"), Ok((2, false)));
        assert_eq!(read("{\"id\":1}\n{\"id\":\"gho"), Ok((1, true)));
        assert_eq!(read("{\"id\":1}\n12"), Ok((1, true)), "it may go on");
        assert_eq!(read("{\"id\":1}\n \n"), Ok((1, false)));
        assert_eq!(read("{\"id\":1}"), Ok((1, false)));
        assert!(read("{\"id\":\n{}\n").unwrap_err().contains("is damaged"));
    }

    #[test]
    fn half_a_line_is_left_out_and_a_bad_line_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("porter.jsonl");
        let shipped = || journal::<serde_json::Map<String, Value>>(&path);
        assert_eq!(shipped(), Ok(Vec::new()));
        let line = r#"{"at":"t","order":"o-7","worker":"w1","shipped":true}"#;
        std::fs::write(&path, format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(shipped().unwrap().len(), 1);
        // Cut in the middle of a character.
        std::fs::write(&path, [line.as_bytes(), b"\n\r\n{\"at\":\"\xe2\x82"].concat()).unwrap();
        assert_eq!(shipped().unwrap().len(), 1);
        for rubbish in [&b"rubbish"[..], b"{\"at\":\"\xff\x1b[2J", &line.as_bytes()[..20]] {
            std::fs::write(&path, [line.as_bytes(), b"\n", rubbish, b"\n"].concat()).unwrap();
            let said = shipped().unwrap_err();
            assert!(said.contains("porter.jsonl is damaged, so what happened"), "{said}");
            assert!(said.contains("line 2 is no record") && !said.contains('\x1b'), "{said}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(shipped().unwrap_err().ends_with("porter.jsonl: it is not a file"));
    }
}
