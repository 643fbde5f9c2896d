//! A load that cannot succeed stops early, and every scenario has a time limit.

use mono_demo::broker::Roles;

use crate::support::suite::{Fake, Suite, in_process};

async fn suite(scenarios: &[(&str, &str)]) -> Suite {
    Suite::new(vec![in_process("rust", Fake("a"))], scenarios).await
}

/// A load whose submissions wait for each other's end.
fn load(body: &str, more: &str) -> String {
    format!(
        "[[step]]\nsubmit = \"orders.new\"\n{body}\nrepeat = 50\nwithin = \"20s\"\n\
         rate = 100\n{more}\n"
    )
}

#[tokio::test]
async fn a_load_that_cannot_succeed_stops_at_its_first_definite_failure() {
    let large = "x".repeat(5000);
    let broker = "[broker]\nmax_payload = 4096\n";
    let large = format!("{broker}{}", load(&format!("text = \"{large}\""), ""));
    let bad = load("body = 1", "headers = { \"a\" = \"b\\nc\" }");
    let suite = suite(&[("large", &large), ("bad", &bad)]).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 2, "{report}");
    assert!(!report.contains("not acknowledged within"), "{report}");
    assert!(report.contains("large [rust]: 0 of 50 acknowledged, then: MaxPayload: "), "{report}");
    assert!(report.contains("bad [rust]: 0 of 50 acknowledged, then: BadInput: "), "{report}");
}

#[tokio::test]
async fn a_load_counts_what_has_succeeded() {
    // With a second digit it is larger than the server takes.
    let grows = format!("text = \"{}{{{{n}}}}\"", "x".repeat(4095));
    let stream = "[[step]]\nrequest = \"$JS.API.STREAM.CREATE.orders\"\n\
                  body = { name = \"orders\", subjects = [\"orders.>\"] }\n\n";
    let grows = format!("[broker]\nmax_payload = 4096\n\n{stream}{}", load(&grows, ""));
    let suite = suite(&[("grows", &grows)]).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 1, "{report}");
    assert!(report.contains("9 of 50 acknowledged, then: MaxPayload: "), "{report}");
}

#[tokio::test]
async fn a_load_that_is_not_permitted_stops_at_once() {
    let mut suite = suite(&[("denied", &load("body = 1", ""))]).await;
    // Those of the built-in services, which know of no orders.
    suite.settings.machine.roles = Roles::default();
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 1, "{report}");
    assert!(report.contains("0 of 50 acknowledged, then: Permissions: "), "{report}");
}

#[tokio::test]
async fn a_scenario_ends_at_its_limit_and_is_told_so() {
    let sleeps = "within = \"500ms\"\n\n[[step]]\nrun = [\"sleep\", \"1000\"]\n";
    let suite = suite(&[("sleeps", sleeps)]).await;
    let (summary, report) = suite.run().await;
    assert_eq!(summary.failed, 1, "{report}");
    let limit = "the scenario did not end within 500ms, its limit (`within` at the top); under way: run sleep 1000";
    assert!(report.contains(limit), "{report}");
    assert!(report.contains("sleeps.toml:5:1"), "{report}");
}
