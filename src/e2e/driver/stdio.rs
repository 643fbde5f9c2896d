//! Serves a driver on a pair of streams: what `mono-demo driver rust` does on stdin and stdout.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::JoinSet,
};

use super::{Driver, raw};
use crate::wire::driver::{Command, ErrorKind, Outcome, Reply};

/// Answers commands until the input ends, then drains.
///
/// Commands are done side by side; replies come in the order in which they are ready.
///
/// # Errors
/// A line that is not a command, a fault of the driver, or a stream that broke.
pub async fn serve_stdio(
    driver: Arc<dyn Driver>,
    input: impl AsyncRead + Unpin + Send,
    mut output: impl AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let (replies, mut outgoing) = mpsc::unbounded_channel::<Reply>();
    let writer = tokio::spawn(async move {
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
    while let Some(line) = lines.next_line().await? {
        if line.trim().is_empty() {
            continue;
        }
        let Command { id, op } = serde_json::from_str(&line)
            .map_err(|error| io::Error::other(format!("not a command: {line:?}: {error}")))?;
        let (driver, replies) = (driver.clone(), replies.clone());
        under_way.spawn(async move {
            let outcome = match driver.perform(op).await {
                Ok(outcome) => outcome,
                Err(fault) => Outcome::Err(raw::failed(ErrorKind::Other, false, &fault)),
            };
            // A reader that has gone does not want the reply.
            let _ = replies.send(Reply { id, outcome });
        });
        // So that a long conversation does not keep every task that has ended.
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    drop(replies);
    writer.await.map_err(io::Error::other)??;
    driver.close().await.map_err(io::Error::other)
}
