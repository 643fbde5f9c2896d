//! `e2e` finds its suite from folders below it, and prints which; a command that runs nothing is no
//! success.

use std::process::Command;

use crate::support::program::{Home, Said};

const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";

/// A suite `shop` of two scenarios, with golden files, and a folder deep below it.
fn shop(home: &Home) {
    let root = home.path().join("shop");
    std::fs::create_dir_all(root.join("src/deep")).unwrap();
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), "").unwrap();
    for name in ["a", "b"] {
        let text = format!("description = \"{name}\"\n\n{STEP}");
        std::fs::write(root.join(format!("scenarios/{name}.toml")), text).unwrap();
        let golden = format!(
            "---\nsource: \"scenarios/{name}.toml\"\nexpression: \"{name}\"\n---\n\
             request nobody\n  error no_responders\n"
        );
        std::fs::write(root.join(format!("scenarios/{name}.snap")), golden).unwrap();
    }
}

fn at(home: &Home, folder: &str, args: &[&str]) -> Command {
    let mut command = home.command([&["e2e"], args].concat());
    command.current_dir(home.path().join(folder));
    command
}

fn said(command: &mut Command) -> Said {
    Said::from(command.output().expect("the program starts"))
}

#[test]
fn a_suite_is_found_from_below_and_named_first_and_last() {
    let home = Home::new();
    shop(&home);
    home.run(&["e2e", "shop", "--update"]).ok();
    let root = home.path().canonicalize().unwrap().join("shop");
    let text = said(&mut at(&home, "shop/src/deep", &["a"])).ok();
    let lines: Vec<&str> = text.lines().collect();
    let suite = format!("suite {}: 2 scenarios", root.display());
    assert_eq!(lines[0], format!("{suite}, 1 chosen"), "{text}");
    assert!(lines[1].starts_with("ok   a [rust]"), "{text}");
    assert!(lines[2].ends_with(&format!(" ({suite})")), "{text}");
    let text = home.run(&["e2e", "shop"]).ok();
    assert!(text.starts_with("suite shop: 2 scenarios\n"), "{text}");

    // The others find the same one.
    let deep = |args: &[&str]| said(&mut at(&home, "shop/src/deep", args)).ok();
    let list = said(&mut at(&home, "shop/src/deep", &["--list"]));
    assert_eq!(list.stderr, format!("suite {}\n", root.display()));
    assert_eq!(list.ok().lines().count(), 2);
    let record = said(&mut at(&home, "shop/src/deep", &["--record", "a"]));
    assert!(record.stderr.starts_with(&format!("suite {}\n", root.display())), "{}", record.stderr);
    assert!(deep(&["fmt", "--check"]).contains("2 fixtures"), "{}", deep(&["fmt", "--check"]));
    std::fs::write(root.join("scenarios/a.snap.new"), "---\nsource: \"x\"\n---\nx\n").unwrap();
    assert!(deep(&["review", "--reject"]).contains("1 rejected"));
    assert!(!root.join("scenarios/a.snap.new").exists());
}

#[test]
fn the_built_in_scenarios_say_that_they_run_and_in_ci_only_if_asked_for() {
    let home = Home::new();
    let text = home.run(&["e2e", "math/operations", "--client", "rust"]).ok();
    let built_in =
        "suite built into mono-demo (no suite.toml here or above, no folder fixtures here): ";
    assert!(text.starts_with(built_in), "{text}");
    assert!(text.lines().last().unwrap().contains("(suite built into mono-demo"), "{text}");
    let ci = |args: &[&str]| said(at(&home, ".", args).env("CI", "true"));
    let refused = ci(&["math/operations", "--client", "rust"]).failed(2, "--builtin");
    assert!(refused.stderr.contains("no suite.toml"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    ci(&["--list"]).failed(2, "--builtin");
    let text = ci(&["--builtin", "math/operations", "--client", "rust"]).ok();
    assert!(text.starts_with("suite built into mono-demo: "), "{text}");
    // There is no folder to look in, and that is said.
    for command in ["review", "fmt"] {
        home.run(&["e2e", command]).failed(2, "no suite.toml here or above");
    }
    std::fs::create_dir(home.path().join("empty")).unwrap();
    home.run(&["e2e", "fmt", "--check", "empty"]).failed(2, "there is no fixture in empty");
    // A suite is there, and the built-in one was asked for.
    shop(&home);
    let text = said(&mut at(&home, "shop", &["--builtin", "--list"])).ok();
    assert!(text.contains("math/operations"), "{text}");
}

#[test]
fn what_leaves_nothing_to_run_is_refused_unless_that_is_meant() {
    let home = Home::new();
    shop(&home);
    let text = "description = \"c\"\nclients = [\"two\"]\n\n".to_owned() + STEP;
    std::fs::write(home.path().join("shop/scenarios/c.toml"), text).unwrap();
    let clients = "[clients.one]\nrun = [\"true\"]\n[clients.two]\nrun = [\"true\"]\n";
    std::fs::write(home.path().join("shop/suite.toml"), clients).unwrap();
    for filter in [
        &["--shard", "300/300"][..],
        &["--tag", "nowhere"],
        &["nowhere"],
        &["-E", "tag(nowhere)"],
        &["c", "--client", "one"],
    ] {
        let args = [&["e2e", "shop"], filter].concat();
        let refused = home.run(&args).failed(2, "no scenario matches");
        assert_eq!(refused.stdout, "", "{filter:?}");
        home.run(&[&args[..], &["--list"]].concat()).failed(2, "no scenario matches");
        let text = home.run(&[&args[..], &["--pass-with-no-runs"]].concat()).ok();
        assert!(text.contains(", 0 runs: 0 passed"), "{filter:?}: {text}");
    }
}

#[test]
fn runs_that_were_all_left_out_prove_nothing() {
    let home = Home::new();
    shop(&home);
    let dies = "description = \"d\"\n\n[[step]]\nsubmit = \"x\"\nbody = 1\nrepeat = 2\nclient_dies = true\n";
    std::fs::write(home.path().join("shop/scenarios/d.toml"), dies).unwrap();
    // The client that every suite has does not die when it is told to.
    let args = ["e2e", "shop", "d"];
    home.run(&args).failed(3, "nothing was run");
    home.run(&[&args[..], &["--pass-with-no-runs"]].concat()).ok();
}
