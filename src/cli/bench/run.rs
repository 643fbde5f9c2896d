//! One section after the other; what is told.

use serde_json::json;

use super::args::{BenchArgs, Chosen, PeerKind};
use super::stage::{READY, Stage};
use super::{audit, emails, memory, payments, processes, requests, status, whole};
use crate::bench::{BenchError, Peer, Report, Section};
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::signals::from_here_on;
use crate::wire::subjects::MATH_CALCULATE;

/// Of a build whose figures mean nothing.
const DEBUG: &str =
    "a debug build: its figures mean nothing; the release profile makes another one";

pub async fn run(
    args: BenchArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    from_here_on().await;
    if let Some(kind) = args.peer {
        return peer(kind, global, output).await;
    }
    let debug = cfg!(debug_assertions);
    if debug {
        output.note(format!("warning: {DEBUG}"));
    }
    let stage = Stage::new(&args, global, context, output).await?;
    let mut report = Report::default();
    for chosen in args.chosen() {
        output.note(format!("{} …", chosen.name()));
        match section(chosen, &stage).await {
            Ok(rows) => {
                let section = Section { name: chosen.name(), rows };
                section.lines().iter().for_each(|line| output.line(line));
                report.sections.push(section);
            }
            Err(BenchError::Wrong(problem)) => {
                let problem = format!("{}: {problem}", chosen.name());
                output.line(format!("PROBLEM  {problem}"));
                report.problems.push(problem);
            }
            Err(error @ BenchError::Failed { .. }) => {
                return Err(CliError::infrastructure(&format!("bench {}", chosen.name()), error));
            }
        }
    }
    let ok = report.problems.is_empty();
    output.object(&json!({
        "ok": ok,
        "bench": {
            "mono_demo": env!("CARGO_PKG_VERSION"),
            "nats_server": stage.server.version.to_string(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "debug_build": debug,
            "quick": args.quick,
            "rounds": stage.rounds,
            "sections": report.sections,
            "problems": report.problems,
        },
    }));
    Ok(if ok { Exit::Success } else { Exit::Mismatch })
}

async fn section(chosen: Chosen, stage: &Stage<'_>) -> Result<Vec<crate::bench::Row>, BenchError> {
    match chosen {
        Chosen::Start => whole::start(stage).await,
        Chosen::Stop => whole::stop(stage).await,
        Chosen::Oneshot => whole::oneshot(stage).await,
        Chosen::Request => requests::run(stage).await,
        Chosen::Emails => emails::run(stage).await,
        Chosen::Payments => payments::run(stage).await,
        Chosen::Status => status::run(stage).await,
        Chosen::Memory => memory::run(stage).await,
        Chosen::Audit => audit::run(stage).await,
        Chosen::Growth => payments::growth(stage).await,
        Chosen::Processes => processes::run(stage).await,
    }
}

/// The smallest program that does the same.
async fn peer(kind: PeerKind, global: &Global, output: &Output) -> Result<Exit, CliError> {
    let url = global.connection.server.as_deref();
    let url = url.ok_or_else(|| CliError::usage("bench --peer: name a server with --server"))?;
    let failed = |e: &dyn std::fmt::Display| CliError::infrastructure("bench --peer", e);
    match kind {
        PeerKind::Serve => {
            let peer = Peer::start(url).await.map_err(|e| failed(&e))?;
            output.line(format!("{READY}{url}"));
            peer.serve().await.map_err(|e| failed(&e))?;
        }
        PeerKind::Ask => {
            let client = async_nats::connect(url).await.map_err(|e| failed(&e))?;
            let body = r#"{"operation":"add","a":1,"b":2}"#;
            let answer = client.request(MATH_CALCULATE, body.into()).await;
            let answer = answer.map_err(|e| failed(&e))?;
            output.line(String::from_utf8_lossy(&answer.payload));
        }
    }
    Ok(Exit::Success)
}
