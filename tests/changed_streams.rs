//! Changes that somebody else makes to the streams of payments, during `serve` or before, are
//! reported.

use std::time::Duration;

use crate::support::payments::{Payments, SUBJECT};
use crate::support::program::{Home, Serve};
use crate::support::raw::Raw;
use crate::support::{eventually, nats_server, reaper};
use async_nats::datetime::DateTime;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{self, Info};
use async_nats::jetstream::stream::{Config, DiscardPolicy, SubjectTransform};
use mono_demo::broker::{Broker, Settings};

/// Told by the second look that finds it, and a look is every 3 s.
pub const TOLD: Duration = Duration::from_secs(20);

pub fn serve(home: &Home, args: &[&str]) -> Serve {
    tokio::task::block_in_place(|| home.serve(args))
}

pub async fn jetstream(url: &str) -> Context {
    let servers: Vec<&str> = url.split(',').collect();
    async_nats::jetstream::new(async_nats::connect(servers).await.unwrap())
}

/// What an outsider with the right to do so does to a stream.
pub async fn change(jetstream: &Context, stream: &str, change: impl FnOnce(&mut Config)) {
    let stream = jetstream.get_stream(stream).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    change(&mut config);
    jetstream.update_stream(config).await.unwrap();
}

/// Ends it, and makes sure that each of these was said once.
pub fn said_once(serve: Serve, lines: &[&str]) {
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    for line in lines {
        assert_eq!(stderr.matches(line).count(), 1, "{line}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_narrowed_or_sealed_is_named_with_what_was_changed() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    change(&jetstream, "payment-requests", |config| config.max_messages = 7).await;
    change(&jetstream, "payment-dead-letters", |config| {
        config.max_age = Duration::from_secs(300);
        config.discard_new_per_subject = false;
        config.discard = DiscardPolicy::Old;
    })
    .await;
    change(&jetstream, "payment-failures", |config| config.subjects = vec!["else".to_owned()])
        .await;
    change(&jetstream, "payment-intents", |config| config.max_bytes = 1_000_000).await;
    change(&jetstream, "payment-ledger", |config| config.sealed = true).await;
    let lines = [
        "warning: stream `payment-requests` was changed by somebody else: `max_msgs` was -1 and is 7\n",
        "warning: stream `payment-dead-letters` was changed by somebody else: `discard` was \"new\" \
         and is \"old\", `discard_new_per_subject` was true and is unset, `max_age` was 0ns and is 300s",
        "stream `payment-failures` was changed by somebody else: `subjects` was \
         [\"payments.failures.*\"] and is [\"else\"]",
        "stream `payment-intents` was changed by somebody else: `max_bytes` was -1 and is 1000000",
        "stream `payment-ledger` was changed by somebody else: ",
    ];
    lines.iter().for_each(|line| serve.says(TOLD, line));
    serve.says(TOLD, "`sealed` was unset and is true");
    said_once(serve, &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_somebody_else_that_stores_what_services_are_asked_is_named() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    let config = Config {
        name: "everything".to_owned(),
        subjects: vec!["services.*.calculate".to_owned()],
        ..Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let records = Config {
        name: "records".to_owned(),
        subjects: vec!["services.payment.status".to_owned()],
        no_ack: true,
        ..Config::default()
    };
    jetstream.create_stream(records).await.unwrap();
    let line = "warning: stream `everything` also stores requests to `services.math.calculate`";
    serve.says(TOLD, line);
    assert!(!serve.stderr().contains("`records`"), "it acknowledges nothing: {}", serve.stderr());
    said_once(serve, &[line]);
}

/// A transform puts what services write, or are sent, where none of them looks.
#[tokio::test(flavor = "multi_thread")]
async fn audit_names_what_lies_on_a_subject_that_nobody_reads() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    let transform = |source: &str, destination: &str| {
        let (source, destination) = (source.to_owned(), destination.to_owned());
        Some(SubjectTransform { source, destination })
    };
    let to = transform("payments.ledger.*", "payments.ledger2.{{wildcard(1)}}");
    change(&jetstream, "payment-ledger", |config| config.subject_transform = to).await;
    home.run(&["pay", "p-1", "1", "--no-wait"]).ok();
    let outcome = "message `1` on `payments.ledger2.p-1` is about `p-1`, which is read on `payments.ledger.p-1`";
    eventually("the outcome is astray", TOLD, || {
        tokio::task::block_in_place(|| home.run(&["audit"])).stdout.contains(outcome)
    });
    change(&jetstream, "payment-ledger", |config| config.subject_transform = None).await;
    let to = transform("services.payment.payment-process", "elsewhere.x");
    change(&jetstream, "payment-requests", |config| config.subject_transform = to).await;
    home.run(&["pay", "p-2", "1", "--no-wait"]).ok();
    let said = home.run(&["audit"]).failed(1, "");
    assert!(said.stdout.contains("on `elsewhere.x` is given to no worker"), "{}", said.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_purged_is_named() {
    let home = Home::new();
    let settings = "[payment]\nconcurrency = 1\ngateway = [{ outcome = \"hang\" }]\n";
    std::fs::write(home.path().join("hang.toml"), settings).unwrap();
    let args = ["--port=0", "--settings=hang.toml", "--drain-timeout=200ms"];
    let serve = serve(&home, &args);
    let url = serve.url();
    let jetstream = jetstream(&url).await;
    for n in 0..5 {
        home.run(&["pay", &format!("p-{n}"), "1", "--no-wait"]).ok();
        let body = format!(r#"{{"payment_id":"bad {n}"}}"#);
        let published = jetstream.publish("services.payment.payment-process", body.into()).await;
        published.unwrap().await.unwrap();
    }
    eventually("a payment is in hand", Duration::from_secs(10), || {
        home.run(&["call", "payment", "status", "p-0"]).stdout.starts_with("processing")
    });
    jetstream.get_stream("payment-requests").await.unwrap().purge().await.unwrap();
    let (undelivered, claimed) = (
        "stream `payment-requests` was purged, or messages of it were deleted, by somebody else: some \
         were given to no worker",
        "stream `payment-requests` was purged, or messages of it were deleted, by somebody else: \
         payments are claimed",
    );
    serve.says(TOLD, undelivered);
    serve.says(TOLD, claimed);
    said_once(serve, &[undelivered, claimed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_that_dlq_did_not_remove_are_missed() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    let letters = jetstream.get_stream("payment-dead-letters").await.unwrap();
    for n in 0..3 {
        let body = format!(r#"{{"payment_id":"bad-{n}"}}"#);
        let published = jetstream.publish("services.payment.payment-process", body.into()).await;
        published.unwrap().await.unwrap();
    }
    let there = async || letters.get_info().await.unwrap().state.messages;
    while there().await < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    home.run(&["dlq", "purge", "1"]).ok();
    assert_eq!(there().await, 2);
    letters.purge().await.unwrap();
    let line = "some letters are gone that `dlq` did not remove";
    serve.says(TOLD, line);
    said_once(serve, &[line]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_named_also_where_it_is_made_anew() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0"]);
    let jetstream = jetstream(&serve.url()).await;
    let requests = jetstream.get_stream("payment-requests").await.unwrap();
    requests.delete_consumer("payment-payment-process").await.unwrap();
    jetstream.delete_stream("payment-ledger").await.unwrap();
    jetstream.delete_stream("payment-failures").await.unwrap();
    let letters = jetstream.get_stream("payment-dead-letters").await.unwrap();
    let config = letters.cached_info().config.clone();
    jetstream.delete_stream("payment-dead-letters").await.unwrap();
    jetstream.create_stream(config).await.unwrap();
    let lines = [
        "consumer `payment-payment-process` was deleted by somebody else",
        "stream `payment-ledger` was deleted by somebody else\n",
        "stream `payment-failures` was deleted by somebody else\n",
        "stream `payment-dead-letters` was deleted by somebody else, and made anew",
    ];
    lines.iter().for_each(|line| serve.says(TOLD, line));
    said_once(serve, &lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_before_serve_started_is_named_too_also_at_a_server_of_others() {
    let home = Home::new();
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let (url, jetstream) = (broker.url().to_owned(), jetstream(broker.url()).await);
    let args = ["--server", &url, "--journal-dir", "books"];
    said_once(serve(&home, &args), &[]);
    change(&jetstream, "payment-requests", |config| config.max_messages = 7).await;
    let second = serve(&home, &args);
    let before =
        "stream `payment-requests` is not as `serve` makes it: `max_msgs` is 7, and should be -1";
    second.says(TOLD, before);
    change(&jetstream, "payment-requests", |config| config.max_messages = 5).await;
    let since = "stream `payment-requests` was changed by somebody else: `max_msgs` was 7 and is 5";
    second.says(TOLD, since);
    said_once(second, &[before, since]);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_reset_is_named_and_no_request_is_missed_for_it() {
    let home = Home::new();
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let (url, jetstream) = (broker.url().to_owned(), jetstream(broker.url()).await);
    let args = ["--server", &url, "--journal-dir", "books"];
    let pay = |id: &str| drop(home.run(&["-s", &url, "pay", id, "1"]).ok());
    let reset = async || {
        let subject = "CONSUMER.RESET.payment-requests.payment-payment-process";
        let answer: serde_json::Value =
            jetstream.request(subject, &serde_json::json!({"seq": 1})).await.unwrap();
        assert_eq!(answer["error"], serde_json::Value::Null, "{answer}");
    };
    let first = serve(&home, &args);
    ["a", "b", "c"].into_iter().for_each(pay);
    said_once(first, &[]);
    // Its first look sees three deliveries; then there are four, which are counted from none.
    let second = serve(&home, &args);
    reset().await;
    ["d", "e", "f", "g"].into_iter().for_each(pay);
    reset().await;
    let line = "warning: consumer `payment-payment-process` was reset by somebody else";
    second.says(TOLD, line);
    assert!(!second.stderr().contains("must do so again"), "{}", second.stderr());
    second.signal("TERM");
    let (code, _, stderr) = second.ended();
    assert_eq!(code, Some(0), "{stderr}");
    // The first of the two shows only where a look falls between them.
    assert!((1..=2).contains(&stderr.matches(line).count()), "{stderr}");
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_watched_as_well() {
    let home = Home::new();
    let serve = serve(&home, &["--port", "0", "--cluster", "3"]);
    let jetstream = jetstream(&serve.url()).await;
    change(&jetstream, "payment-requests", |config| config.max_messages = 7).await;
    jetstream.delete_stream("payment-dead-letters").await.unwrap();
    let lines = [
        "stream `payment-requests` was changed by somebody else: `max_msgs` was -1 and is 7",
        "stream `payment-dead-letters` was deleted by somebody else",
    ];
    lines.iter().for_each(|line| serve.says(TOLD, line));
    said_once(serve, &lines);
}

const CONSUMER: &str = "payment-payment-process";

async fn consumer(jetstream: &Context) -> Info {
    let requests = jetstream.get_stream("payment-requests").await.unwrap();
    requests.consumer_info(CONSUMER).await.unwrap()
}

fn far_off() -> DateTime {
    async_nats::datetime::from_nanos(i128::from(u32::MAX) * 1_000_000_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_held_back_is_fetched_and_the_consumer_set_right() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    let mut config = consumer(&payments.jetstream).await.config;
    config.headers_only = true;
    requests.update_consumer::<consumer::Config>(config).await.unwrap();
    // So that all of it comes at once, before anything is set right.
    requests.pause_consumer(CONSUMER, far_off()).await.unwrap();
    payments.pay(400).await;
    // Forged by a publisher, who changed nothing: malformed all the same.
    let forged = b"NATS/1.0\r\nNats-Msg-Size: 7\r\n\r\n";
    let mut raw = Raw::connect(payments.broker.url());
    raw.publish(SUBJECT.as_bytes(), b"", forged, b"");
    // Nor can its headers be read, and its body is kept.
    raw.publish(SUBJECT.as_bytes(), b"", b"NATS/1.0\r\nX: a\rb\r\n\r\n", b"the body");
    raw.settle();
    requests.resume_consumer(CONSUMER).await.unwrap();
    payments.all_completed(400).await;
    payments.all_settled(400).await;
    assert_eq!(payments.count("payment-dead-letters").await, 2);
    let letters = payments.jetstream.get_stream("payment-dead-letters").await.unwrap();
    let letter = async |number| letters.get_raw_message(number).await.unwrap().payload;
    let bodies = [letter(1).await, letter(2).await];
    // In the order in which they were given up.
    assert!(bodies.contains(&"the body".into()) && bodies.contains(&"".into()), "{bodies:?}");
    assert!(!consumer(&payments.jetstream).await.config.headers_only);
    said_once(serve, &["to hold back bodies (`headers_only`): set right"]);
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_was_paused_before_serve_started_is_resumed() {
    let payments = Payments::new("").await;
    said_once(payments.serve(), &[]);
    let requests = payments.jetstream.get_stream("payment-requests").await.unwrap();
    assert!(requests.pause_consumer(CONSUMER, far_off()).await.unwrap().paused);
    payments.pay(3).await;
    let serve = payments.serve();
    payments.all_completed(3).await;
    assert!(!consumer(&payments.jetstream).await.paused);
    payments.end(serve).await;
}
