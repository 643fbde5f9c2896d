//! Bytes that a client library cannot read: the request is answered, the email rejected, the stored
//! message becomes a dead letter, and no other message is affected.

use std::time::Duration;

use crate::support;
use crate::support::drivers::NoCalls;
use crate::support::eventually;
use crate::support::program::{Home, Serve};
use crate::support::raw::{Dice, Raw, strange_blocks, unreadable_blocks, unreadable_statuses};
use async_nats::jetstream;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use mono_demo::e2e::driver::{Driver as _, RustDriver, hello};
use mono_demo::wire::driver::{DriverError, Op, Outcome};
use serde_json::Value;

const MATH: &[u8] = b"services.math.calculate";
const SUM: &[u8] = br#"{"operation":"add","a":20,"b":22}"#;
const RESULT: &str = r#"{"result":42,"operation":"add"}"#;
const PAYMENT: &[u8] = b"services.payment.payment-process";

fn json(home: &Home, args: &[&str], code: i32) -> Value {
    let output = home.command([&["--json"], args].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asks 64 at a time until told to stop; every answer is the sum.
async fn ask_beside(url: String, mut stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let client = async_nats::connect(url).await.unwrap();
    let mut answered = 0;
    while !*stop.borrow_and_update() {
        let asked = (0..64).map(|_| client.request("services.math.calculate", SUM.into()));
        for reply in futures_util::future::join_all(asked).await {
            assert_eq!(reply.expect("an answer").payload.as_ref(), RESULT.as_bytes());
            answered += 1;
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_answered_400_and_no_other_one_loses_its_answer() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let url = serve.url();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let beside = tokio::spawn(ask_beside(url.clone(), stopped));
    let requests = tokio::task::spawn_blocking(move || {
        let mut raw = Raw::connect(&url);
        raw.subscribe("answers.>");
        for _ in 0..10 {
            for subject in ["services.math.calculate", "services.payment.status"] {
                for (why, block) in [unreadable_blocks(), unreadable_statuses()].concat() {
                    raw.publish(subject.as_bytes(), b"answers.x", &block, SUM);
                    let got = raw.next();
                    assert!(got.headers.contains("Nats-Service-Error-Code: 400"), "{why}: {got:?}");
                    assert!(got.body.contains("the headers cannot be read: "), "{why}: {got:?}");
                    assert!(got.body.contains(why), "{why}: {got:?}");
                    assert!(got.body.len() < 400, "{got:?}");
                }
            }
            for block in strange_blocks() {
                raw.publish(MATH, b"answers.x", &block, SUM);
                assert_eq!(raw.next().body, RESULT, "{}", block.escape_ascii());
            }
            // The service API answers to all of them.
            for (_, block) in unreadable_blocks() {
                raw.publish(b"$SRV.PING.math", b"answers.x", &block, b"");
                assert!(raw.next().body.contains("ping_response"));
            }
            // A reply subject with blanks that are none, and one that is not UTF-8 at all.
            for reply in ["answers.\u{a0}x", "answers.\u{2003}.y"] {
                raw.publish(MATH, reply.as_bytes(), b"NATS/1.0\r\n\r\n", SUM);
                assert_eq!(raw.next().body, RESULT);
            }
            raw.publish(MATH, b"answers.\xff", b"NATS/1.0\r\n\r\n", SUM);
            raw.send(b"PUB services.math.calculate answers.\xff 2\r\n{}\r\n");
            raw.publish(MATH, b"answers.x", b"", SUM);
            assert_eq!(raw.next().body, RESULT, "and the next one");
        }
    });
    requests.await.unwrap();
    stop.send_replace(true);
    let answered = beside.await.unwrap();
    assert!(answered >= 64, "{answered}");
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn emails_are_rejected_with_their_raw_headers() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let client = async_nats::connect(serve.url()).await.unwrap();
    let mut rejected = client.subscribe("services.notification.email-rejected").await.unwrap();
    client.flush().await.unwrap();
    let mut raw = Raw::connect(&serve.url());
    let body = br#"{"to":"user@example.com","subject":"Hello"}"#;
    for (why, block) in [unreadable_blocks(), unreadable_statuses()].concat() {
        raw.publish(b"services.notification.email-send", b"", &block, body);
        let limit = Duration::from_secs(20);
        let message = tokio::time::timeout(limit, rejected.next()).await.expect(why).unwrap();
        let headers = message.headers.unwrap();
        let text = |name: &str| headers.get(name).unwrap().as_str().to_owned();
        assert!(text("Mono-Error-Message").contains(why), "{headers:?}");
        let kept = STANDARD.decode(text("Mono-Raw-Headers")).unwrap();
        assert!(block.starts_with(&kept), "{why}");
        let cut = headers.get("Mono-Raw-Headers-Cut-From").is_some();
        assert_eq!(kept.len() < block.len(), cut, "{why}");
        assert!(cut || message.payload.as_ref() == body);
    }
}

/// Submits each block with a payment of its own; returns how many are unreadable.
fn submit_all(url: &str, suffix: &str) -> usize {
    let mut raw = Raw::connect(url);
    raw.subscribe("acks");
    let unreadable = unreadable_blocks();
    let blocks = unreadable.iter().map(|(_, block)| block.clone()).chain(strange_blocks());
    for (n, block) in blocks.enumerate() {
        let body = format!(r#"{{"payment_id": "p-{suffix}-{n}", "amount": 1}}"#);
        raw.publish(PAYMENT, b"acks", &block, body.as_bytes());
        let got = raw.next();
        assert!(got.body.contains("payment-requests"), "{}: {got:?}", block.escape_ascii());
    }
    // Statuses without a body, as the server would send them.
    for block in strange_blocks().iter().filter(|block| block.starts_with(b"NATS/1.0 ")) {
        raw.publish(PAYMENT, b"acks", block, b"");
        assert!(raw.next().body.contains("payment-requests"));
    }
    unreadable.len()
}

fn settled(home: &Home, letters: usize) -> Vec<Value> {
    let mut found = Vec::new();
    eventually("nothing waits, and all letters are filed", Duration::from_secs(60), || {
        let audit = json(home, &["audit"], 0);
        let listed = json(home, &["dlq", "ls"], 0);
        audit["audit"]["waiting"] == 0
            && listed["dead_letters"].as_array().unwrap().len() == letters
    });
    found.extend(json(home, &["dlq", "ls"], 0)["dead_letters"].as_array().unwrap().clone());
    found.sort_by_key(|letter| letter["sequence"].as_u64());
    found
}

/// Every status is final: `failed` where the headers could not be read, `completed` elsewhere.
async fn statuses(serve: &Serve, suffix: &str, unreadable: usize) {
    let url = serve.url().split(',').next().unwrap().to_owned();
    let client = async_nats::connect(url).await.unwrap();
    for n in 0..unreadable + strange_blocks().len() {
        let body = format!(r#"{{"payment_id": "p-{suffix}-{n}"}}"#);
        let reply = client.request("services.payment.status", body.into()).await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
        let expected = if n < unreadable { "failed" } else { "completed" };
        assert_eq!(reply["status"], expected, "{n}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_ones_are_dead_letters_with_their_bytes_and_stay_readable_after_a_restart() {
    let home = Home::new();
    let store = home.path().join("store");
    let args = ["--port", "0", "--store-dir", store.to_str().unwrap()];
    let serve = home.serve(&args);
    let unreadable = submit_all(&serve.url(), "a");
    let empty = strange_blocks().iter().filter(|block| block.starts_with(b"NATS/1.0 ")).count();
    let letters = settled(&home, unreadable + empty);
    statuses(&serve, "a", unreadable).await;

    let audit = json(&home, &["audit"], 0)["audit"].clone();
    let noted = audit["unreadable"].as_array().unwrap();
    assert_eq!(noted.len(), unreadable, "{audit}");
    let blocks = unreadable_blocks();
    for (letter, (why, block)) in letters.iter().zip(&blocks) {
        assert_eq!(letter["kind"], "malformed");
        assert!(letter["reason"].as_str().unwrap().contains(why), "{letter}");
        let number = letter["number"].to_string();
        let shown = json(&home, &["dlq", "show", &number], 0);
        let headers = shown["dead_letter"]["headers"].as_array().unwrap();
        let header = |name: &str| {
            let found = headers.iter().find(|header| header[0] == name);
            found.map(|header| header[1].as_str().unwrap().to_owned())
        };
        let kept = STANDARD.decode(header("Mono-Dead-Letter-Raw-Headers").unwrap()).unwrap();
        assert!(block.starts_with(&kept), "{why}");
        let cut = header("Mono-Raw-Headers-Cut-From").is_some();
        assert_eq!(kept.len() < block.len(), cut, "{why}");
        home.run(&["dlq", "replay", &number]).failed(4, "cannot be sent again");
    }
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");

    let again = home.serve(&args);
    statuses(&again, "a", unreadable).await;
    assert_eq!(settled(&home, unreadable + empty).len(), letters.len());

    // What no service of ours wrote is a problem, and hides nothing else.
    let mut raw = Raw::connect(&again.url());
    raw.subscribe("acks");
    let bad = b"NATS/1.0\r\nX: a\rb\r\n\r\n";
    for subject in ["payments.dead-letters.9-9", "payments.ledger.stranger"] {
        raw.publish(subject.as_bytes(), b"acks", bad, b"{}");
        assert!(raw.next().body.contains("\"seq\":"));
    }
    let audit = json(&home, &["audit"], 1)["audit"].clone();
    let problems = audit["problems"].to_string();
    for stream in ["payment-dead-letters", "payment-ledger"] {
        let named = format!("stream `{stream}`: message ");
        assert!(problems.contains(&named) && problems.contains("the headers cannot be read"));
    }
    assert_eq!(audit["unreadable"].as_array().unwrap().len(), unreadable);
    let all = json(&home, &["dlq", "ls"], 0);
    let foreign = all["dead_letters"].as_array().unwrap().last().unwrap().clone();
    assert!(foreign["reason"].as_str().unwrap().contains("the headers cannot be read"));
    let number = foreign["number"].to_string();
    assert!(home.run(&["dlq", "show", &number]).ok().contains(r"X: a\rb"));
    home.run(&["dlq", "replay", &number]).failed(4, "cannot be sent again");
    home.run(&["dlq", "purge", &number]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_while_nobody_serves_is_read_by_audit_and_settled_by_the_next_serve() {
    let home = Home::new();
    let store = home.path().join("store");
    let args = ["--port", "0", "--store-dir", store.to_str().unwrap()];
    // A worker that takes nothing: its consumer is paused, so that all of it waits.
    let serve = home.serve(&args);
    let client = async_nats::connect(serve.url()).await.unwrap();
    let stream = jetstream::new(client).get_stream("payment-requests").await.unwrap();
    let later = async_nats::datetime::from_nanos(i128::from(u32::MAX) * 1_000_000_000).unwrap();
    stream.pause_consumer("payment-payment-process", later).await.unwrap();
    let unreadable = submit_all(&serve.url(), "b");
    let audit = json(&home, &["audit"], 0)["audit"].clone();
    assert_eq!(audit["unreadable"].as_array().unwrap().len(), unreadable, "{audit}");
    serve.signal("KILL");
    drop(serve);

    let serve = home.serve(&args);
    let client = async_nats::connect(serve.url()).await.unwrap();
    let stream = jetstream::new(client).get_stream("payment-requests").await.unwrap();
    stream.resume_consumer("payment-payment-process").await.unwrap();
    let empty = strange_blocks().iter().filter(|block| block.starts_with(b"NATS/1.0 ")).count();
    settled(&home, unreadable + empty);
    statuses(&serve, "b", unreadable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_buries_them_too() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--cluster", "3"]);
    let url = serve.url().split(',').next().unwrap().to_owned();
    let unreadable = submit_all(&url, "c");
    let empty = strange_blocks().iter().filter(|block| block.starts_with(b"NATS/1.0 ")).count();
    settled(&home, unreadable + empty);
    statuses(&serve, "c", unreadable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_shows_the_body_of_a_reply_and_says_what_cannot_be_read() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let mut service = Raw::connect(&serve.url());
    service.subscribe("strange.service");
    let answering = std::thread::spawn(move || {
        for (_, block) in [unreadable_blocks(), unreadable_statuses()].concat() {
            let asked = service.next();
            service.publish(asked.reply.as_bytes(), b"", &block, b"the body");
        }
        // With a body, a status is only a header.
        let asked = service.next();
        service.publish(asked.reply.as_bytes(), b"", b"NATS/1.0 503\r\n\r\n", b"the body");
        service.settle();
    });
    let ask = ["call", "strange.service", "--data", "x"];
    for (why, _) in [unreadable_blocks(), unreadable_statuses()].concat() {
        let said = home.run(&ask).failed(7, "strange.service answered, and the headers cannot be");
        assert!(said.stderr.contains(why), "{}", said.stderr);
        assert_eq!(said.stdout.trim(), "the body");
    }
    assert_eq!(home.run(&ask).ok().trim(), "the body");
    answering.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_a_scenario_names_them_and_loses_no_next_message() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0"]);
    let driver = RustDriver::new(std::sync::Arc::new(NoCalls));
    hello(&driver, &serve.url(), None, 1).await.unwrap();
    let ok = async |op| match driver.perform(op).await.unwrap() {
        Outcome::Ok(value) => value,
        other => panic!("{other:?}"),
    };
    let subscribed = ok(Op::Subscribe { subject: "heard.>".into(), queue_group: None }).await;
    let subscription = subscribed["subscription"].as_u64().unwrap();
    let next = || Op::Next { subscription, timeout_ms: 20_000 };
    let said = async || match driver.perform(next()).await.unwrap() {
        Outcome::Err(DriverError { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    let mut raw = Raw::connect(&serve.url());
    for (why, block) in [unreadable_blocks(), unreadable_statuses()].concat() {
        raw.publish(b"heard.it", b"", &block, b"first");
        raw.publish(b"heard.it", b"", b"NATS/1.0\r\nX: a\r\n\r\n", b"second");
        let message = said().await;
        assert!(
            message.contains("a message came on heard.it, and the headers cannot"),
            "{message}"
        );
        assert!(message.contains(why) && message.ends_with("its body: first"), "{message}");
        assert_eq!(ok(next()).await["payload_base64"], STANDARD.encode("second"));
    }
    // Subjects and reply subjects, with headers and without.
    raw.send(b"PUB heard.\xff 5\r\nfirst\r\nPUB heard.x reply.\xff 5\r\nfirst\r\n");
    raw.publish(b"heard.\xff", b"reply.\xfe", b"NATS/1.0\r\n\r\n", b"first");
    raw.publish("heard.\u{a0}x".as_bytes(), b"", b"NATS/1.0\r\n\r\n", b"second");
    assert!(said().await.contains(r"the subject cannot be read: not UTF-8 (heard.\xff)"));
    assert!(said().await.contains(r"the reply subject cannot be read: not UTF-8 (reply.\xff)"));
    let both = said().await;
    assert!(both.contains(r"(heard.\xff); the reply subject cannot be read"), "{both}");
    assert_eq!(ok(next()).await["subject"], "heard.\u{a0}x");
    driver.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_bytes_a_publisher_chooses_each_message_arrives_whole_and_in_order() {
    const MESSAGES: usize = 20_000;
    let server = support::nats_server().await;
    let settings = mono_demo::broker::Settings::new(server, support::reaper());
    let broker = mono_demo::broker::Broker::start(settings).await.unwrap();
    let client = async_nats::connect(broker.url()).await.unwrap();
    let mut messages = client.subscribe("fuzz.>").await.unwrap();
    client.flush().await.unwrap();
    let url = broker.url().to_owned();
    let publishing = std::thread::spawn(move || {
        let (mut raw, mut dice) = (Raw::connect(&url), Dice(20_251_128));
        for n in 0..MESSAGES {
            let prefix: &[u8] = if dice.below(4) == 0 { b"" } else { b"NATS/1.0" };
            let block = [prefix, &dice.bytes(40, b"")].concat();
            // What ends a subject, or is a wildcard, and what makes one that is none.
            let subject = [b"fuzz.a", dice.bytes(8, b" \t\r\n.*>\0").as_slice()].concat();
            let reply = [b"r", dice.bytes(8, b" \t\r\n.*>\0").as_slice()].concat();
            raw.publish(&subject, &reply, &block, n.to_string().as_bytes());
        }
        raw.settle();
    });
    for n in 0..MESSAGES {
        let next = tokio::time::timeout(Duration::from_secs(20), messages.next()).await;
        let message = next.unwrap_or_else(|_| panic!("message {n} did not come")).unwrap();
        assert_eq!(message.payload.as_ref(), n.to_string().as_bytes());
    }
    publishing.join().unwrap();
    assert_eq!(client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed), 1);
    broker.stop().await.unwrap();
}
