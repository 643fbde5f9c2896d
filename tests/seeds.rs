//! The same seed injects the same faults at the same places, as the histories of complete runs
//! show.

use std::path::Path;

use crate::support::program::Home;

const FIXTURE: &str = r#"
description = "broken again and again"
[processes]
services = 2
[proxy]
client = true
[services.payment]
ack_wait = "1s"
[[step]]
submit = "services.payment.payment-process"
body = { payment_id = "seed-{{n}}", amount = "{{n}}.25" }
repeat = 60
concurrency = 4
[step.under]
kill-broker = 2
kill-service = 2
restart-service = 1
cut = 2
delay = { times = 1, latency = "1ms", jitter = "5ms", for = "50ms" }
[[check]]
history = { verdict = "valid", faults = 8 }
"#;

/// What broke and where, in order, as the history of a run with this seed has it.
fn schedule(home: &Home, seed: &str, run: &str) -> Vec<String> {
    let folder = home.path().join("suite/fixtures");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.toml"), FIXTURE).unwrap();
    let kept = home.path().join(run);
    let fixtures = folder.display().to_string();
    let history = kept.display().to_string();
    let args = ["e2e", "--ci", "--client", "rust", "--seed", seed, "--fixtures", &fixtures];
    let said = home.run(&[&args[..], &["--history", &history]].concat());
    // There is no golden file to differ from: everything else held.
    assert!(said.stdout.contains("1 run"), "{}{}", said.stdout, said.stderr);
    begun(&kept.join("broken.rust.jsonl"))
}

fn begun(history: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(history).expect("a history");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let faults = lines.filter(|line| line["fault"]["phase"] == "begin");
    faults.map(|line| line["fault"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn two_runs_with_one_seed_break_at_the_same_places_and_another_seed_elsewhere() {
    let home = Home::new();
    let first = schedule(&home, "7", "first");
    assert_eq!(first.len(), 8, "{first:?}");
    assert!(first.iter().all(|fault| fault.contains(" at ")), "{first:?}");
    assert_eq!(first, schedule(&home, "7", "again"));
    assert_ne!(first, schedule(&home, "8", "other"));
}
