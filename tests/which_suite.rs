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

#[test]
fn a_name_or_tag_that_chooses_nothing_is_refused_whatever_the_others_choose() {
    let home = Home::new();
    shop(&home);
    let text = format!("description = \"c\"\ntags = [\"slow\"]\n\n{STEP}");
    std::fs::create_dir(home.path().join("shop/scenarios/orders")).unwrap();
    std::fs::write(home.path().join("shop/scenarios/orders/survives.toml"), text).unwrap();
    for (args, near) in [
        (&["a", "orders/survivs"][..], "did you mean `orders/survives`?"),
        (&["a", "survivs"], "did you mean `orders/survives`?"),
        (&["a", "ordres/"], "did you mean `orders/`?"),
        (&["a", "slow"], "did you mean `--tag slow`?"),
        (&["--tag", "slow", "--tag", "slwo"], "did you mean `--tag slow`?"),
        (&["--tag", "slow", "--tag", "survives"], "did you mean `orders/survives`?"),
        (&["a", "nothing-like-it"], "`--list` shows all scenarios"),
    ] {
        let refused = home.run(&[&["e2e", "shop"], args].concat()).failed(2, near);
        let wrong = args.last().unwrap();
        let flag = if args[0] == "--tag" { "--tag " } else { "" };
        let told = format!("error: no scenario matches: {flag}{wrong}; suite shop\n");
        assert!(refused.stderr.starts_with(&told), "{args:?}: {}", refused.stderr);
        assert_eq!(refused.stdout, "", "{args:?}");
    }
    // Both of two slips are named, and a choice that may be empty stays one.
    home.run(&["e2e", "shop", "x1", "x2"]).failed(2, "no scenario matches: x1, x2");
    let may = ["e2e", "shop", "a", "x1", "--list", "--pass-with-no-runs"];
    assert_eq!(home.run(&may).ok().lines().count(), 1);
}

#[test]
fn a_folder_without_a_suite_file_is_not_run_with_the_built_in_services() {
    let home = Home::new();
    shop(&home);
    let path = |path: &str| home.path().join(path);
    std::fs::create_dir_all(path("plain/scenarios")).unwrap();
    std::fs::copy(path("shop/scenarios/a.toml"), path("plain/scenarios/a.toml")).unwrap();
    home.run(&["e2e", "plain"]).failed(2, "--fixtures plain runs the scenarios");
    std::fs::write(path("plain/suites.toml"), "").unwrap();
    let refused = home.run(&["e2e", "plain"]).failed(2, "did you mean suite.toml?");
    assert!(refused.stderr.starts_with("error: plain has no suite.toml\n"), "{}", refused.stderr);
    let list = ["--list", "--client", "rust"];
    home.run(&[&["e2e", "--fixtures", "plain/scenarios"][..], &list].concat()).ok();
    // A folder above suites says which are in it; one that is called `fixtures` is one of fixtures.
    std::fs::create_dir_all(path("all/fixtures")).unwrap();
    std::fs::rename(path("shop"), path("all/shop")).unwrap();
    home.run(&["e2e", "all"]).failed(2, "the suites in it: shop; as in `mono-demo e2e all/shop`");
    std::fs::copy(path("plain/scenarios/a.toml"), path("all/fixtures/a.toml")).unwrap();
    home.run(&[&["e2e", "all/fixtures"][..], &list].concat()).ok();
}

#[test]
fn what_is_near_a_suite_says_which() {
    let home = Home::new();
    shop(&home);
    home.run(&["e2e", "shpo"]).failed(2, "did you mean the suite `shop`?");
    // Not the built-in scenarios, of which one may have such a name.
    for args in [&["e2e", "in-order"][..], &["e2e"], &["e2e", "--list"]] {
        let other = home.run(args).failed(2, "the suites here: shop; name one");
        assert!(other.stderr.contains("there are suites below it"), "{}", other.stderr);
    }
    home.run(&["e2e", "in-order", "--builtin", "--list"]).ok();
    // Its file is the suite.
    assert_eq!(home.run(&["e2e", "shop/suite.toml", "--list"]).ok().lines().count(), 2);
    let to = home.path().join("second");
    std::fs::create_dir_all(to.join("scenarios")).unwrap();
    std::fs::write(to.join("suite.toml"), "").unwrap();
    // Both are named: each is run. A flag of one suite wants one.
    home.run(&["e2e", "shop", "second", "--list"])
        .failed(2, "--list wants one suite, and 2 are named");
}

#[test]
fn a_fixture_with_mistakes_stops_no_other_that_is_named() {
    let home = Home::new();
    shop(&home);
    home.run(&["e2e", "shop", "--update"]).ok();
    let scenarios = home.path().join("shop/scenarios");
    std::fs::write(scenarios.join("typo.toml"), "descripton = \"d\"\n").unwrap();
    std::fs::write(scenarios.join("bytes.toml"), b"\xff").unwrap();
    let note = "note: 2 other fixtures of this suite have mistakes, and are not chosen: bytes, typo; a run \
                of all shows them\n";
    for args in [&["a"][..], &["scenarios/a.toml"], &["a", "--list"], &["--tag", "x", "a"]] {
        let run = said(&mut at(&home, "shop", args));
        if args.contains(&"x") {
            run.failed(2, "--tag x");
            continue;
        }
        assert!(run.stderr.contains(note), "{args:?}: {}", run.stderr);
        let run = run.ok();
        assert!(!run.contains("belongs to no scenario"), "{run}");
    }
    // Where it may be meant, it is told: by name, by a name that no other has, and where all are.
    for (args, mistake) in [
        (&["typo"][..], "descripton"),
        (&["ty"], "descripton"),
        (&["typo/row"], "descripton"),
        (&["a", "bytes"], "bytes.toml"),
        (&["a", "nobody"], "bytes.toml"),
        (&["scenarios/"], "bytes.toml"),
        (&[], "bytes.toml"),
    ] {
        said(&mut at(&home, "shop", args)).failed(2, mistake);
    }
}

#[test]
fn of_two_scenarios_of_one_name_none_is_run() {
    let home = Home::new();
    let root = home.path().join("scenarios");
    std::fs::create_dir_all(root.join("a")).unwrap();
    let rows =
        format!("description = \"a\"\n\n[[row]]\nname = \"b\"\n\n[[row]]\nname = \"c\"\n\n{STEP}");
    std::fs::write(root.join("a.toml"), rows).unwrap();
    std::fs::write(root.join("a/b.toml"), format!("description = \"b\"\n\n{STEP}")).unwrap();
    let suite = ["e2e", "--fixtures", "scenarios", "--client", "rust"];
    for args in [&["a/b"][..], &["a/b", "--list"], &["a/"], &["a/c", "a/b"], &[]] {
        let refused = home.run(&[&suite, args].concat()).failed(2, "two scenarios are named a/b");
        assert_eq!(refused.stdout, "", "{args:?}");
    }
    // The other row is one alone.
    let other = home.run(&[&suite[..], &["a/c", "--list"]].concat());
    let note = "note: 1 other fixture of this suite has mistakes, and is not chosen: a/b; ";
    assert!(other.stderr.contains(note), "{}", other.stderr);
    assert_eq!(other.ok().lines().count(), 1);
}

#[test]
fn a_path_is_told_as_it_can_be_opened_however_the_folder_was_named() {
    let home = Home::new();
    shop(&home);
    std::fs::remove_file(home.path().join("shop/suite.toml")).unwrap();
    std::fs::rename(home.path().join("shop/scenarios"), home.path().join("shop/fixtures")).unwrap();
    let wrong = "description = \"d\"\n[[step]]\nrequest = \"nobody\"\nerror = \"timeout\"\n";
    std::fs::write(home.path().join("shop/fixtures/wrong.toml"), wrong).unwrap();
    for (folder, fixtures, shown) in [
        ("shop", "fixtures", "fixtures/wrong.toml"),
        ("shop", "./fixtures", "fixtures/wrong.toml"),
        ("shop", "./fixtures/", "fixtures/wrong.toml"),
        ("shop", "src/../fixtures", "fixtures/wrong.toml"),
        ("shop/fixtures", ".", "wrong.toml"),
        ("shop/fixtures", "./.", "wrong.toml"),
        (".", "shop/fixtures/.", "shop/fixtures/wrong.toml"),
        ("shop/src", "../fixtures", "fixtures/wrong.toml"),
    ] {
        let args = ["--fixtures", fixtures, "wrong", "--client", "rust"];
        let text = said(&mut at(&home, folder, &args)).failed(1, "").stdout;
        let place = format!(" --> {shown}:");
        assert!(text.contains(&place), "{folder} {fixtures}: {text}");
        assert!(!text.contains("/./") && !text.contains("''"), "{folder} {fixtures}: {text}");
    }
}
