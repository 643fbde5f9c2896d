//! Dead letters survive kills: each payment that was given up has its letter, once.

use std::time::Duration;

use crate::support::program::Home;
use crate::support::{eventually, nats_server, reaper};
use mono_demo::broker::{Broker, Settings};
use serde_json::{Value, json};

const PAYMENTS: usize = 400;
const SUBJECT: &str = "services.payment.payment-process";
const SOON: Duration = Duration::from_secs(40);

fn settings(home: &Home) {
    let text =
        "[payment]\nmax_deliver = 1\nack_wait = \"1s\"\nchance = { unavailable_percent = 100 }\n";
    std::fs::write(home.path().join("failing.toml"), text).unwrap();
}

/// Who is killed while payments are given up.
#[derive(PartialEq)]
enum Victim {
    Service,
    Broker,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_loses_no_letter_and_audit_finds_a_missing_one() {
    all_have_their_letters(&Victim::Service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_loses_no_letter_and_audit_finds_a_missing_one() {
    all_have_their_letters(&Victim::Broker).await;
}

async fn all_have_their_letters(victim: &Victim) {
    let mut broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let home = Home::new();
    settings(&home);
    let args = ["--server", broker.url(), "--settings", "failing.toml", "--journal-dir", "books"];
    let mut serve = tokio::task::block_in_place(|| home.serve(&args));
    let jetstream = async_nats::jetstream::new(async_nats::connect(broker.url()).await.unwrap());
    for n in 0..PAYMENTS {
        let body = json!({ "payment_id": format!("p-{n}"), "amount": "1.00" }).to_string();
        jetstream.publish(SUBJECT, body.into()).await.unwrap();
    }
    let count = async |stream: &str| {
        // The client may still be reconnecting.
        loop {
            if let Ok(stream) = jetstream.get_stream(stream).await {
                return usize::try_from(stream.cached_info().state.messages).unwrap();
            }
        }
    };
    while count("payment-dead-letters").await < 20 {}
    if *victim == Victim::Service {
        serve.signal("KILL");
        drop(serve);
        assert!(count("payment-dead-letters").await < PAYMENTS, "the kill came too late");
        serve = tokio::task::block_in_place(|| home.serve(&args));
    } else {
        broker.kill_and_restart().await.unwrap();
    }
    let deadline = std::time::Instant::now() + SOON;
    while count("payment-requests").await > 0 || count("payment-ledger").await < PAYMENTS {
        assert!(std::time::Instant::now() < deadline, "not all payments came to an end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count("payment-dead-letters").await, PAYMENTS);
    let audit = ["--json", "-s", broker.url(), "audit"];
    home.run(&audit).ok();

    // What `dlq` removes is on record; what somebody else removes is missing.
    home.run(&["-s", broker.url(), "dlq", "purge", "7"]).ok();
    home.run(&["-s", broker.url(), "dlq", "replay", "8"]).ok();
    let audited = || serde_json::from_str::<Value>(&home.run(&audit).stdout).unwrap();
    eventually("audit agrees", SOON, || audited()["ok"] == true);
    let letters = jetstream.get_stream("payment-dead-letters").await.unwrap();
    letters.delete_message(9).await.unwrap();
    let said = home.run(&audit).failed(1, "");
    assert!(said.stdout.contains("dead letter 9 is gone"), "{}", said.stdout);

    // The harness gives a payment up without its letter, as earlier versions did when killed.
    let record = |fields: Value| {
        let mut record = json!({ "payment_id": "lost", "content": "c", "worker": "w", "at": "t" });
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        record.to_string()
    };
    let intent = record(json!({}));
    let entry = record(json!({
        "status": "failed", "message": "Payment failed: gateway unavailable", "request_sequence": 1000
    }));
    for (subject, body) in [("payments.intent.lost", intent), ("payments.ledger.lost", entry)] {
        jetstream.publish(subject, body.into()).await.unwrap().await.unwrap();
    }
    eventually("audit names it", SOON, || {
        let said = home.run(&audit);
        said.stdout.contains("payment `lost` was given up and has no dead letter")
    });
    serve.signal("TERM");
    serve.ended();
    broker.stop().await.unwrap();
}
