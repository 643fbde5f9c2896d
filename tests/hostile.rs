//! Hostile drivers and programs: each is ended with all processes that it started, the verdict says
//! what it did, and the run beside it passes.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::suite::{Fake, Suite, client, in_process};
use mono_demo::broker::Roles;
use mono_demo::e2e::report::Json;
use mono_demo::e2e::run::Client;
use mono_demo::e2e::session::Mode;
use mono_demo::process::Spawn;
use serde_json::Value;

/// Answers `hello` as it should, and reads what it is asked first.
const HELLO: &str = r#"read line; echo '{"id":1,"ok":{"name":"sh","library":"none","capabilities":[]}}'; read line; "#;
/// A shell's word of 60,000 bytes.
const LONG_WORD: &str = r#"$(head -c 60000 /dev/zero | tr "\\0" x)"#;
/// Far below what a driver that never ends would take, and room for a busy machine.
const SOON: Duration = Duration::from_secs(50);
/// Below what each of the floods writes.
const MOST_GROWTH_KIB: u64 = 40 * 1024;

/// What came of the runs with a driver, or a program, that does its worst beside a good client.
struct Hostile {
    /// Of the run with it: the message, and the excerpt where there is one.
    verdict: String,
    took: Duration,
    growth_kib: u64,
}

/// Runs the step with a good client and with the script as a driver, side by side.
async fn hostile(mark: &str, step: &str, script: Option<&str>) -> Hostile {
    let good = "clients = [\"good\"]\n[[step]]\ncall = \"fake.word\"\nreply = \"fine\"\n";
    let golden = "---\nsource: \"fixtures/good.toml\"\nexpression: \"good\"\n---\ncall fake.word()\n  = \"fine\"\n";
    let bad = format!("clients = [\"bad\"]\n[[step]]\n{step}\n");
    let bad_client = match script {
        Some(script) => {
            let spawn = Spawn::new("driver bad", "sh").args(["-c", script, mark]);
            client("bad", Client::Program(Box::new(spawn)))
        }
        None => in_process("bad", Fake("fine")),
    };
    let clients = vec![in_process("good", Fake("fine")), bad_client];
    let mut suite = Suite::new(clients, &[("good", good), ("bad", &bad)]).await;
    suite.settings.mode = Mode::Ci;
    suite.settings.machine.roles = Roles::default();
    suite.variable("mark", mark);
    std::fs::write(suite.golden("good.snap"), golden).unwrap();
    let mut json = Json::create(&suite.at("r.json")).unwrap();
    let (before, began) = (peak_kib(), Instant::now());
    let summary = suite.run_for(&mut [&mut json]).await;
    let (growth_kib, took) = (peak_kib().saturating_sub(before), began.elapsed());

    assert!(
        support::processes_with(mark).is_empty(),
        "a process is left: {:?}",
        support::processes_with(mark)
    );
    let report: Value =
        serde_json::from_slice(&std::fs::read(suite.at("r.json")).unwrap()).unwrap();
    let runs = report["runs"].as_array().unwrap();
    let of = |scenario: &str| runs.iter().find(|run| run["run"]["scenario"] == scenario).unwrap();
    assert_eq!(of("good")["verdict"], "passed", "the run beside it: {report:#}");
    assert_eq!(summary.passed, 1, "{report:#}");
    let bad = of("bad");
    let verdict = bad["message"].as_str().or(bad["reason"].as_str());
    let verdict = verdict.unwrap_or_else(|| panic!("{bad:#}")).to_owned();
    Hostile { verdict, took, growth_kib }
}

/// The most memory that this process has ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A word that no other process has on its command line.
fn mark(word: &str) -> String {
    format!("hostile-{word}-{}", std::process::id())
}

async fn driver(word: &str, script: &str) -> Hostile {
    driver_within("100ms", word, script).await
}

/// For what takes its time, as a flood does: the call waits longer than that.
async fn driver_within(timeout: &str, word: &str, script: &str) -> Hostile {
    let mark = mark(word);
    let call = format!("call = \"fake.word\"\ntimeout = \"{timeout}\"");
    hostile(&mark, &call, Some(&script.replace("MARK", &mark))).await
}

async fn program(word: &str, script: &str) -> Hostile {
    let mark = mark(word);
    let script = script.replace("MARK", &mark);
    let step = format!("run = [\"sh\", \"-c\", '{script}', \"{mark}\"]\ntimeout = \"20s\"");
    hostile(&mark, &step, None).await
}

#[track_caller]
fn says(hostile: &Hostile, verdict: &str) {
    assert!(hostile.verdict.contains(verdict), "{}", hostile.verdict);
    assert!(hostile.took < SOON, "took {:?}", hostile.took);
}

#[tokio::test]
async fn a_driver_that_hangs() {
    let hangs = format!("{HELLO} trap '' TERM; echo thinking >&2; while :; do sleep 1; done");
    let verdict = "bad did not answer `call` within 5.1s; its log says `thinking`";
    says(&driver("hangs", &hangs).await, verdict);
}

#[tokio::test]
async fn a_driver_that_prints_rubbish() {
    let rubbish = format!("{HELLO} echo '\u{1b}[31mrubbish'; cat >/dev/null");
    let verdict = "bad wrote a line that is not a reply: \"[31mrubbish\"";
    says(&driver("rubbish", &rubbish).await, verdict);
}

#[tokio::test]
async fn a_driver_that_exits_early() {
    let exits = format!("{HELLO} echo 'out of luck' >&2; exit 4");
    let verdict = "bad ended with exit status 4; its log says `out of luck`";
    says(&driver("exits", &exits).await, verdict);
    says(&driver("exits-at-once", "exit 0").await, "bad ended with exit status 0");
}

#[tokio::test]
async fn a_driver_whose_child_holds_the_pipe() {
    // In the same group: ended with the driver, at once.
    let forks = format!("{HELLO} sh -c 'sleep 600; :' MARK & exit 4");
    says(&driver("forks", &forks).await, "bad ended with exit status 4");
}

#[tokio::test]
async fn a_driver_whose_child_leaves_the_group_and_holds_the_pipe() {
    let leaves = format!("{HELLO} setsid sh -c 'trap \"\" TERM HUP; sleep 600; :' MARK & exit 4");
    says(&driver("leaves", &leaves).await, "bad ended with exit status 4");
    // And twice removed, from a driver that goes on.
    let twice =
        format!("{HELLO} (setsid sh -c 'sleep 600; :' MARK >/dev/null 2>&1 &); echo x; sleep 600");
    says(&driver("twice", &twice).await, "a line that is not a reply: \"x\"");
}

#[tokio::test]
async fn a_driver_that_floods_stdout() {
    let floods = format!("{HELLO} exec yes MARK");
    says(&driver("floods-out", &floods).await, "a line that is not a reply: \"hostile-");
}

#[tokio::test]
async fn a_driver_that_floods_stderr() {
    let floods = format!("{HELLO} exec yes MARK{LONG_WORD} >&2");
    let verdict = "bad wrote more than 64 MiB on stderr; its log says `hostile-";
    says(&driver_within("60s", "floods-err", &floods).await, verdict);
    // Before it ever answers, and without an end of line.
    let silent = "exec tr '\\0' x </dev/zero >&2";
    says(
        &driver_within("60s", "floods-err-early", silent).await,
        "bad wrote more than 64 MiB on stderr",
    );
}

#[tokio::test]
async fn a_driver_that_writes_a_line_of_a_hundred_megabytes() {
    let long = format!("{HELLO} head -c 100000000 /dev/zero | tr '\\0' x; echo; cat >/dev/null");
    let verdict = "(a line of more than 1048576 bytes on stdout; it begins `xxx";
    says(&driver("long", &long).await, verdict);
    let endless = format!("{HELLO} exec tr '\\0' x </dev/zero");
    says(&driver("endless", &endless).await, verdict);
}

#[tokio::test]
async fn a_program_that_hangs() {
    let mark = mark("hangs-program");
    let script = "trap \"\" TERM; echo thinking >&2; while :; do sleep 1; done";
    let step = format!("run = [\"sh\", \"-c\", '{script}', \"{mark}\"]\ntimeout = \"300ms\"");
    let verdict = "did not end within 300ms; last line of stderr: `thinking`";
    says(&hostile(&mark, &step, None).await, verdict);
}

#[tokio::test]
async fn a_program_that_floods() {
    let verdict = "wrote more than 64 MiB on stdout and was ended";
    says(&program("floods-program", &format!("exec yes MARK{LONG_WORD}")).await, verdict);
    let verdict = "wrote more than 64 MiB on stderr and was ended";
    says(&program("floods-program-err", &format!("exec yes MARK{LONG_WORD} >&2")).await, verdict);
    // One line without an end.
    let verdict = "wrote more than 64 MiB on stdout and was ended";
    says(&program("endless-program", "exec cat /dev/zero").await, verdict);
}

#[tokio::test]
async fn a_program_whose_child_leaves_the_group_and_holds_the_pipe() {
    let script = "setsid sh -c \"sleep 600; :\" MARK & exit 3";
    says(&program("leaves-program", script).await, "expected");
}

/// Does all that floods, one after the other, in a process of its own, so that its memory is theirs.
#[tokio::test]
#[ignore = "run by floods_take_no_memory"]
async fn helper_is_flooded() {
    // Whatever a run needs anyway, this one needed too.
    driver("calm", "exit 0").await;
    let long = format!("{HELLO} head -c 100000000 /dev/zero | tr '\\0' x; echo; cat >/dev/null");
    let mut grown = Vec::new();
    for (word, script) in [
        ("err", format!("{HELLO} exec yes {LONG_WORD} >&2")),
        ("err-line", "exec tr '\\0' x </dev/zero >&2".to_owned()),
        ("out", format!("{HELLO} exec yes MARK")),
        ("long", long),
    ] {
        let word = format!("memory-{word}");
        grown.push(driver_within("60s", &word, &script).await.growth_kib);
    }
    let lines = format!("exec yes {LONG_WORD}");
    for script in [lines.as_str(), "exec cat /dev/zero >&2"] {
        grown.push(program("memory-program", script).await.growth_kib);
    }
    let grown: Vec<String> = grown.iter().map(u64::to_string).collect();
    println!("told {}", grown.join(" "));
}

#[test]
fn floods_take_no_memory() {
    let helper = support::Helper::start("hostile::helper_is_flooded", std::path::Path::new("-"));
    let grown: Vec<u64> = helper.told.iter().map(|kib| kib.parse().unwrap()).collect();
    assert_eq!(grown.len(), 6);
    assert!(grown.iter().sum::<u64>() < MOST_GROWTH_KIB, "KiB more, by flood: {grown:?}");
}
