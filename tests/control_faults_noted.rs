//! `mono-demo control`: which faults a history has, from when to when.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::program::Home;
use crate::support::talk::{Talk, text};

/// Every order has one receipt; both streams are of `broker-1`, or of a cluster.
fn promises() -> Value {
    json!({ "order": {
        "operation": { "submit": "orders.new" },
        "key": "/id",
        "effect": { "stream": "RECEIPTS", "key": "subject:2" },
        "within": "1s",
    } })
}

fn streams(talk: &mut Talk, of: &str, replicas: u64) {
    for (name, subject) in [("ORDERS", "orders.new"), ("RECEIPTS", "receipts.*")] {
        let config = json!({ "name": name, "subjects": [subject], "num_replicas": replicas });
        talk.ok("stream.create", json!({ "of": of, "config": config }));
    }
}

fn begin(talk: &mut Talk, of: &str, name: &str) {
    talk.ok("history.begin", json!({ "of": of, "name": name, "promises": promises() }));
}

fn fault(talk: &mut Talk, of: &str, fault: Value) -> Value {
    talk.ok("fault", json!({ "of": of, "fault": fault }))
}

fn refused(talk: &mut Talk, of: &str, fault: Value) {
    talk.err("fault", json!({ "of": of, "fault": fault }));
}

/// Judges a history; the faults that it has, in the order of recording.
fn noted(talk: &mut Talk, home: &Home, name: &str) -> Vec<String> {
    let kept = home.path().join(format!("{name}.jsonl"));
    let judged = talk.ok("history.judge", json!({ "of": name, "into": kept }));
    let faults = faults(&kept);
    let begun = faults.iter().filter(|fault| fault.starts_with("begin ")).count();
    assert_eq!(judged["figures"]["faults"], begun, "{judged:#}");
    faults
}

fn faults(kept: &Path) -> Vec<String> {
    let lines = fs::read_to_string(kept).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let faults = events.filter_map(|event| event.get("fault").cloned());
    faults.map(|fault| format!("{} {}", text(&fault, "phase"), text(&fault, "name"))).collect()
}

/// A broker, its proxy, and somebody who is connected through it.
fn behind_a_proxy(talk: &mut Talk) -> TcpStream {
    talk.start_broker(json!({}));
    streams(talk, "broker-1", 1);
    let proxy = talk.ok("proxy.start", json!({ "of": "broker-1" }));
    let port = u16::try_from(proxy["port"].as_u64().unwrap()).unwrap();
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

#[test]
fn what_is_over_at_once_ends_nothing_that_lasts() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let _client = behind_a_proxy(&mut talk);
    begin(&mut talk, "broker-1", "a");
    fault(&mut talk, "proxy-1", json!({ "kind": "delay", "latency_ms": 5 }));
    fault(&mut talk, "proxy-1", json!({ "kind": "cut" }));
    let after = json!({ "kind": "cut-after", "bytes": 1_000_000, "direction": "to-server" });
    fault(&mut talk, "proxy-1", after);
    // It has hit nothing.
    fault(&mut talk, "proxy-1", json!({ "kind": "lose", "messages": { "message": "publish" } }));
    let expected = [
        "begin delay proxy-1",
        "begin cut proxy-1",
        "end cut proxy-1",
        "begin cut-after proxy-1",
        "end cut-after proxy-1",
    ];
    assert_eq!(noted(&mut talk, &home, "a"), expected);
}

#[test]
fn what_stands_already_is_taken_over() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let _client = behind_a_proxy(&mut talk);
    fault(&mut talk, "proxy-1", json!({ "kind": "blackhole" }));
    begin(&mut talk, "broker-1", "a");
    fault(&mut talk, "proxy-1", json!({ "kind": "heal-network" }));
    begin(&mut talk, "broker-1", "b");
    assert_eq!(noted(&mut talk, &home, "a"), ["begin blackhole proxy-1", "end blackhole proxy-1"]);
    assert_eq!(noted(&mut talk, &home, "b"), [""; 0]);
    // What is stopped is broken no more.
    fault(&mut talk, "proxy-1", json!({ "kind": "refuse" }));
    talk.ok("stop", json!({ "of": "proxy-1" }));
    begin(&mut talk, "broker-1", "c");
    assert_eq!(noted(&mut talk, &home, "c"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_messages_is_noted_when_it_hits() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    let proxy = talk.ok("proxy.start", json!({ "of": "broker-1" }));
    begin(&mut talk, "broker-1", "a");
    let late = json!({ "kind": "late", "by_ms": 1, "messages": { "message": "publish", "subject": "hello" } });
    fault(&mut talk, "proxy-1", late);
    let client = async_nats::connect(text(&proxy, "url")).await.unwrap();
    client.publish("hello", "1".into()).await.unwrap();
    client.publish("hello", "2".into()).await.unwrap();
    client.flush().await.unwrap();
    let faults = noted(&mut talk, &home, "a");
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.contains("hello")), "{faults:?}");
}

#[test]
fn what_is_refused_is_no_fault_and_ends_none() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    begin(&mut talk, "broker-1", "a");
    fault(&mut talk, "broker-1", json!({ "kind": "pause" }));
    refused(&mut talk, "broker-1", json!({ "kind": "wipe", "node": 0 }));
    refused(&mut talk, "broker-1", json!({ "kind": "pause", "node": 0 }));
    refused(&mut talk, "broker-1", json!({ "kind": "restart", "node": 0 }));
    fault(&mut talk, "broker-1", json!({ "kind": "pause" }));
    fault(&mut talk, "broker-1", json!({ "kind": "kill" }));
    // Nothing is there to kill or to pause any more.
    fault(&mut talk, "broker-1", json!({ "kind": "kill" }));
    refused(&mut talk, "broker-1", json!({ "kind": "pause" }));
    fault(&mut talk, "broker-1", json!({ "kind": "restart" }));
    // Of what is up, it is a fault.
    fault(&mut talk, "broker-1", json!({ "kind": "restart" }));
    let expected = [
        "begin pause broker-1",
        "begin kill broker-1",
        "end pause broker-1",
        "end kill broker-1",
        "begin restart broker-1",
        "end restart broker-1",
    ];
    assert_eq!(noted(&mut talk, &home, "a"), expected);
}

#[test]
fn the_faults_of_a_cluster_end_node_by_node() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.ok("cluster.start", json!({ "name": "three", "partitions": true }));
    streams(&mut talk, "three", 3);
    begin(&mut talk, "three", "a");
    fault(&mut talk, "three", json!({ "kind": "isolate", "node": 1 }));
    refused(&mut talk, "three", json!({ "kind": "isolate", "node": 1 }));
    fault(&mut talk, "three", json!({ "kind": "resume", "node": 1 }));
    fault(&mut talk, "three", json!({ "kind": "heal" }));
    let killed = fault(&mut talk, "three", json!({ "kind": "kill-leader", "stream": "ORDERS" }));
    let restart = |talk: &mut Talk, node: &Value| {
        fault(talk, "three", json!({ "kind": "restart", "node": node }));
    };
    restart(&mut talk, &killed["nodes"][0]);
    fault(&mut talk, "three", json!({ "kind": "heal" }));
    let killed = fault(&mut talk, "three", json!({ "kind": "lose-quorum" }));
    restart(&mut talk, &killed["nodes"][0]);
    // One of two is back.
    let paused = json!({ "kind": "pause", "node": killed["nodes"][0] });
    fault(&mut talk, "three", paused);
    restart(&mut talk, &killed["nodes"][1]);
    fault(&mut talk, "three", json!({ "kind": "heal" }));
    let pause = format!("pause three/{}", killed["nodes"][0]);
    let expected = [
        "begin isolate three/1",
        "end isolate three/1",
        "begin kill-leader three",
        "end kill-leader three",
        "begin lose-quorum three",
        &format!("begin {pause}"),
        "end lose-quorum three",
        &format!("end {pause}"),
    ];
    assert_eq!(noted(&mut talk, &home, "a"), expected);
}

/// An order `o-1` that waits for a receipt, on record.
fn order(talk: &mut Talk, of: &str) {
    ordered(talk, of, 1);
}

/// An order `o-N` that the stream has at that sequence.
fn ordered(talk: &mut Talk, of: &str, n: u64) {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD
        .encode(json!({ "id": format!("o-{n}") }).to_string());
    let operation = json!({
        "of": of, "verb": "submit", "subject": "orders.new", "payload_base64": body,
    });
    let begun = talk.ok("history.invoke", operation);
    talk.ok(
        "history.end",
        json!({ "of": of, "operation": begun["operation"], "outcome": "ok", "sequence": n }),
    );
}

#[test]
fn what_ends_while_it_is_judged_is_noted_and_the_name_stays_taken() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    let mut patient = promises();
    patient["order"]["within"] = json!("4s");
    talk.ok("history.begin", json!({ "of": "broker-1", "name": "a", "promises": patient }));
    talk.ok("service.start", json!({ "name": "worker", "run": ["sleep", "1000"] }));
    fault(&mut talk, "worker", json!({ "kind": "kill" }));
    order(&mut talk, "a");
    let kept = home.path().join("a.jsonl");
    let judging = talk.ask("history.judge", json!({ "of": "a", "into": kept }));
    // The file is there once the judge waits.
    while !kept.exists() {
        talk.ok("status", json!({}));
    }
    fault(&mut talk, "worker", json!({ "kind": "restart" }));
    let taken =
        talk.err("history.begin", json!({ "of": "broker-1", "name": "a", "promises": patient }));
    assert!(text(&taken, "message").contains("there is a `a` already"), "{taken}");
    let again = talk.err("history.judge", json!({ "of": "a" }));
    assert!(text(&again, "message").contains("a is being judged"), "{again}");
    let judged = talk.answer(judging);
    assert_eq!(judged["ok"]["verdict"], "invalid", "{judged:#}");
    assert_eq!(faults(&kept), ["begin kill worker", "end kill worker"]);
}

#[test]
fn a_file_that_cannot_be_written_costs_no_verdict() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    begin(&mut talk, "broker-1", "a");
    order(&mut talk, "a");
    let mine = home.path().join("mine");
    fs::write(&mine, "mine").unwrap();
    for (into, told) in [
        (home.path().join("nowhere/a.jsonl"), "into: write "),
        (mine.clone(), "is there already"),
        (home.path().to_owned(), "is there already"),
    ] {
        let error = talk.err("history.judge", json!({ "of": "a", "into": into }));
        assert!(text(&error, "message").contains(told), "{error}");
    }
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    let judged = talk.ok("history.judge", json!({ "of": "a" }));
    assert_eq!(judged["verdict"], "invalid", "{judged:#}");
}

#[test]
fn a_history_outlives_its_broker() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    begin(&mut talk, "broker-1", "a");
    order(&mut talk, "a");
    fault(&mut talk, "broker-1", json!({ "kind": "kill" }));
    talk.ok("stop", json!({ "of": "broker-1" }));
    let kept = home.path().join("a.jsonl");
    let judged = talk.ok("history.judge", json!({ "of": "a", "into": kept }));
    assert_eq!(judged["verdict"], "unknown", "{judged:#}");
    assert!(text(&judged, "report").contains("stream RECEIPTS: cannot look at"), "{judged:#}");
    assert_eq!(faults(&kept), ["begin kill broker-1", "end kill broker-1"]);
}

/// Two receipts were seen, and the broker is away before the last look: that there were two stays true.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_before_the_broker_went_away_is_judged() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    let mut patient = promises();
    patient["order"]["within"] = json!("4s");
    talk.ok("history.begin", json!({ "of": "broker-1", "name": "a", "promises": patient }));
    ordered(&mut talk, "a", 1);
    // This one is waited for.
    ordered(&mut talk, "a", 2);
    let client = async_nats::connect(text(&broker, "url")).await.unwrap();
    let stream = async_nats::jetstream::new(client.clone());
    for _ in 0..2 {
        stream.publish("receipts.o-1", "".into()).await.unwrap().await.unwrap();
    }
    let mut looks = client.subscribe("$JS.API.STREAM.INFO.RECEIPTS").await.unwrap();
    client.flush().await.unwrap();
    let judging = talk.ask("history.judge", json!({ "of": "a" }));
    // Whoever begins another look is done with the one before.
    for _ in 0..3 {
        looks.next().await.expect("a look");
    }
    fault(&mut talk, "broker-1", json!({ "kind": "kill" }));
    let judged = talk.answer(judging);
    assert_eq!(judged["ok"]["declared"]["order"]["verdict"], "invalid", "{judged:#}");
}

#[test]
fn a_service_that_has_ended_is_not_hit_and_that_is_told() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    streams(&mut talk, "broker-1", 1);
    begin(&mut talk, "broker-1", "a");
    let line = json!({ "name": "worker", "run": ["sh", "-c", "echo up; exit 3"], "ready": { "line": "up" } });
    talk.ok("service.start", line);
    let status = |talk: &mut Talk| {
        let status = talk.ok("status", json!({}));
        let mut things = status["things"].as_array().unwrap().iter();
        text(things.find(|thing| thing["name"] == "worker").unwrap(), "state").to_owned()
    };
    let ended = || status(&mut talk) != "runs";
    eventually("the worker has ended", Duration::from_secs(30), ended);
    for kind in ["kill", "stop", "pause", "resume"] {
        let error = talk.err("fault", json!({ "of": "worker", "fault": { "kind": kind } }));
        let told = text(&error, "message");
        assert!(told.contains("nothing was hit: worker has ended, with exit status 3"), "{error}");
        assert!(text(&error, "hint").contains("`restart`"), "{error}");
    }
    fault(&mut talk, "worker", json!({ "kind": "restart" }));
    assert_eq!(noted(&mut talk, &home, "a"), ["begin restart worker", "end restart worker"]);
}
