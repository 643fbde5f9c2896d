//! Queue group: each message to exactly one worker, no reply promised.

use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;

use super::caller::Caller;
use super::dead_letter::cut_to_fit;
use super::dispatch::{Excess, dispatch};
use super::error::ServiceError;
use super::intake::until_drained;
use super::module::{Handler, Registration, error_headers, handled};
use super::shutdown::Shutdown;
use crate::wire::Unreadable;
use crate::wire::headers::{self as h, ServiceErrorCode};

/// One worker of a queue group; returns after the drain.
pub(crate) async fn work(
    caller: Caller,
    subscriber: Subscriber,
    registration: Arc<Registration>,
    handler: Handler,
    rejected: Option<String>,
    worker: Arc<str>,
    shutdown: Shutdown,
) {
    let (client, registration) = (caller.client(), &registration);
    let (handler, rejected, worker, wait) = (&handler, rejected.as_deref(), &worker, &shutdown);
    dispatch(
        until_drained(subscriber, caller.clone(), shutdown.clone()),
        registration.concurrency,
        Excess::Refuse { backlog: registration.backlog },
        |message| handle(client, registration, handler, rejected, worker, wait, message),
        |message| {
            let error = ServiceError::unavailable("overloaded: too many messages in hand");
            failed(client, registration, rejected, message, error, Instant::now())
        },
    )
    .await;
}

async fn handle(
    client: &Client,
    registration: &Registration,
    handler: &Handler,
    rejected: Option<&str>,
    worker: &Arc<str>,
    shutdown: &Shutdown,
    message: Message,
) {
    let started = Instant::now();
    if let Some(inbox) = &message.reply {
        // The empty acknowledgement says "taken", not "done".
        if let Err(error) = client.publish(inbox.clone(), Bytes::new()).await {
            tracing::warn!(subject = %message.subject, %error, "an acknowledgement could not be sent");
        }
    }
    let result = handled("message", handler, &message, worker, shutdown).await;
    match result {
        Ok(_) => registration.stats.handled(started.elapsed()),
        Err(error) => failed(client, registration, rejected, message, error, started).await,
    }
}

/// Logs, counts and, where a subject is named for it, publishes what was not accepted.
async fn failed(
    client: &Client,
    registration: &Registration,
    rejected: Option<&str>,
    message: Message,
    error: ServiceError,
    started: Instant,
) {
    registration.stats.failed(started.elapsed(), &error.message);
    match error.code {
        ServiceErrorCode::BadRequest => {
            tracing::info!(subject = %message.subject, reason = %error.message, "message rejected");
        }
        _ => {
            tracing::warn!(subject = %message.subject, error = %error.message, "message not handled")
        }
    }
    let Some(subject) = rejected else { return };
    let (mut headers, mut body) = (error_headers(&error), message.payload);
    let unreadable = Unreadable::of(message.headers.as_ref());
    if let Some(block) = unreadable.as_ref().and_then(Unreadable::headers_base64) {
        headers.insert(h::RAW_HEADERS, block);
    }
    cut_to_fit(&mut headers, &mut body, client.max_payload());
    let sent = client.publish_with_headers(subject.to_owned(), headers, body).await;
    if let Err(error) = sent {
        tracing::warn!(subject, %error, "a rejected message could not be published");
    }
}
