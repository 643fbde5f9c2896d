//! The service framework against a real broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::stream_jobs::jobs;
use futures_util::StreamExt;
use mono_demo::broker::{self, Broker};
use mono_demo::mono::{
    App, Call, Connection, DeadKind, Delivery, Failure, Module, Running, ServiceError, Services,
    StartError, StreamHandler, StreamSettings, Target, ensure,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const SOON: Duration = Duration::from_secs(10);

struct Fixture {
    broker: Broker,
    connection: Connection,
}

impl Fixture {
    async fn new() -> Self {
        let settings = broker::Settings::new(support::nats_server().await, support::reaper());
        let broker = Broker::start(settings).await.expect("a broker");
        let connection = open(&broker).await;
        Self { broker, connection }
    }

    async fn start(&self, module: impl Module) -> Running {
        App::new().module(module).start(self.connection.clone()).await.expect("the module starts")
    }

    async fn ask(&self, subject: &'static str, body: &str) -> async_nats::Message {
        let body = body.to_owned().into();
        self.connection.client().request(subject, body).await.expect("an answer")
    }

    async fn end(self, running: Running) {
        running.drain(SOON).await;
        assert!(self.connection.close(SOON).await);
        self.broker.stop().await.expect("the broker stops");
    }
}

async fn open(broker: &Broker) -> Connection {
    let target = Target { url: broker.url().to_owned(), ..Target::default() };
    Connection::open(&target, "test").await.expect("a connection")
}

fn header(message: &async_nats::Message, name: &str) -> Option<String> {
    Some(message.headers.as_ref()?.get(name)?.as_str().to_owned())
}

fn body(message: &async_nats::Message) -> Value {
    serde_json::from_slice(&message.payload).expect("a JSON body")
}

/// Echoes numbers, fails on words, panics on a certain one, holds until told.
struct Moody {
    /// One permit for each request that is in hand.
    entered: Arc<Semaphore>,
    /// One permit lets one held request end.
    hold: Arc<Semaphore>,
    bounds: (usize, usize),
}

impl Module for Moody {
    fn name(&self) -> &str {
        "moody"
    }

    fn register(&self, services: &mut Services) {
        services.request_reply("answer", |n: Value, _: Call| async move {
            match n.as_str() {
                Some("panic") => panic!("asked to"),
                Some("line\nbreak") => Err(ServiceError::internal("a\r\nMono-Error: false")),
                Some(word) => Err(ServiceError::internal(word)),
                None => Ok(n),
            }
        });
        let (entered, hold) = (Arc::clone(&self.entered), Arc::clone(&self.hold));
        services
            .request_reply("slow", move |n: Value, _: Call| {
                let (entered, hold) = (Arc::clone(&entered), Arc::clone(&hold));
                async move {
                    entered.add_permits(1);
                    hold.acquire()
                        .await
                        .map_err(|e| ServiceError::internal(e.to_string()))?
                        .forget();
                    Ok(n)
                }
            })
            .bounds(self.bounds.0, self.bounds.1);
    }
}

fn no_permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

fn moody() -> Moody {
    Moody { entered: no_permits(), hold: no_permits(), bounds: (256, 16_384) }
}

#[tokio::test]
async fn every_request_is_answered_whatever_happens_to_it() {
    let fixture = Fixture::new().await;
    let running = fixture.start(moody()).await;
    for (request, code, text) in [
        ("{", "400", "request is not valid JSON"),
        ("", "400", "request is not valid JSON"),
        (r#""no""#, "500", "no"),
        (r#""panic""#, "500", "handler panicked: asked to"),
        (r#""line\nbreak""#, "500", "a  Mono-Error: false"),
    ] {
        let reply = fixture.ask("services.moody.answer", request).await;
        assert_eq!(header(&reply, "Mono-Error").as_deref(), Some("true"), "{request}");
        assert_eq!(header(&reply, "Nats-Service-Error-Code").as_deref(), Some(code), "{request}");
        let message = header(&reply, "Mono-Error-Message").unwrap();
        assert!(message.starts_with(text), "{request}: {message}");
        assert_eq!(header(&reply, "Nats-Service-Error").unwrap(), message);
        assert_eq!(body(&reply)["error"], message);
        assert!(header(&reply, "Mono-Error-Type").is_some());
    }
    // None of this has hurt the service.
    let reply = fixture.ask("services.moody.answer", "7").await;
    assert_eq!((body(&reply), reply.headers), (json!(7), None));
    fixture.end(running).await;
}

#[tokio::test]
async fn more_than_the_bounds_allow_is_refused_at_once_with_503() {
    let fixture = Fixture::new().await;
    let module = Moody { bounds: (2, 3), ..moody() };
    let hold = Arc::clone(&module.hold);
    let running = fixture.start(module).await;
    let client = fixture.connection.client().clone();
    let mut inbox = client.subscribe("answers").await.unwrap();
    for n in 0..10 {
        client
            .publish_with_reply("services.moody.slow", "answers", n.to_string().into())
            .await
            .unwrap();
    }
    let mut refused = 0;
    while refused < 5 {
        let reply = tokio::time::timeout(SOON, inbox.next()).await.expect("a refusal").unwrap();
        assert_eq!(header(&reply, "Nats-Service-Error-Code").as_deref(), Some("503"));
        refused += 1;
    }
    hold.add_permits(5);
    for _ in 0..5 {
        let reply = tokio::time::timeout(SOON, inbox.next()).await.expect("an answer").unwrap();
        assert_eq!(header(&reply, "Mono-Error"), None);
    }
    fixture.end(running).await;
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_hand() {
    let fixture = Fixture::new().await;
    let module = moody();
    let (entered, hold) = (Arc::clone(&module.entered), Arc::clone(&module.hold));
    let running = fixture.start(module).await;
    let asking = {
        let client = open(&fixture.broker).await;
        tokio::spawn(
            async move { client.client().request("services.moody.slow", "1".into()).await },
        )
    };
    entered.acquire().await.unwrap().forget();
    let draining = tokio::spawn(running.drain(SOON));
    hold.add_permits(1);
    assert_eq!(body(&asking.await.unwrap().unwrap()), json!(1));
    assert!(draining.await.unwrap().complete);
}

#[tokio::test]
async fn a_drain_out_of_time_answers_503_and_says_so() {
    let fixture = Fixture::new().await;
    let module = moody();
    let entered = Arc::clone(&module.entered);
    let running = fixture.start(module).await;
    let asking = {
        let client = open(&fixture.broker).await;
        tokio::spawn(
            async move { client.client().request("services.moody.slow", "1".into()).await },
        )
    };
    entered.acquire().await.unwrap().forget();
    let report = running.drain(Duration::from_millis(50)).await;
    assert!(!report.complete);
    let reply = asking.await.unwrap().unwrap();
    assert_eq!(header(&reply, "Nats-Service-Error-Code").as_deref(), Some("503"));
    assert!(body(&reply)["error"].as_str().unwrap().starts_with("draining"));
}

#[tokio::test]
async fn a_bad_name_fails_the_start_and_names_the_module() {
    struct Bad;
    impl Module for Bad {
        fn name(&self) -> &str {
            "fine"
        }
        fn register(&self, services: &mut Services) {
            services.request_reply("Not Fine", |n: Value, _: Call| async move { Ok(n) });
        }
    }
    let fixture = Fixture::new().await;
    let started = App::new().module(Bad).start(fixture.connection.clone()).await;
    let Err(error @ StartError::Name { .. }) = started else { panic!("it started") };
    assert!(
        error.to_string().contains("`fine`") && error.to_string().contains("Not Fine"),
        "{error}"
    );
}

#[tokio::test]
async fn the_nats_service_api_is_answered_with_and_without_name_and_id() {
    let fixture = Fixture::new().await;
    let running = fixture.start(moody()).await;
    fixture.ask("services.moody.answer", "1").await;
    fixture.ask("services.moody.answer", "{").await;
    let ping = body(&fixture.ask("$SRV.PING", "").await);
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(ping["name"], "moody");
    assert_eq!(ping["metadata"], json!({}));
    let id = ping["id"].as_str().unwrap().to_owned();
    let info = body(&fixture.ask("$SRV.INFO.moody", "").await);
    assert_eq!(info["endpoints"][0]["subject"], "services.moody.answer");
    assert_eq!(info["endpoints"][0]["metadata"]["pattern"], "request-reply");
    let subject = format!("$SRV.STATS.moody.{id}");
    let stats = fixture.connection.client().request(subject, "".into()).await.unwrap();
    let stats = body(&stats);
    assert_eq!(stats["endpoints"][0]["num_requests"], 2);
    assert_eq!(stats["endpoints"][0]["num_errors"], 1);
    assert!(stats["endpoints"][0]["last_error"].as_str().unwrap().contains("not valid JSON"));
    fixture.end(running).await;
}

/// A queue group that says who took what, and a stream consumer that fails as it is told.
struct Workers {
    done: async_nats::Client,
    attempts: Arc<AtomicUsize>,
}

impl Module for Workers {
    fn name(&self) -> &str {
        "workers"
    }

    fn register(&self, services: &mut Services) {
        let done = self.done.clone();
        services
            .queue_group("take", "takers", Some("refused"), move |n: u64, call: Call| {
                let done = done.clone();
                async move {
                    let text = format!("{n} {}", call.worker);
                    done.publish("done", text.into())
                        .await
                        .map_err(|e| ServiceError::internal(e.to_string()))
                }
            })
            .workers(3);
        let settings = StreamSettings {
            ack_wait: Duration::from_millis(500),
            handle_limit: Duration::from_secs(3),
            max_deliver: 3,
            ..jobs("workers")
        };
        let handler = Jobs { done: self.done.clone(), attempts: Arc::clone(&self.attempts) };
        services.stream_consumer("job", settings, handler).bounds(3, 0);
    }
}

struct Jobs {
    done: async_nats::Client,
    attempts: Arc<AtomicUsize>,
}

impl StreamHandler for Jobs {
    type Message = String;

    async fn handle(&self, job: String, delivery: &Delivery) -> Result<(), Failure> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        match job.as_str() {
            "fail once" if delivery.deliveries == 1 => Err(Failure::Retry("not yet".into())),
            "always fail" => Err(Failure::Retry("never".into())),
            "panic" => panic!("boom"),
            "later" if delivery.deliveries <= 30 => Err(Failure::Later("not now".into())),
            "hang" => std::future::pending().await,
            "reject" => Err(Failure::Dead(DeadKind::Rejected, "unwanted".into())),
            _ => {
                self.done.publish("done", job.into()).await.unwrap();
                Ok(())
            }
        }
    }
}

async fn workers(fixture: &Fixture) -> (Running, async_nats::Subscriber, Arc<AtomicUsize>) {
    let done = open(&fixture.broker).await.client().clone();
    let seen = fixture.connection.client().subscribe("done").await.unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let running = fixture.start(Workers { done, attempts: Arc::clone(&attempts) }).await;
    (running, seen, attempts)
}

#[tokio::test]
async fn each_queue_message_goes_to_one_of_three_workers_and_a_bad_one_is_kept_with_its_reason() {
    let fixture = Fixture::new().await;
    let (running, mut seen, _) = workers(&fixture).await;
    let client = fixture.connection.client();
    let mut refused = client.subscribe("services.workers.refused").await.unwrap();
    for n in 0..300 {
        client.publish("services.workers.take", n.to_string().into()).await.unwrap();
    }
    client.publish("services.workers.take", "bad".into()).await.unwrap();
    let mut numbers = std::collections::BTreeSet::new();
    let mut by = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let message = tokio::time::timeout(SOON, seen.next()).await.expect("a message").unwrap();
        let text = String::from_utf8(message.payload.to_vec()).unwrap();
        let (n, worker) = text.split_once(' ').unwrap();
        assert!(numbers.insert(n.to_owned()), "{n} was taken twice");
        by.insert(worker.to_owned());
    }
    assert_eq!(by.len(), 3);
    let bad = tokio::time::timeout(SOON, refused.next()).await.expect("the bad one").unwrap();
    assert_eq!(&bad.payload[..], b"bad");
    assert!(header(&bad, "Mono-Error-Message").unwrap().contains("not valid JSON"));
    // A reply subject is acknowledged at once, with nothing in it.
    assert!(fixture.ask("services.workers.take", "1").await.payload.is_empty());
    fixture.end(running).await;
}

/// Where there seemed to be none, somebody was quicker, and wanted another one.
#[tokio::test]
async fn a_stream_that_somebody_else_has_just_made_is_found() {
    let fixture = Fixture::new().await;
    let config = |subject: &str| async_nats::jetstream::stream::Config {
        name: "new".to_owned(),
        subjects: vec![subject.to_owned()],
        ..Default::default()
    };
    for (wanted, found) in [("first", "first"), ("second", "first")] {
        let made = ensure::new_stream(&fixture.connection, &config(wanted)).await.unwrap();
        assert_eq!(made.cached_info().config.subjects, [found]);
    }
    assert!(fixture.connection.close(SOON).await);
    fixture.broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_message_is_handled_or_a_dead_letter_with_its_reason() {
    let fixture = Fixture::new().await;
    let (running, mut seen, attempts) = workers(&fixture).await;
    let jetstream = fixture.connection.jetstream();
    let jobs =
        [r#""fine""#, r#""fail once""#, r#""always fail""#, r#""panic""#, r#""reject""#, "{"];
    for job in jobs {
        jetstream.publish("services.workers.job", job.into()).await.unwrap().await.unwrap();
    }
    let mut done = Vec::new();
    while done.len() < 2 {
        let message = tokio::time::timeout(SOON, seen.next()).await.expect("a job").unwrap();
        done.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    done.sort();
    assert_eq!(done, ["fail once", "fine"]);

    let dead = jetstream.get_stream("dead").await.unwrap();
    let mut letters = std::collections::BTreeMap::new();
    let consumer = dead
        .create_consumer(async_nats::jetstream::consumer::pull::Config::default())
        .await
        .unwrap();
    let mut messages = consumer.messages().await.unwrap();
    while letters.len() < 4 {
        let letter =
            tokio::time::timeout(SOON, messages.next()).await.expect("a letter").unwrap().unwrap();
        let header = |name| header(&letter.message, name).unwrap();
        let text = String::from_utf8(letter.payload.to_vec()).unwrap();
        let about = (header("Mono-Dead-Letter-Kind"), header("Mono-Dead-Letter-Deliveries"));
        assert!(letters.insert(text, about).is_none(), "a second letter for one message");
    }
    let expected = [
        (r#""always fail""#, "exhausted", "3"),
        (r#""panic""#, "exhausted", "3"),
        (r#""reject""#, "rejected", "1"),
        ("{", "malformed", "1"),
    ];
    for (text, kind, deliveries) in expected {
        assert_eq!(letters[text], (kind.to_owned(), deliveries.to_owned()), "{text}");
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 1 + 2 + 3 + 3 + 1);
    fixture.end(running).await;
}

#[tokio::test]
async fn a_killed_broker_is_reconnected_to_and_its_messages_are_handled() {
    let mut fixture = Fixture::new().await;
    let (running, mut seen, _) = workers(&fixture).await;
    fixture.broker.kill_and_restart().await.expect("the broker comes back");
    publish_job(&fixture, r#""after""#).await;
    let message = tokio::time::timeout(SOON, seen.next()).await.expect("the job").unwrap();
    assert_eq!(&message.payload[..], b"after");
    fixture.end(running).await;
}

#[tokio::test]
async fn a_hung_handler_blocks_only_itself_when_the_broker_comes_back() {
    let mut fixture = Fixture::new().await;
    let (running, mut seen, attempts) = workers(&fixture).await;
    publish_job(&fixture, r#""hang""#).await;
    until_attempts(&attempts, 1).await;
    fixture.broker.kill_and_restart().await.expect("the broker comes back");
    let back = std::time::Instant::now();
    publish_job(&fixture, r#""after""#).await;
    let message = tokio::time::timeout(SOON, seen.next()).await.expect("the job").unwrap();
    assert_eq!(&message.payload[..], b"after");
    // The hung one is delivered again after `ack_wait`, and does not run twice at once.
    if back.elapsed() < Duration::from_secs(2) {
        assert_eq!(attempts.load(Ordering::SeqCst), 2);
    }
    running.drain(Duration::from_millis(100)).await;
    assert!(fixture.connection.close(SOON).await);
    fixture.broker.stop().await.expect("the broker stops");
}

#[tokio::test]
async fn handlers_that_hang_in_every_slot_are_let_go_and_the_rest_is_handled() {
    let fixture = Fixture::new().await;
    let (running, mut seen, attempts) = workers(&fixture).await;
    for _ in 0..3 {
        publish_job(&fixture, r#""hang""#).await;
    }
    until_attempts(&attempts, 3).await;
    publish_job(&fixture, r#""rest""#).await;
    let message = tokio::time::timeout(SOON, seen.next()).await.expect("the job").unwrap();
    assert_eq!(&message.payload[..], b"rest");
    running.drain(Duration::from_millis(100)).await;
    assert!(fixture.connection.close(SOON).await);
    fixture.broker.stop().await.expect("the broker stops");
}

/// What is on record about the only job that there is a record of.
async fn record(fixture: &Fixture) -> Value {
    let stream = fixture.connection.jetstream().get_stream("failures").await.unwrap();
    let found = stream.get_last_raw_message_by_subject("failures.*").await.unwrap();
    serde_json::from_slice(&found.payload).unwrap()
}

#[tokio::test]
async fn what_is_not_its_own_fault_never_counts_against_a_message() {
    let fixture = Fixture::new().await;
    let (running, mut seen, attempts) = workers(&fixture).await;
    publish_job(&fixture, r#""later""#).await;
    let message = tokio::time::timeout(SOON, seen.next()).await.expect("the job").unwrap();
    assert_eq!(&message.payload[..], b"later");
    assert_eq!(attempts.load(Ordering::SeqCst), 31);
    // From the 21st delivery on it was marked that a handler began, and each mark was taken back.
    running.drain(SOON).await;
    assert_eq!(record(&fixture).await, json!({"failures": 0, "reason": "", "begun": 0}));
    assert!(fixture.connection.close(SOON).await);
    fixture.broker.stop().await.expect("the broker stops");
}

#[tokio::test]
async fn a_message_that_ended_fifty_processes_in_a_row_is_given_up() {
    let fixture = Fixture::new().await;
    let (running, _, attempts) = workers(&fixture).await;
    let mut dead = fixture.connection.client().subscribe("dead.*").await.unwrap();
    running.drain(SOON).await;
    publish_job(&fixture, r#""later""#).await;
    let jetstream = fixture.connection.jetstream();
    let jobs = jetstream.get_stream("jobs").await.unwrap();
    let job = jobs.get_raw_message(1).await.unwrap();
    let subject = format!("failures.1-{}", job.time.unix_timestamp_nanos());
    let marks = json!({"failures": 0, "begun": 50}).to_string();
    jetstream.publish(subject, marks.into()).await.unwrap().await.unwrap();
    drop(attempts);
    let (running, _, attempts) = workers(&fixture).await;
    let letter = tokio::time::timeout(SOON, dead.next()).await.expect("a letter").unwrap();
    let reason = header(&letter, "Mono-Dead-Letter-Reason").unwrap();
    assert_eq!(reason, "50 processes ended with it in hand");
    assert_eq!(attempts.load(Ordering::SeqCst), 1, "the first delivery asks nobody");
    fixture.end(running).await;
}

/// Publishes until it is acknowledged: the client may still be reconnecting.
async fn publish_job(fixture: &Fixture, job: &'static str) {
    let jetstream = fixture.connection.jetstream();
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let sent = async { jetstream.publish("services.workers.job", job.into()).await?.await };
        match sent.await {
            Ok(_) => return,
            Err(e) => assert!(tokio::time::Instant::now() < deadline, "{e}"),
        }
    }
}

async fn until_attempts(attempts: &AtomicUsize, wanted: usize) {
    let reached = async {
        while attempts.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, reached).await.expect("so many attempts");
}

#[tokio::test]
async fn the_example_serves_a_module_of_ones_own() {
    let fixture = Fixture::new().await;
    // `cargo test` builds the examples, `cargo test --test all` does not.
    let mut build = std::process::Command::new(env!("CARGO"));
    support::forget_package(&mut build);
    assert!(build.args(["build", "--quiet", "--example", "greeter"]).status().unwrap().success());
    let example = std::path::Path::new(env!("CARGO_BIN_EXE_mono-demo"))
        .with_file_name("examples")
        .join("greeter");
    let spawn =
        mono_demo::process::Spawn::new("greeter", example).env("NATS_URL", fixture.broker.url());
    let child =
        mono_demo::process::Child::spawn(&support::reaper(), spawn).await.expect("the example");
    let mut lines = child.take_stdout().unwrap();
    let line = tokio::time::timeout(SOON, lines.recv()).await.expect("a line").unwrap().unwrap();
    assert_eq!(line, "[greeter] Registered services: services.greeter.hello");
    let reply = fixture.ask("services.greeter.hello", r#"{"name": "Ada"}"#).await;
    assert_eq!(body(&reply), json!({"text": "Hello, Ada!"}));
    let reply = fixture.ask("services.greeter.hello", r#"{"name": ""}"#).await;
    assert_eq!(header(&reply, "Nats-Service-Error-Code").as_deref(), Some("400"));
    let lines =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/greeter.rs"));
    assert!(lines.unwrap().lines().count() < 60);
    child.signal(mono_demo::process::Signal::Int).await.unwrap();
    assert!(child.wait().await.success());
}
