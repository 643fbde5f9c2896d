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

/// What a process has in memory, in megabytes (10^6 bytes).
#[derive(Clone, Copy)]
struct Memory {
    /// All of it, also what it shares with others, as the pages of its program.
    resident: f64,
    /// What is its own, and in no file.
    anonymous: f64,
}

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Row>, BenchError> {
    if !cfg!(target_os = "linux") {
        return Err(BenchError::failed("measure memory", "there is no /proc here"));
    }
    let serve = stage.serve(&[]).await?;
    let peer = stage.peer(&serve.url).await?;
    let (idle, smallest) = (Memory::of(serve.pid())?, Memory::of(peer.pid())?);
    let all = processes()?;
    let beside = all.iter().filter(|process| comes_from(process, serve.pid(), &all));
    let (reapers, servers): (Vec<_>, Vec<_>) =
        beside.partition(|process| process.line.contains(" __reap "));
    let largest = |processes: &[&Process]| {
        let all = processes.iter().map(|process| Memory::of(process.pid));
        all.reduce(|a, b| {
            let (a, b) = (a?, b?);
            Ok(if b.resident > a.resident { b } else { a })
        })
        .unwrap_or_else(|| Err(failed("`serve` has no reaper, or no broker")))
    };
    let mut rows = Vec::new();
    for (what, memory) in [
        ("serve, idle".to_owned(), idle),
        (format!("the largest of {} reapers and keepers", reapers.len()), largest(&reapers)?),
        ("nats-server, idle".to_owned(), largest(&servers)?),
    ] {
        for (kind, figure, floor) in [
            ("resident", memory.resident, smallest.resident),
            ("anonymous", memory.anonymous, smallest.anonymous),
        ] {
            let (what, floor) = (format!("{what}, {kind}"), [Turn::from(floor)]);
            let floor = Some(("the smallest async-nats program", floor.as_slice()));
            let timed =
                "by /proc, once everything serves; resident counts the pages of the program";
            rows.extend(Row::new(what, timed, Unit::Megabytes, &[Turn::from(figure)], floor));
        }
    }
    let (payments, more) = (Payments::of(&serve), stage.sizes.remembered);
    payments.submit(more, WINDOW).await?;
    let grown = Memory::of(serve.pid())?.anonymous - idle.anonymous;
    let (what, timed) =
        (format!("serve, for {more} payments"), "anonymous, after them less before");
    rows.extend(Row::new(what, timed, Unit::Megabytes, &[Turn::from(grown)], None));
    payments.agree().await?;
    end(peer).await;
    serve.stop().await?;
    Ok(rows)
}

fn failed(e: impl std::fmt::Display) -> BenchError {
    BenchError::failed("read /proc", e)
}

impl Memory {
    /// By `VmRSS` and `RssAnon`, proc(5).
    fn of(pid: u32) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(failed)?;
        let megabytes = |name: &str| {
            let words = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = words.and_then(|words| words.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            kib.map(|kib| kib * 1024.0 / 1e6)
                .ok_or_else(|| failed(format!("no {name} of process {pid}")))
        };
        Ok(Self { resident: megabytes("VmRSS")?, anonymous: megabytes("RssAnon")? })
    }
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
