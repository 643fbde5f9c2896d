//! What a reply says: an error in its headers, or the object in its body.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::client_error::ClientError;
use crate::wire::{Unreadable, headers as h};

/// Fails where the headers, or the subject, cannot be read: whether it is an error is unknown.
pub(super) fn readable(subject: &str, reply: &async_nats::Message) -> Result<(), ClientError> {
    Unreadable::of(reply.headers.as_ref()).map_or(Ok(()), |unreadable| {
        Err(ClientError::Unreadable {
            subject: subject.to_owned(),
            what: unreadable.to_string(),
            body: h::bounded(&String::from_utf8_lossy(&reply.payload), 100),
        })
    })
}

/// Reads the object in a reply as the clients in other languages do: a field that nobody reads is
/// held to JSON too, and of a field that comes twice the last one counts. An amount keeps its digits,
/// which a [`Value`] would not.
pub(super) fn read<R: DeserializeOwned>(body: &[u8]) -> serde_json::Result<R> {
    serde_json::from_slice::<Map<String, Value>>(body)?;
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body)?;
    serde_json::from_str(&serde_json::to_string(&fields)?)
}

/// The error that the reply's headers carry, if any; its reason is in the body where they have none.
pub fn service_error(subject: &str, reply: &async_nats::Message) -> Option<ClientError> {
    let headers = reply.headers.as_ref()?;
    let text = |name: &str| headers.get(name).map(|v| v.as_str().to_owned());
    let code = text(h::SERVICE_ERROR_CODE);
    let words = text(h::SERVICE_ERROR);
    if text(h::ERROR).as_deref() != Some("true") && code.is_none() && words.is_none() {
        return None;
    }
    let said = |text: &String| !text.is_empty();
    let reason = text(h::ERROR_MESSAGE).filter(said).or(words.filter(said));
    let in_body = || {
        let body: Value = serde_json::from_slice(&reply.payload).ok()?;
        body.get("error")?.as_str().map(str::to_owned).filter(said)
    };
    let three_digits = |c: &String| c.len() == 3 && c.bytes().all(|b| b.is_ascii_digit());
    Some(ClientError::Service {
        subject: subject.to_owned(),
        code: code.filter(three_digits).and_then(|c| c.parse().ok()).unwrap_or(500),
        message: reason.or_else(in_body).unwrap_or_else(|| "the service gave no reason".to_owned()),
    })
}
