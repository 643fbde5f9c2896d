//! Reports are complete, also after an interrupt, and say what was run, with what and where; the
//! summary repeats each failure with its reason.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::program::{Home, Said};
use crate::support::send;

const KINDS: [&str; 4] = ["html", "junit", "json", "tap"];

/// A suite `shop` without golden files, in a home of its own.
fn shop(scenarios: &[(&str, &str)]) -> Home {
    let home = Home::new();
    let folder = home.path().join("shop/scenarios");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(home.path().join("shop/suite.toml"), "").unwrap();
    for (name, steps) in scenarios {
        let text = format!("description = \"{name}\"\n\n{steps}");
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    home
}

/// Asks nobody, who does not answer: `no_responders`.
fn ask(error: &str) -> String {
    format!("[[step]]\nrequest = \"nobody\"\nerror = \"{error}\"\n")
}

fn reports(home: &Home) -> Vec<PathBuf> {
    KINDS.map(|kind| home.path().join(format!("r.{kind}"))).to_vec()
}

fn with_reports(args: &[&str]) -> Vec<String> {
    let reports = KINDS.iter().flat_map(|kind| ["--report".to_owned(), format!("{kind}=r.{kind}")]);
    args.iter().map(|arg| (*arg).to_owned()).chain(reports).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A file that a step makes: there is nothing to wait on but its being there.
fn wait_for(path: &Path, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {}", path.display());
        assert!(Instant::now() < deadline, "{} is not there", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_interrupted_run_writes_whole_reports_of_what_was_done() {
    let home = shop(&[("a", &ask("timeout"))]);
    let here = home.path().join("here");
    let waits = format!(
        "description = \"b\"\n\n[[step]]\nrun = [\"sh\", \"-c\", \"touch {}; exec sleep 1000\"]\n",
        here.display()
    );
    std::fs::write(home.path().join("shop/scenarios/b.toml"), waits).unwrap();
    std::fs::write(
        home.path().join("shop/scenarios/c.toml"),
        "description = \"c\"\n\n".to_owned() + &ask("timeout"),
    )
    .unwrap();
    reports(&home).iter().for_each(|path| std::fs::write(path, "of another run").unwrap());
    let args = with_reports(&["e2e", "shop", "--ci", "--jobs", "1"]);
    for signal in ["TERM", "INT"] {
        let mut child =
            home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&here, &mut child);
        std::fs::remove_file(&here).unwrap();
        // Nobody reads half a report.
        if signal == "TERM" {
            reports(&home).iter().for_each(|path| assert_eq!(read(path), "of another run"));
        }
        send(signal, child.id());
        let said = Said::from(child.wait_with_output().unwrap()).failed(130, "");
        let last = said.stdout.lines().last().unwrap();
        assert!(
            last.starts_with(
                "interrupted: 3 scenarios, 2 runs: 0 passed, 1 failed, 1 broken, 1 not run"
            ),
            "{}",
            said.stdout
        );
        assert_is_told_whole(&home);
    }
}

fn assert_is_told_whole(home: &Home) {
    let [html, junit, json, tap] = reports(home).try_into().unwrap();
    let document: Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(document["summary"]["interrupted"], true);
    assert_eq!(document["summary"]["not_run"], 1);
    assert_eq!(document["runs"][0]["verdict"], "failed");
    assert_eq!(document["runs"][1]["reason"], "interrupted before it came to its end");
    let junit = read(&junit);
    assert!(
        junit.contains("failures=\"1\" errors=\"2\"") && junit.ends_with("</testsuites>\n"),
        "{junit}"
    );
    assert!(read(&html).ends_with("</html>"));
    assert!(read(&tap).ends_with("\n1..3\n"));
    let beside: Vec<_> = home.path().read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().starts_with(".new-")), "{beside:?}");
}

#[test]
fn every_report_names_the_options_the_suite_the_broker_and_the_machine() {
    let home = shop(&[("a", &ask("no_responders"))]);
    let args = with_reports(&["e2e", "shop", "--update", "--leaks", "ignore", "--seed", "7"]);
    Said::from(home.command(&args).output().unwrap()).ok();
    let [html, junit, json, tap] = reports(&home).try_into().unwrap();
    let document: Value = serde_json::from_str(&read(&json)).unwrap();
    let setup = &document["summary"]["setup"];
    assert_eq!(setup["suite"], "shop");
    assert_eq!(setup["found"], 1);
    assert!(setup["broker"].as_str().unwrap().starts_with("nats-server 2."), "{setup}");
    assert!(setup["machine"].as_str().unwrap().contains(std::env::consts::ARCH), "{setup}");
    let options = setup["command"].as_str().unwrap();
    assert!(
        options.starts_with("mono-demo e2e shop --update --leaks ignore --seed 7 --report"),
        "{setup}"
    );
    for path in [html, junit, tap] {
        let text = read(&path);
        for value in ["suite", "command", "broker", "machine"] {
            let value = setup[value].as_str().unwrap();
            assert!(text.contains(value), "{}: {value}", path.display());
        }
    }
}

#[test]
fn a_suite_that_cannot_be_written_shows_the_difference_and_then_the_trouble() {
    let home = shop(&[("a", &ask("no_responders"))]);
    home.run(&["e2e", "shop", "--update"]).ok();
    // Nothing can be written where a folder is.
    std::fs::create_dir(home.path().join("shop/scenarios/a.snap.new")).unwrap();
    let trouble = "cannot remove";
    let said = home.run(&["e2e", "shop"]).failed(3, trouble);
    assert!(said.stdout.contains("ok   a [rust]"), "{}", said.stdout);
    let golden = home.path().join("shop/scenarios/a.snap");
    std::fs::write(&golden, read(&golden).replace("no_responders", "timeout")).unwrap();
    let said = home.run(&["e2e", "shop"]).failed(1, trouble);
    assert!(said.stdout.contains("     -  ! timeout, definite\n"), "{}", said.stdout);
    assert!(said.stdout.contains("     +  ! no_responders, definite\n"), "{}", said.stdout);
}

#[test]
fn a_report_that_cannot_be_written_at_the_end_hides_no_difference() {
    let home = shop(&[]);
    let folder = home.path().join("reports");
    let steps = format!(
        "description = \"a\"\n\n[[step]]\nrun = [\"rm\", \"-r\", \"{}\"]\n\n{}",
        folder.display(),
        ask("timeout")
    );
    std::fs::write(home.path().join("shop/scenarios/a.toml"), &steps).unwrap();
    let args = ["e2e", "shop", "--update", "--report", "json=reports/r.json"];
    let args = [&args[..], &["--report", "tap=r.tap"]].concat();
    std::fs::create_dir(&folder).unwrap();
    let trouble = "cannot write the report";
    home.run(&args).failed(1, trouble);
    assert!(read(&home.path().join("r.tap")).contains("not ok 1 - a [rust]"), "the other is there");
    std::fs::create_dir(&folder).unwrap();
    let green = steps.replace("timeout", "no_responders");
    std::fs::write(home.path().join("shop/scenarios/a.toml"), green).unwrap();
    home.run(&args).failed(3, trouble);
}

#[test]
fn failures_are_listed_again_at_the_end_each_with_its_reason() {
    let home =
        shop(&[("a", &ask("timeout")), ("b", &ask("no_responders")), ("c", &ask("timeout"))]);
    let args = ["e2e", "shop", "--update", "--jobs", "1", "--report", "html=r.html"];
    let said = home.run(&args).failed(1, "");
    let lines: Vec<&str> = said.stdout.lines().collect();
    let [.., heading, a, c, summary] = lines.as_slice() else { panic!("{}", said.stdout) };
    assert_eq!(*heading, "what did not pass:");
    let reason = a.strip_prefix("FAIL a [rust]: ").unwrap();
    assert!(reason.contains("timeout"), "{}", said.stdout);
    assert_eq!(*c, format!("FAIL c [rust]: {reason}"));
    assert!(summary.starts_with("3 scenarios"), "{}", said.stdout);
    // The page says each reason once, with the runs of it.
    let page = read(&home.path().join("r.html"));
    let nav = &page[page.find("aria-label=\"What did not pass\"").unwrap()..];
    let nav = &nav[..nav.find("</nav>").unwrap()];
    assert_eq!(nav.matches("class=\"reason\"").count(), 1, "{nav}");
    assert!(nav.contains("2 runs"), "{nav}");
    assert!(nav.contains("a [rust]") && nav.contains("c [rust]"), "{nav}");
}
