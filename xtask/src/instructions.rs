//! Counts the instructions of pure hot paths (`benches/hot_paths.rs`), and holds each below a bound: what
//! else the machine does changes no count.
//!
//! What is counted is a debug build, which `ci` has made for the tests: its numbers are larger than those
//! of a release, and grow with the same work.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The most that going a path once may take, in thousands of instructions: a tenth above what it took when
/// the bound was set. One who makes a path dearer says why, and writes a higher number here.
const BOUNDS: [(&str, u64); 8] = [
    ("matcher", 3_150),
    ("fixture", 3_600),
    ("format", 3_950),
    ("transcript", 24_000),
    ("history", 23_300),
    ("judge", 9_950),
    ("request", 37),
    ("subject", 4_420),
];

/// How often a path is gone: what both counts have, as the start of the program, falls out.
const FEW: u64 = 2;
const MORE: u64 = 12;

/// Counts all of them. Returns false where this machine has no valgrind.
pub fn check(cargo: impl Fn(&[&str]) -> Command) -> Result<bool, String> {
    let found = Command::new("valgrind").arg("--version").output();
    if !found.is_ok_and(|found| found.status.success()) {
        return Ok(false);
    }
    let program = built(cargo)?;
    let mut wrong = Vec::new();
    for (name, bound) in BOUNDS {
        let (few, more) = (counted(&program, name, FEW)?, counted(&program, name, MORE)?);
        let each = more.saturating_sub(few) / (MORE - FEW);
        let told = judged(name, each, bound);
        println!("{}", told.as_ref().unwrap_or_else(|wrong| wrong));
        wrong.extend(told.err());
    }
    if wrong.is_empty() { Ok(true) } else { Err(wrong.join("\n")) }
}

/// What is said of a path; as an error where it takes more than it may.
fn judged(name: &str, each: u64, bound: u64) -> Result<String, String> {
    let (is, may) = (each.div_ceil(1000), bound);
    let told = format!("{name:<11} {is:>7} of {may} thousand instructions");
    match is {
        0 => Err(format!("{told}: nothing was done")),
        is if is > may => Err(format!("{told}: a path that became dearer")),
        is if is * 10 < may * 8 => Ok(format!("{told}; the bound can be lower")),
        _ => Ok(told),
    }
}

/// The benchmark, as cargo has built it.
fn built(cargo: impl Fn(&[&str]) -> Command) -> Result<PathBuf, String> {
    let mut build =
        cargo(&["build", "--bench", "hot_paths", "--message-format=json-render-diagnostics"]);
    let built = build.stderr(std::process::Stdio::inherit()).output();
    let built = built.map_err(|e| format!("build the hot paths: {e}"))?;
    if !built.status.success() {
        return Err(format!("build the hot paths: {}", built.status));
    }
    let said = String::from_utf8_lossy(&built.stdout);
    let artifacts = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == "hot_paths");
    let program = programs.find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from));
    program.ok_or_else(|| "build the hot paths: cargo names no program".to_owned())
}

/// How many instructions the program takes that goes a path so often.
fn counted(program: &Path, name: &str, times: u64) -> Result<u64, String> {
    let mut count = Command::new("valgrind");
    count.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let count = count.args(["count", name, &times.to_string()]).output();
    let count = count.map_err(|e| format!("count the instructions of {name}: {e}"))?;
    let said = String::from_utf8_lossy(&count.stderr);
    if !count.status.success() {
        return Err(format!("count the instructions of {name}: {}\n{said}", count.status));
    }
    collected(&said).ok_or_else(|| format!("count the instructions of {name}: no count in\n{said}"))
}

/// `==4711== Collected : 1550747`, among all else that callgrind says.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    line?.1.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_became_dearer_is_a_fault() {
        assert!(judged("judge", 9_000_001, 9_000).unwrap_err().contains("9001 of 9000 thousand"));
        assert!(judged("judge", 0, 9_000).unwrap_err().contains("nothing was done"));
        assert!(judged("judge", 9_000_000, 9_000).is_ok());
        assert!(judged("judge", 7_000_000, 9_000).unwrap().contains("the bound can be lower"));
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said =
            "==1== Callgrind, a call-graph\n==1== Events    : Ir\n==1== Collected : 1550747\n";
        assert_eq!(collected(said), Some(1_550_747));
        assert_eq!(collected("==1== Collected : x"), None);
    }
}
