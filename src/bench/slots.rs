//! Requests by reply subjects that are used again: the broker finds a subject that it knows in its
//! cache, and a new one for each request it does not.

use std::time::{Duration, Instant};

use async_nats::Client;
use futures_util::StreamExt as _;

use super::error::BenchError;
use super::histogram::Histogram;
use super::load::{Asking, Took};

/// How long an answer may take. What comes later could be taken for the next answer on its subject, so
/// nothing is asked any more.
const LATE: Duration = Duration::from_secs(10);

/// Asks with one subscription, and a reply subject for each request that is in flight.
///
/// # Errors
/// [`BenchError`]; an answer that comes twice is the wrong answer to the next request on its subject.
pub async fn by_slots(client: &Client, asking: Asking<'_>) -> Result<Took, BenchError> {
    let Asking { subject, count, in_flight, body, .. } = asking;
    let failed = |e: &dyn std::fmt::Display| BenchError::failed(format!("request `{subject}`"), e);
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(format!("{inbox}.*")).await.map_err(|e| failed(&e))?;
    let reply_subjects: Vec<async_nats::Subject> =
        (0..in_flight).map(|slot| format!("{inbox}.{slot}").into()).collect();
    let ask = |slot: usize, number: usize| {
        let reply = reply_subjects[slot].clone();
        client.publish_with_reply(subject.to_owned(), reply, body(number))
    };
    let began = Instant::now();
    let mut asked: Vec<(usize, Instant)> = Vec::with_capacity(in_flight);
    for slot in 0..in_flight.min(count) {
        asked.push((slot, Instant::now()));
        ask(slot, slot).await.map_err(|e| failed(&e))?;
    }
    let mut next = asked.len();
    let mut each = Vec::with_capacity(count);
    let mut whole = began.elapsed();
    while each.len() < count {
        let Ok(reply) = tokio::time::timeout(LATE, replies.next()).await else { break };
        let reply = reply.ok_or_else(|| failed(&"the connection was closed"))?;
        let slot = reply.subject.rsplit('.').next().and_then(|slot| slot.parse::<usize>().ok());
        let slot = slot.filter(|slot| *slot < asked.len());
        let slot = slot.ok_or_else(|| failed(&format!("a reply on `{}`", reply.subject)))?;
        if reply.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            return Err(failed(&"no responders"));
        }
        let (number, at) = asked[slot];
        asking.check(number, &reply.payload)?;
        each.push(at.elapsed());
        whole = began.elapsed();
        if next < count {
            asked[slot] = (next, Instant::now());
            ask(slot, next).await.map_err(|e| failed(&e))?;
            next += 1;
        }
    }
    let (answered, lost) = (each.len(), count - each.len());
    Ok(Took { whole, answered, lost, each: Histogram::of(each) })
}
