//! Refusals that all drivers report alike: a timeout of 0, and one subscription too many.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::bare_server::BareServer;
use crate::support::program::Home;
use crate::support::{drivers, root};
use mono_demo::broker::{Direction, Proxy};

/// A conversation with one driver, a command at a time.
struct Conversation {
    _child: Child,
    stdin: ChildStdin,
    replies: Lines<BufReader<ChildStdout>>,
}

impl Conversation {
    async fn begin(driver: &[String], url: &str) -> Self {
        let mut command = Command::new(&driver[0]);
        command.args(&driver[1..]).current_dir(root()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut begun = Self { _child: child, stdin, replies: BufReader::new(stdout).lines() };
        let hello = begun.ask("hello", json!({ "protocol": 1, "seed": 1, "url": url })).await;
        assert!(hello["ok"].is_object(), "{hello}");
        begun
    }

    async fn ask(&mut self, op: &str, mut fields: Value) -> Value {
        fields["id"] = json!(1);
        fields["op"] = json!(op);
        self.stdin.write_all(format!("{fields}\n").as_bytes()).await.unwrap();
        let reply = tokio::time::timeout(Duration::from_secs(60), self.replies.next_line()).await;
        serde_json::from_str(&reply.expect("a reply").unwrap().expect("a reply")).unwrap()
    }
}

#[tokio::test]
async fn a_subscription_too_many_is_named_and_costs_nothing_else() {
    let home = Home::new();
    let server = BareServer::start(home.path(), "few", "max_subscriptions: 6").await;
    for (name, driver) in drivers::all().await {
        let mut driver = Conversation::begin(&driver, &server.nats).await;
        let mut refused = 0;
        for n in 0..9 {
            let reply = driver.ask("subscribe", json!({ "subject": format!("a.{n}") })).await;
            if reply.get("ok").is_some() {
                continue;
            }
            let error = &reply["err"];
            let message = error["message"].as_str().unwrap();
            for words in ["maximum subscriptions exceeded", "subscribe to", &format!("a.{n}")] {
                assert!(message.contains(words), "{name}: {reply}");
            }
            assert_eq!((&error["kind"], &error["definite"]), (&json!("permissions"), &json!(true)));
            refused += 1;
        }
        // Rust proves a subscription by one more.
        assert!((3..=4).contains(&refused), "{name}: {refused}");
        let message = json!({ "subject": "a.1", "payload_base64": "" });
        assert_eq!(driver.ask("publish", message).await["ok"], json!({}), "{name}");
        let next = driver.ask("next", json!({ "subscription": 2, "timeout_ms": 60_000 })).await;
        assert_eq!(next["ok"]["subject"], "a.1", "{name}: {next}");
    }
}

#[tokio::test]
async fn no_time_is_bad_input_of_every_operation_and_of_a_method_that_nobody_has() {
    let home = Home::new();
    let server = BareServer::start(home.path(), "any", "").await;
    for (name, driver) in drivers::all().await {
        let mut driver = Conversation::begin(&driver, &server.nats).await;
        let there = driver.ask("subscribe", json!({ "subject": "a" })).await["ok"].clone();
        for (op, mut fields) in [
            ("call", json!({ "method": "math.add", "args": [1, 2] })),
            ("call", json!({ "method": "math.add", "args": [1, 2], "kwargs": { "timeout": 5 } })),
            ("call", json!({ "method": "nobody.has_this" })),
            ("request", json!({ "subject": "a", "payload_base64": "" })),
            ("submit", json!({ "subject": "a", "payload_base64": "" })),
            ("next", there.clone()),
        ] {
            fields["timeout_ms"] = json!(0);
            let error = &driver.ask(op, fields).await["err"];
            let told = (&error["kind"], &error["definite"]);
            assert_eq!(told, (&json!("bad_input"), &json!(true)), "{name}, {op}: {error}");
        }
        // Nothing of it was sent.
        let mut fields = there;
        fields["timeout_ms"] = json!(100);
        let next = driver.ask("next", fields).await;
        assert_eq!(next["err"]["kind"], "timeout", "{name}: {next}");
    }
}

/// What a connection had swallowed when it broke is nowhere; the next one says nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_publish_whose_connection_is_lost_is_not_reported_as_taken() {
    let home = Home::new();
    let server = BareServer::start(home.path(), "lossy", "").await;
    let port = server.host().rsplit(':').next().unwrap().parse().unwrap();
    for (name, driver) in drivers::all().await {
        let proxy = Proxy::start(port, 1).await.unwrap();
        let mut driver = Conversation::begin(&driver, &proxy.url()).await;
        let before = proxy.counts().bytes_swallowed;
        proxy.half_open(Direction::ToServer);
        let publish = json!({ "subject": "a", "payload_base64": "AAAA".repeat(5_000) });
        let lost = async {
            proxy.until(|counts| counts.bytes_swallowed >= before + 15_000).await;
            proxy.heal();
        };
        let (reply, ()) = tokio::join!(driver.ask("publish", publish), lost);
        let error = &reply["err"];
        assert_eq!(
            (&error["kind"], &error["definite"]),
            (&json!("connection"), &json!(false)),
            "{name}: {reply}"
        );
        proxy.stop().await;
    }
}
