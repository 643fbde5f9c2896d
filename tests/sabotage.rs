//! A test of the tests: workers that break their promises must turn scenarios red, through the
//! checker that is there for it.

use crate::support::program::{Home, Said};

/// Runs a scenario with workers that cheat so.
fn cheat(scenario: &str, how: &[&str]) -> Said {
    let home = Home::new();
    let mut command = home.command(["e2e", scenario, "--client", "rust", "--ci"]);
    command.args(how).current_dir(env!("CARGO_MANIFEST_DIR"));
    Said::from(command.output().unwrap())
}

/// How workers cheat, the scenario that finds it out, the promise it names, and the evidence.
const FOUND_OUT: [(&str, &str, &str, &str); 8] = [
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
        "no effect happens twice",
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
];

#[test]
fn workers_that_cheat_are_found_out_by_the_checker_that_is_there_for_it() {
    for (how, scenario, promise, evidence) in FOUND_OUT {
        let said = cheat(scenario, &["--sabotage", how]);
        let stdout = said.stdout.clone();
        said.failed(1, "");
        assert!(stdout.contains("the history of this run is invalid"), "{how}: {stdout}");
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
        cheat(scenario, &[]).ok();
    }
}
