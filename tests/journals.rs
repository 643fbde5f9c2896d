//! The journals outside NATS: torn, damaged, missing, locked by somebody who is stopped.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Serve};
use crate::support::{eventually, steady_port};
use serde_json::Value;

const SERVE: [&str; 5] = ["--port", "0", "--journal-dir", "books", "--drain-timeout=2s"];

fn audit(home: &Home) -> (Value, String) {
    let said = home.run(&["audit", "--journal-dir", "books", "--json"]);
    (serde_json::from_str(&said.stdout).expect("JSON"), said.stderr)
}

/// Serves from a gateway's journal that holds `text`, pays, and says what `serve` said of it.
fn paid_with(text: Option<&[u8]>) -> (String, Value, Vec<u8>) {
    let home = Home::new();
    let path = home.path().join("books/gateway.jsonl");
    std::fs::create_dir(home.path().join("books")).unwrap();
    if let Some(text) = text {
        std::fs::write(&path, text).unwrap();
    }
    let serve = home.serve(&SERVE);
    let (before, _) = audit(&home);
    home.run(&["pay", "fresh", "9.99"]).ok();
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    (stderr, before, std::fs::read(&path).unwrap())
}

#[test]
fn half_a_line_is_cut_off_and_reported_and_payments_complete() {
    let (said, _, journal) =
        paid_with(Some(b"{\"at\":\"2026-01-01T00:00:00Z\",\"key\":\"torn\",\"con"));
    assert!(said.contains("half a line at its end was cut off"), "{said}");
    assert!(!String::from_utf8(journal).unwrap().contains("torn"));
}

#[test]
fn an_empty_and_a_missing_journal_are_no_trouble() {
    for text in [None, Some(&b""[..])] {
        let (said, audit, _) = paid_with(text);
        assert!(!said.contains("WARN"), "{said}");
        assert_eq!(audit["ok"], true, "{audit}");
    }
}

/// It ends at once, and has said this at its start, or nothing of the kind.
fn starts_and_says(home: &Home, words: Option<&str>) {
    let serve = home.serve(&["--port", "0", "--store-dir", "store"]);
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    match words {
        Some(words) => assert!(stderr.contains(words), "{words}: {stderr}"),
        None => assert!(!stderr.contains("WARN"), "{stderr}"),
    }
}

#[test]
fn journals_that_were_lost_beside_streams_that_were_not_are_told_at_the_start() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--store-dir", "store"]);
    home.run(&["pay", "p", "1"]).ok();
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
    let journal = home.path().join("store/journals/gateway.jsonl");
    let charges = std::fs::read(&journal).unwrap();
    let told = "gateway.jsonl: no record is in it, and stream `payment-ledger` has an outcome";
    starts_and_says(&home, None);
    for lost in [&b""[..], b"\n", b"{\"at\":\"2026"] {
        std::fs::write(&journal, lost).unwrap();
        starts_and_says(&home, Some(told));
    }
    std::fs::remove_file(&journal).unwrap();
    starts_and_says(&home, Some(told));
    std::fs::write(&journal, charges).unwrap();
    std::fs::remove_file(home.path().join("store/journals/streams.json")).unwrap();
    starts_and_says(&home, Some("streams.json is missing: nothing tells"));
    starts_and_says(&home, None);
}

#[test]
fn a_damaged_line_is_passed_over_and_told_by_serve_and_by_audit() {
    let (said, audit, journal) = paid_with(Some(b"{\"key\":\"p\xff\xfe\n"));
    assert!(said.contains("1 damaged line is passed over"), "{said}");
    assert_eq!(audit["ok"], false, "{audit}");
    let problems = audit["audit"]["problems"].to_string();
    assert!(problems.contains("gateway.jsonl"), "{problems}");
    assert!(journal.starts_with(b"{\"key\":\"p\xff\xfe\n"), "nothing is repaired");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_system_that_is_joined_has_journals_of_its_own_whatever_it_is_called() {
    let home = Home::new();
    let server = async |name: &str| {
        let jetstream = format!("jetstream {{ store_dir: {:?} }}", home.path().join(name));
        BareServer::start(home.path(), name, &jetstream).await
    };
    let (one, other) = (server("one").await, server("other").await);
    let journals = |serve: &Serve| serve.runtime()["journals"].as_str().unwrap().to_owned();
    let join = |url: &str| home.serve(&["--server", url, "--drain-timeout=2s"]);
    let serve = join(&one.nats);
    let its = journals(&serve);
    for (amount, serve) in [("1", serve), ("2", join(&other.nats))] {
        let url = serve.url();
        let paid = home.run(&["-s", &url, "pay", "the-same-id", amount]).ok();
        assert!(paid.contains("completed"), "{paid}");
        let folder = journals(&serve);
        assert_eq!(folder == its, amount == "1", "{folder}");
        let charges = std::fs::read_to_string(format!("{folder}/gateway.jsonl")).unwrap();
        assert_eq!(charges.lines().count(), 1, "{charges}");
    }
    let by_name = join(&one.nats.replace("127.0.0.1", "localhost"));
    assert_eq!(journals(&by_name), its);
}

/// One idempotency key has one journal, or a kill between charge and outcome charges twice.
#[test]
fn a_joined_serve_uses_the_journals_of_the_one_that_runs_the_broker() {
    for (flag, value) in [("--drain-timeout", "2s"), ("--store-dir", "store")] {
        let home = Home::new();
        let first = home.serve(&["--port", "0", flag, value]);
        let url = first.url().replace("127.0.0.1", "localhost");
        // Its own journals are not those of who joins after it.
        let own = home.serve(&["--server", &url, "--journal-dir", "own"]);
        let joined = home.serve(&["--server", &url, "--drain-timeout=2s"]);
        let journals = first.runtime()["journals"].clone();
        assert_eq!(joined.runtime()["journals"], journals, "{flag}");
        drop(own);
        for n in 0..4 {
            home.run(&["-s", &url, "pay", &format!("p-{n}"), "1"]).ok();
        }
        let said = home.run(&["-s", &url, "audit", "--json"]);
        assert!(said.stdout.contains(r#""ok":true"#), "{}", said.stdout);
    }
}

#[test]
fn a_joined_serve_uses_the_same_journals_where_passwords_are_asked_for() {
    let home = Home::new();
    let first = home.serve(&["--port", "0", "--auth"]);
    let contexts = first.runtime()["contexts"].as_str().unwrap().to_owned();
    let joined = home.serve(&["--context", &format!("{contexts}/worker.json")]);
    assert_eq!(joined.runtime()["journals"], first.runtime()["journals"]);
}

#[test]
fn a_joined_serve_moves_to_the_journals_of_the_broker_that_is_started_again() {
    let home = Home::new();
    let port = steady_port().to_string();
    let first = home.serve(&["--port", &port, "--drain-timeout=2s"]);
    let url = first.url();
    let joined = home.serve(&["--server", &url, "--drain-timeout=2s"]);
    home.run(&["-s", &url, "pay", "before", "1"]).ok();
    first.signal("KILL");
    first.ended();
    let again = home.serve(&["--port", &port, "--drain-timeout=2s"]);
    let journals = again.runtime()["journals"].as_str().unwrap().to_owned();
    joined.says(Duration::from_secs(60), &format!("the journals are now in {journals}"));
    // Both serve: each payment is on record there, until each of the two has charged one.
    let mut workers = BTreeSet::new();
    for n in 1.. {
        let paid = home.run(&["-s", &url, "pay", &format!("after-{n}"), "1"]).ok();
        assert!(paid.contains("completed"), "{paid}");
        let charges = std::fs::read_to_string(format!("{journals}/gateway.jsonl")).unwrap();
        assert_eq!(charges.lines().count(), n, "{charges}");
        let last = charges.lines().last().unwrap();
        let charge: Value = serde_json::from_str(last).unwrap();
        workers.insert(charge["worker"].as_str().unwrap().to_owned());
        if workers.len() == 2 {
            break;
        }
        assert!(n < 100, "one charges all: {workers:?}");
    }
    joined.signal("TERM");
    let (code, _, stderr) = joined.ended();
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn journals_that_cannot_be_used_yet_are_told_and_used_once_they_can() {
    let home = Home::new();
    let port = steady_port().to_string();
    let first = home.serve(&["--port", &port]);
    let joined = home.serve(&["--server", &first.url()]);
    joined.signal("STOP");
    first.signal("KILL");
    first.ended();
    let again = home.serve(&["--port", &port]);
    let journals = again.runtime()["journals"].as_str().unwrap().to_owned();
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&journals, mode).unwrap();
    };
    mode(0o777);
    joined.signal("CONT");
    let limit = Duration::from_secs(60);
    let told = format!("the journals in {journals} should be used now, and cannot be used yet: ");
    joined.says(limit, &told);
    joined.says(limit, "its group or others may write it");
    mode(0o700);
    joined.says(limit, &format!("the journals are now in {journals}"));
}

#[test]
fn streams_of_a_joined_system_are_made_anew_only_beside_the_journals_that_are_named() {
    let home = Home::new();
    let said = home.run(&["serve", "--server", "127.0.0.1:1", "--recreate"]);
    let said = said.failed(2, "without its streams nothing says which they are");
    assert!(said.stderr.contains("--journal-dir"), "{}", said.stderr);
}

#[test]
fn a_folder_in_the_place_of_a_journal_is_refused_by_name() {
    let home = Home::new();
    std::fs::create_dir_all(home.path().join("books/gateway.jsonl")).unwrap();
    let args = [&["serve"], &SERVE[..]].concat();
    home.run(&args).failed(3, "gateway.jsonl");
}

#[test]
fn a_journal_that_another_process_holds_stops_no_other_service_and_no_end() {
    let home = Home::new();
    let serve = home.serve(&SERVE);
    let held = File::open(home.path().join("books/gateway.jsonl")).unwrap();
    held.lock().unwrap();
    home.run(&["pay", "waits", "1", "--no-wait"]).ok();
    eventually("the payment is in hand", Duration::from_secs(60), || {
        home.run(&["call", "payment", "status", "waits"]).stdout.starts_with("processing")
    });
    // Nobody lets it go meanwhile: that they answer at all says that they do not wait for it.
    assert_eq!(home.run(&["--timeout=60s", "call", "math", "add", "1", "2"]).ok(), "3\n");
    home.run(&["--timeout=60s", "call", "payment", "status", "waits"]).ok();
    // It is let go, and the payment goes on.
    held.unlock().unwrap();
    eventually("the payment is completed", Duration::from_secs(60), || {
        home.run(&["call", "payment", "status", "waits"]).stdout.starts_with("completed")
    });
    held.lock().unwrap();
    home.run(&["pay", "again", "1", "--no-wait"]).ok();
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    drop(held);
}
