//! `serve` with its payments on a broker of the test's own, which the test can break.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer::pull};
use mono_demo::broker::{Broker, Settings};
use serde_json::{Value, json};

use super::program::{Home, Serve};
use super::{nats_server, reaper};

/// Where payments are submitted.
pub const SUBJECT: &str = "services.payment.payment-process";
/// How long anything may take.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A home for `serve`, a broker, and a client of it.
pub struct Payments {
    pub home: Home,
    pub broker: Broker,
    pub jetstream: jetstream::Context,
}

impl Payments {
    pub async fn new(settings: &str) -> Self {
        let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
        let home = Home::new();
        std::fs::write(home.path().join("s.toml"), settings).unwrap();
        let client = async_nats::connect(broker.url()).await.unwrap();
        Self { home, broker, jetstream: jetstream::new(client) }
    }

    pub fn serve(&self) -> Serve {
        self.serve_through(self.broker.url())
    }

    /// The same, by another way to the broker.
    pub fn serve_through(&self, url: &str) -> Serve {
        let args = ["--server", url, "--settings", "s.toml", "--journal-dir", "books"];
        tokio::task::block_in_place(|| self.home.serve(&args))
    }

    pub async fn pay(&self, payments: usize) {
        for n in 0..payments {
            self.submit(&format!("p-{n}")).await;
        }
    }

    /// Until it is acknowledged: the client may still be reconnecting.
    pub async fn submit(&self, id: &str) {
        let body = json!({ "payment_id": id, "amount": "1.00" }).to_string();
        let deadline = Instant::now() + LIMIT;
        loop {
            let sent = async { self.jetstream.publish(SUBJECT, body.clone().into()).await?.await };
            match sent.await {
                Ok(_) => return,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
    }

    /// How many deliveries there were; `None` while the broker is away.
    pub async fn deliveries(&self) -> Option<u64> {
        let consumer = self.jetstream.get_consumer_from_stream::<pull::Config, _, _>(
            "payment-payment-process",
            "payment-requests",
        );
        Some(consumer.await.ok()?.cached_info().delivered.consumer_sequence)
    }

    pub async fn until_deliveries(&self, wanted: u64) {
        let deadline = Instant::now() + LIMIT;
        while self.deliveries().await.is_none_or(|deliveries| deliveries < wanted) {
            assert!(Instant::now() < deadline, "{wanted} deliveries");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many messages a stream has; waits while the broker is away.
    pub async fn count(&self, stream: &str) -> usize {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.jetstream.get_stream(stream).await {
                Ok(stream) => return usize::try_from(stream.cached_info().state.messages).unwrap(),
                Err(error) => assert!(Instant::now() < deadline, "{stream}: {error}"),
            }
        }
    }

    /// Waits until a stream has as many messages as wanted.
    pub async fn until_count(&self, stream: &str, wanted: impl Fn(usize) -> bool) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let count = self.count(stream).await;
            if wanted(count) {
                return;
            }
            assert!(Instant::now() < deadline, "{stream} has {count} messages");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every submission is settled, and so many payments have an outcome.
    pub async fn all_settled(&self, payments: usize) {
        self.until_count("payment-ledger", |count| count >= payments).await;
        self.until_count("payment-requests", |count| count == 0).await;
    }

    /// What `audit --json` says.
    pub fn audit(&self) -> Value {
        let said = self.home.run(&["--json", "-s", self.broker.url(), "audit"]);
        serde_json::from_str(&said.stdout).unwrap()
    }

    /// The last message on a subject of a stream.
    pub async fn last(&self, stream: &str, subject: &str) -> Option<Value> {
        let stream = self.jetstream.get_stream(stream).await.ok()?;
        let found = stream.get_last_raw_message_by_subject(subject).await.ok()?;
        Some(serde_json::from_slice(&found.payload).unwrap())
    }

    pub async fn outcome(&self, id: &str) -> Value {
        let subject = format!("payments.ledger.{id}");
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(entry) = self.last("payment-ledger", &subject).await {
                return entry;
            }
            assert!(Instant::now() < deadline, "no outcome of {id}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn all_completed(&self, payments: usize) {
        for n in 0..payments {
            let entry = self.outcome(&format!("p-{n}")).await;
            assert_eq!(entry["status"], "completed", "{entry}");
        }
    }

    pub async fn end(self, serve: Serve) {
        serve.signal("TERM");
        serve.ended();
        self.broker.stop().await.unwrap();
    }
}
