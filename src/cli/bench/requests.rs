//! Requests to `math`.

use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::Deserialize;

use super::stage::{Stage, end};
use crate::bench::{
    Asking, BenchError, ECHO, Row, Turn, Turns, Unit, by_request, by_slots, interleaved,
};
use crate::wire::subjects::MATH_CALCULATE;

/// Requests in flight.
pub(super) const IN_FLIGHT: [usize; 3] = [1, 64, 256];

/// A sum, another one for each number.
pub(super) fn sum(number: usize) -> Bytes {
    format!(r#"{{"operation":"add","a":{number},"b":1}}"#).into()
}

/// Whether this is the reply.
pub(super) fn is_sum(number: usize, answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Reply {
        result: f64,
    }
    let reply = serde_json::from_slice::<Reply>(answer);
    reply.is_ok_and(|reply| reply.result == number as f64 + 1.0)
}

fn is_echo(number: usize, answer: &[u8]) -> bool {
    sum(number) == answer
}

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let peer = stage.peer(&serve.url).await?;
    let client = serve.connection.client();
    let math =
        Asking { subject: MATH_CALCULATE, count: 0, in_flight: 1, body: &sum, is_right: &is_sum };
    let echo = Asking { subject: ECHO, is_right: &is_echo, ..math };
    let mut rows = Vec::new();
    for (in_flight, count) in IN_FLIGHT.into_iter().zip(stage.sizes.requests) {
        let [math, echo] = [math, echo].map(|asking| Asking { count, in_flight, ..asking });
        let mut contenders: Vec<Turns<'_>> = vec![
            Box::new(move || by_request(client, math).map(|t| t.map(Turn::from)).boxed_local()),
            Box::new(move || by_request(client, echo).map(|t| t.map(Turn::from)).boxed_local()),
        ];
        if in_flight > 1 {
            contenders.push(Box::new(move || {
                by_slots(client, math).map(|t| t.map(Turn::from)).boxed_local()
            }));
            contenders.push(Box::new(move || {
                by_slots(client, echo).map(|t| t.map(Turn::from)).boxed_local()
            }));
        }
        let turns = interleaved(stage.rounds, contenders).await?;
        for (pair, how) in turns.chunks(2).zip(["request", "reply slots"]) {
            let timed = "from the first request to `math` until the last reply";
            let what = format!("by {how}, {in_flight} in flight");
            let floor = Some(("a raw echo", pair[1].as_slice()));
            rows.extend(Row::new(what, timed, Unit::PerSecond, &pair[0], floor));
        }
    }
    end(peer).await;
    serve.stop().await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sum_is_no_answer() {
        assert!(is_sum(4, br#"{"result":5,"operation":"add"}"#));
        for wrong in [r#"{"result":6}"#, r#"{"error":"no"}"#, ""] {
            assert!(!is_sum(4, wrong.as_bytes()), "{wrong}");
        }
        assert!(is_echo(4, &sum(4)) && !is_echo(4, &sum(5)));
    }
}
