//! The program ends after everything that it started, however it ends.

mod support;

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::program::Home;
use support::{eventually, lives, processes_with, send};

fn keepers_in(home: &Home) -> Vec<u32> {
    let keepers = processes_with("--keep");
    keepers.into_iter().filter(|pid| home.processes().contains(pid)).collect()
}

/// Two processes that want a core each; they end with the test.
struct BusyLoops(Vec<Child>);

impl BusyLoops {
    fn start() -> Self {
        let one = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh");
        Self(vec![one(), one()])
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn started(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

#[track_caller]
fn code_of(mut child: Child) -> Option<i32> {
    let cell = std::cell::RefCell::new(&mut child);
    eventually("it ends", Duration::from_secs(60), || {
        cell.borrow_mut().try_wait().unwrap().is_some()
    });
    child.wait().unwrap().code()
}

/// Nothing is left at the very moment of the end: no process, no folder.
#[track_caller]
fn nothing_is_left(home: &Home) {
    assert_eq!(home.processes(), [] as [u32; 0]);
    let folders = home.path().read_dir().unwrap().map(|e| e.unwrap().file_name());
    let left = folders.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("mono-demo") || name.starts_with("md-")
    });
    let left: Vec<_> = left.into_iter().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn serve_does_not_end_while_its_keeper_lives() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let keepers = keepers_in(&home);
    assert_eq!(keepers.len(), 1);
    send("STOP", keepers[0]);
    serve.signal("TERM");
    let pid = serve.pid();
    eventually("all but the keeper is gone", Duration::from_secs(20), || {
        home.processes().iter().all(|of| *of == pid || keepers.contains(of))
    });
    // That something does not happen cannot be awaited.
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        assert!(lives(pid), "it ended while its keeper lives");
        std::thread::sleep(Duration::from_millis(5));
    }
    send("CONT", keepers[0]);
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    nothing_is_left(&home);
}

#[test]
fn beside_two_busy_loops_nothing_outlives_serve_whatever_signal_ends_it() {
    let _busy = BusyLoops::start();
    let rounds = std::env::var("MONO_DEMO_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for signal in ["TERM", "INT", "HUP"].iter().cycle().take(3 * rounds) {
        let home = Home::new();
        let serve = home.serve(&["--port", "0"]);
        serve.signal(signal);
        let (code, _, stderr) = serve.ended();
        assert_eq!(code, Some(0), "{signal}: {stderr}");
        assert!(stderr.contains("draining"), "{signal}: {stderr}");
        nothing_is_left(&home);
    }
}

#[test]
fn a_second_ctrl_c_leaves_nothing_either() {
    let home = Home::new();
    let serve = home.serve(&[
        "--port",
        "0",
        "--gateway",
        "id = \"slow\", delay = \"60s\"",
        "--drain-timeout",
        "60s",
    ]);
    home.run(&["pay", "slow", "1", "--no-wait"]).ok();
    eventually("the payment is in hand", Duration::from_secs(10), || {
        home.run(&["call", "payment", "status", "slow"]).ok().starts_with("processing")
    });
    serve.signal("INT");
    eventually("draining begins", Duration::from_secs(5), || !serve.is_ready());
    serve.signal("INT");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(130), "{stderr}");
    nothing_is_left(&home);
}

#[test]
fn a_one_shot_call_that_is_told_to_stop_leaves_nothing() {
    for signal in ["TERM", "INT", "HUP"] {
        let home = Home::new();
        // It follows a payment that stays where it is, on a broker of its own.
        let home_of = home.command(["pay", "p", "1", "--timeout", "60s"]);
        let child = started(home_of);
        eventually("its broker runs", Duration::from_secs(30), || {
            home.processes().iter().any(|pid| *pid != child.id())
        });
        send(signal, child.id());
        let code = code_of(child);
        // It may have been done already.
        assert!(matches!(code, Some(130 | 0)), "{signal}: {code:?}");
        nothing_is_left(&home);
    }
}

#[test]
fn one_shot_calls_leave_nothing_whether_they_succeed_or_fail() {
    let home = Home::new();
    home.run(&["call", "math", "add", "1", "2"]).ok();
    nothing_is_left(&home);
    home.run(&["call", "math", "divide", "1", "0"]).failed(4, "division by zero");
    nothing_is_left(&home);
    home.run(&["call", "nobody.there", "--data", "x"]).failed(8, "nobody.there");
    nothing_is_left(&home);
    home.run(&["serve", "--port", "0", "--settings", "/dev/null", "--ready-file", "/dev/full/x"])
        .failed(3, "/dev/full/x");
    nothing_is_left(&home);
}

#[test]
fn nohup_is_respected() {
    let home = Home::new();
    let ready = home.path().join("ready");
    let program = home.command([] as [&str; 0]);
    let mut command = home.command(["serve", "--port", "0", "--ready-file"]);
    command.arg(&ready);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program.get_program());
    shell.args(command.get_args()).current_dir(home.path()).process_group(0);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = started(shell);
    eventually("it is ready", Duration::from_secs(60), || ready.exists());
    send("HUP", child.id());
    let until = Instant::now() + Duration::from_millis(300);
    while Instant::now() < until {
        assert!(child.try_wait().unwrap().is_none(), "SIGHUP ended it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ready.exists(), "it drains");
    send("TERM", child.id());
    assert_eq!(code_of(child), Some(0));
    nothing_is_left(&home);
}
