//! Questions for the status of payments.

use std::cell::Cell;

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::Deserialize;
use serde_json::json;

use super::payments::{Payments, id};
use super::requests::IN_FLIGHT;
use super::stage::{Stage, end};
use crate::bench::{Asking, BenchError, ECHO, Row, Turn, Turns, Unit, by_request, interleaved};
use crate::modules::payment::{LEDGER, Status, StatusReply};
use crate::wire::subjects::{LEDGER_PREFIX, PAYMENT_STATUS};

/// Submissions that are not acknowledged, where their rate is not measured.
const WINDOW: usize = 500;

fn question(number: usize) -> Bytes {
    format!(r#"{{"payment_id":"{}"}}"#, id(number)).into()
}

/// So many are asked for again and again.
const AGAIN: usize = 100;

fn again(number: usize) -> Bytes {
    question(number % AGAIN)
}

fn is_again(number: usize, answer: &[u8]) -> bool {
    is_completed(number % AGAIN, answer)
}

fn is_completed(number: usize, answer: &[u8]) -> bool {
    let reply = serde_json::from_slice::<StatusReply>(answer);
    reply.is_ok_and(|reply| {
        let amount = reply.amount.as_ref().is_some_and(|amount| amount.0 == "9.99");
        reply.payment_id == id(number) && reply.status == Status::Completed && amount
    })
}

fn message_get(number: usize) -> Bytes {
    json!({ "last_by_subj": format!("{LEDGER_PREFIX}.{}", id(number)) }).to_string().into()
}

fn is_entry(number: usize, answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer {
        message: Stored,
    }
    #[derive(Deserialize)]
    struct Stored {
        subject: String,
    }
    let answer = serde_json::from_slice::<Answer>(answer);
    answer.is_ok_and(|answer| answer.message.subject == format!("{LEDGER_PREFIX}.{}", id(number)))
}

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let peer = stage.peer(&serve.url).await?;
    let (payments, client) = (Payments::of(&serve), serve.connection.client());
    let counts = stage.sizes.requests.map(|count| count.div_ceil(4));
    // Each round asks for others; so does the one that warms up.
    payments.submit(counts.iter().sum::<usize>() * (stage.rounds + 1), WINDOW).await?;
    let get = format!("$JS.API.STREAM.MSG.GET.{LEDGER}");
    let (mut rows, asked) = (Vec::new(), Cell::new(0));
    for (in_flight, count) in IN_FLIGHT.into_iter().zip(counts) {
        let (get, asked) = (get.as_str(), &asked);
        let first = asked.get();
        let ask = move |subject,
                        from: usize,
                        question: fn(usize) -> Bytes,
                        is_right: fn(usize, &[u8]) -> bool| {
            async move {
                let asking = Asking {
                    subject,
                    count,
                    in_flight,
                    body: &|number| question(from + number),
                    is_right: &|number, answer| is_right(from + number, answer),
                };
                by_request(client, asking).await.map(Turn::from)
            }
        };
        let contenders: Vec<Turns<'_>> = vec![
            Box::new(move || {
                let from = asked.replace(asked.get() + count);
                ask(PAYMENT_STATUS, from, question, is_completed).boxed_local()
            }),
            Box::new(move || ask(get, first, message_get, is_entry).boxed_local()),
            Box::new(move || ask(PAYMENT_STATUS, 0, again, is_again).boxed_local()),
            Box::new(move || {
                ask(ECHO, 0, again, |number, answer| again(number) == answer).boxed_local()
            }),
        ];
        let turns = interleaved(stage.rounds, contenders).await?;
        let timed = "from the first question until the last reply";
        let floors = ["JetStream's own message get", "a raw echo"];
        for ((pair, floor), which) in
            turns.chunks(2).zip(floors).zip(["new ids", "ids asked again"])
        {
            let what = format!("{which}, {in_flight} in flight");
            let floor = Some((floor, pair[1].as_slice()));
            rows.extend(Row::new(what, timed, Unit::PerSecond, &pair[0], floor));
        }
    }
    payments.agree().await?;
    end(peer).await;
    serve.stop().await?;
    Ok(rows)
}
