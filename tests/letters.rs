//! Dead letters survive kills: each payment that was given up has its letter, once.

mod support;

use std::time::Duration;

use mono_demo::broker::{Broker, Settings};
use serde_json::{Value, json};
use support::program::Home;
use support::{eventually, nats_server, reaper};

const PAYMENTS: usize = 400;
const SUBJECT: &str = "services.payment.payment-process";
const SOON: Duration = Duration::from_secs(40);

fn settings(home: &Home) {
    let text =
        "[payment]\nmax_deliver = 1\nack_wait = \"1s\"\nchance = { unavailable_percent = 100 }\n";
    std::fs::write(home.path().join("failing.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_payments_are_given_up_loses_no_letter_and_audit_finds_a_missing_one() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let home = Home::new();
    settings(&home);
    let args = ["--server", broker.url(), "--settings", "failing.toml", "--journal-dir", "books"];
    let serve = tokio::task::block_in_place(|| home.serve(&args));
    let jetstream = async_nats::jetstream::new(async_nats::connect(broker.url()).await.unwrap());
    for n in 0..PAYMENTS {
        let body = json!({ "payment_id": format!("p-{n}"), "amount": "1.00" }).to_string();
        jetstream.publish(SUBJECT, body.into()).await.unwrap();
    }
    let count = async |stream: &str| {
        let stream = jetstream.get_stream(stream).await.unwrap();
        usize::try_from(stream.get_info().await.unwrap().state.messages).unwrap()
    };
    while count("payment-dead-letters").await < 20 {}
    serve.signal("KILL");
    drop(serve);
    let serve = tokio::task::block_in_place(|| home.serve(&args));
    let deadline = std::time::Instant::now() + SOON;
    while count("payment-requests").await > 0 || count("payment-ledger").await < PAYMENTS {
        assert!(std::time::Instant::now() < deadline, "not all payments came to an end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count("payment-dead-letters").await, PAYMENTS);
    let audit = ["--json", "-s", broker.url(), "audit"];
    home.run(&audit).ok();

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
