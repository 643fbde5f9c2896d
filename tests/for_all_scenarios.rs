//! What a suite says for all its scenarios: what is done before services start, and what is promised, which
//! a scenario may switch off.

use crate::support::own_suite::{e2e, suite, worker};
use crate::support::program::Home;

/// It wants the file of the setup, and moves each order to the receipts.
const FIRST: &str =
    r#"assert open(os.environ["MONO_DEMO_DIR"] + "/licence").read() == "to ship\n""#;
const EACH: &str = r#"if os.environ.get("IDLE") is None:
            await js.publish("receipts.1", message.data)"#;

const SUITE: &str = r#"
[streams.ORDERS]
subjects = ["orders.>"]
[streams.RECEIPTS]
subjects = ["receipts.>"]
[services.worker]
run = ["{{python}}", "worker.py"]
ready = { line = "up" }

[[setup]]
run = ["sh", "-c", "echo to ship > {{dir}}/licence"]
[[setup]]
submit = "orders.new"
body = { id = "first" }
ack = { sequence = 1 }
save = { before = "/sequence" }

[promise.order]
operation = { submit = "orders.new" }
key = "/id"
effect = { stream = "RECEIPTS", key = "/id" }
within = "2s"
"#;

const STEP: &str =
    "[[step]]\nsubmit = \"orders.new\"\nbody = { id = \"second\", after = \"{{before}}\" }\n";

fn home(file: &str, scenarios: &[(&str, &str)]) -> Home {
    let home = Home::new();
    suite(&home, file, scenarios);
    worker(&home, FIRST, EACH);
    home
}

#[test]
fn setup_of_a_suite_is_done_in_every_scenario_before_the_services_and_before_its_own() {
    let own =
        "[[setup]]\nsubmit = \"orders.new\"\nbody = { id = \"own\" }\nack = { sequence = 2 }\n";
    let home = home(SUITE, &[("one", STEP), ("two", &[own, STEP].concat())]);
    let said = e2e(&home, &["--update"]).ok();
    // What it submits is an operation too.
    assert!(said.contains("promise order: 2 acknowledged, 2 done"), "{said}");
    assert!(said.contains("promise order: 3 acknowledged, 3 done"), "{said}");
    let golden = |name: &str| {
        std::fs::read_to_string(home.path().join(format!("suite/scenarios/{name}.snap"))).unwrap()
    };
    let first = "submit orders.new {\"id\":\"first\"}\n  = ack ORDERS sequence 1";
    assert!(golden("one").contains(first) && golden("two").contains(first), "{}", golden("one"));
    e2e(&home, &["--ci"]).ok();
}

#[test]
fn a_step_of_it_that_fails_is_shown_in_the_suite_file() {
    let file = SUITE.replace("ack = { sequence = 1 }", "ack = { sequence = 7 }");
    let home = home(&file, &[("one", STEP)]);
    let said = e2e(&home, &["--ci"]).failed(1, "").stdout;
    for told in ["ack.sequence: expected 7, saw 1", "suite.toml:15:1", "ack = { sequence = 7 }"] {
        assert!(said.contains(told), "{told}\n{said}");
    }
}

#[test]
fn what_cannot_be_in_it_is_refused_at_its_place() {
    for (wrong, told) in [
        ("[[setup]]\ncall = \"a.b\"\n", "`call` does not go into `[[setup]]`"),
        ("[[setup]]\nsettle = true\n", "`settle` does not go into `[[setup]]`"),
        ("[[setup]]\ninclude = \"a.steps.toml\"\n", "`include` does not go into `[[setup]]` of a"),
        (
            "[[setup]]\nsubmit = \"a\"\nbody_file = \"a\"\n",
            "`body_file` does not go into `[[setup]]`",
        ),
        ("[[setup]]\nsubmti = \"a\"\n", "did you mean `submit`?"),
        ("[[setup]]\nsubmit = \"{{nothing}}\"\n", "`{{nothing}}`"),
        ("[setup]\nsubmit = \"a\"\n", "`setup` must be an array of tables"),
    ] {
        let at = SUITE.find("[[setup]]").unwrap();
        let until = SUITE.find("[promise").unwrap();
        let home = home(&[&SUITE[..at], wrong, &SUITE[until..]].concat(), &[("one", STEP)]);
        let said = e2e(&home, &["--ci"]).failed(2, told).stderr;
        assert!(said.contains("suite.toml:1") && said.contains('^'), "{said}");
    }
}

#[test]
fn a_promise_of_the_suite_is_switched_off_by_name_and_that_is_told() {
    let idle = "[services.worker]\nenv = { IDLE = \"1\" }\n";
    let off = "[promise]\norder = false\n";
    let [red, green] = [[STEP, idle, ""].concat(), [STEP, idle, off].concat()];
    let home = home(SUITE, &[("red", &red), ("green", &green)]);
    let said = e2e(&home, &["green", "--update"]).ok();
    assert!(said.contains("promise order: switched off by the scenario"), "{said}");
    assert!(!said.contains("acknowledged"), "{said}");
    let golden = std::fs::read_to_string(home.path().join("suite/scenarios/green.snap")).unwrap();
    assert!(golden.contains("promise order\n  = the scenario switches it off\n"), "{golden}");
    let said = e2e(&home, &["red", "--ci"]).failed(1, "").stdout;
    assert!(
        said.contains("promise order: lost") || said.contains("is not in stream RECEIPTS"),
        "{said}"
    );
    // A report for machines has it too.
    let said = e2e(&home, &["green", "--report", "json=report.json"]).ok();
    let report = std::fs::read_to_string(home.path().join("report.json")).unwrap();
    assert!(report.contains("\"switched_off\"") && report.contains("\"order\""), "{said}{report}");
}

#[test]
fn a_promise_that_every_scenario_switches_off_is_looked_at_by_nobody() {
    let off = [STEP, "[promise]\norder = false\n"].concat();
    let home = home(SUITE, &[("one", &off), ("two", &off)]);
    let told = "promise `order` of the suite is switched off by every scenario that does `submit` of \
                `orders.new`: nobody looks at it";
    let said = e2e(&home, &["--update"]).failed(2, told).stderr;
    assert!(said.contains("take `[promise.order]` out of suite.toml"), "{said}");
    // Of a part nobody says that it is all.
    e2e(&home, &["one", "--update"]).ok();
    // One that makes it in other words looks.
    let own = "[promise.order]\noperation = { submit = \"orders.new\" }\nkey = \"/id\"\n\
               effect = { stream = \"RECEIPTS\", key = \"/id\" }\ntimes = \"at-least-once\"\nwithin = \"2s\"\n";
    suite(&home, SUITE, &[("one", &off), ("two", &[STEP, own].concat())]);
    e2e(&home, &["--update"]).ok();
}

#[test]
fn what_is_no_promise_of_the_suite_is_not_switched_off() {
    for (wrong, told) in [
        ("[promise]\norderr = false\n", "did you mean `order`?"),
        ("[promise]\norder = true\n", "`order` must be a table, or `false`"),
        ("[promise]\norder = \"off\"\n", "`order` must be a table, or `false`"),
    ] {
        let home = home(SUITE, &[("one", &[STEP, wrong].concat())]);
        let said = e2e(&home, &["--ci"]).failed(2, told).stderr;
        assert!(said.contains("one.toml:6:"), "{said}");
    }
    let home = home(SUITE, &[("one", STEP)]);
    let path = home.path().join("suite/suite.toml");
    std::fs::write(
        &path,
        SUITE.replace("[promise.order]", "[promise]\nother = false\n[promise.order]"),
    )
    .unwrap();
    e2e(&home, &["--ci"]).failed(2, "`other` must be a table");
}
