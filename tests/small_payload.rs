//! A server whose messages are too small for what is written down of a payment, and a stream that takes
//! no outcomes: told, not waited for in silence.

use std::time::Duration;

use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Serve};

async fn server(home: &Home, max_payload: usize) -> BareServer {
    let config = config(home, max_payload);
    BareServer::start(home.path(), "small", &config).await
}

fn config(home: &Home, max_payload: usize) -> String {
    let store = home.path().join("small/js");
    format!("max_payload: {max_payload}\njetstream {{ store_dir: {store:?} }}")
}

fn serve(home: &Home, url: &str) -> Serve {
    tokio::task::block_in_place(|| home.serve(&["--server", url, "--drain-timeout=2s"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_only_small_messages_is_refused() {
    let home = Home::new();
    let server = server(&home, 700).await;
    let said = tokio::task::block_in_place(|| home.run(&["serve", "--server", &server.nats]));
    let said = said.failed(3, "the server takes messages of 700 bytes at most (`max_payload`)");
    assert!(said.stderr.contains("raise `max_payload`"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_largest_message_is_made_smaller_meanwhile_is_told() {
    let home = Home::new();
    let server = server(&home, 100_000).await;
    let serve = serve(&home, &server.nats);
    server.reload(&config(&home, 700));
    // The server tells nobody of it but new connections, before it refuses something.
    let client = loop {
        let client = async_nats::connect(&server.nats).await.unwrap();
        if client.max_payload() == 700 {
            break client;
        }
    };
    let long = "u".repeat(200);
    let body =
        format!(r#"{{"payment_id":"p","amount":1,"user_id":"{long}","subscription_id":"{long}"}}"#);
    let jetstream = async_nats::jetstream::new(client);
    let sent = jetstream.publish("services.payment.payment-process", body.into()).await;
    sent.unwrap().await.unwrap();
    serve.says(Duration::from_secs(60), "warning: the server takes messages of 700 bytes at most");
}

/// Claims are stored and outcomes are not: the one says nothing about the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_takes_no_outcome_is_told_while_claims_are_stored() {
    let home = Home::new();
    let server = server(&home, 1 << 20).await;
    let serve = serve(&home, &server.nats);
    let client = async_nats::connect(&server.nats).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let ledger = jetstream.get_stream("payment-ledger").await.unwrap();
    let mut config = ledger.cached_info().config.clone();
    config.max_message_size = 100;
    jetstream.update_stream(config).await.unwrap();
    let paying = tokio::spawn(async move {
        for n in 0.. {
            let body = format!(r#"{{"payment_id":"p-{n}","amount":1}}"#);
            let sent = jetstream.publish("services.payment.payment-process", body.into()).await;
            sent.unwrap().await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    serve.says(Duration::from_secs(60), "the broker stores no messages of payments");
    serve.says(Duration::from_secs(60), "whoever runs it has to make space");
    paying.abort();
}
