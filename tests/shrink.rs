//! `e2e shrink`: a scenario that fails is made smaller until nothing can go, and what is written fails
//! alone; nothing is written over, and what passes is not shrunk.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::program::{Home, Said};
use crate::support::receipts;
use crate::support::send;

/// Orders by several clients, while the worker is killed.
const LOAD: &str = r#"concurrency = 4
under = { kill-service = 2 }

[[step]]
settle = true
within = "30s"

[processes]
restart = true

[services.worker]
env = { FIRST_BAD = "3", LOG = "debug" }

[[check]]
history = { verdict = "valid", acknowledged = 12, lost = 0 }

[[check]]
stream = "RECEIPTS"
messages = 12
"#;

fn mono_demo(home: &Home, planted: Option<&str>, args: &[&str]) -> Said {
    let mut command = home.command(args);
    command.envs(planted.map(|fault| ("PLANT", fault)));
    Said::from(command.output().expect("the program starts"))
}

fn text(home: &Home) -> String {
    let path = home.path().join("suite/scenarios/orders-shrunk.toml");
    std::fs::read_to_string(path).expect("it is written")
}

#[test]
fn a_load_under_faults_shrinks_to_one_message_that_fails_alone() {
    let home = Home::new();
    receipts::suite(&home, 12, LOAD);
    let shrink = ["e2e", "shrink", "suite", "orders", "--json"];
    let said = mono_demo(&home, Some("drop"), &shrink).ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    let (before, after) = (&object["shrunk"]["before"], &object["shrunk"]["after"]);
    assert_eq!((&before["messages"], &before["faults"]), (&12.into(), &2.into()), "{object}");
    for (what, many) in
        [("messages", 1), ("faults", 0), ("clients", 1), ("steps", 1), ("checks", 0)]
    {
        assert_eq!(after[what], many, "{what}: {object}");
    }
    assert_eq!(object["shrunk"]["is_smallest"], true, "{object}");
    assert_eq!(object["shrunk"]["failed_after"]["failed"], 3, "{object}");
    let text = text(&home);
    assert!(text.starts_with("# Shrunk from suite/scenarios/orders.toml"), "{text}");
    for comment in [
        "# It fails by: promise receipt: once, stream RECEIPTS: lost",
        "# before: 3 of 3 runs; 12 messages, 4 at a time, 2 faults, 1 process, 2 steps, 2 checks; ",
        "# after:  3 of 3 runs; 1 message, 1 at a time, 0 faults, 1 process, 1 step, 0 checks; ",
    ] {
        assert!(text.contains(comment), "{comment}: {text}");
    }
    // The command that it names.
    let again = object["again"].as_str().unwrap();
    assert!(text.contains(again), "{text}");
    let words: Vec<&str> = again.split(' ').skip(1).collect();
    let alone = mono_demo(&home, Some("drop"), &words).failed(1, "").stdout;
    assert!(alone.contains("invalid  promise receipt"), "{alone}");
    // Nothing is written over what is there.
    mono_demo(&home, Some("drop"), &shrink).failed(2, "is there already");
    // What cannot be written is known before anything is run.
    let nowhere = [&shrink[..], &["--output", "nowhere/x.toml"]].concat();
    let said = mono_demo(&home, Some("drop"), &nowhere).failed(2, "shrink: cannot write");
    assert!(said.stderr.contains("No such file or directory"), "{}", said.stderr);
}

#[test]
fn what_fails_now_and_then_is_run_often_enough() {
    let home = Home::new();
    receipts::suite(&home, 4, "concurrency = 2\n");
    let shrink = ["e2e", "shrink", "suite", "orders", "--tries=4", "--json"];
    let said = mono_demo(&home, Some("sometimes"), &shrink).ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(object["shrunk"]["after"]["messages"], 1, "{object}");
    assert!(text(&home).contains("lost"), "{object}");
}

#[test]
fn a_sabotaged_worker_is_shown_by_a_few_payments() {
    let home = Home::new();
    let shrink = ["e2e", "shrink", "soak/kills", "--client=rust", "--sabotage=drop", "--json"];
    let said = mono_demo(&home, None, &shrink).ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    let after = &object["shrunk"]["after"];
    assert!(after["messages"].as_u64().is_some_and(|many| many <= 20), "{object}");
    assert_eq!(after["faults"], 0, "{object}");
    // Built-in scenarios cannot be changed.
    assert_eq!(object["written"], "kills-shrunk.toml");
    assert!(home.path().join("kills-shrunk.toml").exists());
}

#[test]
fn a_red_run_is_made_smaller_at_once() {
    let home = Home::new();
    receipts::suite(&home, 3, "");
    let said = mono_demo(&home, Some("drop"), &["e2e", "suite", "--shrink"]).failed(1, "").stdout;
    assert!(said.contains("written: suite/scenarios/orders-shrunk.toml"), "{said}");
    assert!(text(&home).contains("# after:  3 of 3 runs; 1 message"), "{}", text(&home));
    assert!(said.contains("\nfails 3 of 3, as often as the whole (3 of 3): "), "{said}");
}

/// Once something is gone, a signal ends it, and what is left so far is there.
#[test]
fn what_is_stopped_is_written_as_far_as_it_came() {
    let home = Home::new();
    receipts::suite(&home, 12, LOAD);
    let mut command = home.command(["e2e", "shrink", "suite", "orders"]);
    command.env("PLANT", "drop").stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let gone = lines.find(|line| line.starts_with("  ")).expect("something is gone");
    send("INT", child.id());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let told = |what: &str| rest.iter().any(|line| line.contains(what));
    assert!(told("; stopped, and more may go"), "{rest:?}");
    assert!(told("how often it fails was not measured"), "{rest:?}");
    assert!(told("written: suite/scenarios/orders-shrunk.toml"), "{gone} {rest:?}");
    let text = text(&home);
    assert!(text.contains("# after:  not measured; "), "{text}");
    // It is a scenario that fails.
    let said = mono_demo(&home, Some("drop"), &["e2e", "suite", "orders-shrunk"]).failed(1, "");
    assert!(said.stdout.contains("invalid  promise receipt"), "{}", said.stdout);
}

#[test]
fn what_is_stopped_before_anything_is_gone_writes_nothing() {
    let home = Home::new();
    receipts::suite(&home, 12, LOAD);
    let mut command = home.command(["e2e", "shrink", "suite", "orders"]);
    command.env("PLANT", "drop").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "orders [rust]\n");
    send("TERM", child.id());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("stopped before anything of the scenario could go"), "{said}");
    assert!(!home.path().join("suite/scenarios/orders-shrunk.toml").exists());
}

#[test]
fn what_passes_is_not_shrunk_and_a_slip_in_its_name_is_told() {
    let home = Home::new();
    receipts::suite(&home, 2, "");
    mono_demo(&home, None, &["e2e", "shrink", "suite", "orders", "--tries=1"])
        .failed(2, "the scenario does not fail");
    mono_demo(&home, None, &["e2e", "shrink", "suite", "order-s"])
        .failed(2, "did you mean `orders`?");
    assert!(!home.path().join("suite/scenarios/orders-shrunk.toml").exists());
}

/// Runs that tell whether a smaller one fails always are kept for that.
#[test]
fn few_runs_make_it_a_little_smaller() {
    let home = Home::new();
    let root = home.path().join("suite");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), "").unwrap();
    let fine = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
    let wrong = "[[step]]\nrequest = \"nobody\"\nerror = \"timeout\"\n";
    let text = ["description = \"many\"\ntags = [\"a\"]\n", &fine.repeat(2), wrong].concat();
    std::fs::write(root.join("scenarios/many.toml"), text).unwrap();
    // Three tell how often it fails, two try, and three tell how often the smaller one does.
    let shrink = ["e2e", "shrink", "suite", "many", "--runs=8", "--json"];
    let said = mono_demo(&home, None, &shrink).ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    let shrunk = &object["shrunk"];
    assert_eq!((&shrunk["before"]["steps"], &shrunk["after"]["steps"]), (&3.into(), &2.into()));
    assert_eq!(shrunk["is_smallest"], false, "{object}");
}
