//! What people of a shell expect of any program: colours, lists, the slowest, a body after a subject.

use std::process::Command;

use crate::support::program::{Home, Said, Serve};
use serde_json::Value;

const STEP: &str = "[[step]]\nrequest = \"nobody\"\nerror = \"no_responders\"\n";
const GREEN: &str = "\x1b[32m";

/// A suite `shop` of three scenarios, the last of which fails.
fn shop(home: &Home) {
    let root = home.path().join("shop");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), "").unwrap();
    let wrong = STEP.replace("no_responders", "timeout");
    for (name, more, step) in
        [("a", "tags = [\"quick\", \"core\"]\n", STEP), ("b", "", STEP), ("c", "", wrong.as_str())]
    {
        let text = format!("description = \"It is {name}.\"\n{more}\n{step}");
        std::fs::write(root.join(format!("scenarios/{name}.toml")), text).unwrap();
    }
    home.run(&["e2e", "shop", "--update", "a", "b"]).ok();
}

fn said(command: &mut Command) -> Said {
    Said::from(command.output().expect("the program starts"))
}

/// The words, without variables of the surroundings that speak of colours.
fn plain(home: &Home, args: &[&str]) -> Command {
    let mut command = home.command(args);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn colours_are_as_the_flag_says_then_the_environment_then_the_terminal() {
    let home = Home::new();
    shop(&home);
    let is_green = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = plain(&home, &[&["e2e", "shop/scenarios/a.toml"], more].concat());
        said(command.envs(variables.iter().copied())).ok().contains(GREEN)
    };
    assert!(!is_green(&[], &[]), "a pipe");
    assert!(is_green(&[], &["--color", "always"]));
    assert!(is_green(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(!is_green(&[("CLICOLOR_FORCE", "0")], &[]));
    assert!(!is_green(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[]));
    assert!(is_green(&[("NO_COLOR", "1")], &["--color=always"]), "the flag wins");
    assert!(!is_green(&[("CLICOLOR_FORCE", "1")], &["--color", "never"]));
    plain(&home, &["--color", "allways", "version"])
        .output()
        .map(Said::from)
        .unwrap()
        .failed(2, "a similar value exists: 'always'");
    // Errors are on stderr, and help comes from the parser of the command line.
    let error = said(&mut plain(&home, &["call", "math", "add", "--color", "always"]));
    assert!(error.failed(2, "").stderr.contains("\x1b[1;31merror:"));
    let help = |args: &[&str]| said(plain(&home, args).env("CLICOLOR_FORCE", "1")).ok();
    assert!(help(&["e2e", "--help"]).contains('\x1b'));
    assert!(!help(&["e2e", "--help", "--color", "never"]).contains('\x1b'));
}

#[test]
fn a_list_has_tags_and_durations_show_what_took_longest() {
    let home = Home::new();
    shop(&home);
    let list = home.run(&["e2e", "shop", "--list"]).ok();
    assert_eq!(list, "a  It is a.  [quick, core]\nb  It is b.\nc  It is c.\n");

    let said = home.run(&["e2e", "shop", "--durations", "2"]).failed(1, "").stdout;
    let (_, longest) = said.split_once("\nthe 2 runs that took longest:\n").expect(&said);
    let seconds = |line: &str| -> f64 { line.trim().split(' ').next().unwrap().parse().unwrap() };
    let lines: Vec<&str> = longest.lines().take(3).collect();
    assert!(lines[..2].iter().all(|line| line.ends_with(" [rust]")), "{said}");
    assert!(seconds(lines[0]) >= seconds(lines[1]), "{said}");
    assert_eq!(lines[2], "what did not pass:", "{said}");
    let one = home.run(&["e2e", "shop/scenarios/b.toml", "--durations", "9"]).ok();
    assert!(one.contains("\nthe run that took longest:\n"), "{one}");
    assert!(!home.run(&["e2e", "shop/scenarios/b.toml"]).ok().contains("longest"));
    home.run(&["e2e", "shop", "--durations", "0"]).failed(2, "expected a whole number from 1");
}

#[test]
fn a_body_may_follow_a_subject_as_natscli_has_it() {
    let home = Home::new();
    let _serve: Serve = home.serve(&["--port", "0"]);
    assert_eq!(
        home.run(&["publish", "orders.new", "hello"]).ok(),
        "published  5 bytes to orders.new\n"
    );
    assert_eq!(
        home.run(&["publish", "orders.new", "-12"]).ok(),
        "published  3 bytes to orders.new\n"
    );
    let sent = home.run(&["publish", "a.b", "@x", "-H", "K:v"]).ok();
    assert_eq!(sent, "published  2 bytes to a.b\n", "it is taken as it is");
    // Also after a subject of one word, unless it is a module, or nearly one.
    assert_eq!(home.run(&["publish", "orders", "{}"]).ok(), "published  2 bytes to orders\n");
    home.run(&["call", "orders", "{}"]).failed(5, "request `orders`: no responders");
    for (args, needle) in [
        (
            &["publish", "notificaton", "email-send"][..],
            "did you mean `publish notification email-send`?",
        ),
        (&["publish", "math", "{}"], "it is request-reply"),
        (&["call", "maht", "add"], "did you mean `call math add`?"),
        (&["publish", "orders", "a", "b"], "there is no module \"orders\""),
        (&["publish", "orders"], "there is no module \"orders\""),
        (&["pay", "p", "1e3"], "the amount 1e3 has an exponent"),
    ] {
        home.run(args).failed(2, needle);
    }
    let ask = r#"{"operation": "add", "a": 10, "b": 5}"#;
    let reply = home.run(&["call", "services.math.calculate", ask]).ok();
    assert_eq!(serde_json::from_str::<Value>(&reply).unwrap()["result"], 15);
    let payment = r#"{"payment_id": "p", "amount": 5, "currency": "USD", "user_id": "u", "subscription_id": "s"}"#;
    let stored = home.run(&["publish", "-J", "services.payment.payment-process", payment]).ok();
    assert!(stored.starts_with("stored  stream "), "{stored}");
    for (args, needle) in [
        (&["publish", "a.b"][..], "a subject goes with a body, or with --data"),
        (&["publish", "a.b", "x", "y"], "expected one BODY, got 2 words"),
        (&["publish", "a.*", "x"], "wildcard"),
        (&["publish", "a.b", "x", "--data", "y"], "with --data, expected MODULE SERVICE"),
        (&["publish", "notification", "email-send", "a@b.c", "x", "-H", "K:v"], "-H goes with"),
        (&["call", "a.b", "x", "-H", "broken"], "expected NAME:VALUE"),
    ] {
        home.run(args).failed(2, needle);
    }
}

#[test]
fn only_what_failed_the_last_time_is_run_again() {
    let home = Home::new();
    shop(&home);
    let nothing = "no run of this suite is known to have failed here";
    home.run(&["e2e", "shop", "--last-failed"]).failed(2, nothing);
    let passes = ["e2e", "shop", "--last-failed", "--pass-with-no-runs"];
    assert!(home.run(&passes).ok().contains(" 0 runs"));
    assert!(!home.path().join(".local").exists(), "nothing failed, and nothing is written");

    assert!(home.run(&["e2e", "shop"]).failed(1, "").stdout.contains("3 runs: 2 passed, 1 failed"));
    let again = home.run(&["e2e", "shop", "--lf"]).failed(1, "").stdout;
    assert!(
        again.contains("1 run: 0 passed, 1 failed") && again.contains("FAIL c [rust]"),
        "{again}"
    );
    assert_eq!(home.run(&["e2e", "shop", "--last-failed", "--list"]).ok(), "c  It is c.\n");
    // What is run beside it changes nothing about it; other suites have files of their own.
    home.run(&["e2e", "shop/scenarios/a.toml"]).ok();
    home.run(&["e2e", "shop", "--last-failed", "a"])
        .failed(2, "no scenario matches: a, --last-failed");
    home.run(&["e2e", "--builtin", "--last-failed"]).failed(2, nothing);
    // In CI nothing is written.
    let mut ci = home.command(["e2e", "shop", "a", "b"]);
    said(ci.env("CI", "true")).ok();

    // A scenario that is there no more does not fail any more.
    let file = home.path().join("shop/scenarios/c.toml");
    let renamed = file.with_file_name("z.toml");
    std::fs::rename(&file, &renamed).unwrap();
    home.run(&["e2e", "shop", "--last-failed"]).failed(2, nothing);
    home.run(&["e2e", "shop", "z"]).failed(1, "");
    assert_eq!(home.run(&["e2e", "shop", "--last-failed", "--list"]).ok(), "z  It is c.\n");
    std::fs::rename(&renamed, &file).unwrap();
    home.run(&["e2e", "shop"]).failed(1, "");
    assert_eq!(home.run(&["e2e", "shop", "--last-failed", "--list"]).ok(), "c  It is c.\n");

    std::fs::write(&file, format!("description = \"It is c.\"\n\n{STEP}")).unwrap();
    home.run(&["e2e", "shop", "--last-failed", "--update"]).failed(2, "cannot be used with");
    home.run(&["e2e", "shop", "c", "--update"]).ok();
    home.run(&["e2e", "shop", "--last-failed"]).failed(2, nothing);

    std::fs::write(
        &file,
        format!("description = \"It is c.\"\n\n{}", STEP.replace("no_responders", "timeout")),
    )
    .unwrap();
    home.run(&["e2e", "shop"]).failed(1, "");
    let folder = home.path().join(".local/state/mono-demo/last-failed");
    let [kept] =
        &folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..]
    else {
        panic!("one file")
    };
    std::fs::write(kept, "nonsense").unwrap();
    let broken = home.run(&["e2e", "shop", "--last-failed"]).failed(3, "--last-failed: read ");
    assert!(broken.stderr.contains("hint: remove that file"), "{}", broken.stderr);
}

/// Waits for what another process makes, which tells nobody.
fn there(path: &std::path::Path) {
    let begun = std::time::Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{}", path.display());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Starts a run, and interrupts it once a file is there.
fn interrupted(home: &Home, args: &[&str], once: &std::path::Path) -> Said {
    use std::process::Stdio;
    let child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    there(once);
    crate::support::send("INT", child.id());
    Said::from(child.wait_with_output().unwrap())
}

#[test]
fn what_was_interrupted_or_kept_did_not_pass() {
    let home = Home::new();
    shop(&home);
    let kept = home.path().join(".local/state/mono-demo/last-failed");
    let last = ["e2e", "shop", "--last-failed", "--list"];
    interrupted(&home, &["e2e", "shop", "c", "--keep"], &kept).failed(1, "");
    assert_eq!(home.run(&last).ok(), "c  It is c.\n");
    let marker = home.path().join("begun");
    let step =
        format!("[[step]]\nrun = [\"sh\", \"-c\", \"touch {}; sleep 60\"]\n", marker.display());
    let text = format!("description = \"It is long.\"\n\n{step}");
    std::fs::write(home.path().join("shop/scenarios/long.toml"), text).unwrap();
    interrupted(&home, &["e2e", "shop", "long"], &marker).failed(130, "");
    assert_eq!(home.run(&last).ok(), "c     It is c.\nlong  It is long.\n");
}

#[test]
fn a_golden_file_that_was_there_is_changed_and_no_new_one() {
    let home = Home::new();
    shop(&home);
    let path = home.path().join("shop/scenarios/a.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(home.run(&["e2e", "shop", "a", "--update"]).ok().contains("\nok   a [rust]"));
    std::fs::write(&path, text.replace("nobody", "somebody")).unwrap();
    let said = home.run(&["e2e", "shop", "a", "--update"]).ok();
    assert!(said.contains("\nchgd a [rust]"), "{said}");
    std::fs::remove_file(path.with_extension("snap")).unwrap();
    let said = home.run(&["e2e", "shop", "a", "--update"]).ok();
    assert!(said.contains("\nnew  a [rust]"), "{said}");
}

#[test]
fn several_suites_run_one_after_the_other() {
    let home = Home::new();
    shop(&home);
    let root = home.path().join("more/shop");
    std::fs::create_dir_all(root.join("scenarios")).unwrap();
    std::fs::write(root.join("suite.toml"), "").unwrap();
    std::fs::write(root.join("scenarios/d.toml"), format!("description = \"d\"\n\n{STEP}"))
        .unwrap();
    home.run(&["e2e", "more/shop", "--update"]).ok();

    let said = home.run(&["e2e", "more/shop", "shop", "--report", "json=r.json"]).failed(1, "");
    let at = |needle: &str| said.stdout.find(needle).unwrap_or_else(|| panic!("{}", said.stdout));
    assert!(at("ok   d [rust]") < at("FAIL c [rust]"));
    assert!(said.stdout.ends_with("\n2 suites: not all passed\n"), "{}", said.stdout);
    for report in ["r-shop.json", "r-shop-2.json"] {
        assert!(home.path().join(report).is_file(), "{report}");
    }
    let paths = ["e2e", "shop/scenarios/a.toml", "more/shop", "shop/scenarios/b.toml"];
    let said = home.run(&paths).ok();
    assert!(
        said.contains("3 scenarios, 2 chosen") && said.ends_with("2 suites: all passed\n"),
        "{said}"
    );
    let json =
        home.run(&["e2e", "shop", "more/shop", "--fail-fast", "--json"]).failed(1, "").stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["ok"], json["suites"].as_array().map(Vec::len)),
        (&Value::Bool(false), Some(1))
    );
    for (args, needle) in [
        (&["shop", "more/shop", "a"][..], "a is in none of the 2 suites that are named"),
        (&["shop", "more/shop", "--keep"], "--keep wants one suite, and 2 are named"),
        (&["shop", "more/shop", "--tag", "qick"], "no scenario matches: --tag qick"),
    ] {
        home.run(&[&["e2e"], args].concat()).failed(2, needle);
    }
}

#[test]
fn of_several_suites_those_in_which_nothing_is_chosen_hold_up_no_other() {
    let home = Home::new();
    shop(&home);
    let green = home.path().join("green");
    std::fs::create_dir_all(green.join("scenarios")).unwrap();
    std::fs::write(green.join("suite.toml"), "").unwrap();
    std::fs::write(green.join("scenarios/d.toml"), format!("description = \"d\"\n\n{STEP}"))
        .unwrap();
    home.run(&["e2e", "green", "--update"]).ok();
    let nothing = "nothing to run in any of 2 suites";
    home.run(&["e2e", "green", "shop", "--last-failed"]).failed(2, nothing);
    home.run(&["e2e", "green", "shop"]).failed(1, "");
    for suites in [["green", "shop"], ["shop", "green"]] {
        let again = [&["e2e"], &suites[..], &["--last-failed"]].concat();
        let said = home.run(&again).failed(1, "").stdout;
        assert!(said.contains("FAIL c [rust]"), "{said}");
        assert!(said.contains("green: nothing of it is chosen, 0 runs\n"), "{said}");
        assert!(said.ends_with("\n2 suites: not all passed\n"), "{said}");
        for choice in [["--tag", "quick"], ["-E", "name(a)"]] {
            let said = home.run(&[&["e2e"], &suites[..], &choice].concat()).ok();
            assert!(said.contains("ok   a [rust]"), "{said}");
            assert!(said.ends_with("\n2 suites: all passed\n"), "{said}");
        }
    }
    let json = home.run(&["e2e", "green", "shop", "--tag", "quick", "--json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    let runs: Vec<_> =
        json["suites"].as_array().unwrap().iter().map(|suite| &suite["summary"]["runs"]).collect();
    assert_eq!(runs, [0, 1]);
    home.run(&["e2e", "green", "shop", "-E", "name(z)"]).failed(2, nothing);
}

#[test]
fn an_error_in_a_later_suite_keeps_what_the_earlier_came_to() {
    let home = Home::new();
    shop(&home);
    let other = home.path().join("other");
    std::fs::create_dir_all(other.join("scenarios")).unwrap();
    std::fs::write(other.join("suite.toml"), "").unwrap();
    let text = format!("description = \"d\"\n\n{STEP}");
    std::fs::write(other.join("scenarios/d.toml"), text).unwrap();
    // The file of its report cannot be written: that is seen when its turn comes.
    std::fs::create_dir(home.path().join("r-other.json")).unwrap();
    let run = ["e2e", "shop", "other", "--report", "json=r.json", "--json"];
    let said = home.run(&run).failed(2, "r-other.json");
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&json["ok"], &json["error"]["kind"]), (&Value::Bool(false), &"usage".into()));
    assert_eq!(json["suites"][0]["summary"]["failed"], 1, "{json}");
    assert_eq!(json["suites"][1]["summary"], Value::Null, "{json}");
    // A slip in a fixture costs no run of another suite.
    std::fs::write(other.join("scenarios/d.toml"), "description = 1\n").unwrap();
    let said = home.run(&["e2e", "shop", "other"]).failed(2, "d.toml");
    assert!(!said.stdout.contains("[rust]"), "{}", said.stdout);
}
