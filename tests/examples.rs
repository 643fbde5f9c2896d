//! The suites in `examples`: they pass as they are; with a fault planted in a service exactly the
//! promise that it breaks fails, with the expected line.
//!
//! They run where they are, as a reader runs them, each with what it needs fetched once.

use std::process::{Command, Stdio};

use crate::support::expected::left_out;
use crate::support::program::Said;

/// A fault of a suite: what is planted, the promise that it breaks, and how that is told.
type Planted = (&'static str, &'static str, &'static str);

fn e2e(suite: &str, planted: Option<&str>) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mono-demo"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.args(["e2e", &format!("examples/{suite}"), "--ci"]).env_remove("PLANT");
    command.envs(planted.map(|fault| ("PLANT", fault)));
    Said::from(command.output().expect("the program starts"))
}

fn has(program: &str, args: &[&str]) -> bool {
    let found = Command::new(program).args(args).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        left_out(program, "it is not on the PATH");
    }
    found
}

fn holds(suite: &str, planted: &[Planted]) {
    let told = e2e(suite, None).ok();
    assert!(told.contains(" 0 lost, 0 twice, 0 unasked"), "{told}");
    for (fault, promise, sentence) in planted {
        let told = e2e(suite, Some(fault)).failed(1, "").stdout;
        let broken: Vec<&str> = told.lines().filter(|line| line.contains("invalid  ")).collect();
        let this = format!("invalid  promise {promise}: ");
        assert!(broken.iter().all(|line| line.contains(&this)), "{fault}\n{told}");
        assert!(!broken.is_empty() && told.contains(sentence), "{fault}\n{told}");
    }
}

#[test]
fn a_worker_in_go_whose_attempts_are_used_up_at_once_gives_parcels_up() {
    if has("go", &["version"]) {
        let never = "never came to an end: the last word is `given up` in DEAD sequence 1";
        holds("dispatch", &[("nak", "parcel", never)]);
    }
}

#[test]
fn services_in_python_that_charge_again_or_share_a_consumer_break_one_promise() {
    let twice = " times in stream PAYMENTS, not once: PAYMENTS sequence ";
    let lost = "and is not in stream SHIPMENTS";
    holds("checkout", &[("idempotency", "charged", twice), ("durable", "shipped", lost)]);
}

#[test]
fn a_service_in_node_that_acknowledges_early_loses_what_it_had_in_hand() {
    if has("node", &["--version"]) {
        holds("profiles", &[("early-ack", "kept", "and is not in bucket profiles")]);
    }
}
