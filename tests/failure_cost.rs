//! The cost of counting failures: nothing if nothing fails, two messages for a failure.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::stream_jobs::jobs;
use mono_demo::broker::{self, Broker};
use mono_demo::mono::{
    App, Connection, Delivery, Failure, Module, Services, StreamHandler, StreamSettings, Target,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const JOBS: u64 = 2000;
const SOON: Duration = Duration::from_secs(60);

struct Jobs {
    done: UnboundedSender<()>,
}

impl Module for Jobs {
    fn name(&self) -> &str {
        "jobs"
    }

    fn register(&self, services: &mut Services) {
        let settings = StreamSettings { backoff: vec![Duration::from_millis(1)], ..jobs("jobs") };
        services.stream_consumer("job", settings, Handler { done: self.done.clone() });
    }
}

struct Handler {
    done: UnboundedSender<()>,
}

impl StreamHandler for Handler {
    type Message = String;

    async fn handle(&self, job: String, delivery: &Delivery) -> Result<(), Failure> {
        match job.as_str() {
            "later" if delivery.deliveries == 1 => Err(Failure::Later("not now".into())),
            "fails" if delivery.deliveries == 1 => Err(Failure::Retry("not yet".into())),
            _ => Ok(()),
        }
    }

    async fn acknowledged(&self, _: &Delivery) {
        let _ = self.done.send(());
    }
}

/// Has all jobs of a kind done; how many messages that took the service, and how long.
async fn all_done(
    kind: &str,
    services: &Connection,
    client: &async_nats::Client,
    done: &mut UnboundedReceiver<()>,
) -> (u64, Duration) {
    let sent =
        || services.client().statistics().out_messages.load(std::sync::atomic::Ordering::Relaxed);
    let (before, began) = (sent(), Instant::now());
    let body = serde_json::to_vec(kind).unwrap();
    for _ in 0..JOBS {
        client.publish("services.jobs.job", body.clone().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    for _ in 0..JOBS {
        tokio::time::timeout(SOON, done.recv()).await.expect("in time").unwrap();
    }
    let took = began.elapsed();
    services.barrier(SOON).await.unwrap();
    (sent() - before, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_failures_costs_nothing_where_nothing_fails_and_two_messages_where_something_does()
{
    let settings = broker::Settings::new(support::nats_server().await, support::reaper());
    let broker = Broker::start(settings).await.unwrap();
    let target = Target { url: broker.url().to_owned(), ..Target::default() };
    let services = Connection::open(&target, "services").await.unwrap();
    let client = async_nats::connect(broker.url()).await.unwrap();
    let (sender, mut done) = unbounded_channel();
    let running = App::new().module(Jobs { done: sender }).start(services.clone()).await.unwrap();
    let mut spent = Vec::new();
    // The first of all also pays for what is slow once.
    for kind in ["fine", "fine", "later", "fails"] {
        let (messages, took) = all_done(kind, &services, &client, &mut done).await;
        eprintln!("{JOBS} jobs, {kind}: {messages} messages, {took:?}");
        spent.push((messages, took));
    }
    let [_, fine, later, fails] = spent[..] else { unreachable!("four kinds") };
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    eprintln!(
        "delivered twice: {:.2} times as long; with a failure noted in between: {:.2} times as long",
        ratio(later.1, fine.1),
        ratio(fails.1, fine.1)
    );
    // Pulls and the like are a few.
    let few = JOBS / 4;
    assert!((JOBS..JOBS + few).contains(&fine.0), "an acknowledgement each: {}", fine.0);
    let twice = 3 * JOBS;
    assert!((twice..twice + few).contains(&later.0), "and one read on a redelivery: {}", later.0);
    let noted = 5 * JOBS;
    assert!((noted..noted + few).contains(&fails.0), "and a read and a note: {}", fails.0);
    running.drain(SOON).await;
    broker.stop().await.unwrap();
}
