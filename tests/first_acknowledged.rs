//! First means first acknowledged: content that came second never stands, and an id that can be read
//! never stays pending.

mod support;

use std::time::Duration;

use mono_demo::broker::{Broker, Settings};
use serde_json::Value;
use support::program::Home;
use support::{eventually, nats_server, reaper};

const SUBJECT: &str = "services.payment.payment-process";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_content_stands_in_one_process_and_unrepresentable_bodies_fail() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let home = Home::new();
    let args = ["--server", broker.url(), "--journal-dir", "books"];
    let _serve = tokio::task::block_in_place(|| home.serve(&args));
    let client = async_nats::connect(broker.url()).await.unwrap();
    let stream = async_nats::jetstream::new(client.clone());
    let submit = async |body: String| {
        stream.publish(SUBJECT, body.into()).await.unwrap().await.unwrap();
    };
    for n in 0..300 {
        submit(format!(r#"{{"payment_id":"two-{n}","amount":1}}"#)).await;
        submit(format!(r#"{{"payment_id":"two-{n}","amount":2}}"#)).await;
    }
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let bad = [
        r#"{"payment_id":"bad-0","amount":1e400}"#.to_owned(),
        r#"{"payment_id":"bad-1","amount":1,"user_id":1e309}"#.to_owned(),
        format!(r#"{{"payment_id":"bad-2","amount":{}}}"#, "9".repeat(400)),
        format!(r#"{{"user_id":{deep},"payment_id":"bad-3","amount":1}}"#),
        r#"{"payment_id":"bad-4","amount":1,"user_id":"\ud800"}"#.to_owned(),
        r#"{"payment_id":"bad-5","amount":1} trailing"#.to_owned(),
        "\u{feff}{\"payment_id\":\"bad-6\",\"amount\":1}".to_owned(),
    ];
    for body in &bad {
        submit(body.clone()).await;
    }
    let audit = || -> Value {
        let said = home.run(&["-s", broker.url(), "--json", "audit"]);
        serde_json::from_str(&said.stdout).unwrap()
    };
    tokio::task::block_in_place(|| {
        eventually("nothing waits", Duration::from_secs(60), || audit()["audit"]["waiting"] == 0);
    });
    let status = async |id: String| -> Value {
        let asked = format!(r#"{{"payment_id":"{id}"}}"#);
        let reply = client.request("services.payment.status", asked.into()).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    };
    for n in 0..300 {
        let said = status(format!("two-{n}")).await;
        assert!(said["status"] == "completed" && said["amount"] == 1.0, "{said}");
    }
    for n in 0..bad.len() {
        let said = status(format!("bad-{n}")).await;
        assert_eq!(said["status"], "failed", "{said}");
    }
}
