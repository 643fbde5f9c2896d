//! `e2e record`: what happens on a running system becomes a scenario, which then runs.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Said};
use crate::support::{copy, drivers, eventually, root, send};

const LIMIT: Duration = Duration::from_secs(60);
const UUID: &str = "0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55";
/// What a login is answered with: a token, and this id.
const LOGIN: &[u8] = b"{\"token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln\",\"id\":\"0b7e7dee-87f6-4a5c-8f0f-0e7b6a1a3c55\"}";

/// `e2e record`, which listens.
struct Recorder {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Recorder {
    #[track_caller]
    fn start(home: &Home, server: &str, args: &[&str]) -> Self {
        let (stdout, stderr) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
        let mut command = home.command([&["e2e", "record", "--server", server], args].concat());
        command.stdout(stdout.reopen().unwrap()).stderr(stderr.reopen().unwrap());
        let mut recorder = Self { child: command.spawn().unwrap(), stdout, stderr };
        eventually("it records", LIMIT, || {
            let ended = recorder.child.try_wait().unwrap();
            assert_eq!(ended, None, "{}", recorder.stderr());
            recorder.stderr().contains("recording ")
        });
        recorder
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    fn ended(mut self) -> Said {
        eventually("it ends", LIMIT, || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        let read = |file: &NamedTempFile| std::fs::read(file).unwrap();
        let (stdout, stderr) = (read(&self.stdout), read(&self.stderr));
        Said::from(std::process::Output { status, stdout, stderr })
    }

    /// As Ctrl-C does.
    #[track_caller]
    fn interrupted(self) -> Said {
        send("INT", self.child.id());
        self.ended()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with JetStream, of which nobody here knows anything.
async fn server(home: &Home, config: &str) -> BareServer {
    let store = home.path().join("server/store").display().to_string();
    let config = format!("jetstream {{ store_dir: {store:?} }}\n{config}");
    BareServer::start(home.path(), "server", &config).await
}

/// A service under test that runs, as in production.
struct Service(Child);

impl Service {
    #[track_caller]
    fn start(folder: &Path, python: &str, file: &str, server: &str) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut command = Command::new(python);
        command.arg(file).current_dir(folder).env("NATS_URL", server);
        command.env_remove("NATS_USER").env_remove("NATS_PASSWORD").env_remove("PLANT");
        command.stdin(Stdio::null()).stdout(log.reopen().unwrap()).stderr(Stdio::null());
        let service = Self(command.spawn().unwrap());
        eventually("the service is ready", LIMIT, || {
            std::fs::read_to_string(&log).unwrap().contains(": ready")
        });
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects as a user.
async fn connected(server: &str, password: &str) -> async_nats::Client {
    let options = async_nats::ConnectOptions::with_user_and_password("ada".into(), password.into());
    options.connect(server).await.unwrap()
}

/// Answers every request on a subject with the same.
async fn answering(client: &async_nats::Client, subject: &str, replies: &'static [&'static [u8]]) {
    let client = client.clone();
    let mut requests = client.subscribe(subject.to_owned()).await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            for reply in replies {
                if let Some(to) = request.reply.clone() {
                    client.publish(to, Bytes::from_static(reply)).await.unwrap();
                }
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_services_do_runs_as_a_scenario_and_fails_once_they_do_something_else() {
    let home = Home::new();
    let server = server(&home, "").await;
    copy(&root().join("examples/checkout"), &home.path().join("suite"));
    let suite = home.path().join("suite");
    let python = drivers::python().await.remove(0);
    let services: Vec<Service> = ["order.py", "payment.py", "shipping.py"]
        .map(|file| Service::start(&suite, &python, file, &server.nats))
        .into();

    let subjects = ["checkout.>", "orders.*", "payments.*", "shipments.*", "points.*"];
    let subjects = subjects.map(|subject| ["--subject", subject]).concat();
    let file = ["--output", "suite/scenarios/recorded.toml", "--messages", "5"];
    let recorder = Recorder::start(&home, &server.nats, &[&subjects[..], &file].concat());
    let order = "{\"id\":\"o-17\",\"customer\":\"ada\",\"cents\":999}";
    home.run(&["call", "checkout.place", "--data", order, "--server", &server.nats]).ok();
    let said = recorder.ended().ok();
    assert!(said.contains("5 messages: 1 sent, 4 in steps expected"), "{said}");
    drop((services, server));

    let path = suite.join("scenarios/recorded.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for line in [
        "request = \"checkout.place\"",
        "body = { cents = 999, customer = \"ada\", id = \"o-17\" }",
        "reply = { id = \"o-17\", status = \"placed\" }",
        "expect_message = { subject = \"payments.o-17\", body = { cents = 999, id = \"o-17\" } }",
        "expect_message = { subject = \"points.o-17\", body = { id = \"o-17\" } }",
        "[streams.PAYMENTS]",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
    home.run(&["e2e", "fmt", "--check", "suite/scenarios/recorded.toml"]).ok();
    let said = home.run(&["e2e", "suite", "recorded", "--update"]).ok();
    assert!(said.contains("1 passed"), "{said}");
    home.run(&["e2e", "suite", "recorded", "--ci"]).ok();

    // The services now do something else.
    let payment = suite.join("payment.py");
    let changed = std::fs::read_to_string(&payment).unwrap();
    std::fs::write(&payment, changed.replace("order[\"cents\"]}", "order[\"cents\"] + 1}"))
        .unwrap();
    let said = home.run(&["e2e", "suite", "recorded", "--ci"]).failed(1, "").stdout;
    assert!(said.contains("body.cents: expected 999, saw 1000"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_form_are_written_and_secrets_are_not() {
    let home = Home::new();
    let users = "accounts { A { jetstream: enabled, users: [ { user: ada, password: \"0wn-passw0rd\" } ] } }";
    let server = server(&home, users).await;
    let url = server.nats.replace("://", "://ada:0wn-passw0rd@");
    let client = connected(&server.nats, "0wn-passw0rd").await;
    answering(&client, "shop.login", &[LOGIN]).await;
    answering(&client, "shop.stock", &[b"1", b"2"]).await;
    answering(&client, "shop.raw", &[b"\xff\x00"]).await;
    let context = jetstream::new(client.clone());
    let config = jetstream::stream::Config {
        name: "EVENTS".to_owned(),
        subjects: vec!["shop.events.*".to_owned()],
        max_messages: 100,
        ..Default::default()
    };
    let stream = context.create_stream(config).await.unwrap();
    let durable = jetstream::consumer::pull::Config {
        durable_name: Some("audit".to_owned()),
        ack_wait: Duration::from_secs(2),
        ..Default::default()
    };
    stream.create_consumer(durable).await.unwrap();
    // Whoever uses it makes it.
    stream.create_consumer(jetstream::consumer::pull::Config::default()).await.unwrap();

    let args = ["--subject", "shop.>", "--output", "shop.toml", "--messages", "7"];
    let recorder = Recorder::start(&home, &url, &args);
    let ask = async |subject: &str, body: &str| {
        client.request(subject.to_owned(), body.to_owned().into()).await.unwrap().payload
    };
    ask("shop.login", "{\"user\":\"ada\",\"password\":\"hunter22\"}").await;
    ask("shop.stock", "").await;
    client.publish("shop.raw", Bytes::from_static(b"\xfe\x01")).await.unwrap();
    ask("shop.raw", "not JSON: 0wn-passw0rd").await;
    // Nobody answers.
    let inbox = client.new_inbox();
    client.publish_with_reply(format!("shop.get.{UUID}"), inbox, "".into()).await.unwrap();
    context.publish("shop.events.a", "{\"n\":null}".into()).await.unwrap().await.unwrap();
    client.publish("shop.long", vec![b'x'; 100_000].into()).await.unwrap();
    let said = recorder.ended().ok();
    let text = std::fs::read_to_string(home.path().join("shop.toml")).unwrap();
    for secret in ["hunter22", "eyJ", "passw0rd"] {
        assert!(!text.contains(secret) && !said.contains(secret), "{secret}\n{text}");
    }
    for line in [
        "body = { password = \"<left-out:",
        "save = { id = \"/id\" }",
        "unordered = [1, 2]",
        "bytes_base64 = \"/gE=\"",
        "text = \"not JSON: <left-out:",
        "reply = \"#base64:/wA=\"",
        "request = \"shop.get.{{id}}\"",
        "error = { kind = \"#re:^(no_responders|timeout)$\" }",
        "[streams.EVENTS]\nsubjects = [\"shop.events.*\"]\nmax_msgs = 100\n\n\
         [streams.EVENTS.consumers.audit]\nack_wait = \"2s\"\n\n[[step]]",
        "submit = \"shop.events.a\"\ntext = '{\"n\":null}'\nack = { stream = \"EVENTS\" }",
        "body_file = \"shop.7.bin\"",
        "#   /password of shop.login",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(std::fs::read(home.path().join("shop.7.bin")).unwrap().len(), 100_000);
    home.run(&["e2e", "fmt", "--check", "shop.toml"]).ok();
    // It is what a suite can read.
    std::fs::create_dir_all(home.path().join("all")).unwrap();
    for file in ["shop.toml", "shop.7.bin"] {
        copy(&home.path().join(file), &home.path().join("all").join(file));
    }
    let said = home.run(&["e2e", "--fixtures", "all", "--list"]).ok();
    assert!(said.contains("shop"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_when_somebody_says_so_and_goes_to_stdout() {
    let home = Home::new();
    let server = server(&home, "").await;
    let client = async_nats::connect(&server.nats).await.unwrap();
    answering(&client, "orders.new", &[b"{\"ok\":true}"]).await;
    let recorder = Recorder::start(&home, &server.nats, &["--subject", "orders.>"]);
    home.run(&["call", "orders.new", "--data", "{\"n\":1}", "--server", &server.nats]).ok();
    let said = recorder.interrupted();
    assert!(said.stderr.contains("1 message: 1 sent"), "{}", said.stderr);
    let text = said.ok();
    assert!(text.contains("[[step]]\nrequest = \"orders.new\"\nbody = { n = 1 }\n"), "{text}");
    assert!(text.contains("reply = { ok = true }"), "{text}");
    let description = "description = \"What happens on orders.>\"\n";
    assert!(
        text.starts_with("# Recorded by `mono-demo e2e record --subject 'orders.>'`: 1 message.\n")
    );
    assert!(text.contains(description), "{text}");

    // What somebody knows better is done.
    let args = ["--json", "--subject", "orders.>", "--expect", "orders.new", "--for", "600s"];
    let recorder = Recorder::start(&home, &server.nats, &args);
    home.run(&["publish", "orders.new", "--data", "{\"n\":1}", "--server", &server.nats]).ok();
    let said = recorder.interrupted().ok();
    let object: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(object["subjects"][0], "orders.new: 1 expected, as --expect says");
    let fixture = object["fixture"].as_str().unwrap();
    assert!(fixture.contains("expect_message = { subject = \"orders.new\""), "{fixture}");
}

/// There a client's reply comes to a name that the broker gives to its inbox.
#[test]
fn a_serve_with_accounts_is_found_and_recorded_too() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth"]);
    let subject = ["--subject", "services.>", "--messages", "2"];
    // The server is one that is found, and what finds it is not recorded.
    let mut command = home.command([&["e2e", "record"], &subject[..]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(stderr).map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("recording services.>")));
    home.run(&["call", "math", "add", "10", "5"]).ok();
    home.run(&["call", "math", "divide", "1", "0"]).failed(4, "division by zero");
    let rest: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{rest:?}");
    assert!(text.contains("reply = { operation = \"add\", result = 15 }"), "{text}");
    assert!(text.contains("operation = \"divide\"") && !text.contains("proof"), "{text}");
    serve.signal("TERM");
    serve.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_heard_is_told_and_nothing_is_written() {
    let home = Home::new();
    let server = server(&home, "").await;
    let args = ["--subject", "orders.>", "--output", "a.toml", "--for", "50ms"];
    let all = [&["e2e", "record", "--server", &server.nats], &args[..]].concat();
    let said = home.run(&all).failed(3, "nothing was heard on orders.>");
    assert!(said.stderr.contains("hint: record while something happens there"), "{}", said.stderr);
    assert!(!home.path().join("a.toml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_came_meanwhile_is_not_written_over_and_what_was_heard_is_shown() {
    let home = Home::new();
    let server = server(&home, "").await;
    let args = ["--subject", "orders.>", "--output", "a.toml"];
    let recorder = Recorder::start(&home, &server.nats, &args);
    let theirs = home.path().join("a.toml");
    std::fs::write(&theirs, "mine").unwrap();
    // It has come back, so that the recorder has been sent it before.
    let client = async_nats::connect(&server.nats).await.unwrap();
    let mut heard = client.subscribe("orders.*").await.unwrap();
    client.publish("orders.new", "{\"n\":1}".into()).await.unwrap();
    heard.next().await.unwrap();
    let said = recorder.interrupted().failed(3, "write a.toml: File exists");
    assert!(said.stdout.contains("publish = \"orders.new\""), "{}", said.stdout);
    assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_lost_leaves_what_was_heard_until_then() {
    let home = Home::new();
    let server = server(&home, "").await;
    let args = ["--subject", "orders.>", "--output", "a.toml"];
    let recorder = Recorder::start(&home, &server.nats, &args);
    // It has come back, so that the recorder has been sent it before.
    let client = async_nats::connect(&server.nats).await.unwrap();
    let mut heard = client.subscribe("orders.*").await.unwrap();
    client.publish("orders.new", "{\"n\":1}".into()).await.unwrap();
    heard.next().await.unwrap();
    drop(server);
    let said = recorder.ended().failed(8, "the connection to the server was lost");
    assert!(said.stdout.contains("written: a.toml"), "{}", said.stdout);
    let text = std::fs::read_to_string(home.path().join("a.toml")).unwrap();
    assert!(
        text.contains("publish = \"orders.new\"") && text.contains("1 message. Then the"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_heard_is_told_by_name() {
    let home = Home::new();
    let user = |denied: &str| {
        format!(
            "authorization {{ users: [ {{ user: ada, password: pw, permissions: \
             {{ subscribe: {{ deny: {denied:?} }} }} }} ] }}"
        )
    };
    let server = BareServer::start(home.path(), "inboxes", &user("_INBOX.>")).await;
    let url = server.nats.replace("://", "://ada:pw@");
    let recorder = Recorder::start(&home, &url, &["--subject", "orders.>"]);
    let client = connected(&server.nats, "pw").await;
    client.publish_with_reply("orders.new", "_INBOX.a.1", "2".into()).await.unwrap();
    client.flush().await.unwrap();
    let said = recorder.interrupted();
    let denied = "not heard: replies: cannot listen to _INBOX.>: ";
    assert!(said.stderr.contains(denied), "{}", said.stderr);
    let text = said.ok();
    assert!(text.contains("Permissions Violation for Subscription to \"_INBOX.>\""), "{text}");
    // Nothing is expected of a reply that nobody could hear.
    assert!(text.contains("request = \"orders.new\"\nbody = 2\n"), "{text}");
    assert!(!text.contains("error ="), "{text}");

    let server = BareServer::start(home.path(), "subject", &user("orders.>")).await;
    let url = server.nats.replace("://", "://ada:pw@");
    let args = ["e2e", "record", "--server", &url, "--subject", "orders.>"];
    let said = home.run(&args).failed(8, "cannot listen to orders.>: ");
    assert!(said.stderr.contains("Permissions Violation"), "{}", said.stderr);
}

#[test]
fn what_cannot_be_recorded_is_refused_before_anything_is_heard() {
    let home = Home::new();
    std::fs::write(home.path().join("there.toml"), "x").unwrap();
    std::fs::write(home.path().join("body.2.bin"), "x").unwrap();
    // A port on which nobody listens: a refusal comes before a connection is tried.
    let server = "nats://127.0.0.1:1";
    for (args, words) in [
        (&["--subject", "$JS.API.>"][..], "`$JS.API.>` means subjects of the server itself"),
        (&["--subject", ">"], "`>` means subjects of the server itself"),
        (&["--subject", "a", "--subject", "*"], "`a` and `*` overlap"),
        (&["--subject", "a..b"], "empty token"),
        (&["--subject", "a", "--send", "b"], "--send `b` is not among"),
        (&["--subject", "a", "--inbox", "a.b"], "`a.b` cannot be the first word"),
        (&["--subject", "a", "--output", "there.toml"], "there.toml is there already"),
        (&["--subject", "a", "--output", "body.toml"], "body.2.bin is there already"),
        (&["--subject", "a", "--output", "a.json"], "its name ends with .toml"),
        (&["--subject", "a", "--output", "no/where.toml"], "cannot write"),
        (&["--subject", "a", "--messages", "0"], "expected a whole number from 1"),
        (&[], "--subject"),
    ] {
        let all = [&["e2e", "record", "--server", server], args].concat();
        home.run(&all).failed(2, words);
    }
    let force = ["--subject", "a", "--output", "there.toml", "--force"];
    let all = [&["e2e", "record", "--server", server], &force[..]].concat();
    home.run(&all).failed(8, "127.0.0.1:1");
    assert_eq!(std::fs::read_to_string(home.path().join("there.toml")).unwrap(), "x");
    let said = home.run(&["e2e", "record", "--subject", "a"]);
    said.failed(8, "e2e record: no server is named and no `serve` is running");
    // All else of `e2e` has brokers of its own.
    home.run(&["e2e", "--server", server]).failed(2, "--server does nothing here");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_consumers_made_meanwhile_are_declared() {
    let home = Home::new();
    let server = server(&home, "").await;
    let client = async_nats::connect(&server.nats).await.unwrap();
    let context = jetstream::new(client.clone());
    let config = |name: &str| jetstream::stream::Config {
        name: name.to_uppercase(),
        subjects: vec![format!("shop.{name}.*")],
        max_messages: 100,
        ..Default::default()
    };
    let durable = || jetstream::consumer::pull::Config {
        durable_name: Some("audit".to_owned()),
        ..Default::default()
    };
    let early = context.create_stream(config("early")).await.unwrap();
    let args = ["--subject", "shop.>", "--output", "shop.toml", "--messages", "2"];
    let recorder = Recorder::start(&home, &server.nats, &args);
    early.create_consumer(durable()).await.unwrap();
    let late = context.create_stream(config("late")).await.unwrap();
    late.create_consumer(durable()).await.unwrap();
    for subject in ["shop.early.a", "shop.late.a"] {
        context.publish(subject, "1".into()).await.unwrap().await.unwrap();
    }
    recorder.ended().ok();
    let text = std::fs::read_to_string(home.path().join("shop.toml")).unwrap();
    for name in ["early", "late"] {
        let stream = name.to_uppercase();
        let told = format!(
            "[streams.{stream}]\nsubjects = [\"shop.{name}.*\"]\nmax_msgs = 100\n\n\
             [streams.{stream}.consumers.audit]\n"
        );
        assert!(text.contains(&told), "{told}\n{text}");
        let ack =
            format!("submit = \"shop.{name}.a\"\nbody = 1\nack = {{ stream = \"{stream}\" }}");
        assert!(text.contains(&ack), "{ack}\n{text}");
    }
    assert!(!text.contains("There before"), "{text}");
}
