//! Submissions that their consumer gives to no worker any more, and what gives them again.
//!
//! A consumer forgets a message whose deliveries are used up, and never looks back. It does so where
//! somebody else has set `max_deliver` on it, or its place in the stream, if only for a moment.

use async_nats::jetstream::ErrorCode;
use serde_json::{Value, json};

use super::snapshot::Snapshot;
use super::stream_config::Config;
use crate::modules::payment::{CONSUMER, REQUESTS};
use crate::mono::Connection;
use crate::wire::subjects::PAYMENT_PROCESS;

/// Whether some are there at this look. What was settled just now may still be there too: only what
/// two looks show is stuck.
pub(super) fn some_are(now: &Snapshot) -> bool {
    let (Some(consumer), Some(requests)) = (now.consumer.seen(), now.stream(REQUESTS)) else {
        return false;
    };
    let waiting = requests.messages.saturating_sub(requests.astray);
    let passed = requests.astray == 0 && requests.first <= consumer.floor;
    let given = consumer.pending.saturating_add(consumer.in_hand);
    waiting > 0 && (passed || now.still && waiting > given)
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
    let first = json!({ "seq": 1, "next_by_subj": PAYMENT_PROCESS });
    let found = ask(connection, format!("STREAM.MSG.GET.{REQUESTS}"), first).await?;
    let first = found["message"]["seq"].as_u64().ok_or("no number of the first message")?;
    let subject = format!("CONSUMER.RESET.{REQUESTS}.{CONSUMER}");
    ask(connection, subject, json!({ "seq": first })).await?;
    Ok(first)
}

async fn ask(connection: &Connection, subject: String, question: Value) -> Result<Value, String> {
    let answer = connection.jetstream().request(subject.clone(), &question).await;
    let answer: Value = answer.map_err(|e| format!("{subject}: {e}"))?;
    let refused = serde_json::from_value::<async_nats::jetstream::Error>(answer["error"].clone());
    match refused {
        // Somebody has settled the last one meanwhile.
        Ok(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
            Err("no message is left".to_owned())
        }
        Ok(error) => Err(format!("{subject}: {error}")),
        Err(_) => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Consumer, Look, Stream};
    use super::*;

    #[test]
    fn what_the_consumer_has_passed_or_does_not_count_is_stuck() {
        // Messages, the first one's number, astray; pending, in hand, ack floor; nothing moves.
        for ((messages, first, astray), (pending, in_hand, floor), still, stuck) in [
            ((3, 5, 0), (2, 1, 4), true, false),
            ((3, 5, 0), (2, 0, 4), true, true),
            ((3, 5, 0), (2, 0, 4), false, false),
            ((1, 5, 0), (0, 0, 5), false, true),
            ((1, 5, 1), (0, 0, 5), true, false),
            ((2, 5, 1), (0, 0, 5), true, true),
            ((0, 6, 0), (0, 0, 6), true, false),
        ] {
            let stream = Stream { messages, first, astray, ..Stream::default() };
            let consumer = Consumer { pending, in_hand, floor, ..Consumer::default() };
            let now = Snapshot {
                consumer: Look::There(consumer),
                streams: [(REQUESTS.to_owned(), Look::There(stream))].into(),
                last_request: 0,
                delivered: 0,
                still,
                reconnects: 0,
            };
            assert_eq!(some_are(&now), stuck, "{now:?}");
        }
    }
}
