//! Serves a driver on a pair of streams: what `mono-demo driver rust` does on stdin and stdout.

use std::{
    collections::HashSet, fmt::Display, io, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::mpsc,
    task::JoinSet,
};

use crate::e2e::driver::{Driver, DriverFault, raw};
use crate::wire::headers::bounded;
use crate::{
    mono::panic_text,
    wire::driver::{ErrorKind, OPERATIONS, Op, Outcome, Reply},
};

/// How long what is in hand may take at the end of input.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why a driver ended otherwise than with its input.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A line has no id to answer to.
    #[error("a line that is no command ({why}): {line:?}")]
    NoCommand {
        /// What is wrong with it.
        why: String,
        /// The line, bounded.
        line: String,
    },
    /// No more commands can be read.
    #[error("commands cannot be read: {0}")]
    Input(io::Error),
    /// Nobody hears an answer any more.
    #[error("replies cannot be written: {0}")]
    Output(io::Error),
    /// The driver did not end well.
    #[error(transparent)]
    Driver(#[from] DriverFault),
}

/// Answers commands until the input ends, then drains.
///
/// Commands are done side by side; replies come in the order in which they are ready. A panic is a
/// reply too, and so is that a command had no outcome `PATIENCE` after the end of input.
///
/// # Errors
/// [`ServeError`]; where the output broke at once, since nobody would hear an answer any more.
pub async fn serve_stdio(
    driver: Arc<dyn Driver>,
    input: impl AsyncRead + Unpin + Send,
    mut output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), ServeError> {
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
    let mut under_way = UnderWay { tasks: JoinSet::new(), ids: HashSet::new(), replies };
    let conversation = async {
        let ended = under_way.converse(&driver, input).await;
        // What is in hand is answered also where the input ends with a line that is no command.
        under_way.finish().await;
        ended
    };
    tokio::select! {
        biased;
        ended = conversation => {
            drop(under_way);
            written(writer.await)?;
            driver.close().await?;
            ended
        }
        broken = &mut writer => {
            written(broken)?;
            Err(ServeError::Output(io::Error::other("the output ended")))
        }
    }
}

fn written(ended: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), ServeError> {
    ended.map_err(io::Error::other).flatten().map_err(ServeError::Output)
}

/// The commands under way, by id.
struct UnderWay {
    tasks: JoinSet<(u64, Outcome)>,
    ids: HashSet<u64>,
    replies: mpsc::UnboundedSender<Reply>,
}

impl UnderWay {
    /// Begins each command, until the input ends, and answers those that are done.
    async fn converse(
        &mut self,
        driver: &Arc<dyn Driver>,
        input: impl AsyncRead + Unpin + Send,
    ) -> Result<(), ServeError> {
        let mut lines = BufReader::new(input).split(b'\n');
        loop {
            let line = tokio::select! {
                line = lines.next_segment() => line.map_err(ServeError::Input)?,
                Some(done) = self.tasks.join_next() => {
                    self.answer(done);
                    continue;
                }
            };
            let Some(line) = line else { return Ok(()) };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let (id, op) = read(&line)?;
            self.ids.insert(id);
            let driver = driver.clone();
            self.tasks.spawn(async move {
                let outcome = match op {
                    Ok(op) => perform(&*driver, op).await,
                    Err(outcome) => outcome,
                };
                (id, outcome)
            });
        }
    }

    /// Answers what is in hand.
    async fn finish(&mut self) {
        let all = async {
            while let Some(done) = self.tasks.join_next().await {
                self.answer(done);
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            self.tasks.abort_all();
            let cut = "the input ended before there was an outcome";
            for id in self.ids.drain() {
                let outcome = Outcome::Err(raw::failed(ErrorKind::Connection, false, &cut));
                let _ = self.replies.send(Reply { id, outcome });
            }
        }
    }

    fn answer(&mut self, done: Result<(u64, Outcome), tokio::task::JoinError>) {
        // No task panics, and none is aborted before the end.
        let Ok((id, outcome)) = done else { return };
        self.ids.remove(&id);
        // A reader that has gone does not want the reply.
        let _ = self.replies.send(Reply { id, outcome });
    }
}

async fn perform(driver: &dyn Driver, op: Op) -> Outcome {
    let failed = |why: &dyn Display| Outcome::Err(raw::failed(ErrorKind::Other, false, why));
    match AssertUnwindSafe(driver.perform(op)).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(fault)) => failed(&fault),
        Err(panic) => failed(&format!("the driver panicked: {}", panic_text(&*panic))),
    }
}

/// A command's id, and what to do; or the answer to a command that cannot be done.
fn read(line: &[u8]) -> Result<(u64, Result<Op, Outcome>), ServeError> {
    let no_command = |why: &dyn Display| {
        let line = bounded(&String::from_utf8_lossy(line), 200);
        ServeError::NoCommand { why: why.to_string(), line }
    };
    let command: Value = serde_json::from_slice(line).map_err(|error| no_command(&error))?;
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
