//! The program ends after everything that it started, however it ends.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::program::Home;
use crate::support::{eventually, processes_with, send};

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
    // Woken, or it would never end.
    send("STOP", keepers[0]);
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("ending"), "nobody was given up: {stderr}");
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
    eventually("draining begins", Duration::from_secs(60), || !serve.is_ready());
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
    home.run(&["call", "nobody.there", "--data", "x"]).failed(5, "nobody.there");
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

/// The scenarios of this project.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

#[test]
fn e2e_leaves_nothing_whether_it_is_green_red_or_told_to_stop() {
    let home = Home::new();
    let e2e = |args: &[&str]| {
        let args = [&["e2e", "--client", "rust", "--fixtures", FIXTURES], args].concat();
        home.command(args)
    };
    let green = e2e(&["math/operations"]).output().unwrap();
    assert_eq!(green.status.code(), Some(0), "{}", String::from_utf8_lossy(&green.stderr));
    nothing_is_left(&home);
    // What it is to serve ends at once.
    let red = e2e(&["math/operations", "--nats-server", "/bin/false"]).output().unwrap();
    assert_ne!(red.status.code(), Some(0));
    nothing_is_left(&home);
    for signal in ["TERM", "INT", "HUP"] {
        let child = started(e2e(&["math", "payment"]));
        eventually("a broker runs", Duration::from_secs(60), || !home.brokers().is_empty());
        send(signal, child.id());
        assert_eq!(code_of(child), Some(130), "{signal}");
        nothing_is_left(&home);
    }
}

#[test]
fn driver_check_leaves_nothing_whether_the_driver_passes_fails_or_hangs() {
    let home = Home::new();
    let bin = env!("CARGO_BIN_EXE_mono-demo");
    home.run(&["driver", "check", "--only", "hello", "--", bin, "driver", "rust"]).ok();
    nothing_is_left(&home);
    let said = home.run(&["driver", "check", "--only", "hello", "--", "sh", "-c", "echo no; cat"]);
    said.failed(1, "");
    nothing_is_left(&home);
    let child = started(home.command(["driver", "check", "--", "sleep", "1000"]));
    eventually("a broker runs", Duration::from_secs(60), || !home.brokers().is_empty());
    send("TERM", child.id());
    assert_eq!(code_of(child), Some(130));
    nothing_is_left(&home);
}

#[test]
fn a_call_that_runs_out_of_time_leaves_nothing() {
    let home = Home::new();
    // On a fast machine the answer may be there in time.
    for args in [&["call", "math", "add", "1", "2"][..], &["pay", "p", "1"]] {
        let output = home.command([args, &["--timeout", "1ms"]].concat()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 6)), "{args:?}: {stderr}");
        nothing_is_left(&home);
    }
}

/// Run as another process by the test below: it starts a broker and panics.
#[test]
#[ignore = "run by a_panic_leaves_nothing"]
fn helper_panics_with_a_broker() {
    let root = support::Helper::argument();
    let _farewell = mono_demo::process::Farewell;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = support::nats_server().await;
        let settings = mono_demo::broker::Settings::new(server, support::reaper_in(root));
        let _broker = mono_demo::broker::Broker::start(settings).await.unwrap();
        println!("told ready");
        panic!("with a broker in hand");
    });
}

#[test]
fn a_panic_leaves_nothing() {
    let home = Home::new();
    let helper = support::Helper::start("ends_last::helper_panics_with_a_broker", home.path());
    // A panicking test's process ends with a failure once all of it has ended.
    let status = helper.ended();
    assert!(!status.success());
    nothing_is_left(&home);
}
