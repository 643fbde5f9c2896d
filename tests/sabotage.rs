//! A test of the tests: workers that break their promises make scenarios fail, by the checker for
//! that promise.

use std::path::Path;

use crate::support::program::{Home, Said};

/// A little of everything: payments, one that is declined, two contents, what is no payment, an email,
/// and a status of a payment that nobody has submitted.
const SCENARIO: &str = r#"
description = "A little of everything"
[services.payment]
gateway = [{ amount = "13.13", outcome = "decline" }]
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "pay-{{n}}", amount = "{{n}}.50" }
repeat = 3
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "declined", amount = "13.13" }
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "two", amount = "1.00" }
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "two", amount = "2.00" }
[[step]]
submit = "services.payment.payment-process"
text = '{"payment_id": broken'
[[step]]
publish = "services.notification.email-send"
body = { to = "ada@example.com", subject = "hello" }
[[step]]
settle = true
[[step]]
request = "services.payment.status"
body = { payment_id = "pay-1" }
[[step]]
request = "services.payment.status"
body = { payment_id = "unknown" }
[[check]]
history = { verdict = "valid" }
"#;

/// Its name in the table.
const EVERYTHING: &str = "everything";

/// Runs a scenario with workers that cheat so.
fn cheat(scenario: &str, how: &[&str]) -> Said {
    let home = Home::new();
    let mut command = home.command(["e2e", scenario, "--client", "rust", "--ci"]);
    command.args(how).current_dir(env!("CARGO_MANIFEST_DIR"));
    if scenario == EVERYTHING {
        let folder = home.path().join("fixtures");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("everything.toml"), SCENARIO).unwrap();
        command.arg("--fixtures").arg(Path::new(&folder));
    }
    Said::from(command.output().unwrap())
}

/// How workers cheat, the scenario that finds it out, the promise it names, and the evidence.
const FOUND_OUT: &[(&str, &str, &str, &str)] = &[
    (
        "drop",
        "soak/kills",
        "nothing acknowledged is lost",
        "was acknowledged, and has no final outcome",
    ),
    ("duplicate", "soak/kills", "no effect happens twice", "times, not once"),
    // The naive worker: it publishes the outcome and then acknowledges. Nothing is submitted
    // twice here; only its death in between makes it charge again.
    (
        "duplicate",
        "payment/killed-before-acknowledging",
        "no effect happens twice",
        "pay-1 was charged 2 times, not once",
    ),
    (
        "early-ack",
        "soak/kills",
        "nothing acknowledged is lost",
        "was acknowledged, and has no final outcome",
    ),
    (
        "change-amount",
        "soak/kills",
        "nothing acknowledged is lost",
        "with other content than its outcome's",
    ),
    (
        "change-amount",
        "soak/kills",
        "nothing happens that nobody asked for",
        "and none of its 1 submits is for that",
    ),
    (
        "reorder",
        "notification/in-order",
        "order for each subject and publisher",
        "got a message of rust on services.notification.email-send after one that was published later",
    ),
    (
        "reorder",
        "payment/final-stays",
        "status never goes back",
        "pay-1 was completed, and processing when it was asked for after that",
    ),
    (
        "bury-completed",
        EVERYTHING,
        "a dead letter for what was given up, and for that alone",
        "pay-1 is completed, and a dead letter too",
    ),
    (
        "false-conflict",
        EVERYTHING,
        "a dead letter for what was given up, and for that alone",
        "pay-1 has a dead letter as a conflict for the content that stands",
    ),
    (
        "charge-declined",
        EVERYTHING,
        "what the gateway has settled stays so",
        "declined was declined at the gateway, and approved after that",
    ),
    (
        "charge-late",
        EVERYTHING,
        "what the gateway has settled stays so",
        "pay-1 was charged after it was completed",
    ),
    (
        "fail-silently",
        EVERYTHING,
        "a dead letter for what was given up, and for that alone",
        "pay-1 is failed, and was neither declined nor cancelled, and there is no dead letter of it",
    ),
    (
        "unasked-entry",
        EVERYTHING,
        "nothing happens that nobody asked for",
        "pay-1-nobody is completed in the ledger, and nobody submitted it",
    ),
    (
        "unasked-charge",
        EVERYTHING,
        "nothing happens that nobody asked for",
        "pay-1-nobody was charged 1.50 USD, and nobody submitted it",
    ),
    (
        "no-letter",
        EVERYTHING,
        "nothing acknowledged is lost",
        "a message was acknowledged, and there is no dead letter of it",
    ),
    (
        "no-reason",
        EVERYTHING,
        "a dead letter for what was given up, and for that alone",
        "a dead letter of kind rejected has no reason",
    ),
    (
        "second-content",
        EVERYTHING,
        "of two contents the first acknowledged stands",
        "two was acknowledged, and what stands is other content",
    ),
    (
        "tell-amount",
        EVERYTHING,
        "status never goes back",
        "pay-1 was told with 0.01 USD, and is 1.5 USD",
    ),
    (
        "invent-status",
        EVERYTHING,
        "status never goes back",
        "unknown was completed when it was asked for, and has no outcome",
    ),
    ("answer-twice", EVERYTHING, "one reply a request", "was answered 2 times, not once: by `"),
    (
        "email-twice",
        EVERYTHING,
        "each queue message to at most one worker",
        "ada@example.com | hello was handed to the mailer 2 times, not 1",
    ),
    (
        "unasked-email",
        EVERYTHING,
        "nothing happens that nobody asked for",
        "nobody@example.com | hello was sent, and nobody published it",
    ),
];

#[test]
fn workers_that_cheat_are_found_out_by_the_checker_that_is_there_for_it() {
    for &(how, scenario, promise, evidence) in FOUND_OUT {
        eprintln!("{how} in {scenario}");
        let said = cheat(scenario, &["--sabotage", how]);
        let stdout = said.stdout.clone();
        said.failed(1, "");
        // The line that tells which runs did not pass names the promise.
        let named = |line: &str| line.starts_with("FAIL ") && line.contains(promise);
        assert!(stdout.lines().any(named), "{how}: {stdout}");
        let invalid = format!("invalid  {promise}");
        let (_, after) = stdout.split_once(&invalid).unwrap_or_else(|| {
            panic!("{how}: `{promise}` should be broken in {scenario}: {stdout}")
        });
        // Up to the next promise.
        let shown: String = after
            .lines()
            .take_while(|line| !line.trim().starts_with("valid ") && !line.contains("invalid  "))
            .collect();
        assert!(shown.contains(evidence), "{how}: {stdout}");
    }
}

#[test]
fn every_way_to_cheat_is_in_the_table() {
    let said = Home::new().run(&["e2e", "--sabotage", "nothing"]).failed(2, "");
    let (_, ways) = said.stderr.split_once("[possible values: ").unwrap();
    let (ways, _) = ways.split_once(']').unwrap();
    for way in ways.split(',').map(str::trim) {
        assert!(FOUND_OUT.iter().any(|(how, ..)| *how == way), "{way} is never found out");
    }
}

#[test]
fn honest_workers_pass() {
    let scenarios: std::collections::BTreeSet<_> =
        FOUND_OUT.iter().map(|(_, scenario, ..)| *scenario).collect();
    for scenario in scenarios {
        let said = cheat(scenario, &[]);
        match scenario {
            // All holds; there is no golden file to hold it against.
            EVERYTHING => {
                let stdout = said.failed(1, "").stdout;
                assert!(stdout.contains("there is no golden file"), "{stdout}");
            }
            _ => drop(said.ok()),
        }
    }
}
