//! Makes the streams, consumers and buckets that a run has before its services start.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::Harness;
use crate::e2e::scenario::ast::stored::Stored;

/// How long JetStream may take for one of them.
const ANSWER: Duration = Duration::from_secs(10);

/// Makes all of them, in order, by JetStream's own API: the settings are sent as they are, so that a
/// server knows those of its version.
///
/// # Errors
/// Which of them, and the server's words.
pub(in crate::e2e) async fn make(harness: &Harness, all: &[Stored]) -> Result<(), String> {
    for Stored { written, name, config, consumers } in all {
        let subject = format!("$JS.API.STREAM.CREATE.{name}");
        ask(harness, subject, &json!(config)).await.map_err(|why| format!("{written}: {why}"))?;
        for (consumer, config) in consumers {
            let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.{name}.{consumer}");
            let asked = json!({ "stream_name": name, "config": config });
            ask(harness, subject, &asked)
                .await
                .map_err(|why| format!("consumer {consumer} of {written}: {why}"))?;
        }
    }
    Ok(())
}

async fn ask(harness: &Harness, subject: String, asked: &Value) -> Result<(), String> {
    let client = harness.client().await.map_err(|error| error.to_string())?;
    let request = async_nats::Request::new().payload(asked.to_string().into());
    let reply = client.send_request(subject, request.timeout(Some(ANSWER))).await;
    let reply = reply.map_err(|error| error.to_string())?;
    let answer: Value =
        serde_json::from_slice(&reply.payload).map_err(|error| error.to_string())?;
    match answer["error"].as_object() {
        None => Ok(()),
        Some(error) => {
            let words = error.get("description").and_then(Value::as_str).unwrap_or_default();
            Err(format!("JetStream says `{words}`"))
        }
    }
}
