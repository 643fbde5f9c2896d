//! A reply subject is no way in: what a client may not write to, nobody writes to for it, and what one
//! client asked no other one hears.

mod support;

use std::time::Duration;

use async_nats::{Client, ConnectOptions, HeaderMap, Subscriber};
use futures_util::StreamExt;
use mono_demo::broker::{Auth, Broker, Credentials, Role, Roles, Settings};
use mono_demo::modules::journal::Journal;
use mono_demo::modules::math::{self, MathModule};
use mono_demo::modules::notification::{Mailer, NotificationModule};
use mono_demo::modules::payment::{
    self, Gateway, Ledger, PaymentClient, PaymentModule, Submission,
};
use mono_demo::mono::{self, App, Connection, Running, Target};
use support::program::Home;
use support::{nats_server, reaper};

const LIMIT: Duration = Duration::from_secs(10);
/// Where a client would like others to write, or to be heard.
const VICTIMS: [&str; 12] = [
    "payments.ledger.victim",
    "payments.intent.x",
    "payments.dead-letters.9-9",
    "payments.events.victim",
    "services.notification.email-rejected",
    "$JS.API.STREAM.DELETE.payment-ledger",
    "$JS.API.STREAM.PURGE.payment-requests",
    "$JS.ACK.payment-requests.payment-payment-process.1.1.1.1.0",
    "_INBOX_worker.victim",
    "_INBOX_harness.victim",
    "$SYS.REQ.SERVER.PING",
    "_R_.forged.reply",
];

struct World {
    broker: Broker,
    running: Running,
    _folder: tempfile::TempDir,
}

impl World {
    /// The services, and a second client called `other`.
    async fn start() -> World {
        let mut settings = Settings::new(nats_server().await, reaper());
        let roles = Roles { clients: vec!["other".to_owned()], ..Roles::default() };
        settings.auth = Some(Auth::Roles(roles));
        let broker = Broker::start(settings).await.expect("a broker");
        let login = broker.credentials(Role::Worker).unwrap().clone();
        let target = Target {
            url: broker.url().to_owned(),
            auth: mono::Auth::User(login.user, login.password),
            inbox_prefix: Some(Role::Worker.inbox_prefix().to_owned()),
            ..Target::default()
        };
        let connection = Connection::open(&target, "services").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let journal = |name: &str| Journal::open(folder.path().join(name), false).unwrap();
        let settings = payment::Settings::default();
        let ledger = Ledger::new(connection.clone(), settings.replicas);
        let gateway = Gateway::new(Vec::new(), settings.chance, journal("gateway"));
        let mailer = Mailer::new(Vec::new(), journal("mailer"));
        let running = App::new()
            .module(MathModule::new(math::Settings::default()))
            .module(NotificationModule::new(1, mailer))
            .module(PaymentModule::new(settings, ledger, gateway))
            .start(connection)
            .await
            .unwrap();
        World { broker, running, _folder: folder }
    }

    async fn connect(&self, login: Credentials) -> Client {
        let options = ConnectOptions::with_user_and_password(login.user, login.password);
        options.connect(self.broker.url()).await.unwrap()
    }

    async fn client(&self) -> Client {
        self.connect(self.broker.credentials(Role::Client).unwrap().clone()).await
    }

    async fn other(&self) -> Client {
        self.connect(self.broker.client_credentials("other").unwrap()).await
    }

    /// As the harness, with whose inboxes nothing is published.
    async fn harness(&self) -> Client {
        self.connect(self.broker.credentials(Role::Harness).unwrap().clone()).await
    }

    async fn stop(self) {
        self.running.drain(LIMIT).await;
        self.broker.stop().await.unwrap();
    }
}

async fn listen(client: &Client, subject: &str) -> Subscriber {
    let subscriber = client.subscribe(subject.to_owned()).await.unwrap();
    client.flush().await.unwrap();
    subscriber
}

/// What came until now: behind a message to itself.
async fn heard(client: &Client, subscriber: &mut Subscriber) -> Vec<String> {
    let mut fence = listen(client, "_INBOX.barrier.fence").await;
    client.publish("_INBOX.barrier.fence", "".into()).await.unwrap();
    tokio::time::timeout(LIMIT, fence.next()).await.expect("the fence comes back");
    let mut subjects = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::ZERO, subscriber.next()).await {
        subjects.push(message.subject.to_string());
    }
    subjects
}

/// Asks everything that answers, with this reply subject.
async fn ask_all(client: &Client, reply: &str, id: &str) {
    let payment = format!(r#"{{"payment_id": "{id}", "amount": 1}}"#);
    for (subject, body) in [
        ("services.math.calculate", r#"{"operation": "add", "a": 1, "b": 2}"#),
        ("services.math.calculate", "not a calculation"),
        ("services.notification.email-send", r#"{"to": "a@example.com", "subject": "s"}"#),
        ("services.payment.status", r#"{"payment_id": "p"}"#),
        ("services.payment.payment-process", &payment),
        ("$SRV.PING", ""),
        ("$SRV.INFO.math", ""),
    ] {
        let (reply, body) = (reply.to_owned(), body.to_owned().into());
        client.publish_with_reply(subject, reply, body).await.unwrap();
    }
    client.flush().await.unwrap();
}

/// Waits until a payment has been settled, and with it what was asked before.
async fn settled(client: &Client, id: &str) {
    let paid = PaymentClient::new(client.clone(), LIMIT).wait(id, LIMIT).await.unwrap();
    assert_eq!(paid.status.as_str(), "completed");
}

#[tokio::test]
async fn nobody_writes_where_a_client_may_not_because_it_names_that_for_its_reply() {
    let world = World::start().await;
    let (client, other, harness) =
        (world.client().await, world.other().await, world.harness().await);
    let mut all = listen(&harness, ">").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    for (n, victim) in VICTIMS.iter().enumerate() {
        ask_all(&client, victim, &format!("p-{n}")).await;
        // The server itself drops some; what comes after them on this connection is there.
        let id = format!("after-{n}");
        let payment = Submission { payment_id: &id, amount: "1", ..Submission::default() };
        PaymentClient::new(client.clone(), LIMIT).submit(&payment).await.unwrap();
        settled(&client, &id).await;
    }
    let seen = heard(&harness, &mut all).await;
    assert!(seen.len() > VICTIMS.len() * 8, "the harness hears: {}", seen.len());
    for victim in VICTIMS {
        assert!(!seen.iter().any(|subject| subject == victim), "{victim} was written to");
    }
    assert_eq!(heard(&other, &mut events).await, [] as [&str; 0]);
    let payments = PaymentClient::new(other.clone(), LIMIT);
    let submission = Submission { payment_id: "victim", amount: "9", ..Submission::default() };
    payments.submit(&submission).await.unwrap();
    settled(&other, "victim").await;
    world.stop().await;
}

#[tokio::test]
async fn a_client_hears_nothing_that_is_for_another_one() {
    let world = World::start().await;
    let (client, other) = (world.client().await, world.other().await);
    let mut ears = Vec::new();
    for subject in ["_INBOX.>", ">", "_R_.>", "services.>", "$SRV.>", "$JS.>", "$SYS.>"] {
        ears.push((subject, listen(&other, subject).await));
    }
    // Requests of others cannot be had either, as a service of that name.
    for queue in ["q", "math", "email-workers"] {
        for subject in ["services.math.calculate", "services.payment.payment-process"] {
            let ear = other.queue_subscribe(subject, queue.to_owned()).await.unwrap();
            ears.push((subject, ear));
        }
    }
    other.flush().await.unwrap();
    for n in 0..20 {
        ask_all(&client, &client.new_inbox(), &format!("p-{n}")).await;
        let sum = client
            .request("services.math.calculate", r#"{"operation":"add","a":1,"b":2}"#.into())
            .await;
        assert!(sum.unwrap().payload.starts_with(b"{\"result\":3"));
    }
    settled(&client, "p-19").await;
    for (subject, ear) in &mut ears {
        let seen = heard(&other, ear).await;
        let own = seen.iter().filter(|subject| subject.starts_with("_INBOX")).count();
        // Only the fences of `heard`, one a look.
        assert!(seen.len() == own && own <= 20, "{subject}: {seen:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_a_client_writes_at_its_own_place_reaches_nobody_else() {
    let world = World::start().await;
    let (client, other, harness) =
        (world.client().await, world.other().await, world.harness().await);
    let mut all = listen(&harness, ">").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    let forged: Vec<&str> = VICTIMS
        .iter()
        .copied()
        .chain(["services.notification.other", "services.made.up"])
        .collect();
    for &subject in &forged {
        client.publish(subject, "forged".into()).await.unwrap();
    }
    let _ = client.request("services.nobody.here", "".into()).await;
    let seen = heard(&harness, &mut all).await;
    assert!(!seen.iter().any(|subject| forged.contains(&subject.as_str())), "{seen:?}");
    assert_eq!(heard(&other, &mut events).await, [] as [&str; 0]);
    world.stop().await;
}

#[tokio::test]
async fn nobody_there_is_told_at_once_and_what_comes_back_is_whole() {
    let world = World::start().await;
    let client = world.client().await;
    let answer = client.request("services.math.calculate", "no json".into()).await.unwrap();
    let headers = answer.headers.expect("headers");
    assert_eq!(headers.get("Nats-Service-Error-Code").map(|v| v.as_str()), Some("400"));
    world.running.drain(LIMIT).await;
    let began = std::time::Instant::now();
    for subject in ["services.math.calculate", "services.payment.status", "services.made.up"] {
        let error = client.request(subject, "{}".into()).await.unwrap_err();
        assert_eq!(error.kind(), async_nats::RequestErrorKind::NoResponders, "{subject}");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    world.broker.stop().await.unwrap();
}

#[tokio::test]
async fn headers_that_command_a_stream_command_nothing() {
    let world = World::start().await;
    let (client, harness) = (world.client().await, world.harness().await);
    let submit = async |id: &str, headers: HeaderMap| {
        let body = format!(r#"{{"payment_id": "{id}", "amount": 1}}"#);
        let sent =
            client.request_with_headers("services.payment.payment-process", headers, body.into());
        String::from_utf8(sent.await.unwrap().payload.to_vec()).unwrap()
    };
    let first = submit("first", HeaderMap::new()).await;
    assert!(first.contains("\"seq\""), "{first}");
    let mut wild = listen(&harness, "payments.ledger.forged").await;
    for (name, value) in [
        ("Nats-Rollup", "all"),
        ("Nats-Rollup", "sub"),
        ("Nats-TTL", "1s"),
        ("Nats-Schedule", "@every 1s"),
        ("Nats-Schedule-Target", "payments.ledger.forged"),
        ("Nats-Expected-Stream", "payment-ledger"),
        ("Nats-Expected-Last-Sequence", "999"),
        ("Nats-Batch-Id", "b"),
        ("Nats-Incr", "+1"),
        ("Nats-Marker-Reason", "MaxAge"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, value);
        if name == "Nats-Schedule-Target" {
            headers.insert("Nats-Schedule", "@every 1s");
        }
        if name == "Nats-Batch-Id" {
            headers.insert("Nats-Batch-Sequence", "1");
            headers.insert("Nats-Batch-Commit", "1");
        }
        let id = format!("h-{}-{}", name.to_lowercase(), value.len());
        let said = submit(&id, headers).await;
        println!("{name}: {said}");
        // What was accepted is a payment like any other.
        if !said.contains("\"error\"") {
            settled(&client, &id).await;
        }
    }
    settled(&client, "first").await;
    submit("last", HeaderMap::new()).await;
    settled(&client, "last").await;
    assert_eq!(heard(&harness, &mut wild).await, [] as [&str; 0]);
    world.stop().await;
}

#[tokio::test]
async fn a_message_id_that_somebody_else_has_used_costs_nobody_a_payment() {
    let world = World::start().await;
    let (client, other) = (world.client().await, world.other().await);
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "victim");
    let body = r#"{"payment_id": "attack", "amount": 1}"#.into();
    other
        .request_with_headers("services.payment.payment-process", headers, body)
        .await
        .expect("it is stored");
    let payments = PaymentClient::new(client.clone(), LIMIT);
    let submission = Submission { payment_id: "victim", amount: "9.99", ..Submission::default() };
    let ack = payments.submit(&submission).await.unwrap();
    assert!(ack.duplicate, "{ack:?}");
    settled(&client, "victim").await;
    let paid = payments.status("victim").await.unwrap();
    assert_eq!(serde_json::json!(paid)["amount"].to_string(), "9.99");
    settled(&client, "attack").await;
    world.stop().await;
}

/// What a message says in its headers, the encoded ones read.
fn told(message: &async_nats::Message) -> String {
    use base64::Engine as _;
    let headers = message.headers.iter().flat_map(HeaderMap::iter);
    headers.fold(String::new(), |mut text, (name, values)| {
        for value in values {
            let decoded = base64::engine::general_purpose::STANDARD.decode(value.as_str());
            let decoded = String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned();
            text += &format!("{name}: {} {decoded}\n", value.as_str());
        }
        text
    })
}

#[tokio::test]
async fn who_asked_is_told_to_nobody_else() {
    let world = World::start().await;
    let (client, other, harness) =
        (world.client().await, world.other().await, world.harness().await);
    let mut asked = listen(&harness, "services.>").await;
    let mut letters = listen(&harness, "payments.dead-letters.*").await;
    let mut events = listen(&other, "services.notification.email-rejected").await;
    let mut headers = HeaderMap::new();
    headers.insert("X-Trace", "kept");
    for subject in ["services.payment.payment-process", "services.notification.email-send"] {
        let (headers, body) = (headers.clone(), "neither".into());
        client.publish_with_headers(subject, headers, body).await.unwrap();
    }
    let next = async |subscriber: &mut Subscriber| {
        tokio::time::timeout(LIMIT, subscriber.next()).await.expect("in time").expect("a message")
    };
    let (letter, event) = (next(&mut letters).await, next(&mut events).await);
    for message in [&letter, &event] {
        let told = told(message);
        assert!(!told.contains("Request-Info") && !told.contains("client-client"), "{told}");
    }
    assert!(told(&letter).contains("X-Trace: kept"), "{}", told(&letter));
    // The broker does tell the services.
    assert!(told(&next(&mut asked).await).contains("Nats-Request-Info"));
    world.stop().await;
}

#[test]
fn a_cluster_keeps_the_accounts_that_its_store_was_made_with_and_says_what_to_do() {
    for (made, asked, with, remedy) in [
        (&[][..], &["--auth"][..], "was made without --auth", "start it without --auth"),
        (&["--auth"][..], &[][..], "was made with --auth", "start it with --auth"),
    ] {
        let home = Home::new();
        let base = ["--cluster", "3", "--port", "0", "--store-dir", "data"];
        let serve = home.serve(&[&base, made].concat());
        serve.signal("TERM");
        assert_eq!(serve.ended().0, Some(0));
        let Err(said) = home.try_serve(&[&base, asked].concat()) else {
            panic!("it starts though the store {with}");
        };
        assert!(said.stderr.contains(with) && said.stderr.contains(remedy), "{}", said.stderr);
        let again = home.serve(&[&base, made].concat());
        again.signal("TERM");
        assert_eq!(again.ended().0, Some(0));
    }
}

/// A nats-server of somebody's own; killed at the end.
struct Own {
    process: std::process::Child,
    url: String,
}

impl Own {
    /// With this config behind what every server needs, and passwords in its environment.
    async fn start(home: &Home, config: &str) -> Own {
        let folder = home.path().join("own");
        std::fs::create_dir(&folder).unwrap();
        let text = format!(
            "host: \"127.0.0.1\"\nport: -1\nports_file_dir: \"{0}\"\njetstream {{ store_dir: \"{0}/js\" }}\n{config}",
            folder.display()
        );
        let path = folder.join("server.conf");
        std::fs::write(&path, text).unwrap();
        let mut command = std::process::Command::new(&nats_server().await.path);
        command.arg("-c").arg(&path).arg("-l").arg(folder.join("log"));
        for user in ["CLIENT", "WORKER", "HARNESS"] {
            command.env(format!("{user}_PASSWORD"), format!("of-{}", user.to_lowercase()));
        }
        let process = command.spawn().expect("a server");
        let ports = folder.join(format!("nats-server_{}.ports", process.id()));
        let said = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let mut own = Own { process, url: String::new() };
        while own.url.is_empty() {
            assert!(own.process.try_wait().unwrap().is_none(), "{}", said());
            // A file of another process: there is nothing to wait on but its being there.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            own.url = ports["nats"][0].as_str().unwrap_or_default().to_owned();
        }
        own
    }

    async fn connect(&self, user: &str) -> Client {
        let password = format!("of-{user}");
        let options = ConnectOptions::with_user_and_password(user.to_owned(), password);
        options.connect(&self.url).await.unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_that_spec_prints_do_the_same_on_a_server_of_ones_own() {
    let home = Home::new();
    let config = home.run(&["spec", "--accounts"]).ok();
    assert!(config.contains("password: $WORKER_PASSWORD"), "{config}");
    let own = Own::start(&home, &config).await;
    let named = ["--server", &own.url, "--user", "worker", "--password", "of-worker"];
    let serve = home.serve(&named);
    let (client, harness) = (own.connect("client").await, own.connect("harness").await);
    let mut ledger = listen(&harness, "payments.ledger.*").await;
    for victim in VICTIMS {
        ask_all(&client, victim, "by-reply").await;
        client.publish(victim, "forged".into()).await.unwrap();
    }
    let stream = client.request("$JS.API.STREAM.INFO.payment-ledger", "".into());
    let stream = tokio::time::timeout(Duration::from_secs(1), stream).await;
    assert!(!matches!(stream, Ok(Ok(_))), "a client reads a stream: {stream:?}");
    let payments = PaymentClient::new(client.clone(), LIMIT);
    let submission = Submission { payment_id: "paid", amount: "9", ..Submission::default() };
    payments.submit(&submission).await.unwrap();
    settled(&client, "paid").await;
    settled(&client, "by-reply").await;
    let mut written = heard(&harness, &mut ledger).await;
    written.sort();
    assert_eq!(written, ["payments.ledger.by-reply", "payments.ledger.paid"]);
    serve.signal("TERM");
    assert_eq!(serve.ended().0, Some(0));
}
