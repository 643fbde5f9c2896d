//! Raw NATS operations of the Rust client, with its errors in the terms that all clients share.

use std::time::Duration;

use async_nats::{
    HeaderMap, HeaderName, HeaderValue,
    client::{PublishErrorKind, RequestErrorKind},
    jetstream::{self, publish::PublishAck, response::Response},
};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::e2e::record::seen;
use crate::mono::{BarrierError, Connection, said_once};
use crate::wire::driver::{Ack, DriverError, ErrorKind, Headers, Message, Outcome};
use crate::wire::headers::{bounded, check};
use crate::wire::subjects::check_publish_subject;
use crate::wire::{Unreadable, readable as readable_headers};

type Raw = Result<Value, DriverError>;

/// An operation's outcome.
pub(in crate::e2e) fn outcome(result: Raw) -> Outcome {
    match result {
        Ok(value) => Outcome::Ok(value),
        Err(error) => Outcome::Err(error),
    }
}

/// Raw request-reply.
pub(in crate::e2e) async fn request(
    connection: &Connection,
    subject: String,
    payload: &str,
    headers: &Headers,
    timeout: Duration,
) -> Raw {
    wire_message(&asked(connection, subject, payload, headers, timeout).await?)
}

async fn asked(
    connection: &Connection,
    subject: String,
    payload: &str,
    headers: &Headers,
    timeout: Duration,
) -> Result<async_nats::Message, DriverError> {
    let request = async_nats::Request::new()
        .payload(checked(&subject, payload)?)
        .headers(header_map(headers)?)
        .timeout(Some(timeout));
    let asked = connection.client().send_request(subject.clone(), request);
    let asked = async { Ok(asked.await) };
    let nobody = format!("no responders: nobody listens on {subject}");
    unless_denied(connection, &subject, asked).await?.map_err(|error| match error.kind() {
        RequestErrorKind::NoResponders => failed(ErrorKind::NoResponders, true, &nobody),
        RequestErrorKind::TimedOut => failed(ErrorKind::Timeout, false, &error),
        RequestErrorKind::MaxPayloadExceeded => failed(ErrorKind::MaxPayload, true, &error),
        RequestErrorKind::InvalidSubject => failed(ErrorKind::BadInput, true, &error),
        _ => failed(ErrorKind::Connection, false, &error),
    })
}

/// Core publish, flushed.
pub(in crate::e2e) async fn publish(
    connection: &Connection,
    subject: String,
    payload: &str,
    headers: &Headers,
    timeout: Duration,
) -> Raw {
    let payload = checked(&subject, payload)?;
    let headers = header_map(headers)?;
    let sending = connection.caller().sending();
    let sent = connection.client().publish_with_headers(subject.clone(), headers, payload);
    let published = async {
        sent.await.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => failed(ErrorKind::MaxPayload, true, &error),
            PublishErrorKind::InvalidSubject => failed(ErrorKind::BadInput, true, &error),
            PublishErrorKind::Send => failed(ErrorKind::Connection, false, &error),
        })?;
        connection.caller().taken(sending, timeout).await.map_err(|error| not_passed(&error))
    };
    unless_denied(connection, &subject, published).await?;
    Ok(json!({}))
}

/// The result of `operation`, or at once that the server denies it its subject.
pub(in crate::e2e) async fn unless_denied<T>(
    connection: &Connection,
    subject: &str,
    operation: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, DriverError> {
    let outcome = connection.unless_denied(&[subject], operation).await;
    outcome.map_err(|denied| failed(ErrorKind::Permissions, denied.definite, &denied))?
}

/// Waits until the server has taken everything that was sent before.
pub(in crate::e2e) async fn flush(
    connection: &Connection,
    timeout: Duration,
) -> Result<(), DriverError> {
    let passed = async {
        loop {
            // A connection that was lost in between swallows the proof: it is asked for again.
            if let Some(passed) = connection.unless_reconnected(connection.barrier(timeout)).await {
                return passed;
            }
        }
    };
    match tokio::time::timeout(timeout, passed).await {
        Ok(passed) => passed.map_err(|error| not_passed(&error)),
        Err(error) => Err(failed(ErrorKind::Timeout, false, &error)),
    }
}

fn not_passed(error: &BarrierError) -> DriverError {
    let kind = match error {
        BarrierError::Late(_) => ErrorKind::Timeout,
        BarrierError::Connection(_) => ErrorKind::Connection,
    };
    failed(kind, false, error)
}

/// JetStream publish with its acknowledgement.
pub(in crate::e2e) async fn submit(
    connection: &Connection,
    subject: String,
    payload: &str,
    headers: &Headers,
    timeout: Duration,
) -> Raw {
    let nobody = format!("no stream stores {subject}, or JetStream is not ready");
    let reply = match asked(connection, subject, payload, headers, timeout).await {
        Err(error) if error.kind == ErrorKind::NoResponders => {
            return Err(failed(ErrorKind::NoStream, true, &nobody));
        }
        other => other?,
    };
    readable(&reply)?;
    match acknowledgement(&reply.payload) {
        Some(Ok(acknowledged)) => Ok(to_value(&acknowledged.ack)),
        // The stream has stored nothing.
        Some(Err(error)) => Err(failed(ErrorKind::Other, true, &error)),
        None => {
            let answer = bounded(&String::from_utf8_lossy(&reply.payload), 100);
            let said = format!("this is no acknowledgement of a stream: {answer}");
            Err(failed(ErrorKind::Other, false, &said))
        }
    }
}

/// What a stream says once it has stored a message.
pub(in crate::e2e) struct Acknowledged {
    pub(in crate::e2e) ack: Ack,
    /// What no stream of this version says: then somebody else may have said it.
    pub(in crate::e2e) others: serde_json::Map<String, Value>,
}

/// Reads what a stream answered to a publish; `None` where it is no answer of a stream.
pub(in crate::e2e) fn acknowledgement(
    body: &[u8],
) -> Option<Result<Acknowledged, jetstream::Error>> {
    match serde_json::from_slice(body).ok()? {
        Response::Err { error } => Some(Err(error)),
        Response::Ok(PublishAck { stream, sequence, .. }) if stream.is_empty() || sequence == 0 => {
            None
        }
        Response::Ok(PublishAck { stream, sequence, duplicate, .. }) => {
            let mut others: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
            for known in ["stream", "seq", "duplicate", "domain"] {
                others.remove(known);
            }
            Some(Ok(Acknowledged { ack: Ack { stream, sequence, duplicate }, others }))
        }
    }
}

/// Publishes to a stream and aborts this process before it reads the answer.
pub(in crate::e2e) async fn publish_and_abort(
    connection: &Connection,
    subject: String,
    payload: &str,
    headers: &Headers,
) -> Raw {
    let payload = checked(&subject, payload)?;
    let headers = header_map(headers)?;
    let client = connection.client();
    let context = jetstream::new(client.clone());
    context
        .publish_with_headers(subject, headers, payload)
        .await
        .map_err(|error| failed(ErrorKind::Other, false, &error))?;
    client.flush().await.map_err(|error| failed(ErrorKind::Connection, false, &error))?;
    std::process::abort()
}

/// A message as the protocol has it, or what could not be read of it.
pub(in crate::e2e) fn wire_message(message: &async_nats::Message) -> Raw {
    readable(message)?;
    Ok(to_value(&Message {
        subject: message.subject.to_string(),
        payload_base64: seen::base64(&message.payload),
        headers: wire_headers(message.headers.as_ref()),
    }))
}

fn readable(message: &async_nats::Message) -> Result<(), DriverError> {
    let Some(what) = Unreadable::of(message.headers.as_ref()) else { return Ok(()) };
    let body = bounded(&String::from_utf8_lossy(&message.payload), 100);
    let said = format!("a message came on {}, and {what}; its body: {body}", message.subject);
    // Of a reply: what was asked has been handled, whatever the answer says.
    Err(failed(ErrorKind::Other, false, &said))
}

/// Headers as the protocol has them; what cannot be read is named under a name that nobody can send.
pub(crate) fn wire_headers(headers: Option<&HeaderMap>) -> Headers {
    let all = headers.into_iter().flat_map(readable_headers).map(|(name, values)| {
        let values = values.iter().map(|value| value.as_str().to_owned()).collect();
        (name.to_owned(), values)
    });
    let unreadable =
        Unreadable::of(headers).map(|what| (":unreadable".to_owned(), vec![what.to_string()]));
    all.chain(unreadable).collect()
}

/// A failure, in the library's own words.
pub(in crate::e2e) fn failed(
    kind: ErrorKind,
    definite: bool,
    error: &dyn std::fmt::Display,
) -> DriverError {
    DriverError { kind, definite, message: said_once(error), code: None }
}

/// Plain data: it always serialises.
pub(in crate::e2e) fn to_value(data: &impl serde::Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_default()
}

fn checked(subject: &str, payload_base64: &str) -> Result<Bytes, DriverError> {
    check_publish_subject(subject).map_err(|error| failed(ErrorKind::BadInput, true, &error))?;
    Ok(seen::from_base64(payload_base64).into())
}

/// `HeaderMap::insert` panics on a line feed: everything is checked and parsed first.
pub(in crate::e2e) fn header_map(headers: &Headers) -> Result<HeaderMap, DriverError> {
    let mut map = HeaderMap::new();
    let bad = |error: &dyn std::fmt::Display| failed(ErrorKind::BadInput, true, error);
    for (name, values) in headers {
        check(name, "").map_err(|error| bad(&error))?;
        let parsed: HeaderName = name.parse().map_err(|error| bad(&error))?;
        for value in values {
            check(name, value).map_err(|error| bad(&error))?;
            let value: HeaderValue = value.parse().map_err(|error| bad(&error))?;
            map.append(parsed.clone(), value);
        }
    }
    Ok(map)
}
