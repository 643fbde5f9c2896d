//! Payments, until the ledger has them; and as it grows.

use std::cell::Cell;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};

use super::args::Sync;
use super::requests::IN_FLIGHT;
use super::stage::{Serve, Stage};
use crate::bench::{BenchError, Row, Turn, Turns, Unit, interleaved, store_all};
use crate::counted::counted;
use crate::modules::payment::{LEDGER, Outside, audit};
use crate::wire::subjects::{EVENT_PREFIX, PAYMENT_PROCESS};

/// Submissions that are not acknowledged.
const WINDOWS: [usize; 3] = [1, 64, 500];
/// A ledger that does not grow for so long does not grow any more.
const SILENCE: Duration = Duration::from_secs(5);
/// Where the same bodies are stored, and nothing else is done with them.
const FLOOR: &str = "bench-floor";
const FLOOR_SUBJECT: &str = "bench.payments";

/// Payments of one system, numbered from 0.
pub(super) struct Payments<'a> {
    serve: &'a Serve,
    submitted: Cell<usize>,
}

pub(super) fn id(number: usize) -> String {
    format!("bench-{number:08}")
}

pub(super) fn body(number: usize) -> Bytes {
    let id = id(number);
    format!(r#"{{"payment_id":"{id}","user_id":"user-1","subscription_id":"sub-monthly","amount":9.99}}"#)
        .into()
}

impl<'a> Payments<'a> {
    pub(super) fn of(serve: &'a Serve) -> Self {
        Self { serve, submitted: Cell::new(0) }
    }

    pub(super) fn submitted(&self) -> usize {
        self.submitted.get()
    }

    /// Submits, and returns how long it took until the ledger had them all.
    pub(super) async fn submit(&self, count: usize, window: usize) -> Result<Duration, BenchError> {
        let failed = |e: &dyn std::fmt::Display| BenchError::failed("follow the ledger", e);
        let from = self.submitted.replace(self.submitted.get() + count);
        let all = self.submitted.get();
        let connection = &self.serve.connection;
        // One of the last to be written: the ledger itself is asked only after it.
        let subject = format!("{EVENT_PREFIX}.{}", id(all - 1));
        let event = connection.client().subscribe(subject).await;
        let mut event = event.map_err(|e| failed(&e))?;
        connection.barrier(SILENCE).await.map_err(|e| failed(&e))?;
        let began = Instant::now();
        let numbered = |number| body(from + number);
        store_all(&connection.jetstream(), PAYMENT_PROCESS, count, window, &numbered).await?;
        let (mut before, mut grown) = (0, Instant::now());
        let mut told = false;
        loop {
            if !told {
                // An event can be missed: the ledger itself decides.
                told = tokio::time::timeout(SILENCE, event.next()).await.is_ok();
            }
            let there = self.entries().await?;
            if there >= all {
                return Ok(began.elapsed());
            }
            if there > before {
                (before, grown) = (there, Instant::now());
            } else if grown.elapsed() > SILENCE {
                return Err(BenchError::Wrong(format!(
                    "{} acknowledged, the ledger has {there}, and none came for {SILENCE:?}",
                    counted(all as u64, "payment")
                )));
            }
        }
    }

    async fn entries(&self) -> Result<usize, BenchError> {
        let failed = |e: &dyn std::fmt::Display| BenchError::failed("look at the ledger", e);
        let jetstream = self.serve.connection.jetstream();
        let stream = jetstream.get_stream(LEDGER).await.map_err(|e| failed(&e))?;
        Ok(stream.cached_info().state.messages as usize)
    }

    /// Whether ledger, claims, charges and letters agree, and each payment was charged once.
    ///
    /// # Errors
    /// [`BenchError::Wrong`] names what does not.
    pub(super) async fn agree(&self) -> Result<(), BenchError> {
        let outside = Outside::in_folder(&self.serve.journals);
        let found = audit(&self.serve.connection, &outside).await;
        let found = found.map_err(|e| BenchError::failed("audit", e))?;
        let wrong = |problem: String| Err(BenchError::Wrong(problem));
        if let [first, more @ ..] = found.problems.as_slice() {
            return wrong(format!("{first} ({} more)", more.len()));
        }
        let (submitted, charges) = (self.submitted(), found.charges.unwrap_or_default());
        if found.completed != submitted || charges != submitted {
            let submitted = counted(submitted as u64, "payment");
            return wrong(format!(
                "{submitted} acknowledged, {} completed, {charges} charged",
                found.completed
            ));
        }
        Ok(())
    }
}

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let (payments, jetstream) = (Payments::of(&serve), serve.connection.jetstream());
    let config = Config {
        name: FLOOR.to_owned(),
        subjects: vec![FLOOR_SUBJECT.to_owned()],
        ..Config::default()
    };
    let made = jetstream.create_stream(config).await;
    made.map_err(|e| BenchError::failed(format!("make stream `{FLOOR}`"), e))?;
    let (synced, sizes) = match stage.sync {
        Sync::Never => ("", stage.sizes.payments),
        Sync::Always => (", every write synced", stage.sizes.synced_payments),
    };
    let mut rows = Vec::new();
    for (window, count) in WINDOWS.into_iter().zip(sizes) {
        let (payments, jetstream) = (&payments, &jetstream);
        let contenders: Vec<Turns<'_>> = vec![
            Box::new(move || rate(payments, count, window).boxed_local()),
            Box::new(move || {
                async move {
                    let began = Instant::now();
                    store_all(jetstream, FLOOR_SUBJECT, count, window, &body).await?;
                    Ok(Turn::from(count as f64 / began.elapsed().as_secs_f64()))
                }
                .boxed_local()
            }),
        ];
        let turns = interleaved(stage.rounds, contenders).await?;
        let what = format!("{count} payments, window {window}{synced}");
        let timed = "from the first submission until the ledger has the last outcome";
        let floor = Some(("storing the same bodies", turns[1].as_slice()));
        rows.extend(Row::new(what, timed, Unit::PerSecond, &turns[0], floor));
    }
    payments.agree().await?;
    serve.stop().await?;
    Ok(rows)
}

async fn rate(payments: &Payments<'_>, count: usize, window: usize) -> Result<Turn, BenchError> {
    let took = payments.submit(count, window).await?;
    Ok(Turn::from(count as f64 / took.as_secs_f64()))
}

/// The rate as the ledger grows.
pub(super) async fn growth(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let payments = Payments::of(&serve);
    let batch = stage.sizes.grown.first().copied().unwrap_or(1_000) / (stage.rounds + 1).max(2);
    let (mut rows, mut first) = (Vec::new(), Vec::new());
    for grown in stage.sizes.grown.iter().copied() {
        // The last rounds before the ledger is so large are measured.
        let measured = batch * stage.rounds;
        let before = grown.saturating_sub(measured).saturating_sub(payments.submitted());
        if before > 0 {
            payments.submit(before, IN_FLIGHT[1]).await?;
        }
        let mut turns = Vec::new();
        for _ in 0..stage.rounds {
            turns.push(rate(&payments, batch, IN_FLIGHT[1]).await?);
        }
        if first.is_empty() {
            first.clone_from(&turns);
        }
        let what = format!("at {grown} payments");
        let timed = format!(
            "{batch} payments of 64 in flight until the ledger, which then holds {grown}, has them; each round \
             is one after the other"
        );
        let floor = Some(("the rate at the first size", first.as_slice()));
        rows.extend(Row::new(what, timed, Unit::PerSecond, &turns, floor));
    }
    payments.agree().await?;
    serve.stop().await?;
    Ok(rows)
}
