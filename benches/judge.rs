//! How long the judge takes, and how much memory: a history of 10^5 events and one of 10^6, each read
//! and judged in a process of its own. `cargo xtask judge` runs it; nothing is held in CI.

#[path = "../tests/history/model/mod.rs"]
#[expect(dead_code, reason = "the tests of the history use more of it")]
mod model;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Size, valid_history};
use mono_demo::e2e::record::history::History;
use mono_demo::e2e::verdict::{Policy, check};
use mono_demo::proof::Proof;

/// What a million events may take.
const BOUND: (Duration, u64) = (Duration::from_secs(2), 500);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", payments, file] => write(payments.parse()?, Path::new(file)),
        ["read", file] => read(Path::new(file)),
        _ => compare(),
    }
}

/// A tenth and the whole; what the whole takes of the bound.
fn compare() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut seconds = Vec::new();
    for payments in ["6750", "67500"] {
        let file = folder.path().join(payments);
        let itself = |args: &[&str]| Command::new(std::env::current_exe()?).args(args).output();
        let path = file.display().to_string();
        itself(&["write", payments, &path])?;
        let said = String::from_utf8(itself(&["read", &path])?.stdout)?;
        print!("{said}");
        let last = said.split_whitespace().next_back().ok_or("the judge said nothing")?;
        seconds.push(last.parse::<f64>()?);
    }
    println!("ten times the events take {:.1} times as long", seconds[1] / seconds[0]);
    println!("a million events may take {:?} and {} MB", BOUND.0, BOUND.1);
    Ok(())
}

fn write(payments: u64, file: &Path) -> Result<(), Box<dyn Error>> {
    let size =
        Size { seed: 1, payments, emails: payments / 2, requests: payments / 10, late: true };
    Ok(std::fs::write(file, valid_history(size).to_json_lines()?)?)
}

/// Events, peak of memory, time to read, time to judge, and both.
fn read(file: &Path) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let history = History::open(file)?;
    let read = started.elapsed();
    let report = check(&history, Policy::default(), &[Arc::new(Proof::default())])?;
    let both = started.elapsed();
    let (events, word) = (history.events.len(), report.word());
    println!(
        "{events} events, {word}: {} MB, read {:.2} s, judged {:.2} s, both {:.3}",
        peak_mb().map_or("?".to_owned(), |mb| mb.to_string()),
        read.as_secs_f64(),
        (both - read).as_secs_f64(),
        both.as_secs_f64()
    );
    Ok(())
}

/// The most that this process ever had, where the system says so.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string(PathBuf::from("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1000)
}
