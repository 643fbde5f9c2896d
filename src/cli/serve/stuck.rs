//! Submissions that their consumer gives to no worker any more, and what gives them again.
//!
//! A consumer forgets a message whose deliveries are used up, and never looks back. It does so where
//! somebody else has set `max_deliver` on it, or its place in the stream, if only for a moment.

use async_nats::jetstream::ErrorCode;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::snapshot::{self, Consumer, Look, Snapshot};
use super::stream_config::Config;
use crate::modules::payment::{
    CONSUMER, DEAD_LETTERS, Entry, FAILURES, LEDGER, REQUESTS, became, usable_id,
};
use crate::mono::{Connection, Record, message_name};
use crate::wire::subjects::{DEAD_LETTER_PREFIX, FAILURE_PREFIX, LEDGER_PREFIX, PAYMENT_PROCESS};

/// So many messages are read at most to find one: more than a consumer has in hand.
const MOST: u32 = 5_000;

/// How often what is open is held against what is in hand.
const MOMENTS: u32 = 20;

/// Whether there may be some by this look's numbers. What is settled may still be there too: for a
/// moment, or until a mirror has it. [`is_one`] tells.
pub(super) fn may_be(now: &Snapshot) -> bool {
    let (Some(consumer), Some(requests)) = (now.consumer.seen(), now.stream(REQUESTS)) else {
        return false;
    };
    let waiting = requests.messages.saturating_sub(requests.astray);
    let passed = requests.astray == 0 && requests.first <= consumer.floor;
    // The consumer was asked first. At most so many came since then, however many were settled.
    let known = consumer.delivered_to.saturating_add(consumer.pending);
    let came = requests.last.saturating_sub(known);
    waiting > 0 && (passed || waiting > consumer.waiting().saturating_add(came))
}

/// Whether there is one: a message without an outcome or a dead letter that the consumer has passed for
/// good, or more of them than it has in hand at a moment.
///
/// # Errors
/// The server's words.
pub(super) async fn is_one(connection: &Connection, consumer: &Consumer) -> Result<bool, String> {
    let mut open = Vec::new();
    let mut next = 1;
    for _ in 0..MOST {
        let Some(message) = first_from(next, connection).await? else { break };
        let number = message["message"]["seq"].as_u64().ok_or("a message without its number")?;
        // One more than it has in hand is enough.
        if number > consumer.delivered_to || open.len() as u64 > consumer.in_hand {
            break;
        }
        next = number + 1;
        if is_open(connection, &message["message"]).await? {
            if number <= consumer.floor {
                return Ok(true);
            }
            open.push(message);
        }
    }
    // What is handled now is settled soon, and others are in hand then.
    for _ in 0..MOMENTS {
        if open.is_empty() {
            return Ok(false);
        }
        let Look::There(now) = snapshot::consumer(connection).await else {
            return Err("the consumer does not answer".to_owned());
        };
        // Another one, or from the beginning: then what is open is still to come.
        if now.created != consumer.created || now.delivered_to < consumer.delivered_to {
            return Ok(false);
        }
        let mut still = Vec::new();
        for message in open {
            if is_open(connection, &message["message"]).await? {
                still.push(message);
            }
        }
        // Each of them was open at that moment, too.
        if still.len() as u64 > now.in_hand {
            return Ok(true);
        }
        open = still;
    }
    Ok(false)
}

/// Whether a message became neither an outcome nor a dead letter.
async fn is_open(connection: &Connection, message: &Value) -> Result<bool, String> {
    let data = message["data"].as_str().unwrap_or_default();
    let body = BASE64_STANDARD.decode(data).unwrap_or_default();
    if let Some(id) = usable_id(&body) {
        let outcome = last_on(connection, LEDGER, format!("{LEDGER_PREFIX}.{id}")).await?;
        let Some(outcome) = outcome else { return Ok(true) };
        let entry = serde_json::from_slice::<Entry>(&outcome);
        if entry.is_ok_and(|entry| became(&body, &entry)) {
            return Ok(false);
        }
    }
    // The letter, or the record that it was removed, is named after the message.
    let time = message["time"].as_str().unwrap_or_default();
    let time: Timestamp = time.parse().map_err(|_| format!("a message of `{time}`"))?;
    let sequence = message["seq"].as_u64().ok_or("a message without its number")?;
    let name = message_name(sequence, time.as_nanosecond());
    let letter = last_on(connection, DEAD_LETTERS, format!("{DEAD_LETTER_PREFIX}.{name}")).await?;
    if letter.is_some() {
        return Ok(false);
    }
    let record = last_on(connection, FAILURES, format!("{FAILURE_PREFIX}.{name}")).await?;
    let record = record.and_then(|body| serde_json::from_slice::<Record>(&body).ok());
    Ok(record.is_none_or(|record| record.letter.is_none()))
}

/// The body of the last message of a stream on a subject, if there is one.
async fn last_on(
    connection: &Connection,
    stream: &str,
    subject: String,
) -> Result<Option<Vec<u8>>, String> {
    let asked = json!({ "last_by_subj": subject });
    let found = ask(connection, format!("STREAM.MSG.GET.{stream}"), asked).await?;
    let data = found.map(|found| found["message"]["data"].as_str().unwrap_or_default().to_owned());
    Ok(data.map(|data| BASE64_STANDARD.decode(data).unwrap_or_default()))
}

/// The first message from this number on that workers take.
async fn first_from(number: u64, connection: &Connection) -> Result<Option<Value>, String> {
    let asked = json!({ "seq": number, "next_by_subj": PAYMENT_PROCESS });
    ask(connection, format!("STREAM.MSG.GET.{REQUESTS}"), asked).await
}

/// Has the consumer give everything again that is stored, from the first message on; says from which.
///
/// What is in hand comes twice, which every handler must bear anyway.
///
/// # Errors
/// The server's words.
pub(super) async fn free(connection: &Connection, consumer: &Config) -> Result<u64, String> {
    if consumer.get("max_deliver").and_then(Value::as_i64).is_some_and(|most| most > 0) {
        let mut config = consumer.clone();
        config.insert("max_deliver".to_owned(), json!(-1));
        let wanted = json!({ "stream_name": REQUESTS, "config": config, "action": "update" });
        let subject = format!("CONSUMER.CREATE.{REQUESTS}.{CONSUMER}.{PAYMENT_PROCESS}");
        ask(connection, subject, wanted).await?;
    }
    let found = first_from(1, connection).await?.unwrap_or_default();
    let first = found["message"]["seq"].as_u64().ok_or("no message is left")?;
    let subject = format!("CONSUMER.RESET.{REQUESTS}.{CONSUMER}");
    ask(connection, subject, json!({ "seq": first })).await?;
    Ok(first)
}

/// The answer; nothing where no message is found.
async fn ask(
    connection: &Connection,
    subject: String,
    question: Value,
) -> Result<Option<Value>, String> {
    let answer = connection.jetstream().request(subject.clone(), &question).await;
    let answer: Value = answer.map_err(|e| format!("{subject}: {e}"))?;
    let refused = serde_json::from_value::<async_nats::jetstream::Error>(answer["error"].clone());
    match refused {
        Ok(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        Ok(error) => Err(format!("{subject}: {error}")),
        Err(_) => Ok(Some(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Stream;
    use super::*;

    #[test]
    fn what_the_consumer_has_passed_or_does_not_count_is_stuck() {
        // Messages, the first one's number, the last one's, astray; pending, in hand, delivered up to,
        // ack floor.
        for ((messages, first, last, astray), (pending, in_hand, delivered_to, floor), stuck) in [
            ((3, 5, 7, 0), (2, 1, 5, 4), false),
            ((3, 5, 7, 0), (2, 0, 5, 4), true),
            // One came since the consumer was asked; two, of which one was settled.
            ((3, 5, 7, 0), (1, 1, 5, 4), false),
            ((4, 5, 9, 0), (1, 2, 6, 4), false),
            // One more than all that came and was not settled before.
            ((5, 5, 8, 0), (1, 2, 6, 4), true),
            ((1, 5, 5, 0), (0, 0, 5, 5), true),
            ((1, 5, 5, 1), (0, 0, 5, 5), false),
            ((2, 5, 6, 1), (0, 0, 6, 5), true),
            ((0, 6, 5, 0), (0, 0, 5, 6), false),
        ] {
            let stream = Stream { messages, first, last, astray, ..Stream::default() };
            let consumer =
                Consumer { pending, in_hand, delivered_to, floor, ..Consumer::default() };
            let now = Snapshot {
                consumer: Look::There(consumer),
                streams: [(REQUESTS.to_owned(), Look::There(stream))].into(),
                last_request: 0,
                delivered: 0,
                waiting: 0,
                reconnects: 0,
            };
            assert_eq!(may_be(&now), stuck, "{now:?}");
        }
    }
}
