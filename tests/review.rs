//! `e2e review`: changed transcripts are shown, accepted, rejected and left, by key or all at once.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::program::{Home, Said};

const HEADING: &str = "---\nsource: \"fixtures/x.toml\"\nexpression: \"d\"\n---\n";

/// Three that wait: one changed, one new, one deeper.
fn suite(home: &Home) {
    for (name, text) in [
        ("a.snap", "call\n  = 1\n"),
        ("a.snap.new", "call\n  = \u{1b}[31m2\n"),
        ("b.snap.new", "call\n  = 3\n"),
        ("deep/c.snap", "call\n  = 4\n"),
        ("deep/c.snap.new", "call\n  = 5\n"),
    ] {
        let path = home.path().join("fixtures").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("{HEADING}{text}")).unwrap();
    }
}

/// What is there, as `NAME: last line`.
fn files(home: &Home) -> Vec<String> {
    let all = ["a.snap", "a.snap.new", "b.snap", "b.snap.new", "deep/c.snap", "deep/c.snap.new"];
    let read = |name: &&str| {
        let text = std::fs::read_to_string(home.path().join("fixtures").join(name)).ok()?;
        Some(format!("{name}: {}", text.chars().rev().find(char::is_ascii_digit)?))
    };
    all.iter().filter_map(read).collect()
}

const UNTOUCHED: [&str; 5] =
    ["a.snap: 1", "a.snap.new: 2", "b.snap.new: 3", "deep/c.snap: 4", "deep/c.snap.new: 5"];

/// Runs it on a pseudo-terminal, and types these keys.
fn typed(home: &Home, keys: &str) -> (Option<i32>, String) {
    let plain = home.command(["e2e", "review"]);
    let mut command = Command::new("script");
    command.args([
        "-qefc",
        &format!("{} e2e review", env!("CARGO_BIN_EXE_mono-demo")),
        "/dev/null",
    ]);
    command.current_dir(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.env("TERM", "xterm").spawn().expect("script starts");
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn each_is_shown_and_a_key_decides() {
    let home = Home::new();
    suite(&home);
    let (code, screen) = typed(&home, "axsr");
    assert_eq!(code, Some(0), "{screen}");
    for shown in [
        "1 of 3  fixtures/a.snap",
        "\u{1b}[31m-  = 1",
        "a, r, s or q",
        "2 of 3  fixtures/b.snap",
        "\u{1b}[32m+  = 3",
        "+  = \u{FFFD}[31m2",
        "3 of 3  fixtures/deep/c.snap",
        "1 accepted, 1 rejected, 1 left",
    ] {
        assert!(screen.contains(shown), "{shown:?} is not on the screen: {screen}");
    }
    assert!(!screen.contains("\u{1b}[31m2"), "a transcript must not colour the terminal");
    assert_eq!(files(&home), ["a.snap: 2", "b.snap.new: 3", "deep/c.snap: 4"]);
}

#[test]
fn quitting_leaves_the_rest() {
    let home = Home::new();
    suite(&home);
    let (code, screen) = typed(&home, "q");
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("0 accepted, 0 rejected, 3 left"), "{screen}");
    assert_eq!(files(&home), UNTOUCHED);
}

#[test]
fn without_a_terminal_all_or_none() {
    let home = Home::new();
    suite(&home);
    home.run(&["e2e", "review"]).failed(2, "3 to review, and no terminal to ask on");
    assert_eq!(files(&home), UNTOUCHED);
    let said = home.run(&["e2e", "review", "--accept", "fixtures/deep"]).ok();
    assert!(said.contains("1 accepted, 0 rejected, 0 left"), "{said}");
    let said = home.run(&["e2e", "review", "--reject"]).ok();
    assert!(said.contains("0 accepted, 2 rejected, 0 left"), "{said}");
    assert_eq!(files(&home), ["a.snap: 1", "deep/c.snap: 5"]);
    let said = home.run(&["e2e", "review"]).ok();
    assert_eq!(said, "nothing below fixtures waits for review\n");
}

#[test]
fn ci_and_what_is_no_transcript_are_refused() {
    let home = Home::new();
    suite(&home);
    let mut command = home.command(["e2e", "review", "--accept"]);
    Said::from(command.env("CI", "true").output().unwrap()).failed(2, "CI is set");
    assert_eq!(files(&home), UNTOUCHED);
    std::fs::write(home.path().join("fixtures/a.snap.new"), "oops").unwrap();
    home.run(&["e2e", "review", "--accept"]).failed(2, "a.snap.new is not a golden file");
    home.run(&["e2e", "review", "nowhere"]).failed(2, "cannot read ");
}
