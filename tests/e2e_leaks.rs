//! Leaks at the broker: each kind fails a run with `leaks = "fail"`, with the name of the
//! connection or consumer, and is reported by default; resources that are closed are no leak.

use std::any::Any;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::suite::{Suite, in_process};
use async_nats::jetstream;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use mono_demo::e2e::driver::TypedCalls;
use mono_demo::e2e::report::{Json, Junit, Look, Terminal};
use mono_demo::e2e::run::ServiceUnderTest;
use mono_demo::e2e::scenario::Leaks;
use mono_demo::e2e::scenario::Ready;
use mono_demo::e2e::session::Mode;
use mono_demo::e2e::verdict::event::Summary;
use mono_demo::mono::Caller;
use mono_demo::process::Spawn;
use mono_demo::wire::driver::Outcome;
use serde_json::{Map, Value, json};

type Kept = Arc<Mutex<Vec<Box<dyn Any + Send>>>>;

/// A client that leaks what it is told to, or does the same and tidies up.
struct Leaky {
    kept: Kept,
    /// Where a `run` step puts how to connect.
    access: PathBuf,
}

impl TypedCalls for Leaky {
    fn call(
        &self,
        caller: Caller,
        method: String,
        _: Vec<Value>,
        _: Map<String, Value>,
        _: Duration,
    ) -> BoxFuture<'static, Outcome> {
        let (kept, access) = (self.kept.clone(), self.access.clone());
        async move {
            let (tidy, what) = match method.split_once('.').unwrap() {
                ("tidy", what) => (true, what),
                (_, what) => (false, what),
            };
            let own = caller.client().clone();
            match what {
                "connection" => {
                    let other = connect(&access, "leaky").await;
                    match tidy {
                        true => other.drain().await.unwrap(),
                        false => kept.lock().unwrap().push(Box::new(other)),
                    }
                }
                "subscription" => {
                    let mut subscriber = own.subscribe("orders.*").await.unwrap();
                    match tidy {
                        true => subscriber.unsubscribe().await.unwrap(),
                        false => kept.lock().unwrap().push(Box::new(subscriber)),
                    }
                }
                "inboxes" => {
                    for _ in 0..3 {
                        let mut subscriber = own.subscribe(own.new_inbox()).await.unwrap();
                        match tidy {
                            true => subscriber.unsubscribe().await.unwrap(),
                            false => kept.lock().unwrap().push(Box::new(subscriber)),
                        }
                    }
                }
                "request" => drop(own.request("nobody", "".into()).await.unwrap_err()),
                kind => consumer(own, kind, tidy).await,
            }
            Outcome::Ok(json!("done"))
        }
        .boxed()
    }
}

async fn connect(access: &std::path::Path, name: &str) -> async_nats::Client {
    let text = std::fs::read_to_string(access).unwrap();
    let [url, user, password] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let options = async_nats::ConnectOptions::new().name(name);
    let options = options.user_and_password(user.to_owned(), password.to_owned());
    options.connect(url).await.unwrap()
}

/// Makes a consumer, `ephemeral` or `durable`, or has it deliver a message to be `unacknowledged`.
async fn consumer(client: async_nats::Client, kind: &str, tidy: bool) {
    let context = jetstream::new(client);
    let config = jetstream::stream::Config { name: "jobs".to_owned(), ..Default::default() };
    let stream = context.create_stream(config).await.unwrap();
    let config = jetstream::consumer::pull::Config {
        name: Some("worker".to_owned()),
        durable_name: (kind == "durable").then(|| "worker".to_owned()),
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    if kind == "unacknowledged" {
        context.publish("jobs", "one".into()).await.unwrap().await.unwrap();
        // `fetch` does not wait, and a consumer may learn of a message after its publisher does.
        let batch = consumer.batch().max_messages(1).expires(Duration::from_secs(10));
        let mut batch = batch.messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        if tidy {
            message.double_ack().await.unwrap();
        }
    }
    if tidy {
        stream.delete_consumer("worker").await.unwrap();
    }
}

/// What came of the scenarios.
struct Ran {
    summary: Summary,
    terminal: String,
    json: Value,
    junit: String,
}

impl Ran {
    fn of(&self, scenario: &str) -> &Value {
        let runs = self.json["runs"].as_array().unwrap();
        runs.iter().find(|run| run["run"]["scenario"] == scenario).unwrap()
    }
}

/// Runs scenarios, by name with what is in their fixtures, with leaks treated in this way.
async fn run(leaks: Leaks, scenarios: &[(&str, &str)], services: Vec<ServiceUnderTest>) -> Ran {
    let mut suite = Suite::new(Vec::new(), scenarios).await;
    let (kept, access) = (Kept::default(), suite.at("access"));
    suite.variable("access", access.to_str().unwrap());
    suite.settings.clients = vec![in_process("leaky", Leaky { kept: kept.clone(), access })];
    suite.settings.jobs = 1;
    suite.settings.mode = Mode::Update;
    suite.settings.machine.services = Arc::new(move |_| services.clone());
    suite.settings.machine.leaks = leaks;
    let mut text = Vec::new();
    let mut terminal = Terminal::new(&mut text, Look::default());
    let mut json = Json::create(&suite.at("r.json")).unwrap();
    let mut junit = Junit::create(&suite.at("r.xml")).unwrap();
    let summary = suite.run_for(&mut [&mut terminal, &mut json, &mut junit]).await;
    kept.lock().unwrap().clear();
    Ran {
        summary,
        terminal: String::from_utf8(text).unwrap(),
        json: serde_json::from_slice(&std::fs::read(suite.at("r.json")).unwrap()).unwrap(),
        junit: std::fs::read_to_string(suite.at("r.xml")).unwrap(),
    }
}

/// Puts how to connect where the client finds it.
const ACCESS: &str = "[[step]]\nrun = [\"sh\", \"-c\", \"printf '%s %s %s' \\\"$NATS_URL\\\" \\\"$NATS_USER\\\" \\\"$NATS_PASSWORD\\\" > {{access}}\"]\n";

fn calls(methods: &[&str]) -> String {
    methods.iter().map(|method| format!("[[step]]\ncall = \"{method}\"\n")).collect()
}

#[tokio::test]
async fn each_kind_of_leak_turns_a_run_red_with_its_name() {
    let connection = format!("leaks = \"fail\"\n{ACCESS}{}", calls(&["leak.connection"]));
    let red = |method: &str| format!("leaks = \"fail\"\n{}", calls(&[method]));
    let scenarios = [
        (
            "connection",
            connection.as_str(),
            "connection",
            "leaky",
            "has 1 connection open, 0 at the start",
        ),
        (
            "durable",
            &red("leak.durable"),
            "consumer",
            "worker",
            "of stream `jobs` is new and stays for good",
        ),
        (
            "ephemeral",
            &red("leak.ephemeral"),
            "consumer",
            "worker",
            "of stream `jobs` is new and stays for a while",
        ),
        (
            "inboxes",
            &red("leak.inboxes"),
            "subscription",
            "mono-demo driver rust",
            "holds 3 subscriptions more",
        ),
        (
            "subscription",
            &red("leak.subscription"),
            "subscription",
            "mono-demo driver rust",
            "more than at the start: `orders.*`",
        ),
        (
            "unacknowledged",
            &red("leak.unacknowledged"),
            "unacknowledged",
            "worker",
            "has 1 message delivered and not acknowledged",
        ),
    ];
    let fixtures: Vec<(&str, &str)> = scenarios.iter().map(|s| (s.0, s.1)).collect();
    let ran = run(Leaks::Report, &fixtures, Vec::new()).await;
    assert_eq!(ran.summary.failed, scenarios.len(), "{}", ran.terminal);
    for (name, _, kind, by, told) in scenarios {
        let report = ran.of(name);
        let found = report["leaks"]["found"].as_array().unwrap();
        let leak = found.iter().find(|leak| leak["kind"] == kind);
        let leak = leak.unwrap_or_else(|| panic!("{name}: {found:?}"));
        assert_eq!(leak["by"], by, "{name}");
        assert!(leak["told"].as_str().unwrap().contains(told), "{name}: {leak}");
        let message = report["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{by}`")) && message.contains(told), "{message}");
        let excerpt = report["excerpt"].as_str().unwrap();
        assert!(excerpt.contains(&format!("fixtures/{name}.toml:2:1")), "{excerpt}");
    }
    // Nothing is told twice: the connection that is there after the steps is there at the end too.
    assert_eq!(ran.of("connection")["leaks"]["found"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_tidied_up_is_no_leak_and_neither_is_what_a_library_keeps() {
    let all = [
        "tidy.connection",
        "tidy.subscription",
        "tidy.inboxes",
        "tidy.ephemeral",
        "tidy.durable",
        "tidy.unacknowledged",
        "leak.request",
    ];
    let own = "[[step]]\npublish = \"a.b\"\ntext = \"x\"\n\
               [[step]]\nexpect_message = { subject = \"a.*\" }\n";
    let text = format!("{ACCESS}{}{own}", calls(&all));
    let killed = "[[step]]\nfault = \"kill-broker\"\n";
    let killed = format!("{ACCESS}{}{own}{killed}", calls(&all));
    let paused = format!("{}[[step]]\nfault = \"pause-broker\"\n", calls(&["leak.request"]));
    let cluster = format!("[[step]]\nfault = \"kill-node\"\n{own}");
    let cluster = format!("broker = {{ cluster = 3 }}\n{}{cluster}", calls(&["leak.request"]));
    let scenarios =
        [("clean", text.as_str()), ("cluster", &cluster), ("killed", &killed), ("paused", &paused)];
    let ran = run(Leaks::Fail, &scenarios, Vec::new()).await;
    assert!(ran.summary.is_ok(), "{}", ran.terminal);
    assert!(!ran.terminal.contains("leaks:"), "{}", ran.terminal);
    for (name, _) in scenarios {
        assert_eq!(ran.of(name).get("leaks"), None);
    }
}

#[tokio::test]
async fn a_leak_is_told_where_it_is_not_asked_to_fail_and_a_fixture_decides() {
    let leaks = calls(&["leak.subscription"]);
    let ignored = format!("leaks = \"ignore\"\n{leaks}");
    let reported = format!("leaks = \"report\"\n{leaks}");
    let scenarios = [("as-said", &*leaks), ("ignored", &ignored), ("reported", &reported)];
    let line = "     leaks: `mono-demo driver rust` holds 1 subscription more than at the start: `orders.*`\n";

    let ran = run(Leaks::Report, &scenarios, Vec::new()).await;
    assert!(ran.summary.is_ok(), "{}", ran.terminal);
    assert_eq!(ran.terminal.matches(line).count(), 2, "{}", ran.terminal);
    assert_eq!(ran.junit.matches("--- leaks").count(), 2, "{}", ran.junit);
    assert_eq!(ran.of("as-said")["leaks"]["found"][0]["kind"], "subscription");
    assert_eq!(ran.of("ignored").get("leaks"), None);

    let ran = run(Leaks::Fail, &scenarios, Vec::new()).await;
    assert_eq!((ran.summary.passed, ran.summary.failed), (2, 1), "{}", ran.terminal);
    assert_eq!(ran.of("as-said")["verdict"], "failed");

    let ran = run(Leaks::Ignore, &scenarios, Vec::new()).await;
    assert!(ran.summary.is_ok(), "{}", ran.terminal);
    assert_eq!(ran.terminal.matches(line).count(), 1, "{}", ran.terminal);
}

#[tokio::test]
async fn a_look_that_cannot_be_had_is_told_and_not_counted() {
    let text = format!(
        "proxy = {{ client = true }}\n{}[[step]]\nfault = \"blackhole\"\n\
         [[step]]\nrequest = \"nobody.there\"\nerror = \"timeout\"\ntimeout = \"100ms\"\n",
        calls(&["leak.request"])
    );
    let ran = run(Leaks::Fail, &[("dark", &text)], Vec::new()).await;
    assert!(ran.summary.is_ok(), "{}", ran.terminal);
    let told = "leaks: not known after the steps: the network is still broken: blackhole";
    assert!(ran.terminal.contains(told), "{}", ran.terminal);
}

/// A service that does nothing; how it connects is written where the client finds it.
fn idle(access: PathBuf) -> ServiceUnderTest {
    ServiceUnderTest {
        name: "idle".to_owned(),
        spawn: Arc::new(move |context| {
            let login = context.login.clone().unwrap();
            let text = format!("{} {} {}", context.url, login.user, login.password);
            std::fs::write(&access, text).unwrap();
            let script = "trap 'exit 0' TERM; echo up >&2; while :; do sleep 0.02; done";
            Spawn::new("idle", "sh").args(["-c", script])
        }),
        ready: Ready::Line("up".to_owned()),
        ready_within: Duration::from_secs(10),
        stop_within: Duration::from_secs(10),
        processes: 1,
        may_end: false,
    }
}

#[tokio::test]
async fn what_a_service_leaves_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let access = folder.path().join("access");
    let link = format!("[[step]]\nrun = [\"cp\", \"{}\", \"{{{{access}}}}\"]\n", access.display());
    // One connection for each process may come late; one more, or one that outlives it, may not.
    let one = format!("{link}{}", calls(&["leak.connection"]));
    let two = format!("{link}{}", calls(&["leak.connection", "leak.connection"]));
    let scenarios = [("one", &*one), ("two", &two)];
    let ran = run(Leaks::Fail, &scenarios, vec![idle(access)]).await;
    assert_eq!(ran.summary.failed, 2, "{}", ran.terminal);
    let told = |name: &str| ran.of(name)["leaks"]["found"][0].clone();
    assert_eq!(told("one")["by"], "leaky");
    assert_eq!(told("one")["told"], "has 1 connection open after its end");
    assert_eq!(told("two")["told"], "has 2 connections open, 1 at the start");
}
