//! Resident memory of `serve` and of what runs beside it, by `/proc` (Linux).

use super::payments::Payments;
use super::stage::{Stage, end};
use crate::bench::{BenchError, Row, Turn, Unit};

/// Submissions that are not acknowledged.
const WINDOW: usize = 500;

/// A process, as `/proc` shows it.
struct Process {
    pid: u32,
    parent: u32,
    /// Its command line, its words apart by a space.
    line: String,
}

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    if !cfg!(target_os = "linux") {
        return Err(BenchError::failed("measure memory", "there is no /proc here"));
    }
    let serve = stage.serve(&[]).await?;
    let peer = stage.peer(&serve.url).await?;
    let payments = Payments::of(&serve);
    payments.submit(WINDOW, WINDOW).await?;
    let measured = |pid: u32| resident(pid).map(Turn::from);
    let (idle, smallest) = (measured(serve.pid())?, measured(peer.pid())?);
    let beside: Vec<Process> = processes()?;
    let mut rows = Vec::new();
    let floor = [smallest];
    let mut tell = |what: String, timed: &str, turn: Turn| {
        let floor = Some(("the smallest async-nats program", floor.as_slice()));
        rows.extend(Row::new(what, timed, Unit::Megabytes, &[turn], floor));
    };
    tell("serve, idle".to_owned(), "resident, after a few hundred payments", idle);
    let mut reapers: Vec<Turn> = Vec::new();
    let mut servers: Vec<Turn> = Vec::new();
    for process in beside.iter().filter(|process| comes_from(process, serve.pid(), &beside)) {
        match process.line.contains(" __reap ") {
            true => reapers.push(measured(process.pid)?),
            false => servers.push(measured(process.pid)?),
        }
    }
    for (n, reaper) in reapers.iter().enumerate() {
        tell(format!("reaper or keeper {}", n + 1), "resident, beside an idle `serve`", *reaper);
    }
    for server in &servers {
        tell("nats-server, idle".to_owned(), "resident, beside an idle `serve`", *server);
    }
    let more = stage.sizes.remembered;
    payments.submit(more, WINDOW).await?;
    let grown = resident(serve.pid())?;
    let what = format!("serve, for {more} payments more");
    tell(what, "resident after them, less what was before", Turn::from(grown - idle.figure));
    payments.agree().await?;
    end(peer).await;
    serve.stop().await?;
    Ok(rows)
}

fn failed(e: impl std::fmt::Display) -> BenchError {
    BenchError::failed("read /proc", e)
}

/// Megabytes (10^6 bytes) of `VmRSS`, proc(5).
fn resident(pid: u32) -> Result<f64, BenchError> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(failed)?;
    let words = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = words.and_then(|words| words.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0 / 1e6).ok_or_else(|| failed(format!("no VmRSS of process {pid}")))
}

/// All there are; one that ends meanwhile may be left out.
fn processes() -> Result<Vec<Process>, BenchError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
        // The name, which comes before, may have anything in it.
        let parent =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        found.extend(parent.map(|parent| Process { pid, parent, line }));
    }
    Ok(found)
}

/// Whether `ancestor` started it, or one that did.
fn comes_from(process: &Process, ancestor: u32, all: &[Process]) -> bool {
    let mut parent = process.parent;
    for _ in 0..all.len() {
        if parent == ancestor {
            return true;
        }
        let Some(above) = all.iter().find(|other| other.pid == parent) else { return false };
        parent = above.parent;
    }
    false
}
