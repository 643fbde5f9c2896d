//! Emails, until a worker has handled them.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;

use super::stage::{Serve, Stage, end};
use crate::bench::{BenchError, COUNT, Row, Turn, Turns, Unit, count_of, interleaved, publish_all};
use crate::modules::journal;
use crate::wire::journal::EmailRecord;
use crate::wire::subjects::EMAIL_SEND;

/// The mailer's journal.
const JOURNAL: &str = "mailer.jsonl";
/// What has not come by then after the last one is lost: core NATS keeps nothing.
const SILENCE: Duration = Duration::from_secs(1);
/// Between two looks at the journal.
const LOOK: Duration = Duration::from_millis(1);

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    for workers in ["1", "3"] {
        let serve = stage.serve(&["--workers", workers]).await?;
        let peer = stage.peer(&serve.url).await?;
        let sent = Cell::new(0);
        let (count, serve_ref, sent_ref) = (stage.sizes.emails, &serve, &sent);
        let contenders: Vec<Turns<'_>> = vec![
            Box::new(|| handled(serve_ref, count, sent_ref).boxed_local()),
            Box::new(|| counted(serve_ref, count).boxed_local()),
        ];
        let turns = interleaved(stage.rounds, contenders).await?;
        each_once(&serve.journals.join(JOURNAL))?;
        let timed = "from the first publish until the mailer's journal has the last email";
        let word = if workers == "1" { "worker" } else { "workers" };
        let floor = Some(("a subscriber that counts", turns[1].as_slice()));
        let what = format!("{count} emails, {workers} {word}");
        rows.extend(Row::new(what, timed, Unit::PerSecond, &turns[0], floor));
        end(peer).await;
        serve.stop().await?;
    }
    Ok(rows)
}

fn email(number: usize) -> Bytes {
    format!(r#"{{"to":"user-{number}@example.com","subject":"Hello","body":"Good morning"}}"#)
        .into()
}

async fn handled(serve: &Serve, count: usize, sent: &Cell<usize>) -> Result<Turn, BenchError> {
    let failed = |e: std::io::Error| BenchError::failed("follow the mailer's journal", e);
    let mut journal = std::fs::File::open(serve.journals.join(JOURNAL)).map_err(failed)?;
    let mut buffer = vec![0; 1 << 16];
    let mut new_lines = || {
        let mut lines = 0;
        loop {
            match journal.read(&mut buffer)? {
                0 => return Ok(lines),
                read => lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
            }
        }
    };
    new_lines().map_err(failed)?;
    let from = sent.replace(sent.get() + count);
    let began = Instant::now();
    let body = |number| email(from + number);
    publish_all(serve.connection.client(), EMAIL_SEND, count, &body).await?;
    let (mut there, mut last) = (0, began.elapsed());
    while there < count {
        match new_lines().map_err(failed)? {
            0 if began.elapsed() - last > SILENCE => break,
            // Another process writes it: there is nothing to wait on but its growing.
            0 => tokio::time::sleep(LOOK).await,
            lines => (there, last) = (there + lines, began.elapsed()),
        }
    }
    let lost = count.saturating_sub(there);
    Ok(Turn { lost, ..Turn::from(there as f64 / last.as_secs_f64()) })
}

async fn counted(serve: &Serve, count: usize) -> Result<Turn, BenchError> {
    let client = serve.connection.client();
    let began = Instant::now();
    publish_all(client, COUNT, count, &email).await?;
    let there = count_of(client).await?;
    let rate = there as f64 / began.elapsed().as_secs_f64();
    Ok(Turn { lost: count.saturating_sub(there), ..Turn::from(rate) })
}

/// # Errors
/// [`BenchError::Wrong`] where an email was handed over twice, or none of ours was.
fn each_once(path: &Path) -> Result<(), BenchError> {
    let contents = journal::read::<EmailRecord>(path);
    let records = contents.map_err(|e| BenchError::failed("read", e))?.records;
    let mut handed_over = HashSet::with_capacity(records.len());
    for record in &records {
        let number = record.to.strip_prefix("user-").and_then(|rest| rest.split('@').next());
        if number.is_none_or(|number| number.parse::<u64>().is_err()) {
            let problem = format!("an email to `{}` was handed over, and not sent", record.to);
            return Err(BenchError::Wrong(problem));
        }
        if !handed_over.insert(&record.to) {
            let problem = format!("the email to `{}` was handed over twice", record.to);
            return Err(BenchError::Wrong(problem));
        }
    }
    Ok(())
}
