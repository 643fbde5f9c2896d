//! Rows, includes, teardown, counted messages and `--record`, run by the program against the broker.

use std::path::Path;

use crate::support::program::{Home, Said};

/// A suite of these files; each fixture gets a description.
fn suite(files: &[(&str, &str)]) -> Home {
    let home = Home::new();
    for (name, text) in files {
        let path = home.path().join("suite").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let described = if name.ends_with(".steps.toml") || text.contains("description") {
            (*text).to_owned()
        } else {
            format!("description = \"{name}\"\n{text}")
        };
        std::fs::write(path, described).unwrap();
    }
    home
}

fn e2e(home: &Home, args: &[&str]) -> Said {
    let all = [&["e2e", "--fixtures", "suite", "--client", "rust"], args].concat();
    home.run(&all)
}

fn read(home: &Home, name: &str) -> String {
    let path = home.path().join("suite").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

const DIVISION: &str = r#"description = "{{a}} by {{b}}"

[services.math]
workers = "{{workers}}"

[[row]]
name = "whole"
a = 10
b = 5
workers = 1
reply = { result = 2 }

[[row]]
name = "by-zero"
a = 1
b = 0
workers = 2
reply = { error = "division by zero", result = "REPLY" }

[[step]]
call = "math.calculate"
args = ["divide", "{{a}}", "{{b}}"]
reply = "{{reply}}"
"#;

#[test]
fn each_row_is_a_scenario_with_a_golden_file_of_its_own() {
    let home = suite(&[("math/division.toml", &DIVISION.replace("REPLY", "#absent"))]);
    assert_eq!(
        e2e(&home, &["--list"]).ok(),
        "math/division/by-zero  1 by 0\nmath/division/whole    10 by 5\n"
    );
    e2e(&home, &["--update"]).ok();
    let golden = read(&home, "math/division.by-zero.snap");
    assert!(golden.contains("source: \"suite/math/division.toml\""), "{golden}");
    assert!(golden.contains("call math.calculate(\"divide\", 1, 0)\n  = {"), "{golden}");
    assert!(read(&home, "math/division.whole.snap").contains("\"result\":2"));
    let all = e2e(&home, &["math/division"]).ok();
    assert!(all.contains("2 passed"), "{all}");
    let one = e2e(&home, &["math/division/whole"]).ok();
    assert!(one.contains("1 passed") && !one.contains("by-zero"), "{one}");
    let by_path = e2e(&home, &["suite/math/division.toml"]).ok();
    assert!(by_path.contains("2 passed"), "{by_path}");
    // The other row does not hold: only it fails, at the place where the row's value stands.
    let home = suite(&[("math/division.toml", &DIVISION.replace("REPLY", "#number"))]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    assert!(said.stdout.contains("math/division/by-zero"), "{}", said.stdout);
    assert!(
        said.stdout.contains("reply.result: expected a number, saw nothing"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_row_and_a_file_of_the_same_name_are_refused() {
    let home = suite(&[
        ("math/division.toml", &DIVISION.replace("REPLY", "#absent")),
        ("math/division/whole.toml", "[[step]]\nsettle = true\n"),
    ]);
    let said = e2e(&home, &["--list"]).failed(2, "two scenarios are named math/division/whole");
    assert!(said.stderr.contains("suite/math/division.toml is the other one"), "{}", said.stderr);
}

const SUBMIT: &str = r#"params = ["id", "amount"]

[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "{{id}}", amount = "{{amount}}" }
ack = { stream = "payment-requests", duplicate = false }
save = { sequence = "/sequence" }

[[step]]
call = "payment.wait_for_status"
args = ["{{id}}"]
reply = { status = "STATUS" }
"#;
const PAYMENTS: &str = r#"
[[step]]
include = "shared/submit.steps.toml"
with = { id = "pay-1", amount = 9.99 }

[[step]]
include = "shared/submit.steps.toml"
with = { id = "pay-2", amount = 5 }

# What the included steps have saved is there.
[[step]]
request = "services.nobody.{{sequence}}"
error = "no_responders"

[[step]]
call = "payment.get_status"
args = ["pay-1"]
save = { id = "/payment_id" }

[[check]]
charged_once = "{{id}}"
amount = "9.99"
"#;

#[test]
fn shared_steps_are_included_and_what_goes_wrong_points_into_them() {
    let home = suite(&[
        ("payments.toml", PAYMENTS),
        ("shared/submit.steps.toml", &SUBMIT.replace("STATUS", "completed")),
    ]);
    let list = e2e(&home, &["--list"]).ok();
    assert_eq!(list, "payments  payments.toml\n", "shared steps are no scenario");
    e2e(&home, &["--update"]).ok();
    let golden = read(&home, "payments.snap");
    assert!(golden.contains("request services.nobody.2"), "{golden}");
    assert!(golden.contains("check charged_once\n  = pay-1 charged once, 9.99 USD"), "{golden}");
    std::fs::write(
        home.path().join("suite/shared/submit.steps.toml"),
        SUBMIT.replace("STATUS", "failed"),
    )
    .unwrap();
    let said = e2e(&home, &["--ci"]).failed(1, "");
    for needle in [
        "--> suite/shared/submit.steps.toml:12:1",
        "reply.status: expected \"failed\", saw \"completed\"",
        "included from suite/payments.toml:4",
    ] {
        assert!(said.stdout.contains(needle), "no {needle} in {}", said.stdout);
    }
}

#[test]
#[cfg(unix)]
fn an_include_does_not_lead_out_of_the_suite() {
    let home = suite(&[("a.toml", "[[step]]\ninclude = \"link.steps.toml\"\n")]);
    std::fs::write(home.path().join("secret.steps.toml"), "[[step]]\nsettle = true\n").unwrap();
    std::os::unix::fs::symlink("../secret.steps.toml", home.path().join("suite/link.steps.toml"))
        .unwrap();
    e2e(&home, &["--list"]).failed(2, "it leads out of the folder");
}

#[test]
#[cfg(unix)]
fn what_is_no_file_of_a_suite_is_refused_at_once() {
    let home = suite(&[("a.toml", "[[step]]\nsettle = true\n")]);
    let status =
        std::process::Command::new("mkfifo").arg(home.path().join("suite/b.toml")).status();
    assert!(status.unwrap().success());
    e2e(&home, &["--list"]).failed(2, "it is not a plain file");
    std::fs::remove_file(home.path().join("suite/b.toml")).unwrap();
    std::fs::write(home.path().join("suite/b.toml"), "#".repeat(5 << 20)).unwrap();
    e2e(&home, &["--list"]).failed(2, "it is larger than 4194304 bytes");
    let deep = format!("description = \"d\"\nx = {}1{}\n", "[".repeat(5000), "]".repeat(5000));
    std::fs::write(home.path().join("suite/b.toml"), deep).unwrap();
    e2e(&home, &["--list"]).failed(2, "max recursion depth");
}

#[test]
fn the_teardown_runs_whatever_happened_and_its_failure_is_told_beside_the_first() {
    let steps = |reply: u32, exit: u32| {
        format!(
            "[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nreply = {reply}\n\n\
             [[step]]\ncall = \"math.add\"\nargs = [1, 2]\nsave = \"sum\"\n\n\
             [[teardown]]\nrun = [\"sh\", \"-c\", \"exit {exit}\"]\n\n\
             [[teardown]]\nrun = [\"sh\", \"-c\", \"echo undone >> undone\"]\n\n\
             [[teardown]]\ncall = \"math.add\"\nargs = [\"{{{{sum}}}}\", 1]\nreply = 4\n"
        )
    };
    let undone = |home: &Home| {
        std::fs::read_to_string(home.path().join("undone")).unwrap_or_default().lines().count()
    };
    let home = suite(&[("a.toml", &steps(3, 0))]);
    e2e(&home, &["--update"]).ok();
    assert_eq!(undone(&home), 1);
    assert!(read(&home, "a.snap").contains("call math.add(3, 1)\n  = 4"));

    let home = suite(&[("a.toml", &steps(4, 0))]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    assert_eq!(undone(&home), 1, "the first step failed, and nothing was undone");
    assert!(!said.stdout.contains("teardown"), "{}", said.stdout);

    let home = suite(&[("a.toml", &steps(3, 7))]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    assert_eq!(undone(&home), 1, "the teardown ended at its first failure");
    assert!(said.stdout.contains("exit: expected 0, saw 7"), "{}", said.stdout);

    let home = suite(&[("a.toml", &steps(4, 7))]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    let first = said.stdout.find("reply: expected 4, saw 3").expect("the first failure");
    let beside = said.stdout.find("and in the teardown").expect("the teardown's failure");
    assert!(first < beside && said.stdout.contains("exit: expected 0, saw 7"), "{}", said.stdout);
}

/// Where a client may both send and listen.
const REJECTED: &str = "_INBOX.barrier.told";

fn events(expected: &str) -> String {
    let publish =
        |n: u32| format!("[[step]]\npublish = \"_INBOX.barrier.told\"\nbody = {{ n = {n} }}\n\n");
    format!("{}{}{}[[step]]\nexpect_messages = {expected}\n", publish(2), publish(1), publish(2))
}

#[test]
fn messages_are_counted_and_matched_in_any_order() {
    let each = "1 × = on _INBOX.barrier.told\n  = {\"n\":1}\n  2 × = on _INBOX.barrier.told\n  = {\"n\":2}";
    let good = [
        (r#"{ subject = "_INBOX.barrier.told", count = 3 }"#, each),
        (
            r##"{ subject = "_INBOX.barrier.told", count = 3, body = { n = "#number" } }"##,
            "3 × = on _INBOX.barrier.told\n  = {\"n\":\"#number\"}",
        ),
        (
            r#"{ subject = "_INBOX.barrier.told", unordered = [{ n = 1 }, { n = 2 }, { n = 2 }] }"#,
            each,
        ),
    ];
    for (expected, lines) in good {
        let home = suite(&[("a.toml", &events(expected))]);
        e2e(&home, &["--update"]).ok();
        let golden = read(&home, "a.snap");
        let heading = format!("expect 3 messages on {REJECTED}, in any order");
        assert!(golden.contains(&format!("{heading}\n  {lines}\n")), "{golden}");
    }
    for (expected, needle) in [
        (
            r#"{ subject = "_INBOX.barrier.told", count = 2 }"#,
            "more than 2 messages on _INBOX.barrier.told",
        ),
        (
            r#"{ subject = "_INBOX.barrier.told", unordered = [{ n = 1 }, { n = 2 }, { n = 1 }] }"#,
            "bodies: expected an element of its own for {\"n\":1}, saw [{\"n\":2},{\"n\":1},{\"n\":2}]",
        ),
        (
            r#"{ subject = "_INBOX.barrier.told", count = 3, body = { n = 2 } }"#,
            "bodies[1].n: expected 2, saw 1",
        ),
    ] {
        let home = suite(&[("a.toml", &events(expected))]);
        let said = e2e(&home, &["--ci"]).failed(1, "");
        assert!(said.stdout.contains(needle), "no {needle} in {}", said.stdout);
    }
    let text = events(r#"{ subject = "_INBOX.barrier.told", count = 4 }"#) + "within = \"300ms\"\n";
    let home = suite(&[("a.toml", &text)]);
    let said = e2e(&home, &["--ci"]).failed(1, "");
    let needle = "expected 4 messages on _INBOX.barrier.told within 300ms, saw 3: [{\"n\":2},{\"n\":1},{\"n\":2}]";
    assert!(said.stdout.contains(needle), "{}", said.stdout);
}

const UNWRITTEN: &str = r##"# Who wrote this.
description = "What is not written yet"

[[step]]
call = "math.add"
args = [1, 2]

# Expected already, and not very much.
[[step]]
call = "math.calculate"
args = ["divide", 1, 0]
reply = { error = "#string" }

[[step]]
request = "services.math.calculate"
text = "{broken" # on purpose

[[step]]
request = "services.nobody.here"

[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-1", amount = 1 }

[[step]]
run = ["sh", "-c", "echo hello; echo $$; exit 3"]

[[step]]
run = ["sh", "-c", "cat /proc/sys/kernel/random/uuid"]

[[step]]
publish = "_INBOX.barrier.told"
body = { at = "2026-07-01T10:00:00Z", tag = "#new", list = [1, { a = 1.5 }] }

[[step]]
expect_message = { subject = "_INBOX.barrier.told" }

[[step]]
settle = true

[[check]]
charged_once = "pay-1"
"##;

const WRITTEN: &str = r###"# Who wrote this.
description = "What is not written yet"

[[step]]
call = "math.add"
args = [1, 2]
reply = 3

# Expected already, and not very much.
[[step]]
call = "math.calculate"
args = ["divide", 1, 0]
reply = { error = "#string" }

[[step]]
request = "services.math.calculate"
text = "{broken" # on purpose
reply = { error = "request is not valid JSON: key must be a string at line 1 column 2" }
reply_headers = { Mono-Error = "true", Mono-Error-Message = "request is not valid JSON: key must be a string at line 1 column 2", Mono-Error-Type = "bad-request", Nats-Service-Error = "request is not valid JSON: key must be a string at line 1 column 2", Nats-Service-Error-Code = "400" }

[[step]]
request = "services.nobody.here"
error = { kind = "no_responders", definite = true }

[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-1", amount = 1 }
ack = { duplicate = false, sequence = 1, stream = "payment-requests" }

[[step]]
run = ["sh", "-c", "echo hello; echo $$; exit 3"]
exit = 3
stdout = "#string"
stderr = ""

[[step]]
run = ["sh", "-c", "cat /proc/sys/kernel/random/uuid"]
stdout = "#string"
stderr = ""

[[step]]
publish = "_INBOX.barrier.told"
body = { at = "2026-07-01T10:00:00Z", tag = "#new", list = [1, { a = 1.5 }] }

[[step]]
expect_message = { subject = "_INBOX.barrier.told", body = { at = "#timestamp", list = [1, { a = 1.5 }], tag = "##new" } }

[[step]]
settle = true

[[check]]
charged_once = "pay-1"
"###;

#[test]
#[cfg(target_os = "linux")]
fn what_happened_is_written_down_and_holds() {
    let home = suite(&[("a.toml", UNWRITTEN)]);
    let said = e2e(&home, &["--record"]).ok();
    assert!(
        said.contains("+reply = 3\n") && said.ends_with("1 scenario, 1 written, 0 failed\n"),
        "{said}"
    );
    assert_eq!(read(&home, "a.toml"), WRITTEN);
    assert_eq!(
        e2e(&home, &["--record"]).ok(),
        "a: nothing to record\n1 scenario, 0 written, 0 failed\n"
    );
    e2e(&home, &["--update"]).ok();
}

#[test]
fn a_scenario_that_fails_is_not_written_and_ci_writes_none() {
    let text = "[[step]]\ncall = \"math.add\"\nargs = [1, 2]\n\n[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nreply = 4\n";
    let home = suite(&[("a.toml", text)]);
    let before = read(&home, "a.toml");
    let said = e2e(&home, &["--record"]).failed(1, "");
    assert!(said.stdout.contains("reply: expected 4, saw 3"), "{}", said.stdout);
    assert_eq!(read(&home, "a.toml"), before);
    let args = ["e2e", "--fixtures", "suite", "--client", "rust", "--record"];
    let output = home.command(args).env("CI", "true").output().unwrap();
    Said::from(output).failed(2, "--record: CI is set");
    e2e(&home, &["--record", "--ci"]).failed(2, "cannot be used with");
}

#[test]
fn fixtures_are_formatted_or_the_difference_is_shown() {
    let home = suite(&[("a.toml", "[[step]]\nreply=3\ncall='math.add'\n")]);
    let before = read(&home, "a.toml");
    let said = home.run(&["e2e", "fmt", "--check", "suite"]).failed(1, "");
    assert!(
        said.stdout.contains("-reply=3\n") && said.stdout.contains("+call = 'math.add'\n"),
        "{}",
        said.stdout
    );
    assert_eq!(read(&home, "a.toml"), before);
    assert!(home.run(&["e2e", "fmt", "suite"]).ok().contains("formatted suite/a.toml"));
    assert_eq!(home.run(&["e2e", "fmt", "--check", "suite"]).ok(), "1 fixture, all in form\n");
    std::fs::write(home.path().join("suite/b.toml"), "[[step]\n").unwrap();
    home.run(&["e2e", "fmt", "suite"]).failed(2, "--> suite/b.toml:1:8");
    assert!(Path::new(&home.path().join("suite/b.toml")).exists());
}
