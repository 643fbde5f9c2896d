//! The typed client of the payment service.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::Instant;

use super::amount::Exact;
use super::id::PaymentId;
use super::service::Payment;
use super::types::{StatusReply, StatusRequest};
use crate::modules::client_error::ClientError;
use crate::modules::request::{denied, encode, publish_acknowledged, request};
use crate::mono::{BarrierError, Caller};
use crate::wire::driver::Ack;
use crate::wire::headers::{EXPECTED_STREAM, MSG_ID};
use crate::wire::subjects::{EVENT_PREFIX, PAYMENT_PROCESS, PAYMENT_STATUS};

/// What to pay.
#[derive(Debug, Clone, Default)]
pub struct Submission<'a> {
    /// 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub payment_id: &'a str,
    /// Decimal text, as `9.99`; goes out as a JSON number with exactly these digits.
    pub amount: &'a str,
    /// ISO 4217; left out means USD.
    pub currency: Option<&'a str>,
    /// Whose.
    pub user_id: Option<&'a str>,
    /// For what.
    pub subscription_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Body<'a> {
    payment_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a str>,
    amount: Exact,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
}

/// Submits payments and asks for their status.
#[derive(Debug, Clone)]
pub struct PaymentClient {
    caller: Caller,
    timeout: Duration,
}

impl PaymentClient {
    /// A client whose requests each take at most `timeout`.
    pub fn new(caller: impl Into<Caller>, timeout: Duration) -> Self {
        Self { caller: caller.into(), timeout }
    }

    /// Submits a payment with its id as message id, and waits for the stream's acknowledgement:
    /// from then on it is neither lost nor charged twice.
    ///
    /// `duplicate` says that a message with this id came shortly before. Whose it was, and what it
    /// said, nothing tells: anybody may put this id on another payment. So this one is then stored
    /// without the message id, which cannot charge it twice; `sequence` is that of the other one.
    ///
    /// # Errors
    /// [`ClientError::BadInput`] names the field, before anything is sent. After
    /// [`ClientError::Timeout`] it is unknown whether it was accepted: submit the same id again.
    pub async fn submit(&self, submission: &Submission<'_>) -> Result<Ack, ClientError> {
        let s = submission;
        let currency = s.currency.unwrap_or("USD");
        Payment::new(s.payment_id, s.amount, currency, s.user_id, s.subscription_id)
            .map_err(ClientError::BadInput)?;
        let body = encode(&Body {
            payment_id: s.payment_id,
            user_id: s.user_id,
            subscription_id: s.subscription_id,
            amount: Exact(s.amount.to_owned()),
            currency: s.currency,
        })?;
        let deadline = after(self.timeout);
        // What another stream stores no worker takes.
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_STREAM, super::REQUESTS);
        let again = headers.clone();
        headers.insert(MSG_ID, s.payment_id);
        let ack = self.publish(headers, body.clone(), self.timeout).await?;
        if ack.duplicate {
            let left = deadline.saturating_duration_since(Instant::now());
            self.publish(again, body, left).await?;
        }
        Ok(ack)
    }

    async fn publish(
        &self,
        headers: HeaderMap,
        body: Bytes,
        limit: Duration,
    ) -> Result<Ack, ClientError> {
        publish_acknowledged(&self.caller, PAYMENT_PROCESS, headers, body, limit).await
    }

    /// Asks `services.payment.status`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self, payment_id: &str) -> Result<StatusReply, ClientError> {
        PaymentId::new(payment_id).map_err(ClientError::BadInput)?;
        let body = StatusRequest { payment_id: payment_id.to_owned() };
        let reply: StatusReply = request(&self.caller, PAYMENT_STATUS, &body, self.timeout).await?;
        if reply.payment_id != payment_id {
            return Err(ClientError::Other {
                operation: format!("ask for the status of payment `{payment_id}`"),
                evidence: "the answer is about another payment".to_owned(),
            });
        }
        if reply.amount.as_ref().is_some_and(|amount| !is_number(&amount.0)) {
            return Err(ClientError::Other {
                operation: format!("ask for the status of payment `{payment_id}`"),
                evidence: "its amount is no number".to_owned(),
            });
        }
        Ok(reply)
    }

    /// Waits until the status is `completed` or `failed`, at most `limit`.
    ///
    /// Watches the ledger's events and asks at each one; an event can be missed while the
    /// connection is made anew, so it also asks once a second.
    ///
    /// # Errors
    /// [`ClientError::Timeout`] with the last status seen, or the error that kept coming; at once
    /// what a restart does not mend: see [`ClientError::is_passing`].
    pub async fn wait(
        &self,
        payment_id: &str,
        limit: Duration,
    ) -> Result<StatusReply, ClientError> {
        let id = PaymentId::new(payment_id).map_err(ClientError::BadInput)?;
        let deadline = after(limit);
        let operation = format!("wait for the final status of payment `{id}`");
        let other =
            |evidence: String| ClientError::Connection { operation: operation.clone(), evidence };
        let subject = format!("{EVENT_PREFIX}.{id}");
        let watched = async {
            let events = self.caller.client().subscribe(subject.clone()).await;
            let events = events.map_err(|e| other(e.to_string()))?;
            self.caller.barrier(limit).await.map_err(|e| match e {
                BarrierError::Late(_) => {
                    ClientError::Timeout { operation: operation.clone(), limit }
                }
                BarrierError::Connection(evidence) => other(evidence),
            })?;
            Ok(events)
        };
        let watched = self.caller.unless_denied(&[&subject], watched).await;
        let mut events = watched.map_err(|e| denied(&operation, e))??;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let asked = Self { timeout: self.timeout.min(left), ..self.clone() };
            let last = match asked.status(payment_id).await {
                Ok(reply) if reply.status.is_final() => return Ok(reply),
                Ok(reply) => format!("the status is {}", reply.status.as_str()),
                // Services may be restarting; the deadline decides.
                Err(e) if e.is_passing() => e.to_string(),
                Err(e) => return Err(e),
            };
            tokio::select! {
                _ = events.next() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                () = tokio::time::sleep_until(deadline) => {
                    let operation = format!("{operation}: {last}");
                    return Err(ClientError::Timeout { operation, limit });
                }
            }
        }
    }
}

/// A limit may be longer than the clock can hold.
fn after(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(1 << 30))
}

/// A JSON number, or one between quotes and without blanks.
fn is_number(token: &str) -> bool {
    let token = token.trim_matches('"');
    token.trim() == token && serde_json::from_str::<f64>(token).is_ok()
}
