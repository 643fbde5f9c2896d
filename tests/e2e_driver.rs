//! Drivers that do wrong: each fault is named, with the evidence.

use crate::support;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mono_demo::e2e::driver::{
    Driver, DriverFault, PipeDriver, RustDriver, TypedCalls, hello, serve_stdio,
};
use mono_demo::mono::Caller;
use mono_demo::process::Spawn;
use mono_demo::wire::driver::{Op, Outcome};
use serde_json::{Map, Value, json};

async fn sh(script: &str) -> PipeDriver {
    let spawn = Spawn::new("driver sh", "sh").args(["-c", script]);
    PipeDriver::start("sh", &support::reaper(), spawn).await.expect("sh starts")
}

async fn fault(script: &str) -> DriverFault {
    let driver = sh(script).await.hang_bound(Duration::from_millis(500));
    hello(&driver, "nats://127.0.0.1:1", None, 1).await.expect_err("a fault")
}

const HELLO: &str =
    r#"read line; echo '{"id":1,"ok":{"name":"sh","library":"none","capabilities":[]}}'"#;

#[tokio::test]
async fn a_good_driver_shakes_hands_and_ends_at_the_end_of_input() {
    let driver = sh(&format!("{HELLO}; cat >/dev/null")).await;
    assert_eq!(hello(&driver, "nats://127.0.0.1:1", None, 1).await.unwrap().name, "sh");
    driver.close().await.unwrap();
}

#[tokio::test]
async fn a_result_that_would_lose_digits_is_an_error() {
    for (ok, kept) in [("18446744073709551616", false), ("[15.0,0.10000000000000001]", true)] {
        let answer = format!("read line; echo '{{\"id\":2,\"ok\":{ok}}}'");
        let driver = sh(&format!("{HELLO}; {answer}; cat >/dev/null")).await;
        hello(&driver, "nats://127.0.0.1:1", None, 1).await.unwrap();
        let op = Op::Call {
            method: "a.b".to_owned(),
            args: Vec::new(),
            kwargs: Map::new(),
            timeout_ms: 60_000,
        };
        match driver.perform(op).await.unwrap() {
            Outcome::Ok(_) => assert!(kept, "{ok}"),
            Outcome::Err(error) => assert!(!kept && error.message.contains(ok), "{error}"),
            Outcome::Skip(reason) => panic!("{reason}"),
        }
        driver.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_stray_line_is_quoted() {
    let fault = fault("read line; echo 'connected!'; cat >/dev/null").await;
    assert!(
        matches!(&fault, DriverFault::StrayLine { line, .. } if line == "connected!"),
        "{fault}"
    );
    assert!(fault.to_string().contains("logs belong on stderr"));
}

#[tokio::test]
async fn an_early_exit_tells_status_and_last_words() {
    let fault = fault("echo 'no module named nats' >&2; exit 7").await;
    assert_eq!(
        fault.to_string(),
        "sh ended with exit status 7; its log says `no module named nats`"
    );
}

#[tokio::test]
async fn a_driver_that_does_not_answer_is_hung() {
    let fault = fault("echo 'thinking' >&2; cat >/dev/null").await;
    assert!(matches!(fault, DriverFault::Hung { op: "hello", .. }), "{fault}");
}

#[tokio::test]
async fn an_answer_to_nothing_is_a_fault() {
    let fault = fault(r#"read line; echo '{"id":9,"ok":{}}'; cat >/dev/null"#).await;
    assert!(matches!(fault, DriverFault::UnknownId { id: 9, .. }), "{fault}");
}

#[tokio::test]
async fn a_wrong_hello_is_shown() {
    let fault = fault(r#"read line; echo '{"id":1,"ok":{"name":"sh"}}'; cat >/dev/null"#).await;
    assert!(matches!(fault, DriverFault::BadHello { .. }), "{fault}");
}

#[tokio::test]
async fn a_line_of_any_length_is_bounded() {
    let fault =
        fault("read line; head -c 3000000 /dev/zero | tr '\\0' x; echo; cat >/dev/null").await;
    assert!(fault.to_string().contains("on stdout"), "{fault}");
}

#[tokio::test]
async fn an_end_with_a_failure_is_told() {
    let driver = sh(&format!("{HELLO}; cat >/dev/null; exit 3")).await;
    hello(&driver, "nats://127.0.0.1:1", None, 1).await.unwrap();
    let fault = driver.close().await.unwrap_err();
    assert!(fault.to_string().starts_with("sh ended with exit status 3"), "{fault}");
}

#[tokio::test]
async fn after_a_fault_nothing_is_trusted() {
    let driver = sh(&format!("{HELLO}; echo rubbish; cat >/dev/null")).await;
    hello(&driver, "nats://127.0.0.1:1", None, 1).await.unwrap();
    let ask = || driver.perform(Op::Unsubscribe { subscription: 1 });
    assert!(matches!(ask().await, Err(DriverFault::StrayLine { .. })));
    assert!(matches!(ask().await, Err(DriverFault::StrayLine { .. })));
}

struct Echo;

impl TypedCalls for Echo {
    fn call(
        &self,
        _: Caller,
        method: String,
        args: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        async move { Outcome::Ok(json!({ "method": method, "args": args })) }.boxed()
    }
}

#[tokio::test]
async fn the_rust_driver_speaks_the_protocol_over_streams() {
    let server = support::nats_server().await;
    let settings = mono_demo::broker::Settings::new(server, support::reaper());
    let broker = mono_demo::broker::Broker::start(settings).await.unwrap();
    let url = broker.url();
    let lines = format!(
        "{}\n{}\n{}\n",
        json!({"id": 1, "op": "hello", "protocol": 1, "seed": 1, "url": url}),
        json!({"id": 2, "op": "hello", "protocol": 99, "seed": 1, "url": url}),
        "",
    );
    let (mut output, theirs) = tokio::io::duplex(65536);
    let driver = Arc::new(RustDriver::new(Arc::new(Echo)));
    serve_stdio(driver.clone(), lines.as_bytes(), theirs).await.unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut output, &mut text).await.unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("this driver speaks protocol 1, not 99"), "{text}");

    hello(driver.as_ref(), url, None, 1).await.unwrap();
    let subscribe = Op::Subscribe { subject: "a.*".to_owned(), queue_group: None };
    let Outcome::Ok(value) = driver.perform(subscribe).await.unwrap() else { panic!("no barrier") };
    let subscription = value["subscription"].as_u64().unwrap();
    // From another connection, at once: the subscription was a barrier.
    let other = async_nats::connect(url).await.unwrap();
    other.publish("a.b", "x".into()).await.unwrap();
    let next = Op::Next { subscription, timeout_ms: 5000 };
    let Outcome::Ok(message) = driver.perform(next).await.unwrap() else { panic!("no message") };
    assert_eq!(message["subject"], "a.b");
    driver.close().await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_driver_that_nobody_hears_any_more_ends() {
    let driver = Arc::new(RustDriver::new(Arc::new(Echo)));
    // Its input stays open.
    let (mut commands, input) = tokio::io::duplex(65536);
    let (output, theirs) = tokio::io::duplex(65536);
    drop(output);
    let line = json!({"id": 1, "op": "hello", "protocol": 99, "seed": 1, "url": "nats://x"});
    let line = format!("{line}\n");
    tokio::io::AsyncWriteExt::write_all(&mut commands, line.as_bytes()).await.unwrap();
    let served = serve_stdio(driver, input, theirs);
    let ended = tokio::time::timeout(Duration::from_secs(20), served).await.expect("it ends");
    assert!(ended.is_err());
}

struct Broken;

impl Driver for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn perform(&self, _: Op) -> BoxFuture<'_, Result<Outcome, DriverFault>> {
        async { panic!("a bug in the client") }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), DriverFault>> {
        std::future::ready(Ok(())).boxed()
    }

    fn log_tail(&self) -> Vec<String> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_panic_in_a_driver_is_its_answer() {
    let (mut output, theirs) = tokio::io::duplex(65536);
    let line = format!("{}\n", json!({"id": 7, "op": "unsubscribe", "subscription": 1}));
    serve_stdio(Arc::new(Broken), line.as_bytes(), theirs).await.unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut output, &mut text).await.unwrap();
    assert!(text.contains(r#""id":7"#), "{text}");
    assert!(text.contains("the driver panicked: a bug in the client"), "{text}");
}
