//! One conversation: lines in, work side by side, lines out.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::machine::Machine;
use super::perform::perform;
use super::read;
use super::refused::failed;
use super::world::World;
use crate::wire::control::{ControlError, ErrorKind, Hello, Op, Outcome, PROTOCOL_VERSION, Reply};

/// How long what is under way when the input ends may take: whoever reads its answer waits for no more.
const FINISHES: Duration = Duration::from_secs(10);

/// Answers commands until the input ends, and what is under way then is finished within 10 s; or until
/// `unread` returns, which says that nobody reads the answers: then it is given up at once. All that was
/// started is gone then, or about to be.
///
/// # Errors
/// The input cannot be read, or the answers cannot be written.
pub async fn serve(
    machine: Arc<Machine>,
    input: impl AsyncRead + Unpin + Send,
    mut output: impl AsyncWrite + Unpin + Send + 'static,
    unread: impl Future<Output = ()>,
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
    let ended = tokio::select! {
        biased;
        ended = converse(&machine, input, replies) => Some(ended),
        broken = &mut writer => {
            broken.map_err(io::Error::other)??;
            None
        }
        () = unread => {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the answers"));
        }
    };
    match ended {
        // What was answered before the input ended is written.
        Some(ended) => writer.await.map_err(io::Error::other)?.and(ended),
        None => Ok(()),
    }
}

async fn converse(
    machine: &Arc<Machine>,
    input: impl AsyncRead + Unpin + Send,
    replies: mpsc::UnboundedSender<Reply>,
) -> io::Result<()> {
    let world = Arc::new(World::new(machine.clone()));
    let mut tasks = JoinSet::new();
    let mut greeted = false;
    let mut lines = BufReader::new(input).split(b'\n');
    loop {
        let line = tokio::select! {
            line = lines.next_segment() => line?,
            Some(_) = tasks.join_next() => continue,
        };
        let Some(line) = line else { break };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (id, op) = read::command(&line);
        let answer = match op {
            Err(error) => Err(error),
            Ok(Op::Hello { protocol }) => greet(&world, protocol).inspect(|_| greeted = true),
            Ok(_) if !greeted => Err(no_hello()),
            Ok(op) => {
                let (world, replies) = (world.clone(), replies.clone());
                tasks.spawn(async move {
                    let done = AssertUnwindSafe(perform(&world, op)).catch_unwind().await;
                    let outcome = done.unwrap_or_else(|_| Err(failed("mono-demo panicked")));
                    answered(&replies, id, outcome);
                });
                continue;
            }
        };
        answered(&replies, id, answer);
    }
    let finished = async { while tasks.join_next().await.is_some() {} };
    if timeout(FINISHES, finished).await.is_err() {
        tracing::warn!("the input ended {FINISHES:?} ago: what is still under way is given up");
    }
    // Aborted tasks hold the world until they are gone.
    tasks.shutdown().await;
    Ok(())
}

fn answered(
    replies: &mpsc::UnboundedSender<Reply>,
    id: Option<u64>,
    outcome: Result<serde_json::Value, ControlError>,
) {
    let outcome = outcome.map_or_else(Outcome::Err, Outcome::Ok);
    // A reader that has gone does not want the reply.
    let _ = replies.send(Reply { id, outcome });
}

fn greet(world: &Arc<World>, protocol: u32) -> Result<serde_json::Value, ControlError> {
    let version = world.machine.version;
    if protocol != PROTOCOL_VERSION {
        let message = format!(
            "hello: protocol: mono-demo {version} speaks version {PROTOCOL_VERSION}, and it is asked for {protocol}"
        );
        let hint = Some("install the helper and mono-demo of the same version".to_owned());
        return Err(ControlError { kind: ErrorKind::Protocol, message, hint, log: Vec::new() });
    }
    // While the other side gets ready: it will want a broker.
    let machine = world.machine.clone();
    tokio::spawn(async move { drop(machine.broker().await) });
    let hello = Hello { protocol: PROTOCOL_VERSION, version: version.to_owned() };
    serde_json::to_value(hello).map_err(failed)
}

fn no_hello() -> ControlError {
    ControlError {
        kind: ErrorKind::Protocol,
        message: "the first command is `hello`".to_owned(),
        hint: None,
        log: Vec::new(),
    }
}
