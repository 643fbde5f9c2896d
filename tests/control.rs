//! `mono-demo control`: what it starts, breaks and tells.

use std::process::Command;
use std::time::Duration;

use async_nats::jetstream;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::page::page;
use crate::support::program::Home;
use crate::support::root;
use crate::support::talk::{Talk, text};

/// A client, which is given the login: it reads none in a URL.
async fn connect(to: &Value) -> async_nats::Client {
    let url = text(to, "url");
    let options = match (to["user"].as_str(), to["password"].as_str()) {
        (Some(user), Some(password)) => {
            async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        _ => async_nats::ConnectOptions::new(),
    };
    options.connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Waits until the client has connected so many times.
async fn connected(client: &async_nats::Client, times: u64) {
    let connects = || client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
    while connects() < times {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

const BIN: &str = env!("CARGO_BIN_EXE_mono-demo");

/// What is committed under `docs` is what the program prints; `UPDATE_DOCS=1` writes it.
#[test]
fn the_documents_are_those_that_the_types_make() {
    for (command, path) in [("protocol", "docs/control.md"), ("schema", "docs/control.schema.json")]
    {
        let output = Command::new(BIN).args(["control", command]).output().unwrap();
        let path = root().join(path);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &output.stdout).unwrap();
        }
        let committed = std::fs::read(&path).unwrap_or_default();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(committed == output.stdout, "{} is not this:\n{shown}", path.display());
    }
}

#[tokio::test]
async fn what_a_broker_has_stored_survives_a_kill() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({}));
    assert_eq!(text(&broker, "name"), "broker-1");
    talk.ok(
        "stream.create",
        json!({ "of": "broker-1", "config": { "name": "S", "subjects": ["s.>"] } }),
    );
    talk.ok("kv.create", json!({ "of": "broker-1", "bucket": "B", "history": 3 }));
    let client = connect(&broker).await;
    let context = jetstream::new(client.clone());
    context.publish("s.a", "1".into()).await.unwrap().await.unwrap();
    let bucket = context.get_key_value("B").await.unwrap();
    bucket.put("k", "v".into()).await.unwrap();

    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "kill" } }));
    let status = talk.ok("status", json!({}));
    assert_eq!(status["things"][0]["state"], "signal 9 (SIGKILL)");
    let again = talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "restart" } }));
    assert_ne!(again["pid"], broker["pid"]);
    connected(&client, 2).await;
    let mut stream = context.get_stream("S").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    assert_eq!(bucket.get("k").await.unwrap().unwrap(), "v");

    let subscription = client.subscribe("somewhere").await.unwrap();
    // What was sent before an answer was asked for has arrived.
    context.query_account().await.unwrap();
    let leaks = talk.ok("leaks", json!({ "of": "broker-1" }));
    assert!(leaks["connections"].to_string().contains("\"somewhere\""), "{leaks}");
    drop(subscription);
    let logs = talk.ok("logs", json!({}));
    assert!(logs["logs"][0]["lines"].to_string().contains("Server is ready"), "{logs}");
    let stopped = talk.ok("stop", json!({}));
    assert_eq!(stopped, json!({ "stopped": [{ "name": "broker-1", "how": "orderly" }] }));
    assert!(home.brokers().is_empty());
    assert_eq!(talk.close(), Some(0));
    assert!(home.processes().is_empty());
}

#[tokio::test]
async fn accounts_are_apart_and_nobody_notices_a_new_one() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({ "accounts": true }));
    let first = talk.ok("account.create", json!({ "of": "broker-1" }));
    let stranger = async_nats::connect(text(&first, "url")).await;
    assert!(stranger.is_err(), "one who shows no login is nowhere");
    let own = connect(&broker).await;
    let client = connect(&first).await;
    let mut heard = client.subscribe("a").await.unwrap();
    let mut elsewhere = own.subscribe("a").await.unwrap();
    jetstream::new(client.clone()).query_account().await.unwrap();
    jetstream::new(own.clone()).query_account().await.unwrap();
    let create = |of: &str| json!({ "of": of, "config": { "name": "S", "subjects": ["s"] } });
    talk.ok("stream.create", create("broker-1-account-1"));
    let named = talk.ok("account.create", json!({ "of": "broker-1", "name": "orders" }));
    assert_eq!(text(&named, "user"), "orders");
    // None of them has the stream, so all can make it.
    // More than are made ahead.
    for number in 2..40 {
        let account = talk.ok("account.create", json!({ "of": "broker-1" }));
        assert_eq!(text(&account, "name"), format!("broker-1-account-{number}"));
        talk.ok("stream.create", create(text(&account, "name")));
    }
    client.publish("a", "x".into()).await.unwrap();
    client.publish("s", "x".into()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload, "x");
    assert_eq!(client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed), 1);
    own.publish("a", "y".into()).await.unwrap();
    assert_eq!(elsewhere.next().await.unwrap().payload, "y");

    // They are there after a restart, and so is what was stored.
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "kill" } }));
    talk.ok("fault", json!({ "of": "broker-1", "fault": { "kind": "restart" } }));
    connected(&client, 2).await;
    let mut stream = jetstream::new(client.clone()).get_stream("S").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    talk.ok("account.create", json!({ "of": "broker-1", "name": "later" }));

    // Who stops one takes its streams away.
    talk.ok("stop", json!({ "of": "broker-1-account-1" }));
    let told = talk.err("stream.create", create("broker-1-account-1"));
    assert_eq!(text(&told, "kind"), "no_such");
}

#[tokio::test]
async fn a_proxy_loses_an_acknowledgement_and_cuts() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.start_broker(json!({}));
    let proxy = talk.ok("proxy.start", json!({ "of": "broker-1" }));
    talk.ok(
        "stream.create",
        json!({ "of": "broker-1", "config": { "name": "S", "subjects": ["s"] } }),
    );
    let client = connect(&proxy).await;
    let context = jetstream::new(client.clone());
    let lose = json!({ "kind": "lose", "messages": { "message": "pub-ack", "subject": "s" } });
    let done = talk.ok("fault", json!({ "of": "proxy-1", "fault": lose }));
    assert_eq!(text(&done, "told"), "the next pub-ack never arrives");
    let lost = context.publish("s", "1".into()).await.unwrap();
    let second = context.publish("s", "2".into()).await.unwrap().await.unwrap();
    // The first was stored, and nobody was told.
    assert_eq!(second.sequence, 2);
    assert!(tokio::time::timeout(Duration::from_millis(50), lost.into_future()).await.is_err());

    talk.ok("fault", json!({ "of": "proxy-1", "fault": { "kind": "cut" } }));
    connected(&client, 2).await;
    context.publish("s", "3".into()).await.unwrap().await.unwrap();
    talk.ok("fault", json!({ "of": "proxy-1", "fault": { "kind": "blackhole" } }));
    let unheard = context.publish("s", "4".into()).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), unheard.into_future()).await.is_err());
    // A connection that lost bytes cannot go on.
    talk.ok("fault", json!({ "of": "proxy-1", "fault": { "kind": "heal-network" } }));
    connected(&client, 3).await;
    context.publish("s", "5".into()).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn a_cluster_loses_its_leader_and_its_quorum() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let cluster = talk.ok("cluster.start", json!({ "name": "three" }));
    assert_eq!(cluster["nodes"].as_array().map(Vec::len), Some(3));
    assert_eq!(cluster["nodes"][1]["name"], "three/1");
    let config = json!({ "name": "S", "subjects": ["s"], "num_replicas": 3 });
    talk.ok("stream.create", json!({ "of": "three", "config": config }));
    let done = talk
        .ok("fault", json!({ "of": "three", "fault": { "kind": "kill-leader", "stream": "S" } }));
    let dead = done["nodes"][0].as_u64().unwrap();
    let status = talk.ok("status", json!({}));
    assert!(text(&status["things"][0], "state").contains(&format!("{dead}: signal 9")), "{status}");
    talk.ok("fault", json!({ "of": "three", "fault": { "kind": "heal" } }));
    let told = talk.err("fault", json!({ "of": "three", "fault": { "kind": "kill" } }));
    assert_eq!(
        text(&told, "message"),
        "fault: fault.node: which of 3, counted from 0, is not said"
    );
    let told = talk.err("fault", json!({ "of": "three", "fault": { "kind": "kill", "node": 3 } }));
    assert!(text(&told, "message").contains("there is no node 3"), "{told}");
    let told = talk.err("account.create", json!({ "of": "three" }));
    assert!(text(&told, "message").contains("only a single broker has accounts"), "{told}");
    let done = talk.ok("fault", json!({ "of": "three", "fault": { "kind": "lose-quorum" } }));
    assert_eq!(done["nodes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_node_of_a_cluster_is_cut_off_until_it_is_healed() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    talk.ok("cluster.start", json!({ "name": "three", "partitions": true }));
    let mut fault = |fault: Value| {
        let id = talk.ask("fault", json!({ "of": "three", "fault": fault }));
        talk.answer(id)
    };
    let isolate = || json!({ "kind": "isolate", "node": 1 });
    assert_eq!(fault(isolate())["ok"]["nodes"], json!([1]));
    let told = fault(json!({ "kind": "isolate", "node": 0 }));
    assert!(text(&told["err"], "message").contains("node 1 of the cluster is cut off"), "{told}");
    fault(json!({ "kind": "heal" }))["ok"].as_object().unwrap();
    fault(json!({ "kind": "kill", "node": 0 }))["ok"].as_object().unwrap();
    fault(json!({ "kind": "heal" }))["ok"].as_object().unwrap();
    talk.ok("stop", json!({}));
    talk.ok("cluster.start", json!({ "name": "three" }));
    let told = talk.err("fault", json!({ "of": "three", "fault": isolate() }));
    assert_eq!(told["kind"], "bad_input");
    assert_eq!(text(&told, "hint"), "start it with `\"partitions\": true`");
}

#[tokio::test]
async fn a_broker_begins_with_what_another_one_has_left() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({}));
    talk.ok(
        "stream.create",
        json!({ "of": "broker-1", "config": { "name": "S", "subjects": ["s"] } }),
    );
    let context = jetstream::new(connect(&broker).await);
    context.publish("s", "1".into()).await.unwrap().await.unwrap();
    talk.ok("keep", json!({ "of": "broker-1", "into": "kept" }));
    context.publish("s", "2".into()).await.unwrap().await.unwrap();
    let log = std::fs::read_to_string(home.path().join("kept/broker.log")).unwrap();
    assert!(log.contains("Server is ready"), "{log}");
    let told = talk.err("keep", json!({ "of": "broker-1", "into": "kept" }));
    assert!(text(&told, "message").contains("is there already"), "{told}");
    // With accounts it is in that of the broker itself.
    for settings in [json!({}), json!({ "accounts": true })] {
        let mut settings = settings;
        settings["store_from"] = json!("kept");
        let other = talk.start_broker(settings);
        let context = jetstream::new(connect(&other).await);
        let mut stream = context.get_stream("S").await.unwrap();
        assert_eq!(stream.info().await.unwrap().state.messages, 1);
        context.publish("s", "3".into()).await.unwrap().await.unwrap();
    }
    let told = talk.err("broker.start", json!({ "settings": { "store_from": "nowhere" } }));
    assert!(text(&told, "message").contains("nowhere/jetstream"), "{told}");
}

#[tokio::test]
async fn clients_must_show_what_is_asked_for() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    for (settings, options) in [
        (
            json!({ "user": "u", "password": "p@ss:w/rd" }),
            async_nats::ConnectOptions::with_user_and_password("u".into(), "p@ss:w/rd".into()),
        ),
        (json!({ "token": "t/o" }), async_nats::ConnectOptions::with_token("t/o".into())),
        (
            json!({ "user": "u", "password": "p", "accounts": true }),
            async_nats::ConnectOptions::with_user_and_password("u".into(), "p".into()),
        ),
    ] {
        let broker = talk.start_broker(settings.clone());
        let port = &broker["port"];
        let stranger = async_nats::connect(format!("nats://127.0.0.1:{port}")).await;
        assert!(stranger.is_err(), "{settings}");
        let client = options.connect(text(&broker, "url")).await.unwrap();
        jetstream::new(client).query_account().await.unwrap();
    }
    let encoded = talk.ok("status", json!({}))["things"][0]["url"].clone();
    assert!(
        encoded.as_str().unwrap().starts_with("nats://u:p%40ss%3Aw%2Frd@127.0.0.1:"),
        "{encoded}"
    );
}

#[tokio::test]
async fn a_broker_may_be_without_jetstream_and_has_settings_of_its_own() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({ "jetstream": false, "config": "max_subscriptions: 1" }));
    let client = connect(&broker).await;
    assert!(jetstream::new(client.clone()).query_account().await.is_err());
    let leaks = talk.ok("leaks", json!({ "of": "broker-1" }));
    assert_eq!(leaks["consumers"], json!([]));
    let logs = talk.ok("logs", json!({ "of": "broker-1" }));
    assert!(!logs.to_string().contains("JETSTREAM"), "{logs}");
}

#[test]
fn brokers_are_started_side_by_side() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let asked: Vec<u64> = (0..4).map(|_| talk.ask("broker.start", json!({}))).collect();
    let ports: std::collections::BTreeSet<u64> =
        asked.iter().map(|id| talk.answer(*id)["ok"]["port"].as_u64().unwrap()).collect();
    assert_eq!(ports.len(), 4);
    assert_eq!(home.brokers().len(), 4);
    assert_eq!(talk.close(), Some(0));
    assert!(home.processes().is_empty());
}

/// It answers 503 until it was asked three times, then 204.
#[test]
fn a_service_is_ready_when_its_page_is_and_a_broker_says_its_version() {
    let home = Home::new();
    let mut talk = Talk::start(&home);
    let broker = talk.start_broker(json!({ "jetstream": false }));
    let version = text(&broker, "version").to_owned();
    assert!(version.starts_with("2.") && version.matches('.').count() == 2, "{version}");

    let port = page(|path, asked| if path == "/health" && asked > 3 { 204 } else { 503 });
    let start = |path: &str, within: u32| {
        json!({
            "run": ["sleep", "60"],
            "ready": { "http": format!("http://127.0.0.1:{port}{path}") },
            "ready_within_ms": within,
        })
    };
    talk.ok("service.start", start("/health", 60_000));
    let told = talk.err("service.start", start("/nowhere", 4_000));
    let message = text(&told, "message");
    let how = format!(
        "it did not answer a GET of http://127.0.0.1:{port}/nowhere with a status from 200 to 299"
    );
    assert!(message.contains(&how) && message.contains("the last answer was 503"), "{message}");
}
