//! Pauses and kills of a broker's reaper, its keeper or `serve` itself: no broker survives, no
//! second one opens the store, and an end does not wait for a paused process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::program::{Home, Serve};
use crate::support::{
    Stray, eventually, fake_nats_server, lives, nats_server, parent, processes_with, send,
};

const LIMIT: Duration = Duration::from_secs(60);

fn keeper_of(home: &Home) -> u32 {
    let ours = home.processes();
    processes_with("--keep").into_iter().find(|pid| ours.contains(pid)).expect("a keeper")
}

fn reapers_of(home: &Home) -> Vec<u32> {
    home.brokers().into_iter().map(parent).collect()
}

/// Nothing of it runs, and no private folder is there.
#[track_caller]
fn nothing_is_left(home: &Home) {
    let folders = || {
        let entries = home.path().read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("mono-demo") || name.starts_with("md-")).count()
    };
    assert_eq!((home.processes(), folders()), (vec![], 0));
}

/// It ends in order, and nobody had to be given up or killed for it.
#[track_caller]
fn ends(home: &Home, serve: Serve, code: i32) {
    let (ended, _, stderr) = serve.ended();
    assert_eq!(ended, Some(code), "{stderr}");
    assert!(!stderr.contains("keeper of") && !stderr.contains("reaper of"), "{stderr}");
    assert!(!stderr.contains("still ending"), "{stderr}");
    nothing_is_left(home);
}

#[test]
fn a_broker_ends_with_its_reaper_also_while_serve_cannot_help() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--store-dir", "store"]);
    let broker = home.brokers()[0];
    serve.signal("STOP");
    send("KILL", parent(broker));
    eventually("the broker is gone", LIMIT, || !lives(broker));
    serve.signal("CONT");
    serve.says(LIMIT, "nats-server serves again");
    home.run(&["pay", "after", "1"]).ok();
    serve.signal("TERM");
    ends(&home, serve, 0);
}

/// A server that does not end with its reaper, as where the system cannot do that.
fn server_that_stays(home: &Home) -> PathBuf {
    let server = tokio::runtime::Runtime::new().unwrap().block_on(nats_server()).path;
    let script = format!("exec setpriv --pdeathsig clear '{}' \"$@\"", server.display());
    fake_nats_server(home.path(), &script)
}

#[test]
fn a_store_is_in_use_while_its_broker_lives_whoever_else_was_killed() {
    let home = Home::new();
    let server = server_that_stays(&home);
    let args = ["--port", "0", "--store-dir", "store"];
    let own = ["--nats-server", server.to_str().unwrap()];
    let serve = home.serve(&[&args[..], &own].concat());
    home.run(&["pay", "before", "1"]).ok();
    let broker = home.brokers()[0];
    // So that it does not start another one.
    serve.signal("STOP");
    send("KILL", parent(broker));
    drop(serve);
    let stray = Stray(broker);
    assert!(lives(broker));
    let refusal = "is in use by another broker";
    home.try_serve(&args).err().expect("it is refused").failed(3, refusal);
    home.run(&["audit", "--store-dir", "store"]).failed(3, refusal);
    drop(stray);
    let serve = home.serve(&args);
    let status = home.run(&["call", "payment", "status", "before"]).ok();
    assert!(status.starts_with("completed"), "{status}");
    serve.signal("TERM");
    ends(&home, serve, 0);
}

#[test]
fn a_node_is_started_again_only_when_the_server_that_was_there_is_gone() {
    let home = Home::new();
    let server = server_that_stays(&home);
    let own = ["--nats-server", server.to_str().unwrap()];
    let args = [&["--port", "0", "--cluster", "3", "--store-dir", "store"], &own[..]].concat();
    let serve = home.serve(&args);
    let broker = home.brokers()[0];
    send("KILL", parent(broker));
    let stray = Stray(broker);
    serve.says(LIMIT, "is in use by another broker");
    assert!(lives(broker));
    drop(stray);
    serve.says(LIMIT, "nats-server serves again");
    serve.signal("TERM");
    ends(&home, serve, 0);
}

#[test]
fn a_paused_reaper_is_woken_and_the_next_serve_finds_all_that_was_accepted() {
    let home = Home::new();
    let store = ["--port", "0", "--store-dir", "store"];
    let slow = ["--gateway", "id = \"slow\", delay = \"60s\"", "--drain-timeout", "60s"];
    let serve = home.serve(&[&store[..], &slow].concat());
    home.run(&["pay", "slow", "1", "--no-wait"]).ok();
    eventually("the payment is in hand", LIMIT, || {
        home.run(&["call", "payment", "status", "slow"]).ok().starts_with("processing")
    });
    reapers_of(&home).into_iter().for_each(|reaper| send("STOP", reaper));
    serve.signal("INT");
    serve.says(LIMIT, "draining");
    serve.signal("INT");
    ends(&home, serve, 130);

    let serve = home.serve(&store);
    eventually("the payment is completed", LIMIT, || {
        home.run(&["call", "payment", "status", "slow"]).ok().starts_with("completed")
    });
    let audit: Value = serde_json::from_str(&home.run(&["--json", "audit"]).stdout).unwrap();
    assert_eq!(audit["ok"], true, "{audit}");
    serve.signal("TERM");
    ends(&home, serve, 0);
}

#[test]
fn sigterm_ends_serve_though_its_reapers_and_its_keeper_are_paused() {
    for nodes in [&[][..], &["--cluster", "3"]] {
        let home = Home::new();
        let serve = home.serve(&[&["--port", "0"], nodes].concat());
        let mut paused = reapers_of(&home);
        paused.push(keeper_of(&home));
        paused.iter().for_each(|pid| send("STOP", *pid));
        serve.signal("TERM");
        ends(&home, serve, 0);
    }
}

#[test]
fn reapers_and_a_keeper_that_are_paused_hear_that_serve_was_killed() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let mut paused = reapers_of(&home);
    paused.push(keeper_of(&home));
    // So that nobody wakes them before.
    serve.signal("STOP");
    paused.iter().for_each(|pid| send("STOP", *pid));
    serve.signal("KILL");
    drop(serve);
    eventually("nothing runs", LIMIT, || home.processes().is_empty());
    nothing_is_left(&home);
}

#[test]
fn serve_goes_on_when_a_reaper_or_its_keeper_is_killed() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--cluster", "3", "--store-dir", "store"]);
    home.run(&["pay", "before", "1"]).ok();
    let broker = home.brokers()[1];
    send("KILL", parent(broker));
    serve.says(LIMIT, "its reaper was killed");
    serve.says(LIMIT, "nats-server serves again");
    assert!(!lives(broker) && home.brokers().len() == 3);
    send("KILL", keeper_of(&home));
    // Not at once where a cluster is still electing.
    eventually("it is paid", LIMIT, || {
        home.command(["pay", "after", "1"]).output().unwrap().status.success()
    });
    serve.signal("TERM");
    ends(&home, serve, 0);
}

#[test]
fn what_runs_for_one_command_ends_though_its_reapers_are_paused() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let commands: [&[&str]; 2] = [
        &["pay", "p", "1", "--timeout", "60s"],
        &["e2e", "--client", "rust", "--fixtures", fixtures, "math", "payment"],
    ];
    for command in commands {
        let home = Home::new();
        let mut command = home.command(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        eventually("a broker runs", LIMIT, || !home.brokers().is_empty());
        for reaper in processes_with("__reap").into_iter().filter(|p| home.processes().contains(p))
        {
            // It may have ended meanwhile.
            let _ = std::process::Command::new("kill")
                .args(["-STOP", &reaper.to_string()])
                .stderr(Stdio::null())
                .status();
        }
        send("TERM", child.id());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        // It may have been done already.
        assert!(matches!(output.status.code(), Some(130 | 0)), "{:?}: {stderr}", output.status);
        assert!(!stderr.contains("still ending") && !stderr.contains("reaper of"), "{stderr}");
        nothing_is_left(&home);
    }
}
