//! What JetStream has: streams with their first messages, and consumers, as its own API says it now.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::e2e::record::observed::{ConsumerSeen, StoredSeen, StreamSeen};

/// So many messages of a stream are read, from the first on.
const MOST_MESSAGES: u64 = 1000;
/// So many are asked for at once.
const AT_ONCE: usize = 64;
/// Streams below buckets, object stores and MQTT: their library knows how to use them.
const OF_LIBRARIES: [&str; 3] = ["KV_", "OBJ_", "$"];

/// All streams, without those of libraries.
///
/// # Errors
/// JetStream does not answer.
pub(in crate::e2e) async fn streams(
    client: &async_nats::Client,
) -> Result<Vec<StreamSeen>, async_nats::Error> {
    let mut all = Vec::new();
    for told in list(client, "$JS.API.STREAM.LIST", "streams").await? {
        let (config, state) = (&told["config"], &told["state"]);
        let mut seen = stream(config);
        if OF_LIBRARIES.iter().any(|begin| seen.name.starts_with(begin)) {
            continue;
        }
        let first = state["first_seq"].as_u64().unwrap_or_default().max(1);
        let last = state["last_seq"].as_u64().unwrap_or_default().min(first + MOST_MESSAGES - 1);
        let messages =
            stream::iter(first..=last).map(|sequence| stored(client, &seen.name, sequence));
        let messages: Vec<Option<StoredSeen>> = messages.buffered(AT_ONCE).try_collect().await?;
        seen.stored = messages.into_iter().flatten().collect();
        all.push(seen);
    }
    Ok(all)
}

/// All consumers of some streams.
///
/// # Errors
/// JetStream does not answer.
pub(in crate::e2e) async fn consumers(
    client: &async_nats::Client,
    streams: impl Iterator<Item = &str>,
) -> Result<Vec<ConsumerSeen>, async_nats::Error> {
    let mut all = Vec::new();
    for stream in streams {
        let told = list(client, &format!("$JS.API.CONSUMER.LIST.{stream}"), "consumers").await?;
        all.extend(told.iter().map(|told| consumer(stream, told)));
    }
    Ok(all)
}

fn stream(config: &Value) -> StreamSeen {
    let limit = |key: &str| config[key].as_i64().is_some_and(|limit| limit > 0);
    let limits = ["max_msgs", "max_bytes", "max_age", "max_msgs_per_subject"];
    let others = ["mirror", "sources", "allow_msg_schedules", "subject_delete_marker_ttl"];
    let is_set = |key: &str| !matches!(config[key], Value::Null | Value::Bool(false));
    let subjects = config["subjects"].as_array().into_iter().flatten();
    StreamSeen {
        name: text(&config["name"]),
        is_in_memory: config["storage"] == "memory"
            && config["num_replicas"].as_u64().is_none_or(|many| many <= 1),
        is_bounded: limits.into_iter().any(limit) || config["retention"] != "limits",
        is_published_to: !others.into_iter().any(is_set),
        duplicate_window: nanos(&config["duplicate_window"]),
        subjects: subjects.map(text).collect(),
        stored: Vec::new(),
    }
}

fn consumer(stream: &str, told: &Value) -> ConsumerSeen {
    let config = &told["config"];
    let most = config["max_ack_pending"].as_u64().and_then(|most| usize::try_from(most).ok());
    ConsumerSeen {
        stream: stream.to_owned(),
        name: text(&told["name"]),
        is_durable: !text(&config["durable_name"]).is_empty(),
        inactive_threshold: nanos(&config["inactive_threshold"]),
        ack_wait: nanos(&config["ack_wait"]),
        is_explicit: config["ack_policy"] == "explicit",
        max_ack_pending: most.filter(|most| *most > 0),
    }
}

/// A message by its number; `None` where it is gone.
async fn stored(
    client: &async_nats::Client,
    stream: &str,
    sequence: u64,
) -> Result<Option<StoredSeen>, async_nats::Error> {
    let asked = json!({ "seq": sequence });
    let told = ask(client, &format!("$JS.API.STREAM.MSG.GET.{stream}"), &asked).await?;
    let message = &told["message"];
    if message.is_null() {
        return Ok(None);
    }
    let bytes = |key: &str| STANDARD.decode(text(&message[key])).unwrap_or_default();
    let headers = String::from_utf8_lossy(&bytes("hdrs")).to_ascii_lowercase();
    let at: Option<Timestamp> = text(&message["time"]).parse().ok();
    let at = at.and_then(|at| u64::try_from(at.as_nanosecond()).ok());
    Ok(Some(StoredSeen {
        sequence,
        subject: text(&message["subject"]),
        has_id: headers.lines().any(|line| line.starts_with("nats-msg-id:")),
        at: Duration::from_nanos(at.unwrap_or_default()),
        body: bytes("data"),
    }))
}

/// All pages of a list.
async fn list(
    client: &async_nats::Client,
    subject: &str,
    key: &str,
) -> Result<Vec<Value>, async_nats::Error> {
    let mut all = Vec::new();
    loop {
        let told = ask(client, subject, &json!({ "offset": all.len() })).await?;
        let page = told[key].as_array().cloned().unwrap_or_default();
        let is_last = page.is_empty();
        all.extend(page);
        if is_last || told["total"].as_u64().is_some_and(|total| all.len() as u64 >= total) {
            return Ok(all);
        }
    }
}

async fn ask(
    client: &async_nats::Client,
    subject: &str,
    asked: &Value,
) -> Result<Value, async_nats::Error> {
    let reply = client.request(subject.to_owned(), asked.to_string().into()).await?;
    Ok(serde_json::from_slice(&reply.payload)?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn nanos(value: &Value) -> Duration {
    Duration::from_nanos(value.as_u64().unwrap_or_default())
}
