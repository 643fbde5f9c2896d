//! `e2e --keep`: what is kept running, what is printed about it, and how it ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::support::eventually;
use crate::support::keeping::{Keeping, LIMIT, is_gone, nothing_is_left, pasted};
use crate::support::program::{Home, Said};
use serde_json::Value;

/// Nobody listens there, and so it is.
const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
/// A step that does not hold.
const WRONG: &str = "[[step]]\nrequest = \"nobody\"\nreply = 1\n";
/// The built-in services store a payment and a dead letter; then something differs.
const PAYS: &str = r#"
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-1", amount = 9.99 }

[[step]]
submit = "services.payment.payment-process"
text = "{"

[[step]]
settle = true
"#;

/// Fixtures for the built-in services.
fn fixtures(home: &Home, scenarios: &[(&str, &str)]) {
    scenarios_in(home, "fixtures", scenarios);
}

/// A suite without services, or with this one.
fn suite(home: &Home, file: &str, scenarios: &[(&str, &str)]) {
    scenarios_in(home, "suite/scenarios", scenarios);
    std::fs::write(home.path().join("suite/suite.toml"), file).unwrap();
}

fn scenarios_in(home: &Home, folder: &str, scenarios: &[(&str, &str)]) {
    let folder = home.path().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"{name}\"\n{steps}");
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
}

#[test]
fn a_run_that_fails_stays_with_its_services_until_ctrl_c() {
    let home = Home::new();
    fixtures(&home, &[("pays", &format!("{PAYS}{WRONG}"))]);
    let report = home.path().join("report.json");
    let mut keeping =
        Keeping::left_up(&home, &["--client", "rust", "--report", "json=report.json"]);
    assert!(keeping.said.contains("1 scenario, 1 run: 0 passed, 1 failed"), "{}", keeping.said);
    let headline = "kept: pays [rust], failed at fixtures/pays.toml:15: expected success";
    assert!(keeping.said.contains(headline), "{}", keeping.said);
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["summary"]["failed"], 1, "the report is whole before it waits");

    // All that it shows can be pasted.
    let commands = keeping.commands("mono-demo ");
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in &commands {
        pasted(&home, command).ok();
    }
    let letters = home.run(&["--context", &keeping.context("harness"), "dlq", "ls"]).ok();
    assert!(letters.contains("1 of 1 dead letter"), "{letters}");
    let client = keeping.context("client");
    let status = home.run(&["--context", &client, "call", "payment", "status", "pay-1"]).ok();
    assert!(status.starts_with("completed  pay-1  9.99 USD"), "{status}");
    for fact in ["store", "log", "journals", "history", "services' log"] {
        let path = keeping.fact(fact).unwrap_or_else(|| panic!("{fact}:\n{}", keeping.said));
        assert!(PathBuf::from(path).exists(), "{path}");
    }
    let log = PathBuf::from(keeping.fact("services' log").unwrap());
    // Another task writes it.
    let text = || std::fs::read_to_string(&log).unwrap();
    eventually("the services' lines", LIMIT, || text().contains("]: Ready: nats://"));

    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    assert!(keeping.said.ends_with("stopping\nstopped\n"), "{}", keeping.said);
    is_gone(&home);
}

#[test]
fn no_password_is_shown_and_the_files_are_for_this_user_only() {
    let home = Home::new();
    let file = "[services.shop]\nrun = [\"sh\", \"-c\", \"echo up $NATS_PASSWORD; exec sleep 1000\"]\n\
                ready = { line = \"up\" }\n";
    suite(&home, file, &[("a", WRONG)]);
    let mut keeping = Keeping::left_up(&home, &["suite"]);
    let contexts = keeping.folder().join("contexts");
    assert_eq!(keeping.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mut files = 0;
    for entry in contexts.read_dir().unwrap().map(Result::unwrap) {
        files += 1;
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    // Three roles, the finder, and the same for a shell.
    assert_eq!(files, 5);
    let passwords = ["client", "worker", "harness"].map(|role| {
        let text = std::fs::read(keeping.context(role)).unwrap();
        let context: Value = serde_json::from_slice(&text).unwrap();
        context["password"].as_str().expect("a password").to_owned()
    });
    // A service that is started by hand gets what those of the suite get.
    let environment = pasted(&home, &format!("{} && env", keeping.commands(". ")[0])).ok();
    assert!(environment.contains(&format!("NATS_PASSWORD={}", passwords[1])), "{environment}");
    assert!(environment.contains(&format!("NATS_URL={}", keeping.fact("broker").unwrap())));
    let export = keeping.commands("export NATS_CONTEXT=")[0].clone();
    pasted(&home, &format!("{export} && mono-demo publish to.nobody --data x")).ok();
    let log = PathBuf::from(keeping.fact("services' log").unwrap());
    // Another task writes it.
    let text = || std::fs::read_to_string(&log).unwrap();
    eventually("the service's line", LIMIT, || text().contains("]: up <password>\n"));
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    for password in passwords {
        assert!(!keeping.said.contains(&password), "{}", keeping.said);
    }
}

#[test]
fn the_only_run_stays_if_it_passes() {
    let home = Home::new();
    fixtures(&home, &[("pays", PAYS)]);
    home.run(&["e2e", "--client", "rust", "--update"]).ok();
    let mut keeping = Keeping::left_up(&home, &["--client", "rust"]);
    assert!(keeping.said.contains("kept: pays [rust], passed"), "{}", keeping.said);
    assert_eq!(keeping.fact("services"), Some("none runs"));
    let letters = home.run(&["--context", &keeping.context("harness"), "dlq", "ls"]).ok();
    assert!(letters.contains("1 of 1 dead letter"), "{letters}");
    keeping.signal("TERM");
    assert_eq!(keeping.code(), Some(0));
    is_gone(&home);
}

#[test]
fn nothing_stays_of_several_that_pass() {
    let home = Home::new();
    suite(&home, "", &[("a", STEP), ("b", STEP)]);
    home.run(&["e2e", "suite", "--update"]).ok();
    for args in [&["suite"][..], &["suite", "a", "--repeat", "2"]] {
        let mut keeping = Keeping::start(&home, args);
        assert_eq!(keeping.code(), Some(0), "{}", keeping.said);
        assert!(keeping.said.contains("2 passed, 0 failed"), "{}", keeping.said);
        assert!(keeping.said.contains("nothing is kept: every run passed"), "{}", keeping.said);
    }
    is_gone(&home);
}

#[test]
fn the_first_round_that_fails_stays_and_no_other_is_begun() {
    let home = Home::new();
    // The third time it is done it fails.
    let step = "[[step]]\nrun = [\"sh\", \"-c\", \"echo >> times; test $(wc -l < times) -ne 3\"]\n";
    suite(&home, "", &[("a", step)]);
    home.run(&["e2e", "suite", "--update"]).ok();
    std::fs::remove_file(home.path().join("suite/times")).unwrap();
    let mut keeping = Keeping::left_up(&home, &["suite", "--repeat", "100", "--jobs", "1"]);
    assert!(keeping.said.contains("kept: a [rust] #3, failed"), "{}", keeping.said);
    assert!(keeping.said.contains("2 passed, 1 failed, 97 not run"), "{}", keeping.said);
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    assert_eq!(std::fs::read_to_string(home.path().join("suite/times")).unwrap(), "\n\n\n");
}

#[test]
fn a_transcript_that_differs_is_left_for_review_and_its_run_up() {
    let home = Home::new();
    suite(&home, "", &[("a", "[[step]]\nrun = [\"echo\", \"one\"]\n"), ("b", STEP)]);
    home.run(&["e2e", "suite", "--update"]).ok();
    let golden = home.path().join("suite/scenarios/a.snap");
    let text = std::fs::read_to_string(&golden).unwrap();
    std::fs::write(&golden, text.replace("| one", "| two")).unwrap();
    let mut keeping = Keeping::left_up(&home, &["suite"]);
    assert!(
        keeping.said.contains("kept: a [rust], failed at suite/scenarios/a.snap:"),
        "{}",
        keeping.said
    );
    assert!(home.path().join("suite/scenarios/a.snap.new").exists());
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    is_gone(&home);
}

#[test]
fn a_service_that_does_not_start_leaves_its_broker_up() {
    let home = Home::new();
    let file = "[services.shop]\nrun = [\"sh\", \"-c\", \"exit 7\"]\nready = { line = \"up\" }\n";
    suite(&home, file, &[("a", STEP)]);
    let mut keeping = Keeping::left_up(&home, &["suite"]);
    assert!(keeping.said.contains("kept: a [rust], broken: shop ended with"), "{}", keeping.said);
    let streams = &keeping.commands("mono-demo ")[0];
    assert!(pasted(&home, streams).ok().contains("stream_names_response"), "{streams}");
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(3));
    is_gone(&home);
}

#[test]
fn paused_services_stay_paused_until_they_are_woken() {
    let home = Home::new();
    fixtures(&home, &[("pauses", &format!("[[step]]\nfault = \"pause-services\"\n{WRONG}"))]);
    let keeping = Keeping::left_up(&home, &["--client", "rust"]);
    assert_eq!(keeping.fact("still broken"), Some("pause-services"));
    let client = keeping.context("client");
    let add = ["--context", &client, "--timeout", "200ms", "call", "math", "add", "1", "2"];
    home.run(&add).failed(6, "no answer within 200ms");
    pasted(&home, &keeping.commands("kill -CONT ")[0]).ok();
    let add = ["--context", &client, "call", "math", "add", "1", "2"];
    assert_eq!(home.run(&add).ok(), "3\n");
}

#[test]
fn what_ends_meanwhile_is_told_and_a_second_ctrl_c_does_not_wait() {
    let home = Home::new();
    // The first heeds no SIGTERM; the second says what it is told, and ends when it is told so.
    let file = "[services.deaf]\nrun = [\"sh\", \"-c\", \"trap '' TERM; echo up; while :; do sleep 1; done\"]\n\
                ready = { line = \"up\" }\nstop_within = \"10m\"\n\
                [services.brief]\nrun = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]\nready = { line = \"up\" }\n";
    suite(&home, file, &[("a", WRONG)]);
    let mut keeping = Keeping::left_up(&home, &["suite"]);
    let brief = keeping.said.lines().find_map(|line| line.split_once("brief (pid ")).unwrap().1;
    let pid = brief.trim_end_matches(')').to_owned();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    keeping.until(&format!("brief (pid {pid}) ended with signal 9"));
    keeping.signal("INT");
    keeping.until("stopping");
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(130));
    assert!(keeping.said.ends_with("stopped at once\n"), "{}", keeping.said);
    is_gone(&home);
}

#[test]
fn ctrl_c_during_the_runs_is_an_interrupt() {
    let home = Home::new();
    suite(&home, "", &[("a", "[[step]]\nrun = [\"sh\", \"-c\", \"touch begun; sleep 1000\"]\n")]);
    let mut keeping = Keeping::start(&home, &["suite"]);
    let begun = home.path().join("suite/begun");
    eventually("the step is under way", LIMIT, || begun.exists());
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(130));
    is_gone(&home);
}

#[test]
fn sigkill_while_it_waits_leaves_nothing() {
    let home = Home::new();
    fixtures(&home, &[("pays", WRONG)]);
    let mut keeping = Keeping::left_up(&home, &["--client", "rust"]);
    assert!(!nothing_is_left(&home));
    keeping.signal("KILL");
    assert_eq!(keeping.code(), None);
    is_gone(&home);
}

#[test]
fn a_cluster_stays_too() {
    let home = Home::new();
    suite(&home, "", &[("a", WRONG)]);
    let mut keeping = Keeping::left_up(&home, &["suite", "--cluster", "3"]);
    let nodes = keeping.said.lines().filter(|line| line.starts_with("  broker ")).count();
    assert_eq!(nodes, 3, "{}", keeping.said);
    let streams = &keeping.commands("mono-demo ")[0];
    assert!(pasted(&home, streams).ok().contains("stream_names_response"), "{streams}");
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    is_gone(&home);
}

#[test]
fn machines_get_one_object_before_it_waits() {
    let home = Home::new();
    suite(&home, "", &[("a", WRONG), ("b", WRONG)]);
    let mut keeping = Keeping::start(&home, &["suite", "a", "--json"]);
    let object: Value = serde_json::from_str(&keeping.until("{")).unwrap();
    assert_eq!((&object["ok"], &object["summary"]["failed"]), (&false.into(), &1.into()));
    let kept = &object["kept"];
    assert_eq!((&kept["run"]["scenario"], &kept["verdict"]), (&"a".into(), &"failed".into()));
    let harness = kept["contexts"]["harness"].as_str().unwrap();
    home.run(&["--context", harness, "call", "$JS.API.INFO", "--data", ""]).ok();
    keeping.signal("INT");
    assert_eq!(keeping.code(), Some(1));
    let others = keeping.said.lines().skip(1).collect::<Vec<_>>();
    assert_eq!(others, ["stopping", "stopped"], "{}", keeping.said);

    suite(&home, "", &[("a", STEP), ("b", STEP)]);
    home.run(&["e2e", "suite", "--update"]).ok();
    let mut keeping = Keeping::start(&home, &["suite", "--json"]);
    let object: Value = serde_json::from_str(&keeping.until("{")).unwrap();
    assert_eq!(object["kept"], Value::Null);
    assert_eq!(keeping.code(), Some(0));
}

#[test]
fn what_does_not_go_with_it_is_refused_before_anything_runs() {
    let home = Home::new();
    suite(&home, "prepare = [[\"touch\", \"prepared\"]]\n", &[("a", WRONG)]);
    for other in ["--ci", "--watch", "--record", "--update", "--list", "--retries=1"] {
        let mut keeping = Keeping::start(&home, &["suite", other]);
        assert_eq!(keeping.code(), Some(2), "{}", keeping.said);
        let both =
            keeping.said.contains("--keep") && keeping.said.contains(other.trim_end_matches("=1"));
        assert!(both && keeping.said.contains("cannot be used with"), "{}", keeping.said);
    }
    let in_ci = home.command(["e2e", "--keep", "suite"]).env("CI", "true").output().unwrap();
    Said::from(in_ci).failed(2, "--keep: CI is set, where nobody can press Ctrl-C");
    assert!(!home.path().join("suite/prepared").exists());
}
