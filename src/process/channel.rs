//! Our end of the channel to a reaper: its first word, its answers, and what to do if it falls silent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::ChildStderr;
use tokio::sync::{oneshot, watch};

use super::attendant::Attendant;
use super::clean::clean;
use super::control::{Report, Request};
use super::status::ExitStatus;

/// The waiting callers, by the number of their request.
pub(super) type Answers = Arc<Mutex<HashMap<u64, oneshot::Sender<Report>>>>;

pub(super) type FirstReport = (BufReader<OwnedReadHalf>, OwnedWriteHalf, Report);

/// Waits for the reaper to connect and to say whether the program runs; else says what it did.
pub(super) async fn first_report(
    listener: &UnixListener,
    reaper: &Attendant,
    stderr: &mut Option<ChildStderr>,
) -> Result<FirstReport, String> {
    let stream: UnixStream = tokio::select! {
        accepted = listener.accept() => {
            accepted.map_err(|e| format!("could not be heard: {e}"))?.0
        }
        status = reaper.ended() => return Err(ended(status, stderr).await),
    };
    let (read, write) = stream.into_split();
    let mut reports = BufReader::new(read);
    let mut line = String::new();
    let read = reports.read_line(&mut line).await;
    if read.map_err(|e| format!("could not be heard: {e}"))? == 0 {
        return Err(ended(reaper.ended().await, stderr).await);
    }
    let report = line.parse().map_err(|()| format!("said `{}` first", clean(&line)))?;
    Ok((reports, write, report))
}

/// How the reaper ended without a first word.
async fn ended(
    status: Option<std::process::ExitStatus>,
    stderr: &mut Option<ChildStderr>,
) -> String {
    let mut said = String::new();
    if let Some(stderr) = stderr {
        let _ = stderr.take(2000).read_to_string(&mut said).await;
    }
    let ended = status.map_or("nobody knows how".to_owned(), |status| status.to_string());
    format!("ended at once ({ended}); it said `{}`", clean(&said))
}

/// Tells the reaper to leave the folders in place.
pub(super) async fn release(mut requests: OwnedWriteHalf) {
    // If it cannot be written, the reaper is gone already.
    let _ = requests.write_all(Request::Release.to_string().as_bytes()).await;
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads the reaper's messages to the end: answers to signals, and how the child ended.
pub(super) async fn hear(
    mut reports: BufReader<OwnedReadHalf>,
    answers: Answers,
    status: watch::Sender<Option<ExitStatus>>,
) {
    let mut line = String::new();
    while matches!(reports.read_line(&mut line).await, Ok(n) if n > 0) {
        match line.parse() {
            Ok(Report::Exited(exited)) => {
                status.send_replace(Some(exited));
            }
            Ok(
                report @ (Report::Delivered { id }
                | Report::Gone { id }
                | Report::Refused { id, .. }),
            ) => {
                if let Some(answer) = lock(&answers).remove(&id) {
                    let _ = answer.send(report);
                }
            }
            Ok(Report::Started { .. } | Report::NotStarted { .. } | Report::Locked) | Err(()) => {}
        }
        line.clear();
    }
    if status.borrow().is_none() {
        status.send_replace(Some(ExitStatus::Lost));
    }
    lock(&answers).clear();
}
