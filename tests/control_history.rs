//! `mono-demo control`: what a test did and what was promised, judged as a scenario is.

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::program::Home;
use crate::support::talk::{Talk, text};

/// Every order has one receipt.
fn receipts() -> Value {
    json!({ "order": {
        "operation": { "submit": "orders.new" },
        "key": "/id",
        "effect": { "stream": "RECEIPTS", "key": "subject:2" },
        "within": "2s",
    } })
}

/// A broker with a stream of orders, and one of receipts.
fn shop(talk: &mut Talk) -> Value {
    let broker = talk.start_broker(json!({}));
    for (name, subject) in [("ORDERS", "orders.new"), ("RECEIPTS", "receipts.*")] {
        let config = json!({ "name": name, "subjects": [subject] });
        talk.ok("stream.create", json!({ "of": "broker-1", "config": config }));
    }
    broker
}

/// Writes a receipt for each order; one that acknowledges `early` is gone with the order that it has taken
/// last, and another process goes on behind it.
async fn work(url: String, early: bool) {
    let context = jetstream::new(async_nats::connect(url).await.unwrap());
    let stream = context.get_stream("ORDERS").await.unwrap();
    let config = pull::Config {
        durable_name: Some("worker".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut orders = consumer.messages().await.unwrap();
    while let Some(Ok(order)) = orders.next().await {
        let body: Value = serde_json::from_slice(&order.payload).unwrap();
        let receipt = format!("receipts.{}", text(&body, "id"));
        if early {
            order.double_ack().await.unwrap();
            if body["id"] == "o-2" {
                continue; // this is where it is killed
            }
        }
        context.publish(receipt, order.payload.clone()).await.unwrap().await.unwrap();
        order.double_ack().await.unwrap();
    }
}

/// Submits three orders, on record.
async fn order(talk: &mut Talk, broker: &Value) {
    let context = jetstream::new(async_nats::connect(text(broker, "url")).await.unwrap());
    for n in 1..=3 {
        let body = json!({ "id": format!("o-{n}") }).to_string();
        let invoked = talk.ok(
            "history.invoke",
            json!({
                "of": "history-1",
                "verb": "submit",
                "subject": "orders.new",
                "payload_base64": base64(&body),
            }),
        );
        assert_eq!(invoked, json!({ "operation": n }));
        let ack = context.publish("orders.new", body.into()).await.unwrap().await.unwrap();
        let ended = json!({
            "of": "history-1", "operation": n, "outcome": "ok", "sequence": ack.sequence,
        });
        talk.ok("history.end", ended);
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn begin(talk: &mut Talk, promises: Value) {
    let begun = talk.ok("history.begin", json!({ "of": "broker-1", "promises": promises }));
    assert_eq!(begun, json!({ "name": "history-1" }));
}

/// What came of the promise of this name.
fn of<'a>(judged: &'a Value, name: &str) -> &'a Value {
    let promises = judged["promises"].as_array().unwrap();
    promises.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{judged:#}"))
}

// The worker goes on while the conversation waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_acknowledged_early_and_lost_is_named() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = shop(&mut talk);
    begin(&mut talk, receipts());
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "kill" } }));
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "restart" } }));
    let worker = tokio::spawn(work(text(&broker, "url").to_owned(), true));
    order(&mut talk, &broker).await;
    let kept = home.path().join("lost.jsonl");
    let judged = talk.ok("history.judge", json!({ "of": "history-1", "into": kept }));
    assert_eq!(judged["verdict"], "invalid", "{judged:#}");
    let order = of(&judged, "order");
    assert_eq!((&order["verdict"], &order["looked_at"]), (&json!("invalid"), &json!(3)));
    assert!(order["told"].to_string().contains("`o-2`"), "{order:#}");
    assert_eq!(judged["figures"]["lost"], 1, "{judged:#}");
    // The restart ends the kill, and is none of its own.
    assert_eq!(judged["figures"]["faults"], 1, "{judged:#}");
    // The evidence, as `e2e` tells it.
    assert!(text(&judged, "report").contains("\"sequence\":2"), "{judged:#}");
    // It is judged once.
    let again = talk.err("history.judge", json!({ "of": "history-1" }));
    assert!(text(&again, "message").contains("history-1"), "{again}");
    let said = home.run(&["history", "check", kept.to_str().unwrap()]).failed(1, "").stdout;
    assert!(said.contains("`o-2` was acknowledged to test"), "{said}");
    worker.abort();
    drop(talk);
}

// The worker goes on while the conversation waits.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_honest_worker_does_is_valid_and_its_hazards_are_told() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = shop(&mut talk);
    begin(&mut talk, receipts());
    let worker = tokio::spawn(work(text(&broker, "url").to_owned(), false));
    order(&mut talk, &broker).await;
    let judged = talk.ok("history.judge", json!({ "of": "history-1" }));
    assert_eq!(judged["verdict"], "valid", "{judged:#}");
    // A promise and a property may have one name.
    let (declared, properties) = (&judged["declared"], &judged["properties"]);
    assert_eq!(declared["order"]["looked_at"], 3, "{judged:#}");
    assert_eq!(declared.as_object().unwrap().len(), 1, "{judged:#}");
    assert_eq!(properties["order"]["looked_at"], 0, "{judged:#}");
    assert!(properties["replies"].is_object(), "{judged:#}");
    assert_eq!(judged["figures"]["done"], 3, "{judged:#}");
    let hazards = judged["hazards"].as_array().unwrap();
    let named: Vec<&str> = hazards.iter().map(|hazard| text(hazard, "name")).collect();
    assert_eq!(named, ["stream-without-limits", "stream-without-limits"], "{judged:#}");
    // What was there before is of nobody who is judged here.
    let second = json!({ "of": "broker-1", "name": "second", "promises": receipts() });
    talk.ok("history.begin", second);
    let judged = talk.ok("history.judge", json!({ "of": "second" }));
    assert_eq!(judged["verdict"], "unknown", "{judged:#}");
    worker.abort();
}

// The worker goes on while the conversation waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_looked_at_nothing_does_not_know() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    shop(&mut talk);
    begin(&mut talk, receipts());
    let judged = talk.ok("history.judge", json!({ "of": "history-1" }));
    assert_eq!(judged["verdict"], "unknown", "{judged:#}");
    assert!(of(&judged, "order")["told"].to_string().contains("no `submit orders.new` was done"));
}

// The worker goes on while the conversation waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_nobody_ends_may_have_happened() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    shop(&mut talk);
    begin(&mut talk, receipts());
    let operation = json!({
        "of": "history-1", "verb": "submit", "subject": "orders.new",
        "payload_base64": base64(r#"{"id":"o-1"}"#),
    });
    talk.ok("history.invoke", operation);
    let judged = talk.ok("history.judge", json!({ "of": "history-1" }));
    assert_eq!(judged["figures"]["unknown"], 1, "{judged:#}");
    assert_eq!(judged["verdict"], "unknown", "nothing was promised of it: {judged:#}");
}

#[test]
fn what_cannot_be_judged_is_refused_by_name() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    shop(&mut talk);
    let mut refused = |promises: Value| {
        let error = talk.err("history.begin", json!({ "of": "broker-1", "promises": promises }));
        format!("{} {}", text(&error, "message"), error["hint"].as_str().unwrap_or_default())
    };
    assert!(refused(json!({})).contains("none is declared"));
    let mut null = receipts();
    null["order"]["within"] = Value::Null;
    assert!(refused(null).contains("promises.order: `null` says nothing"));
    assert!(refused(json!({ "order": false })).contains("promises.order: it must be a table"));
    let mut typo = receipts();
    let order = typo["order"].as_object_mut().unwrap();
    let effect = order.remove("effect").unwrap();
    order.insert("efect".to_owned(), effect);
    let told = refused(typo);
    assert!(told.contains("promises.order: ") && told.contains("did you mean `effect`?"), "{told}");
    let mut log = receipts();
    log["order"]["effect"] = json!({ "log": "worker", "key": "shipped (.*)" });
    assert!(refused(log).contains("promises.order: log of worker: "));
    // Nobody here calls methods.
    let mut call = receipts();
    call["order"]["operation"] = json!({ "call": "orders.place" });
    call["order"]["key"] = json!("/kwargs/id");
    let told = refused(call);
    assert!(told.contains("promises.order: `call orders.place`: "), "{told}");
    assert!(told.contains("`submit`, `request` or `publish`"), "{told}");
    let ended = json!({ "of": "broker-1", "operation": 1, "outcome": "ok" });
    let error = talk.err("history.end", ended);
    assert!(text(&error, "message").contains("broker-1 is a broker, and not a history"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_had_its_effect_is_valid_here_and_in_the_kept_history() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = shop(&mut talk);
    let mut promises = receipts();
    promises["order"]["operation"] = json!({ "request": "orders.place" });
    begin(&mut talk, promises);
    let invoke = json!({
        "of": "history-1", "verb": "request", "subject": "orders.place",
        "payload_base64": base64("{\"id\":\"o-1\"}"),
    });
    talk.ok("history.invoke", invoke);
    let context = jetstream::new(async_nats::connect(text(&broker, "url")).await.unwrap());
    context.publish("receipts.o-1", "{}".into()).await.unwrap().await.unwrap();
    let ended = json!({ "of": "history-1", "operation": 1, "outcome": "ok" });
    talk.ok("history.end", ended);
    let kept = home.path().join("kept.jsonl");
    let judged = talk.ok("history.judge", json!({ "of": "history-1", "into": kept }));
    assert_eq!(judged["verdict"], "valid", "{judged:#}");
    home.run(&["history", "check", kept.to_str().unwrap()]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_paused_is_named_at_once_and_what_was_noted_is_judged_later() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = shop(&mut talk);
    begin(&mut talk, receipts());
    order(&mut talk, &broker).await;
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "pause" } }));
    let error = talk.err("history.judge", json!({ "of": "history-1" }));
    assert!(text(&error, "message").contains("broker-1 is paused"), "{error}");
    assert!(text(&error, "hint").contains("`resume`"), "{error}");
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "resume" } }));
    let judged = talk.ok("history.judge", json!({ "of": "history-1" }));
    assert_eq!(judged["verdict"], "invalid", "{judged:#}");
}

#[test]
fn all_nodes_of_a_cluster_that_are_paused_are_named_at_once() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.ok("cluster.start", json!({ "name": "three" }));
    talk.ok("history.begin", json!({ "of": "three", "promises": receipts() }));
    for node in 0..3 {
        talk.ok("fault", json!({ "of": "three", "fault": { "kind": "pause", "node": node } }));
    }
    let error = talk.err("history.judge", json!({ "of": "history-1" }));
    assert!(text(&error, "message").contains("three is paused"), "{error}");
}
