//! Whole processes: from their start until they serve, answer or end.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream::Config;
use futures_util::FutureExt as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::stage::{READY, Stage, connect};
use crate::bench::{BenchError, Row, Turn, Turns, Unit, interleaved};
use crate::broker::{Broker, Settings};

const VERSION: &str = "`nats-server --version`, whole";

fn ms(began: Instant) -> Turn {
    Turn::from(began.elapsed().as_secs_f64() * 1e3)
}

/// From the start of `serve` to its line `Ready`.
pub(super) async fn start(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let contenders: Vec<Turns<'_>> =
        vec![Box::new(|| ready(stage).boxed_local()), Box::new(|| version(stage).boxed_local())];
    let turns = interleaved(stage.rounds * 4, contenders).await?;
    let timed = "from the spawn of `serve` with a temporary broker until it has printed `Ready`";
    let row = Row::new("serve", timed, Unit::Milliseconds, &turns[0], Some((VERSION, &turns[1])));
    Ok(row.into_iter().collect())
}

async fn ready(stage: &Stage<'_>) -> Result<Turn, BenchError> {
    let began = Instant::now();
    let serve = started(stage).await?;
    let took = ms(began);
    signal(&serve, Signal::TERM)?;
    ended(serve).await?;
    Ok(took)
}

async fn version(stage: &Stage<'_>) -> Result<Turn, BenchError> {
    let began = Instant::now();
    let status = stage.version_of_server().status().await;
    let status = status.map_err(|e| BenchError::failed("run nats-server", e))?;
    succeeded("nats-server --version", status)?;
    Ok(ms(began))
}

/// The end of `serve`, and of a broker.
pub(super) async fn stop(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let contenders: Vec<Turns<'_>> = vec![
        Box::new(|| end_of_serve(stage).boxed_local()),
        Box::new(|| end_of_broker(stage, true).boxed_local()),
        Box::new(|| end_of_broker(stage, false).boxed_local()),
    ];
    let turns = interleaved(stage.rounds * 2, contenders).await?;
    let killed = Some(("SIGKILL of one, waited for", turns[2].as_slice()));
    let of_serve = "from SIGTERM until the process of `serve` with a temporary broker has ended";
    let of_broker = "from the request to stop a temporary broker, of whose stream somebody pulls, until its \
                     processes and folder are gone";
    let rows = [
        Row::new("serve", of_serve, Unit::Milliseconds, &turns[0], killed),
        Row::new("a temporary broker", of_broker, Unit::Milliseconds, &turns[1], killed),
    ];
    Ok(rows.into_iter().flatten().collect())
}

async fn end_of_serve(stage: &Stage<'_>) -> Result<Turn, BenchError> {
    let serve = started(stage).await?;
    let began = Instant::now();
    signal(&serve, Signal::TERM)?;
    ended(serve).await?;
    Ok(ms(began))
}

async fn end_of_broker(stage: &Stage<'_>, in_order: bool) -> Result<Turn, BenchError> {
    let failed = |what: &str, e: &dyn std::fmt::Display| BenchError::failed(what, e);
    let settings = Settings::new(stage.server.clone(), stage.reaper.clone());
    let broker = Broker::start(settings).await;
    let mut broker = broker.map_err(|e| failed("start a broker", &e))?;
    let _pulls = pulling(&broker).await?;
    let began = Instant::now();
    if in_order {
        broker.stop().await.map_err(|e| failed("stop a broker", &e))?;
        return Ok(ms(began));
    }
    broker.kill().await.map_err(|e| failed("kill a broker", &e))?;
    let took = ms(began);
    broker.stop().await.map_err(|e| failed("stop a broker", &e))?;
    Ok(took)
}

/// Somebody who waits for the next message of a stream, for as long as it is held: a socket, since a
/// client would notice the end of the broker, and look for it again.
async fn pulling(broker: &Broker) -> Result<TcpStream, BenchError> {
    let failed = |what: &str, e: &dyn std::fmt::Display| BenchError::failed(what, e);
    let connection = connect(broker.url()).await?;
    let config = Config { name: "s".into(), subjects: vec!["s".into()], ..Config::default() };
    let stream = connection.jetstream().create_stream(config).await;
    let stream = stream.map_err(|e| failed("make a stream", &e))?;
    let consumer = pull::Config { durable_name: Some("c".into()), ..pull::Config::default() };
    stream.create_consumer(consumer).await.map_err(|e| failed("make a consumer", &e))?;
    connection.close(Duration::from_secs(5)).await;
    let pull = async {
        let mut socket = TcpStream::connect(("127.0.0.1", broker.port())).await?;
        let next = "PUB $JS.API.CONSUMER.MSG.NEXT.s.c i 24\r\n{\"expires\":60000000000 }\r\n";
        let lines = format!("CONNECT {{\"verbose\":false}}\r\nSUB i 1\r\n{next}PING\r\n");
        socket.write_all(lines.as_bytes()).await?;
        let mut answers = BufReader::new(&mut socket).lines();
        while let Some(line) = answers.next_line().await? {
            if line == "PONG" {
                return Ok(socket);
            }
        }
        Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
    };
    pull.await.map_err(|e| failed("pull", &e))
}

/// `call` as a whole process.
pub(super) async fn oneshot(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    let serve = stage.serve(&[]).await?;
    let (there, ask) = (["--server", &serve.url], ["call", "math", "add", "1", "2"]);
    let alone = || stage.timed(ask);
    let asking = || stage.timed(there.iter().chain(&ask));
    let smallest = || stage.asks(&serve.url);
    let contenders: Vec<Turns<'_>> = vec![
        Box::new(|| answered(alone(), "3").boxed_local()),
        Box::new(|| version(stage).boxed_local()),
        Box::new(|| answered(asking(), "3").boxed_local()),
        Box::new(|| answered(smallest(), r#"{"result":3,"operation":"add"}"#).boxed_local()),
    ];
    let turns = interleaved(stage.rounds * 4, contenders).await?;
    serve.stop().await?;
    let timed = "from the spawn of `call math add 1 2` until it has ended";
    let with_own = format!("{timed}, with a broker and services of its own");
    let rows = [
        Row::new(
            "call, with its own broker",
            with_own,
            Unit::Milliseconds,
            &turns[0],
            Some((VERSION, &turns[1])),
        ),
        Row::new(
            "call, `serve` runs",
            timed,
            Unit::Milliseconds,
            &turns[2],
            Some(("the smallest async-nats program", &turns[3])),
        ),
    ];
    Ok(rows.into_iter().flatten().collect())
}

async fn answered(mut command: Command, right: &str) -> Result<Turn, BenchError> {
    let began = Instant::now();
    let output = command.output().await.map_err(|e| BenchError::failed("run `call`", e))?;
    let took = ms(began);
    succeeded("call", output.status)?;
    let answer = String::from_utf8_lossy(&output.stdout);
    match answer.trim_end() {
        answer if answer == right => Ok(took),
        answer => {
            Err(BenchError::Wrong(format!("wrong answer of a call: {answer:?}, not {right:?}")))
        }
    }
}

/// `serve` that has printed `Ready`.
async fn started(stage: &Stage<'_>) -> Result<Child, BenchError> {
    let failed = |e: &dyn std::fmt::Display| BenchError::failed("start `serve`", e);
    let me = std::process::id().to_string();
    let mut command = stage.timed(["serve", "--port", "0", "--ends-with", &me]);
    let mut serve = command.stdout(Stdio::piped()).spawn().map_err(|e| failed(&e))?;
    let stdout = serve.stdout.take().ok_or_else(|| failed(&"it has no stdout"))?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(|e| failed(&e))? {
        if line.starts_with(READY) {
            // What it prints yet has to go somewhere.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(serve);
        }
    }
    let status = serve.wait().await.map_err(|e| failed(&e))?;
    Err(failed(&format!("it ended with {status} before it was ready")))
}

fn signal(child: &Child, signal: Signal) -> Result<(), BenchError> {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| kill_process(pid, signal));
    sent.map_err(|e| BenchError::failed("signal `serve`", e))
}

async fn ended(mut serve: Child) -> Result<(), BenchError> {
    let status = serve.wait().await.map_err(|e| BenchError::failed("wait for `serve`", e))?;
    succeeded("serve", status)
}

fn succeeded(what: &str, status: ExitStatus) -> Result<(), BenchError> {
    match status.success() {
        true => Ok(()),
        false => Err(BenchError::failed(format!("run `{what}`"), status)),
    }
}
