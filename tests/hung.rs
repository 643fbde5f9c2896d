//! A handler that hangs or panics, wherever it does so, costs its own message and nothing else; an
//! application that has lost a part says so.

use std::time::{Duration, Instant};

use crate::support;
use crate::support::stream_jobs::jobs;
use futures_util::StreamExt as _;
use mono_demo::broker::{self, Broker};
use mono_demo::mono::{
    App, Call, Connection, DeadKind, Delivery, Failure, Letter, Lost, Module, Running,
    ServiceError, Services, Settled, StreamHandler, StreamSettings, Target,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

const SOON: Duration = Duration::from_secs(20);
/// How long a stream's handler may work on one delivery.
const LIMIT: Duration = Duration::from_secs(1);
/// The framework's bound for what waits while every place is taken.
const STALLED: Duration = Duration::from_secs(2);

/// One place for each service; what is named "hang" holds it until the test opens the gate.
struct Stuck {
    began: UnboundedSender<String>,
    gate: watch::Receiver<bool>,
}

impl Module for Stuck {
    fn name(&self) -> &str {
        "stuck"
    }

    fn register(&self, services: &mut Services) {
        let (began, gate) = (self.began.clone(), self.gate.clone());
        services
            .request_reply("ask", move |word: String, _: Call| work(word, &began, &gate))
            .bounds(1, 100);
        let (began, gate) = (self.began.clone(), self.gate.clone());
        services
            .queue_group("take", "takers", Some("refused"), move |word: String, _: Call| {
                let work = work(word, &began, &gate);
                async move { work.await.map(drop) }
            })
            .bounds(1, 100);
        let settings = StreamSettings {
            ack_wait: Duration::from_millis(300),
            handle_limit: LIMIT,
            max_deliver: 1,
            ..jobs("stuck")
        };
        services.stream_consumer("job", settings, Jobs { began: self.began.clone() }).bounds(1, 0);
    }
}

fn work(
    word: String,
    began: &UnboundedSender<String>,
    gate: &watch::Receiver<bool>,
) -> impl Future<Output = Result<String, ServiceError>> + Send + use<> {
    let mut gate = gate.clone();
    let _ = began.send(word.clone());
    async move {
        if word == "hang" {
            let _ = gate.wait_for(|open| *open).await;
        }
        Ok(word)
    }
}

struct Jobs {
    began: UnboundedSender<String>,
}

impl Jobs {
    /// Says where a job is.
    fn at(&self, place: &str, job: &Delivery) {
        let word: String = serde_json::from_slice(&job.body).unwrap();
        let _ = self.began.send(format!("{place} {word} {}", job.deliveries));
    }
}

/// Panics when it is dropped, as what a handler holds may do.
struct Touchy;

impl Drop for Touchy {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl StreamHandler for Jobs {
    type Message = String;

    async fn handle(&self, job: String, delivery: &Delivery) -> Result<(), Failure> {
        self.at("handle", delivery);
        match job.as_str() {
            "hang" => std::future::pending().await,
            "panic when let go" if delivery.deliveries == 1 => {
                let _touchy = Touchy;
                std::future::pending().await
            }
            "give up" => Err(Failure::Dead(DeadKind::Rejected, "unwanted".into())),
            _ => Ok(()),
        }
    }

    async fn acknowledged(&self, delivery: &Delivery) {
        self.at("acknowledged", delivery);
        match delivery.body.as_ref() {
            br#""hang after""# => std::future::pending().await,
            br#""panic after""# => panic!("after all"),
            _ => {}
        }
    }

    async fn give_up(
        &self,
        delivery: &Delivery,
        _: DeadKind,
        _: &str,
        _: &Letter<'_>,
    ) -> Result<Settled, Failure> {
        self.at("give up", delivery);
        if delivery.deliveries == 1 {
            std::future::pending::<()>().await;
        }
        Ok(Settled::Bury)
    }
}

struct Fixture {
    broker: Broker,
    services: Connection,
    client: async_nats::Client,
    running: Running,
    began: UnboundedReceiver<String>,
    gate: watch::Sender<bool>,
}

impl Fixture {
    async fn new() -> Self {
        let settings = broker::Settings::new(support::nats_server().await, support::reaper());
        let broker = Broker::start(settings).await.unwrap();
        let (sender, began) = unbounded_channel();
        let (gate, receiver) = watch::channel(false);
        let target = Target { url: broker.url().to_owned(), ..Target::default() };
        let services = Connection::open(&target, "services").await.unwrap();
        let module = Stuck { began: sender, gate: receiver };
        let running = App::new().module(module).start(services.clone()).await.unwrap();
        let client = async_nats::connect(broker.url()).await.unwrap();
        Self { broker, services, client, running, began, gate }
    }

    async fn job(&self, word: &str) {
        let jetstream = async_nats::jetstream::new(self.client.clone());
        let body = serde_json::to_vec(word).unwrap();
        jetstream.publish("services.stuck.job", body.into()).await.unwrap().await.unwrap();
    }

    /// Waits until this has begun.
    async fn until(&mut self, wanted: &str) {
        let found = async { while self.began.recv().await.unwrap() != wanted {} };
        tokio::time::timeout(SOON, found).await.unwrap_or_else(|_| panic!("no `{wanted}`"));
    }

    /// Asks, and says with which code it was refused, if it was.
    async fn ask(&self, word: &str) -> Option<String> {
        let body = serde_json::to_vec(word).unwrap();
        let asked = self.client.request("services.stuck.ask", body.into());
        let reply = tokio::time::timeout(SOON, asked).await.expect("an answer").unwrap();
        Some(reply.headers?.get("Nats-Service-Error-Code")?.as_str().to_owned())
    }

    /// Publishes where nobody waits for an answer.
    async fn send(&self, subject: &'static str, word: &str) {
        let body = serde_json::to_vec(word).unwrap();
        self.client.publish(subject, body.into()).await.unwrap();
        self.client.flush().await.unwrap();
    }

    async fn end(self) {
        let report = self.running.drain(Duration::from_millis(100)).await;
        let _ = report.complete;
        assert!(self.services.close(SOON).await);
        self.broker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn while_every_place_hangs_requests_are_refused_soon_and_then_at_once() {
    let mut fixture = Fixture::new().await;
    // Before it hangs: when it does exactly, the service knows and we do not.
    let before = Instant::now();
    fixture.send("services.stuck.ask", "hang").await;
    fixture.until("hang").await;
    assert_eq!(fixture.ask("first").await.as_deref(), Some("503"));
    assert!(before.elapsed() >= STALLED, "it waits for a while: {:?}", before.elapsed());
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(fixture.ask("more").await.as_deref(), Some("503"));
        assert!(asked.elapsed() < STALLED, "at once, not after {:?}", asked.elapsed());
    }
    fixture.gate.send_replace(true);
    // The place is free a moment later.
    let deadline = Instant::now() + SOON;
    while fixture.ask("last").await.is_some() {
        assert!(Instant::now() < deadline, "it is served again");
    }
    fixture.end().await;
}

#[tokio::test]
async fn while_every_place_hangs_a_queue_group_refuses_with_a_reason() {
    let mut fixture = Fixture::new().await;
    let mut refused = fixture.client.subscribe("services.stuck.refused").await.unwrap();
    fixture.send("services.stuck.take", "hang").await;
    fixture.until("hang").await;
    for n in 0..30 {
        fixture.send("services.stuck.take", &n.to_string()).await;
    }
    for _ in 0..30 {
        let message = tokio::time::timeout(SOON, refused.next()).await.expect("refused").unwrap();
        let headers = message.headers.unwrap();
        assert_eq!(headers.get("Nats-Service-Error-Code").unwrap().as_str(), "503");
        assert!(headers.get("Mono-Error-Message").unwrap().as_str().starts_with("overloaded"));
    }
    fixture.gate.send_replace(true);
    fixture.send("services.stuck.take", "last").await;
    fixture.until("last").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_stream_handler_that_hangs_after_its_message_holds_nobody_up() {
    let mut fixture = Fixture::new().await;
    fixture.job("hang after").await;
    fixture.job("next").await;
    fixture.until("acknowledged hang after 1").await;
    fixture.until("acknowledged next 1").await;
    fixture.end().await;
}

#[tokio::test]
async fn a_panic_after_its_message_or_when_it_is_let_go_ends_no_worker() {
    let mut fixture = Fixture::new().await;
    fixture.job("panic after").await;
    fixture.job("panic when let go").await;
    fixture.job("next").await;
    fixture.until("acknowledged panic after 1").await;
    fixture.until("handle panic when let go 1").await;
    fixture.until("handle next 1").await;
    fixture.until("acknowledged panic when let go 2").await;
    fixture.end().await;
}

#[tokio::test]
async fn one_that_hangs_while_it_gives_up_is_let_go_and_asked_again() {
    let mut fixture = Fixture::new().await;
    let mut letters = fixture.client.subscribe("dead.*").await.unwrap();
    fixture.job("give up").await;
    fixture.job("next").await;
    fixture.until("give up give up 1").await;
    fixture.until("acknowledged next 1").await;
    let letter = tokio::time::timeout(SOON, letters.next()).await.expect("a letter").unwrap();
    assert_eq!(letter.payload.as_ref(), br#""give up""#);
    fixture.end().await;
}

/// What hangs where, when the drain begins.
#[tokio::test]
async fn a_drain_ends_within_its_limit_whatever_hangs() {
    for job in ["hang", "give up", "hang after"] {
        let mut fixture = Fixture::new().await;
        let mut inbox = fixture.client.subscribe("answers").await.unwrap();
        let ask = |word: &str| serde_json::to_vec(word).unwrap().into();
        let client = &fixture.client;
        client.publish_with_reply("services.stuck.ask", "answers", ask("hang")).await.unwrap();
        fixture.until("hang").await;
        fixture.send("services.stuck.take", "hang").await;
        fixture.until("hang").await;
        fixture.job(job).await;
        let place = match job {
            "hang" => "handle hang 1",
            "give up" => "give up give up 1",
            _ => "acknowledged hang after 1",
        };
        fixture.until(place).await;
        let limit = Duration::from_millis(300);
        let began = Instant::now();
        let report = fixture.running.drain(limit).await;
        let took = began.elapsed();
        assert!(!report.complete, "{job}");
        assert!(took >= limit && took < limit + Duration::from_secs(2), "{job}: {took:?}");
        let reply = tokio::time::timeout(SOON, inbox.next()).await.expect("a reply").unwrap();
        let headers = reply.headers.unwrap();
        assert_eq!(headers.get("Nats-Service-Error-Code").unwrap().as_str(), "503", "{job}");
        assert!(fixture.services.close(SOON).await);
        fixture.broker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_application_whose_connection_is_taken_from_it_says_so() {
    let mut fixture = Fixture::new().await;
    let soon = tokio::time::timeout(Duration::from_millis(100), fixture.running.lost()).await;
    assert!(soon.is_err(), "nothing is lost yet");
    fixture.services.client().drain().await.unwrap();
    let lost = tokio::time::timeout(SOON, fixture.running.lost()).await.expect("told in time");
    assert_eq!(lost, Lost::Connection("it was closed".to_owned()));
    fixture.broker.stop().await.unwrap();
}
