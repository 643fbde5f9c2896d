//! Several service processes on one broker.

use futures_util::FutureExt as _;
use serde::Deserialize;

use super::payments::Payments;
use super::requests::{is_sum, sum};
use super::stage::{Serve, Stage};
use crate::bench::{Asking, BenchError, Row, Turn, Turns, Unit, by_request, interleaved};
use crate::wire::subjects::MATH_CALCULATE;

/// How many there are.
const PROCESSES: [usize; 3] = [1, 2, 4];
/// Requests in flight, and submissions that are not acknowledged.
const IN_FLIGHT: usize = 64;

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let mut systems = Vec::new();
    for processes in PROCESSES {
        let mut all = vec![stage.serve(&[]).await?];
        for _ in 1..processes {
            let another = stage.join(&all[0]).await?;
            all.push(another);
        }
        systems.push(all);
    }
    let (requests, payments) = (stage.sizes.requests[1], stage.sizes.payments[1]);
    let asking = Asking {
        subject: MATH_CALCULATE,
        count: requests,
        in_flight: IN_FLIGHT,
        body: &sum,
        is_right: &is_sum,
    };
    let mut contenders: Vec<Turns<'_>> = Vec::new();
    for system in &systems {
        let client = system[0].connection.client();
        contenders.push(Box::new(move || {
            by_request(client, asking).map(|took| took.map(Turn::from)).boxed_local()
        }));
    }
    let mut rows = Vec::new();
    let of_requests = interleaved(stage.rounds, contenders).await?;
    for (turns, processes) in of_requests.iter().zip(PROCESSES) {
        let timed = "from the first request to `math` until the last reply, with 64 in flight";
        let floor = Some(("one", of_requests[0].as_slice()));
        rows.extend(Row::new(
            format!("requests, {processes}"),
            timed,
            Unit::PerSecond,
            turns,
            floor,
        ));
    }
    let submitting: Vec<Payments<'_>> =
        systems.iter().map(|system| Payments::of(&system[0])).collect();
    let contenders: Vec<Turns<'_>> = submitting
        .iter()
        .map(|submitting| -> Turns<'_> {
            Box::new(move || {
                async move {
                    let took = submitting.submit(payments, IN_FLIGHT).await?;
                    Ok(Turn::from(payments as f64 / took.as_secs_f64()))
                }
                .boxed_local()
            })
        })
        .collect();
    let of_payments = interleaved(stage.rounds, contenders).await?;
    for (turns, processes) in of_payments.iter().zip(PROCESSES) {
        let timed = "from the first submission until the ledger has the last outcome, window 64";
        let floor = Some(("one", of_payments[0].as_slice()));
        rows.extend(Row::new(
            format!("payments, {processes}"),
            timed,
            Unit::PerSecond,
            turns,
            floor,
        ));
    }
    for (system, processes) in systems.iter().zip(PROCESSES).skip(1) {
        let turn = [Turn::from(uneven(&system[0], processes).await?)];
        let timed = "requests of the busiest process less those of the quietest, of the mean";
        let what = format!("unevenness of requests, {processes}");
        rows.extend(Row::new(what, timed, Unit::Percent, &turn, None));
    }
    for submitting in &submitting {
        submitting.agree().await?;
    }
    drop(submitting);
    for system in systems {
        // Those that joined first: the broker goes with the first one.
        for serve in system.into_iter().rev() {
            serve.stop().await?;
        }
    }
    Ok(rows)
}

/// How unevenly the processes were asked, in percent, by the NATS service API (ADR-32).
async fn uneven(serve: &Serve, processes: usize) -> Result<f64, BenchError> {
    #[derive(Deserialize)]
    struct Stats {
        endpoints: Vec<Endpoint>,
    }
    #[derive(Deserialize)]
    struct Endpoint {
        num_requests: u64,
    }
    let failed = |e: &dyn std::fmt::Display| BenchError::failed("ask `$SRV.STATS.math`", e);
    let client = serve.connection.client();
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|e| failed(&e))?;
    let asked = client.publish_with_reply("$SRV.STATS.math", inbox, "".into()).await;
    asked.map_err(|e| failed(&e))?;
    let mut requests = Vec::new();
    while requests.len() < processes {
        let answer = tokio::time::timeout(
            std::time::Duration::from_secs(5),
            futures_util::StreamExt::next(&mut answers),
        );
        let answer = answer.await.ok().flatten();
        let answer = answer.ok_or_else(|| {
            failed(&format!("{} of {processes} processes answered", requests.len()))
        })?;
        let stats: Stats = serde_json::from_slice(&answer.payload).map_err(|e| failed(&e))?;
        requests.push(stats.endpoints.iter().map(|endpoint| endpoint.num_requests).sum::<u64>());
    }
    let (least, most) = (requests.iter().min(), requests.iter().max());
    let (least, most) = (least.copied().unwrap_or(0), most.copied().unwrap_or(0));
    let mean = requests.iter().sum::<u64>() as f64 / processes as f64;
    Ok((most - least) as f64 / mean * 100.0)
}
