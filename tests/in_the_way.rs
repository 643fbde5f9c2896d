//! Streams and consumers of somebody else that stand in the way of those of payments: named, or how to find
//! them, with what to do.

use async_nats::jetstream::consumer::{AckPolicy, pull, push};
use async_nats::jetstream::stream::Config;

use crate::support::payments::{Payments, SUBJECT};
use crate::support::program::Said;

const REQUESTS: &str = "payment-requests";

fn stream(name: &str, subject: &str) -> Config {
    Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Config::default() }
}

/// What `serve` says; it must not start.
#[track_caller]
fn refused(payments: &Payments, settings: &str) -> Said {
    std::fs::write(payments.home.path().join("s.toml"), settings).unwrap();
    let url = payments.broker.url();
    let args = ["--server", url, "--settings", "s.toml", "--journal-dir", "books"];
    match tokio::task::block_in_place(|| payments.home.try_serve(&args)) {
        Err(said) => said.failed(3, "hint: "),
        Ok(serve) => panic!("it serves: {}", serve.stderr()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_subjects_of_payments_is_named() {
    let payments = Payments::new("").await;
    for (subject, ours) in [("payments.ledger.x", "payment-ledger"), ("services.>", REQUESTS)] {
        payments.jetstream.create_stream(stream("orders", subject)).await.unwrap();
        let said = refused(&payments, "");
        let refusal = format!("create stream `{ours}`: ");
        let named = format!("stream `orders` has `{subject}`");
        for words in [&refusal, &named, "10065", "`nats stream edit`"] {
            assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
        }
        payments.jetstream.delete_stream("orders").await.unwrap();
    }
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_consumer_of_the_requests_is_told_with_how_to_find_it() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    serve.signal("TERM");
    serve.ended();
    let requests = payments.jetstream.get_stream(REQUESTS).await.unwrap();
    requests.delete_consumer("payment-payment-process").await.unwrap();
    for filter_subject in ["", SUBJECT] {
        let other = pull::Config {
            durable_name: Some("other".to_owned()),
            ack_policy: AckPolicy::Explicit,
            filter_subject: filter_subject.to_owned(),
            ..pull::Config::default()
        };
        requests.create_consumer(other).await.unwrap();
        let said = refused(&payments, "");
        for words in ["stream `payment-requests`", "nats consumer ls"] {
            assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
        }
        requests.delete_consumer("other").await.unwrap();
    }
    // One of the same name that pushes cannot become one that is pulled from.
    let pushes = push::Config {
        durable_name: Some("payment-payment-process".to_owned()),
        deliver_subject: "elsewhere".to_owned(),
        ack_policy: AckPolicy::Explicit,
        ..push::Config::default()
    };
    requests.create_consumer(pushes).await.unwrap();
    let said = refused(&payments, "");
    for words in ["consumer `payment-payment-process`", "`nats consumer rm` removes it"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn more_copies_than_there_are_servers_are_told() {
    let payments = Payments::new("").await;
    let said = refused(&payments, "[payment]\nreplicas = 3\n");
    assert!(said.stderr.contains("lower `replicas`"), "{}", said.stderr);
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_a_stream_refuses_is_told_with_what_to_do() {
    let payments = Payments::new("").await;
    let serve = payments.serve();
    let pay = |id: &str| {
        let args = ["-s", payments.broker.url(), "pay", id, "1", "--no-wait"];
        payments.home.run(&args)
    };
    let requests = payments.jetstream.get_stream(REQUESTS).await.unwrap();
    let whole = requests.cached_info().config.clone();
    let small = Config { max_message_size: 10, ..whole.clone() };
    payments.jetstream.update_stream(small).await.unwrap();
    let said = pay("large").failed(7, "message size exceeds maximum allowed");
    assert!(said.stderr.contains("`max_msg_size`"), "{}", said.stderr);
    payments.jetstream.update_stream(Config { sealed: true, ..whole }).await.unwrap();
    let said = pay("sealed").failed(7, "sealed stream");
    assert!(said.stderr.contains("hint: somebody has sealed"), "{}", said.stderr);
    payments.jetstream.delete_stream(REQUESTS).await.unwrap();
    payments.jetstream.create_stream(stream("orders", SUBJECT)).await.unwrap();
    let said = pay("elsewhere").failed(7, "expected stream does not match");
    assert!(said.stderr.contains("nats stream ls --subject"), "{}", said.stderr);
    payments.end(serve).await;
}

/// Where there never was one, or somebody has deleted it.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_not_there_are_named() {
    let payments = Payments::new("").await;
    let url = payments.broker.url();
    let run = |args: &[&str]| payments.home.run(&[&["-s", url], args].concat());
    run(&["pay", "p-1", "1", "--no-wait"]).failed(5, "no stream has this subject");
    for args in [&["dlq", "ls"][..], &["dlq", "show", "1"], &["dlq", "replay", "--all"]] {
        let said = run(args).failed(5, "there is no stream `payment-dead-letters`");
        assert!(said.stderr.contains("hint: `mono-demo audit`"), "{}", said.stderr);
    }
    run(&["audit"]).failed(1, "");
    payments.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_protects_nothing_is_refused_with_what_to_do() {
    let payments = Payments::new("").await;
    payments.jetstream.create_stream(stream("payment-ledger", "payments.ledger.*")).await.unwrap();
    let said = refused(&payments, "");
    for words in ["would allow a second entry", "`nats stream edit payment-ledger`"] {
        assert!(said.stderr.contains(words), "{words}: {}", said.stderr);
    }
    payments.broker.stop().await.unwrap();
}
