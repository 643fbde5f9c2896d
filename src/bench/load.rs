//! So many requests or messages, some of them in flight; each answer is looked at.
//!
//! Nothing is asked twice: what gets no answer is lost, and counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use async_nats::client::RequestErrorKind;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::{Client, RequestError};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::error::BenchError;
use super::histogram::Histogram;

/// Requests to one subject, numbered from 0.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Where.
    pub subject: &'a str,
    /// How many.
    pub count: usize,
    /// How many of them at most are without an answer at any time.
    pub in_flight: usize,
    /// The body of each.
    pub body: &'a dyn Fn(usize) -> Bytes,
    /// Whether this is the answer to it.
    pub is_right: &'a dyn Fn(usize, &[u8]) -> bool,
}

impl Asking<'_> {
    /// # Errors
    /// [`BenchError::Wrong`], with both texts.
    pub(super) fn check(&self, number: usize, answer: &[u8]) -> Result<(), BenchError> {
        if (self.is_right)(number, answer) {
            return Ok(());
        }
        let asked = (self.body)(number);
        let text = |bytes| crate::wire::headers::bounded(&String::from_utf8_lossy(bytes), 200);
        Err(BenchError::Wrong(format!(
            "wrong answer of `{}`: asked {}, answered {}",
            self.subject,
            text(&asked),
            text(answer)
        )))
    }
}

/// What a load took.
#[derive(Debug, Clone)]
pub struct Took {
    /// From the first request until the last answer.
    pub whole: Duration,
    /// Requests that had an answer.
    pub answered: usize,
    /// Requests that had none.
    pub lost: usize,
    /// From each request until its answer.
    pub each: Histogram,
}

impl Took {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        rate(self.answered, self.whole)
    }
}

/// So many a second.
pub fn rate(count: usize, whole: Duration) -> f64 {
    count as f64 / whole.as_secs_f64()
}

/// Asks with the client library's `request`, which takes a new reply subject for each.
///
/// # Errors
/// [`BenchError`]; a request without an answer is no error.
pub async fn by_request(client: &Client, asking: Asking<'_>) -> Result<Took, BenchError> {
    let began = Instant::now();
    let one = |number: usize| async move {
        let began = Instant::now();
        let answer = client.request(asking.subject.to_owned(), (asking.body)(number)).await;
        (number, answer, began.elapsed())
    };
    let mut answers = stream::iter(0..asking.count).map(one).buffer_unordered(asking.in_flight);
    let (mut each, mut lost) = (Vec::with_capacity(asking.count), 0);
    while let Some((number, answer, took)) = answers.next().await {
        match answer {
            Ok(message) => {
                asking.check(number, &message.payload)?;
                each.push(took);
            }
            Err(error) if error.kind() == RequestErrorKind::TimedOut => lost += 1,
            Err(error) => return Err(not_asked(asking.subject, &error)),
        }
    }
    let whole = began.elapsed();
    Ok(Took { whole, answered: each.len(), lost, each: Histogram::of(each) })
}

fn not_asked(subject: &str, error: &RequestError) -> BenchError {
    BenchError::failed(format!("request `{subject}`"), error)
}

/// Publishes; all is written to the connection when this returns, and the broker may not have it yet.
///
/// # Errors
/// [`BenchError::Failed`].
pub async fn publish_all(
    client: &Client,
    subject: &str,
    count: usize,
    body: &dyn Fn(usize) -> Bytes,
) -> Result<(), BenchError> {
    let failed =
        |e: &dyn std::fmt::Display| BenchError::failed(format!("publish to `{subject}`"), e);
    for number in 0..count {
        client.publish(subject.to_owned(), body(number)).await.map_err(|e| failed(&e))?;
    }
    client.flush().await.map_err(|e| failed(&e))
}

/// Publishes to a stream, with so many messages at most that are not acknowledged; all are when this
/// returns.
///
/// # Errors
/// [`BenchError::Failed`]: one was not stored, or it is not known whether it was.
pub async fn store_all(
    jetstream: &Context,
    subject: &str,
    count: usize,
    window: usize,
    body: &dyn Fn(usize) -> Bytes,
) -> Result<(), BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(format!("store on `{subject}`"), e);
    let mut waiting: VecDeque<PublishAckFuture> = VecDeque::with_capacity(window);
    for number in 0..count {
        if waiting.len() == window
            && let Some(first) = waiting.pop_front()
        {
            first.await.map_err(|e| failed(&e))?;
        }
        let sent = jetstream.publish(subject.to_owned(), body(number)).await;
        waiting.push_back(sent.map_err(|e| failed(&e))?);
    }
    for acknowledgement in waiting {
        acknowledgement.await.map_err(|e| failed(&e))?;
    }
    Ok(())
}
