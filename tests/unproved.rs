//! A run that was not judged is not green: `unknown` fails a scenario that asks for a verdict, and
//! an empty file is no history.

use crate::support::program::Home;

/// Runs one fixture with the built-in services. There is no golden file: what holds ends there.
fn run(text: &str) -> String {
    let home = Home::new();
    std::fs::create_dir(home.path().join("fixtures")).unwrap();
    std::fs::write(home.path().join("fixtures/s.toml"), format!("description = \"s\"\n{text}"))
        .unwrap();
    let args = ["e2e", "--ci", "--client", "rust", "--fixtures", "fixtures"];
    home.run(&args).failed(1, "").stdout
}

const HELD: &str = "there is no golden file";

/// A message of which nobody here knows what is to become.
const STRANGERS: &str = "[[step]]\npublish = \"services.math.calculate\"\nbody = { id = 7 }\n";

#[test]
fn a_verdict_on_messages_that_no_promise_is_about_fails_and_says_so() {
    for expected in [r#"verdict = "valid""#, "lost = 0", r#"verdict = "valid", lost = 0"#] {
        let said = run(&format!("{STRANGERS}[[check]]\nhistory = {{ {expected} }}\n"));
        assert!(!said.contains(HELD), "{expected}: {said}");
        assert!(said.contains("1 message sent, and no promise here is about any of it"), "{said}");
    }
    let said = run(&format!("{STRANGERS}[[check]]\nhistory = {{ verdict = \"unknown\" }}\n"));
    assert!(said.contains(HELD), "{said}");
    let said = run("[[step]]\nsettle = true\n[[check]]\nhistory = { verdict = \"valid\" }\n");
    assert!(said.contains("there is no operation in this history"), "{said}");
}

/// One that submits, unseen, what is also submitted in sight of all.
const WITH_A_PROGRAM: &str = r#"
[[step]]
run = ["true"]
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-1", amount = "1.50" }
[[step]]
settle = true
"#;

#[test]
fn a_program_leaves_charges_and_ledger_to_be_judged() {
    let check =
        "[[check]]\nhistory = { verdict = \"valid\", completed = 1, charges = 1, lost = 0 }\n";
    let said = run(&format!("{WITH_A_PROGRAM}{check}"));
    assert!(said.contains(HELD), "{said}");
    let wrong = check.replace("charges = 1", "charges = 2");
    let said = run(&format!("{WITH_A_PROGRAM}{wrong}"));
    assert!(!said.contains(HELD) && said.contains("charges"), "{said}");
}

/// Each with what was not there to be looked at.
#[test]
fn a_check_that_looked_at_nothing_fails() {
    let declined = r#"
[streams.EMPTY]
subjects = ["empty"]
[services.payment]
gateway = [{ id = "pay-1", outcome = "decline" }]
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-1", amount = "1.50" }
[[step]]
settle = true
[[check]]
within = "300ms"
"#;
    for check in ["never_charged = \"pay-1\"", "stream = \"EMPTY\"\nby_subject = { empty = 0 }"] {
        let said = run(&format!("{declined}{check}\n"));
        assert!(said.contains(HELD), "{check}: {said}");
    }
    for (check, why) in [
        ("never_charged = \"pay-2\"", "nobody submitted pay-2: that it was not charged"),
        ("never_charged = \"pay-{{n}}\"\nrepeat = 2", "nobody submitted pay-2: that it was not"),
        ("emails = { each_once = true }", "no email was sent: that none was sent twice"),
        ("stream = \"EMPTY\"\neach = { a = 1 }", "holds no message whose body"),
    ] {
        let said = run(&format!("{declined}{check}\n"));
        assert!(!said.contains(HELD) && said.contains(why), "{check}: {said}");
    }
    let asked = "[[step]]\nfault = \"restart-broker\"\n[[step]]\ncall = \"math.add\"\nargs = [1, 2]\nwithin = \"10s\"\n\
        [[check]]\nfinal_within = \"10s\"\n";
    let said = run(asked);
    assert!(!said.contains(HELD) && said.contains("nothing came to an end"), "{said}");
}

#[test]
fn an_empty_history_is_no_history() {
    let home = Home::new();
    for (text, code, needle) in [
        ("", 2, "an empty file is no history"),
        ("{\"seq\":1", 2, "an empty file is no history"),
        ("{\"seq\":1,\"at_ns\":1,\"end\":{\"whole\":[\"operations\"]}}\n", 3, ""),
    ] {
        std::fs::write(home.path().join("h.jsonl"), text).unwrap();
        home.run(&["history", "check", "h.jsonl"]).failed(code, needle);
    }
}
