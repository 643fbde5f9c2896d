//! `audit` as a whole process.

use std::time::Instant;

use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::{FutureExt as _, StreamExt as _};

use super::payments::Payments;
use super::stage::{Serve, Stage};
use crate::bench::{BenchError, Row, Turn, Turns, Unit, interleaved};
use crate::modules::payment::LEDGER;

/// Submissions that are not acknowledged.
const WINDOW: usize = 500;

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let payments = Payments::of(&serve);
    let mut rows = Vec::new();
    for size in stage.sizes.audited.iter().copied() {
        payments.submit(size - payments.submitted(), WINDOW).await?;
        let contenders: Vec<Turns<'_>> = vec![
            Box::new(|| audited(stage, &serve).boxed_local()),
            Box::new(|| read(&serve).boxed_local()),
        ];
        let turns = interleaved(stage.rounds, contenders).await?;
        let timed = "from the spawn of `audit` until it has ended";
        let floor = Some(("reading the ledger once", turns[1].as_slice()));
        let what = format!("audit of {size} payments");
        rows.extend(Row::new(what, timed, Unit::Milliseconds, &turns[0], floor));
    }
    payments.agree().await?;
    serve.stop().await?;
    Ok(rows)
}

async fn audited(stage: &Stage<'_>, serve: &Serve) -> Result<Turn, BenchError> {
    let mut command = stage.timed(["--server", &serve.url, "audit", "--journal-dir"]);
    let began = Instant::now();
    let output = command.arg(&serve.journals).output().await;
    let output = output.map_err(|e| BenchError::failed("run `audit`", e))?;
    let took = began.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Ok(Turn::from(took.as_secs_f64() * 1e3)),
        Some(1) => Err(BenchError::Wrong(format!("audit: {text}"))),
        _ => Err(BenchError::failed("run `audit`", format!("{}: {text}", output.status))),
    }
}

/// Every message of the ledger, in order; nothing is done with them.
async fn read(serve: &Serve) -> Result<Turn, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed("read the ledger", e);
    let began = Instant::now();
    let stream = serve.connection.jetstream().get_stream(LEDGER).await.map_err(|e| failed(&e))?;
    let last = stream.cached_info().state.last_sequence;
    let consumer = stream.create_consumer(OrderedConfig::default()).await;
    let mut messages =
        consumer.map_err(|e| failed(&e))?.messages().await.map_err(|e| failed(&e))?;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|e| failed(&e))?;
        if message.info().map_err(|e| failed(&e))?.stream_sequence == last {
            return Ok(Turn::from(began.elapsed().as_secs_f64() * 1e3));
        }
    }
    Err(failed(&"it ended before its last message"))
}
