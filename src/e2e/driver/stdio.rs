//! Serves a driver on a pair of streams: what `mono-demo driver rust` does on stdin and stdout.

use std::{fmt::Display, io, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::JoinSet,
};

use crate::e2e::driver::{Driver, raw};
use crate::{
    mono::panic_text,
    wire::driver::{ErrorKind, OPERATIONS, Op, Outcome, Reply},
};

/// Answers commands until the input ends, then drains.
///
/// Commands are done side by side; replies come in the order in which they are ready. A panic is a
/// reply too.
///
/// # Errors
/// A line without an id to answer to, a fault of the driver, or a stream that broke: also the output,
/// at once, since nobody would hear an answer any more.
pub async fn serve_stdio(
    driver: Arc<dyn Driver>,
    input: impl AsyncRead + Unpin + Send,
    mut output: impl AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let (replies, mut outgoing) = mpsc::unbounded_channel::<Reply>();
    let mut writer = tokio::spawn(async move {
        while let Some(reply) = outgoing.recv().await {
            let mut line = serde_json::to_vec(&reply)?;
            line.push(b'\n');
            output.write_all(&line).await?;
            output.flush().await?;
        }
        io::Result::Ok(())
    });
    let mut lines = BufReader::new(input).lines();
    let mut under_way = JoinSet::new();
    // What is in hand is answered also where the input ends with a line that is no command.
    let ended = loop {
        let line = tokio::select! {
            line = lines.next_line() => line,
            broken = &mut writer => {
                broken.map_err(io::Error::other)??;
                return Err(io::Error::other("the output ended"));
            }
        };
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        if line.trim().is_empty() {
            continue;
        }
        let (id, op) = match read(&line) {
            Err(error) => break Err(error),
            Ok((id, Ok(op))) => (id, op),
            Ok((id, Err(outcome))) => {
                // A reader that has gone does not want the reply.
                let _ = replies.send(Reply { id, outcome });
                continue;
            }
        };
        let (driver, replies) = (driver.clone(), replies.clone());
        under_way.spawn(async move {
            let performed = AssertUnwindSafe(async { driver.perform(op).await }).catch_unwind();
            let failed = |why: &dyn Display| raw::failed(ErrorKind::Other, false, why);
            let outcome = match performed.await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(fault)) => Outcome::Err(failed(&fault)),
                Err(panic) => {
                    let why = format!("the driver panicked: {}", panic_text(&*panic));
                    Outcome::Err(failed(&why))
                }
            };
            let _ = replies.send(Reply { id, outcome });
        });
        // So that a long conversation does not keep every task that has ended.
        while under_way.try_join_next().is_some() {}
    };
    while under_way.join_next().await.is_some() {}
    drop(replies);
    writer.await.map_err(io::Error::other)??;
    driver.close().await.map_err(io::Error::other)?;
    ended
}

/// A command's id, and what to do; or the answer to a command that cannot be done.
fn read(line: &str) -> io::Result<(u64, Result<Op, Outcome>)> {
    let no_command = |why: &dyn std::fmt::Display| {
        io::Error::other(format!("a line that is no command ({why}): {line:?}"))
    };
    let command: Value = serde_json::from_str(line).map_err(|error| no_command(&error))?;
    let id = command["id"].as_u64().ok_or_else(|| no_command(&"no id"))?;
    let named = command["op"].as_str().unwrap_or_default().to_owned();
    let op = serde_json::from_value(command).map_err(|error| {
        if named.is_empty() || OPERATIONS.contains(&named.as_str()) {
            Outcome::Err(raw::failed(ErrorKind::BadInput, true, &error))
        } else {
            Outcome::Skip(format!("this driver does not know the operation `{named}`"))
        }
    });
    Ok((id, op))
}
