//! Request-reply: each request is answered, whatever happens to it.

use std::sync::Arc;
use std::time::Instant;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;

use super::caller::Caller;
use super::dispatch::{Excess, dispatch};
use super::error::ServiceError;
use super::intake::until_drained;
use super::module::{Handler, Registration, error_headers, handled};
use super::shutdown::Shutdown;
use super::stats::Stats;

/// One worker of a request-reply service; returns after the drain.
pub(crate) async fn work(
    caller: Caller,
    subscriber: Subscriber,
    registration: Arc<Registration>,
    handler: Handler,
    worker: Arc<str>,
    shutdown: Shutdown,
) {
    let (client, stats) = (caller.client(), &registration.stats);
    let (handler, worker, wait) = (&handler, &worker, &shutdown);
    dispatch(
        until_drained(subscriber, caller.clone(), shutdown.clone()),
        registration.concurrency,
        Excess::Refuse { backlog: registration.backlog },
        |message| answer(client, stats, handler, worker, wait, message),
        |message| {
            let error =
                ServiceError::unavailable("overloaded: too many requests in hand, try again");
            stats.failed(std::time::Duration::ZERO, &error.message);
            reply(client, message, Err(error))
        },
    )
    .await;
}

async fn answer(
    client: &Client,
    stats: &Stats,
    handler: &Handler,
    worker: &Arc<str>,
    shutdown: &Shutdown,
    message: Message,
) {
    let started = Instant::now();
    let result = handled("request", handler, &message, worker, shutdown).await;
    match &result {
        Ok(_) => stats.handled(started.elapsed()),
        Err(error) => {
            tracing::debug!(subject = %message.subject, code = error.code.number(), error = %error.message, "request failed");
            stats.failed(started.elapsed(), &error.message);
        }
    }
    reply(client, message, result).await;
}

async fn reply(client: &Client, message: Message, result: Result<Bytes, ServiceError>) {
    let Some(inbox) = message.reply else { return };
    let sent = match result {
        Ok(body) => match client.publish(inbox.clone(), body).await {
            // Larger than the server allows: the requester still gets an answer.
            Err(e) if e.kind() == async_nats::PublishErrorKind::MaxPayloadExceeded => {
                send_error(
                    client,
                    inbox,
                    &ServiceError::internal("the reply is larger than the server's max_payload"),
                )
                .await
            }
            other => other,
        },
        Err(error) => send_error(client, inbox, &error).await,
    };
    if let Err(error) = sent {
        tracing::warn!(subject = %message.subject, %error, "a reply could not be sent");
    }
}

async fn send_error(
    client: &Client,
    inbox: async_nats::Subject,
    error: &ServiceError,
) -> Result<(), async_nats::PublishError> {
    let body = serde_json::json!({ "error": error.message }).to_string();
    client.publish_with_headers(inbox, error_headers(error), body.into()).await
}
