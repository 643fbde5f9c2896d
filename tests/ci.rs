//! `e2e` in CI: nothing is written, a missing tool is no pass, and GitHub gets annotations.

use std::path::Path;
use std::process::Command;

use crate::support::program::{Home, Said};

const GOOD: &str = "description = \"d\"\n[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nreply = 3\n";

/// A folder with these fixtures.
fn suite(home: &Home, fixtures: &[(&str, &str)]) {
    let folder = home.path().join("repo/shop/fixtures");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in fixtures {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn files(home: &Home) -> Vec<String> {
    let folder = home.path().join("repo/shop/fixtures").read_dir().unwrap();
    let mut names: Vec<_> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// `mono-demo e2e` in the suite's folder, under CI.
fn e2e(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command([&["e2e", "--client", "rust"], args].concat());
    command.current_dir(home.path().join("repo/shop")).env("CI", "true");
    command
}

fn said(mut command: Command) -> Said {
    Said::from(command.output().expect("the program starts"))
}

#[test]
fn ci_writes_nothing_and_a_missing_golden_file_fails() {
    let home = Home::new();
    suite(&home, &[("a.toml", GOOD)]);
    let failed = said(e2e(&home, &[])).failed(1, "");
    assert!(failed.stdout.contains("there is no golden file fixtures/a.snap yet"));
    assert_eq!(files(&home), ["a.toml"]);
    said(e2e(&home, &["--update"])).failed(2, "CI is set");
    assert_eq!(files(&home), ["a.toml"]);
    // Red where it should be: elsewhere both write.
    let mut elsewhere = e2e(&home, &[]);
    said({
        elsewhere.env("CI", "false");
        elsewhere
    })
    .failed(1, "");
    assert_eq!(files(&home), ["a.snap.new", "a.toml"]);
    let mut update = e2e(&home, &["--update"]);
    update.env_remove("CI");
    said(update).ok();
    assert_eq!(files(&home), ["a.snap", "a.toml"]);
    said(e2e(&home, &[])).ok();
}

#[test]
fn a_missing_broker_is_a_failure_and_no_skip() {
    let home = Home::new();
    suite(&home, &[("a.toml", GOOD)]);
    let mut command = e2e(&home, &["--offline"]);
    command.env("XDG_CACHE_HOME", home.path().join("empty")).env("PATH", home.path());
    let failed = said(command).failed(3, "nats-server");
    assert!(!failed.stdout.contains("skip"), "{}", failed.stdout);
}

#[test]
fn a_client_that_must_be_there_is_a_failure_and_another_is_left_out_by_name() {
    let home = Home::new();
    suite(&home, &[("a.toml", &format!("clients = [\"node\"]\n{GOOD}"))]);
    // The broker is there before its tools are gone.
    said(e2e(&home, &["--list", "--client", "node"])).ok();
    let without = |args: &[&str]| {
        let mut command = home.command([&["e2e"], args].concat());
        command.current_dir(home.path().join("repo/shop")).env("CI", "true");
        // No node, and no go, and no python.
        command.env("PATH", home.path());
        said(command)
    };
    let required = without(&["--client", "rust", "--require", "node"]);
    required.failed(3, "the node client");
    // All that was chosen is missing: that is no pass.
    let nothing = without(&[]).failed(3, "nothing was run");
    assert!(nothing.stderr.contains("skipping the node client: "), "{}", nothing.stderr);
}

#[test]
fn github_is_told_the_file_and_the_line() {
    let home = Home::new();
    let bad = GOOD.replace("reply = 3", "reply = 4");
    suite(&home, &[("a.toml", GOOD), ("bad.toml", &bad)]);
    let mut update = e2e(&home, &["--update", "a"]);
    update.env_remove("CI");
    said(update).ok();
    let golden = home.path().join("repo/shop/fixtures/a.snap");
    let text = std::fs::read_to_string(&golden).unwrap().replace("= 3", "= 5");
    std::fs::write(golden, text).unwrap();
    let github = |args: &[&str]| {
        let mut command = e2e(&home, args);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", home.path().join("repo"));
        said(command)
    };
    let log = github(&[]).failed(1, "").stdout;
    let errors: Vec<&str> = log.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 2, "{log}");
    let has = |start: &str| errors.iter().any(|line| line.starts_with(start));
    assert!(has("::error file=shop/fixtures/bad.toml,line=5,col=1,title=bad [rust]::"), "{log}");
    assert!(has("::error file=shop/fixtures/a.snap,line=6,title=a [rust]::"), "{log}");
    // Everything else is between the two.
    let (stop, go) = (log.find("::stop-commands::").unwrap(), log.find("FAIL").unwrap());
    assert!(stop < go, "{log}");

    // One object on stdout stays one.
    let json = github(&["--json"]).failed(1, "::error file=shop/fixtures/bad.toml").stdout;
    serde_json::from_str::<serde_json::Value>(&json).unwrap();

    suite(&home, &[("broken.toml", "description = \"d\"\n[[step]]\nsumbit = \"x\"\n")]);
    let broken = github(&[]).failed(2, "sumbit");
    let place = "::error file=shop/fixtures/broken.toml,line=3,col=1,title=broken fixture::";
    assert!(broken.stdout.starts_with(place), "{}", broken.stdout);
}

#[test]
fn without_github_there_is_no_annotation() {
    let home = Home::new();
    suite(&home, &[("a.toml", GOOD)]);
    let failed = said(e2e(&home, &[])).failed(1, "");
    assert!(!failed.stdout.contains("::"), "{}", failed.stdout);
}

#[test]
fn a_report_that_cannot_be_written_costs_no_run() {
    let home = Home::new();
    suite(&home, &[("a.toml", GOOD)]);
    let folder = home.path().join("repo/shop");
    for kind in ["html", "junit", "json", "tap"] {
        for path in ["/nowhere/at/all", folder.to_str().unwrap(), "fixtures/a.toml/x"] {
            let failed = said(e2e(&home, &["--report", &format!("{kind}={path}")]));
            let failed = failed.failed(2, &format!("--report {path}: "));
            assert_eq!(failed.stdout, "", "nothing was run");
        }
    }
    said(e2e(&home, &["--report", "pdf=x"])).failed(2, "expected html=PATH, junit=PATH");
    assert_eq!(files(&home), ["a.toml"]);
    assert!(!Path::new("/nowhere").exists());
}

/// Each command of the snippets is one that the program takes.
#[test]
fn the_snippets_are_commands() {
    let home = Home::new();
    suite(&home, &[("a.toml", GOOD), ("b.toml", GOOD)]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/ci.md")).unwrap();
    let mut seen = 0;
    for line in page.lines().map(str::trim) {
        let command = ["- run: mono-demo ", "- mono-demo ", "entry: mono-demo "]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        let Some(command) = command else { continue };
        let filled = command
            .replace("${{ matrix.shard }}", "1/2")
            .replace("$CI_NODE_INDEX/$CI_NODE_TOTAL", "2/2");
        // Nothing is run, so that there is nothing to report: the report's flag is held elsewhere.
        let (filled, _) = filled.split_once(" --report ").unwrap_or((&filled, ""));
        let words: Vec<&str> = filled.split(' ').chain(["--list"]).collect();
        let mut command = home.command(&words);
        command.current_dir(home.path().join("repo/shop"));
        assert!(said(command).ok().lines().count() >= 1, "{words:?}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}
