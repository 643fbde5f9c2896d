//! Headers from a client have no effect on streams or the broker, and cannot forge what these
//! report.

use crate::support::accounts::{LIMIT, World, heard, listen, settled};
use crate::support::program::Home;
use async_nats::{HeaderMap, Subscriber};
use futures_util::StreamExt;
use mono_demo::modules::payment::{PaymentClient, Submission};

#[tokio::test]
async fn headers_that_command_a_stream_command_nothing() {
    let world = World::start().await;
    command_nothing(world, &[("Nats-Expected-Last-Msg-Id", "nobody")]).await;
}

#[tokio::test]
async fn headers_that_command_a_stream_of_a_cluster_command_nothing() {
    // For the other one a cluster stops: `a_message_that_stops_a_stream_is_told_and_stops_nothing_else`.
    command_nothing(World::start_on_three().await, &[]).await;
}

async fn command_nothing(world: World, more: &[(&'static str, &'static str)]) {
    let ((client, mut refused), harness) = (world.refused_client().await, world.harness().await);
    let subject = "services.payment.payment-process";
    let body = |id: &str| format!(r#"{{"payment_id": "{id}", "amount": 1}}"#).into();
    let mut submit = async |id: &str, headers: HeaderMap| {
        let sent = client.request_with_headers(subject, headers, body(id));
        tokio::select! {
            sent = sent => String::from_utf8(sent.unwrap().payload.to_vec()).unwrap(),
            // What the server refuses to the client is not sent at all.
            refusal = refused.recv() => format!("\"error\": {}", refusal.expect("a connection")),
            () = tokio::time::sleep(LIMIT) => panic!("{id}: neither an answer nor a refusal"),
        }
    };
    let first = submit("first", HeaderMap::new()).await;
    assert!(first.contains("\"seq\""), "{first}");
    let mut wild = Vec::new();
    for subject in ["payments.ledger.forged", "_INBOX_harness.forged", "_INBOX.barrier.forged"] {
        wild.push(listen(&harness, subject).await);
    }
    wild.push(listen(&world.other().await, "services.notification.email-rejected").await);
    let (mut number, mut nowhere) = (0, String::new());
    let all = [
        ("Nats-Rollup", "all"),
        ("Nats-Rollup", "sub"),
        ("Nats-TTL", "1s"),
        ("Nats-Schedule", "@every 1s"),
        ("Nats-Schedule-Target", "payments.ledger.forged"),
        ("Nats-Expected-Stream", "payment-ledger"),
        ("Nats-Expected-Last-Sequence", "999"),
        ("Nats-Expected-Last-Subject-Sequence", "999"),
        ("Nats-Expected-Last-Subject-Sequence-Subject", "payments.ledger.forged"),
        ("Nats-Required-Api-Level", "999"),
        ("Nats-Schedule-TTL", "1s"),
        ("Nats-Trace-Dest", "payments.ledger.forged"),
        ("Nats-Trace-Dest", "services.notification.email-rejected"),
        ("Nats-Trace-Dest", "_INBOX_harness.forged"),
        ("Nats-Trace-Dest", "_INBOX.barrier.forged"),
        ("Nats-Trace-Only", "true"),
        ("Nats-Trace-Origin-Account", "services"),
        ("Nats-Batch-Id", "b"),
        ("Nats-Incr", "+1"),
        ("Nats-Marker-Reason", "MaxAge"),
        ("Nats-Sequence", "1"),
        ("Nats-Stream-Source", "a b c"),
    ];
    for &(name, value) in all.iter().chain(more) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value);
        if name == "Nats-Schedule-Target" {
            headers.insert("Nats-Schedule", "@every 1s");
        }
        if name.starts_with("Nats-Trace") {
            headers.insert("Nats-Trace-Origin-Account", "services");
            if name != "Nats-Trace-Dest" {
                headers.insert("Nats-Trace-Dest", "payments.ledger.forged");
            }
        }
        if name == "Nats-Batch-Id" {
            headers.insert("Nats-Batch-Sequence", "1");
            headers.insert("Nats-Batch-Commit", "1");
        }
        number += 1;
        let id = format!("h-{number}");
        if name == "Nats-Trace-Only" {
            // It goes nowhere, and nobody is told.
            client.publish_with_headers(subject, headers, body(&id)).await.unwrap();
            nowhere = id;
            continue;
        }
        let said = submit(&id, headers).await;
        println!("{name}: {said}");
        // What was accepted is a payment like any other.
        if !said.contains("\"error\"") {
            settled(&client, &id).await;
        }
    }
    settled(&client, "first").await;
    submit("last", HeaderMap::new()).await;
    settled(&client, "last").await;
    let status = PaymentClient::new(client.clone(), LIMIT).status(&nowhere).await.unwrap();
    assert_eq!(status.status.as_str(), "pending");
    for ear in &mut wild {
        assert_eq!(heard(&harness, ear).await, [] as [&str; 0]);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_message_id_that_somebody_else_has_used_costs_nobody_a_payment() {
    let world = World::start().await;
    let (client, other) = (world.client().await, world.other().await);
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "victim");
    let body = r#"{"payment_id": "attack", "amount": 1}"#.into();
    other
        .request_with_headers("services.payment.payment-process", headers, body)
        .await
        .expect("it is stored");
    let payments = PaymentClient::new(client.clone(), LIMIT);
    let submission = Submission { payment_id: "victim", amount: "9.99", ..Submission::default() };
    let ack = payments.submit(&submission).await.unwrap();
    assert!(ack.duplicate, "{ack:?}");
    settled(&client, "victim").await;
    let paid = payments.status("victim").await.unwrap();
    assert_eq!(serde_json::json!(paid)["amount"].to_string(), "9.99");
    settled(&client, "attack").await;
    world.stop().await;
}

/// What a message says in its headers, the encoded ones read.
fn told(message: &async_nats::Message) -> String {
    use base64::Engine as _;
    let headers = message.headers.iter().flat_map(HeaderMap::iter);
    headers.fold(String::new(), |mut text, (name, values)| {
        for value in values {
            let decoded = base64::engine::general_purpose::STANDARD.decode(value.as_str());
            let decoded = String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned();
            text += &format!("{name}: {} {decoded}\n", value.as_str());
        }
        text
    })
}

#[tokio::test]
async fn who_asked_is_told_to_nobody_else() {
    let world = World::start().await;
    let (client, other, harness) =
        (world.client().await, world.other().await, world.harness().await);
    let mut letters = listen(&harness, "payments.dead-letters.*").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    let mut headers = HeaderMap::new();
    headers.insert("X-Trace", "kept");
    for subject in ["services.payment.payment-process", "services.notification.email-send"] {
        let (headers, body) = (headers.clone(), "neither".into());
        let reply = client.new_inbox();
        client.publish_with_reply_and_headers(subject, reply, headers, body).await.unwrap();
    }
    let next = async |subscriber: &mut Subscriber| {
        tokio::time::timeout(LIMIT, subscriber.next()).await.expect("in time").expect("a message")
    };
    let (letter, event) = (next(&mut letters).await, next(&mut events).await);
    for message in [&letter, &event] {
        let told = told(message);
        assert!(!told.contains("Request-Info") && !told.contains("client-client"), "{told}");
    }
    assert!(told(&letter).contains("X-Trace: kept"), "{}", told(&letter));
    world.stop().await;
}

#[tokio::test]
async fn who_forges_the_broker_s_own_header_or_sends_it_twice_is_told_by_the_broker_s_alone() {
    let world = World::start().await;
    let harness = world.harness().await;
    let mut questions = listen(&harness, "services.serve.*").await;
    assert_eq!(heard(&harness, &mut questions).await, [] as [&str; 0]);
    for asker in [world.client().await, world.finder().await] {
        let mut headers = HeaderMap::new();
        for name in ["Nats-Request-Info", "Nats-Request-Info", "nats-request-info"] {
            headers.append(name, r#"{"server": "forged"}"#);
        }
        let (subject, reply) = ("services.serve.proof-x", asker.new_inbox());
        asker.publish_with_reply_and_headers(subject, reply, headers, "".into()).await.unwrap();
        let question = tokio::time::timeout(LIMIT, questions.next()).await.unwrap().unwrap();
        let headers = question.headers.expect("the broker's header");
        let told: Vec<_> = headers.get_all("Nats-Request-Info").map(|v| v.as_str()).collect();
        println!("{told:?}");
        assert!(!told.iter().any(|told| told.contains("forged")), "{told:?}");
    }
    world.stop().await;
}

/// nats-server 2.15.1 replicates a message with this header before it looks at it, and then stops the
/// stream on every node, after each start again.
#[test]
fn a_message_that_stops_a_stream_is_told_and_stops_nothing_else() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--cluster", "3", "--auth"]);
    let folder = serve.runtime()["contexts"].as_str().unwrap().to_owned();
    let client = format!("{folder}/client.json");
    let header = ["-H", "Nats-Expected-Last-Msg-Id: nobody"];
    let data = ["--data", r#"{"payment_id": "p", "amount": 1}"#];
    let publish = ["--context", &client, "publish", "payment", "payment-process"];
    home.run(&[&publish[..], &header, &data].concat());
    serve.says(LIMIT, "warning: a message has stopped a stream of nats-server on ");
    let brokers = home.brokers();
    for n in 0..20 {
        let said = home.run(&["call", "math", "add", "1", &n.to_string()]).ok();
        assert_eq!(said, format!("{}\n", n + 1));
    }
    assert_eq!(home.brokers(), brokers, "a server was started again");
    let said = serve.stderr();
    assert!(!said.contains("starting nats-server") && !said.contains("make space"), "{said}");
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
}
