//! A test of the tests: workers that break their promises must turn scenarios red.

mod support;

use support::program::{Home, Said};

/// Runs the short soak with workers that cheat so.
fn cheat(how: &[&str]) -> Said {
    let home = Home::new();
    let mut command = home.command(["e2e", "soak/kills", "--client", "rust", "--ci"]);
    command.args(how).current_dir(env!("CARGO_MANIFEST_DIR"));
    Said::from(command.output().unwrap())
}

#[track_caller]
fn is_found_out(how: &str, evidence: &str) {
    let said = cheat(&["--sabotage", how]);
    let stdout = said.stdout.clone();
    said.failed(1, "");
    assert!(stdout.contains("the history of this run is invalid"), "{stdout}");
    assert!(stdout.contains(evidence), "{stdout}");
}

#[test]
fn honest_workers_pass() {
    cheat(&[]).ok();
}

#[test]
fn a_dropped_payment_is_found_out() {
    is_found_out("drop", "was acknowledged, and has no final outcome");
}

/// The naive worker: it charges, publishes the outcome and acknowledges, without claim or key.
#[test]
fn a_second_charge_is_found_out() {
    is_found_out("duplicate", "was charged 2 times, not once");
}

#[test]
fn an_acknowledgement_before_the_work_is_found_out() {
    is_found_out("early-ack", "was acknowledged, and has no final outcome");
}

#[test]
fn a_changed_amount_is_found_out() {
    is_found_out("change-amount", "with other content than its outcome's");
}
