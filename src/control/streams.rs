//! Makes streams and buckets.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, kv, response::Response};
use serde_json::{Map, Value};

use super::refused::{bad_input, failed};
use super::world::World;
use crate::wire::control::ControlError;

/// What the server answers.
pub(super) async fn create(
    world: &Arc<World>,
    of: &str,
    config: Map<String, Value>,
) -> Result<Value, ControlError> {
    let context = jetstream::new(world.find(of)?.address()?.connect().await?);
    let name = match config.get("name").and_then(Value::as_str) {
        Some(name) if is_a_token(name) => name.to_owned(),
        Some(name) => {
            let why = "a stream's name has no blank, `.`, `*`, `>` or slash";
            return Err(bad_input(format!("config.name: {why}, and this is {name:?}")));
        }
        None => return Err(bad_input("config.name: it is missing, or no text")),
    };
    let answer = context.request(format!("STREAM.CREATE.{name}"), &config).await;
    match answer.map_err(|error| failed(format!("ask JetStream: {error}")))? {
        Response::Ok(answer) => Ok(answer),
        Response::Err { error } => Err(failed(format!("nats-server refuses it: {error}"))),
    }
}

fn is_a_token(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || ".*>/\\".contains(c))
}

pub(super) async fn create_bucket(
    world: &Arc<World>,
    of: &str,
    bucket: String,
    history: Option<u8>,
    ttl_ms: Option<u64>,
    replicas: Option<usize>,
) -> Result<(), ControlError> {
    let context = jetstream::new(world.find(of)?.address()?.connect().await?);
    let config = kv::Config {
        bucket,
        history: i64::from(history.unwrap_or(1)),
        max_age: Duration::from_millis(ttl_ms.unwrap_or(0)),
        num_replicas: replicas.unwrap_or(1),
        ..kv::Config::default()
    };
    let made = context.create_key_value(config).await;
    made.map(drop).map_err(|error| failed(format!("nats-server refuses it: {error}")))
}
