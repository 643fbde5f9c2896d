//! An orderly stop is not reported as damage: `serve` starts again on its store, in whatever state
//! it was stopped.

use std::time::{Duration, Instant};

use crate::support::program::{Home, Serve};
use crate::support::{eventually, lives, send};
use async_nats::jetstream;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::Value;

const SUBJECT: &str = "services.payment.payment-process";
const LIMIT: Duration = Duration::from_secs(60);

async fn connect(urls: &str) -> Result<jetstream::Context, async_nats::ConnectError> {
    let urls: Vec<async_nats::ServerAddr> =
        urls.split(',').map(|url| url.parse().unwrap()).collect();
    Ok(jetstream::new(async_nats::connect(urls).await?))
}

/// Submits so many payments, a hundred at once, until it is cut off.
async fn submit(urls: String, round: usize, most: u64) {
    let Ok(jetstream) = connect(&urls).await else { return };
    for hundred in 0..most.div_ceil(100) {
        let submissions = (0..100).map(|n| {
            let body = format!(r#"{{"payment_id":"r{round}-{hundred}-{n}","amount":"1.00"}}"#);
            async { jetstream.publish(SUBJECT, body.into()).await?.await }
        });
        if join_all(submissions).await.iter().any(Result::is_err) {
            return;
        }
    }
}

/// Waits until so many payments have an outcome.
async fn until_outcomes(urls: &str, wanted: u64) -> jetstream::Context {
    let jetstream = connect(urls).await.unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        let ledger = jetstream.get_stream("payment-ledger").await;
        if ledger.is_ok_and(|ledger| ledger.cached_info().state.messages >= wanted) {
            return jetstream;
        }
        assert!(Instant::now() < deadline, "{wanted} outcomes");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// In which state `serve` is when it is stopped, and how.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// With these signals, one after the other.
    Signals(&'static [&'static str]),
    /// One of its brokers gets a signal first.
    BrokerFirst(&'static str),
    /// One of its brokers was killed, and is being started again.
    WhileRestarting,
}

const WAYS: [Stop; 9] = [
    Stop::Signals(&["TERM"]),
    Stop::Signals(&["TERM", "TERM"]),
    Stop::Signals(&["HUP"]),
    Stop::Signals(&["HUP", "TERM"]),
    Stop::Signals(&["INT", "INT"]),
    Stop::Signals(&["KILL"]),
    Stop::BrokerFirst("TERM"),
    Stop::BrokerFirst("KILL"),
    Stop::WhileRestarting,
];

/// A cluster's other nodes go on meanwhile.
const WAYS_OF_A_CLUSTER: [Stop; 5] = [
    Stop::Signals(&["TERM"]),
    Stop::BrokerFirst("TERM"),
    Stop::BrokerFirst("KILL"),
    Stop::BrokerFirst("STOP"),
    Stop::WhileRestarting,
];

fn stop(how: Stop, home: &Home, serve: Serve) {
    let brokers = home.brokers();
    let mut codes = vec![Some(0)];
    match how {
        Stop::Signals(signals) => {
            for signal in signals {
                // It may have ended at the first already.
                if lives(serve.pid()) {
                    serve.signal(signal);
                }
            }
            match signals {
                ["INT", "INT"] => codes.push(Some(130)),
                ["KILL"] => codes = vec![None],
                _ => {}
            }
        }
        Stop::BrokerFirst(signal) => {
            send(signal, brokers[0]);
            serve.signal("TERM");
        }
        Stop::WhileRestarting => {
            send("KILL", brokers[0]);
            eventually("it is started again", LIMIT, || {
                home.brokers().iter().any(|broker| !brokers.contains(broker))
            });
            serve.signal("TERM");
        }
    }
    let (code, _, stderr) = serve.ended();
    assert!(codes.contains(&code), "{how:?}: {code:?}: {stderr}");
    if code.is_some() {
        assert_eq!(home.processes(), [] as [u32; 0], "{how:?}");
    }
}

/// What is still there, and what its worker says.
async fn evidence(requests: &jetstream::stream::Stream, serve: &Serve) -> String {
    let consumers: Vec<_> = requests.consumers().collect().await;
    let first = requests.cached_info().state.first_sequence;
    let message = requests.get_raw_message(first).await;
    let state = &requests.cached_info().state;
    format!("{state:?}\n{consumers:?}\n{message:?}\n{}", serve.stderr())
}

async fn stopped_in_the_middle(ways: &[Stop], nodes: &[&str]) {
    let home = Home::new();
    let args = |workers: &'static str| {
        [&["--port", "0", "--store-dir", "store", "--workers", workers], nodes].concat()
    };
    let start = |n: usize, after: &str| {
        let workers = if n.is_multiple_of(2) { "1" } else { "3" };
        let serve = tokio::task::block_in_place(|| home.try_serve(&args(workers)));
        serve.unwrap_or_else(|said| panic!("refused after {after}: {}", said.stderr))
    };
    let (mut after, mut outcomes) = ("nothing".to_owned(), 0);
    for (round, how) in ways.iter().enumerate() {
        let serve = start(round, &after);
        let url = serve.url();
        // Each round stops at another moment of the work, and some of it is always in hand.
        let share = 30 + 70 * round as u64;
        let submitting = tokio::spawn(submit(url.clone(), round, share + 300));
        outcomes += share;
        until_outcomes(&url, outcomes).await;
        tokio::task::block_in_place(|| stop(*how, &home, serve));
        submitting.abort();
        after = format!("{how:?}");
    }
    let serve = start(0, &after);
    let jetstream = until_outcomes(&serve.url(), outcomes).await;
    let deadline = Instant::now() + LIMIT;
    loop {
        let requests = jetstream.get_stream("payment-requests").await.unwrap();
        // The consumer knows: a broker that is killed may forget that a message it had removed is gone.
        let consumers: Vec<_> = requests.consumers().collect().await;
        let idle = |one: &Result<jetstream::consumer::Info, _>| {
            one.as_ref().is_ok_and(|one| one.num_pending == 0 && one.num_ack_pending == 0)
        };
        if consumers.len() == 1 && consumers.iter().all(idle) {
            break;
        }
        let late = Instant::now() >= deadline;
        assert!(!late, "not everything is settled: {}", evidence(&requests, &serve).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = home.run(&["--json", "audit"]);
    let audit: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(audit["ok"], true, "{audit}");
    serve.signal("TERM");
    serve.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_submissions_is_never_taken_for_damage() {
    stopped_in_the_middle(&WAYS, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_that_of_a_cluster() {
    stopped_in_the_middle(&WAYS_OF_A_CLUSTER, &["--cluster", "3"]).await;
}
