//! Knows that a trace has everything that has happened so far.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

use bytes::Bytes;

use crate::e2e::run::stage::brokers::{Access, Brokers};
use crate::e2e::run::stage::harness::Harness;

/// How soon the file is read again, which another task writes.
const AGAIN: Duration = Duration::from_millis(5);

/// How long the end of the trace may be on its way to its file.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Waits until the trace has everything that was sent before, of each server.
///
/// # Errors
/// Why that is not known, in words.
pub(in crate::e2e) async fn until_all_is_traced(
    harness: &Harness,
    brokers: &Brokers,
) -> Result<(), String> {
    let late = |_| format!("the broker's trace is not complete after {LAST_LINES:?}");
    tokio::time::timeout(LAST_LINES, last_lines(harness, brokers)).await.map_err(late)?
}

/// Waits until each server's log file has what a connection to it has just done: what was before, it
/// has too. Patience is the caller's.
///
/// # Errors
/// Why a server cannot be asked, in words.
pub(in crate::e2e) async fn last_lines(harness: &Harness, brokers: &Brokers) -> Result<(), String> {
    let harness = harness.access();
    let all = harness.url.split(',').zip(brokers.log_paths()).map(|(url, path)| {
        let access = Access { url: url.to_owned(), ..harness.clone() };
        async move {
            let begin = std::fs::metadata(path).map_or(0, |found| found.len());
            let mark = format!("_E2E.trace.{}", nuid::next());
            let said = said(&access, &mark).await;
            said.map_err(|error| format!("cannot ask {url} for the end of its trace: {error}"))?;
            while !has(path, begin, &mark) {
                tokio::time::sleep(AGAIN).await;
            }
            Ok(())
        }
    });
    futures_util::future::try_join_all(all).await.map(drop)
}

async fn said(access: &Access, mark: &str) -> Result<(), async_nats::Error> {
    let client = access.connect().await?;
    client.publish(mark.to_owned(), Bytes::new()).await?;
    client.flush().await?;
    Ok(())
}

fn has(path: &Path, begin: u64, mark: &str) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(begin))?;
        file.read_to_end(&mut bytes)
    });
    read.is_ok() && bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
}
