//! Connections to a broker that breaks the protocol or refuses them: they are made again, or their
//! users learn that they have ended.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::eventually;
use crate::support::program::Home;
use futures_util::StreamExt as _;
use mono_demo::mono::{Connection, Target};

const SOON: Duration = Duration::from_secs(20);

/// What a broker says once it was subscribed to, on its first connection.
struct Garbage {
    bytes: &'static [u8],
    /// Whether it closes after that; otherwise it waits until we do.
    closes: bool,
}

const GARBAGE: [Garbage; 14] = [
    Garbage { bytes: b"WHAT is this\r\n", closes: false },
    Garbage { bytes: b"\xff\xfe\xfd\r\n", closes: false },
    Garbage { bytes: b"\0\0\0\0\r\n\r\n", closes: false },
    Garbage { bytes: b"INFO {\r\n", closes: false },
    Garbage { bytes: b"MSG \r\n", closes: false },
    Garbage { bytes: b"MSG x one 2\r\n\r\n", closes: false },
    Garbage { bytes: b"MSG x 1 99999999999999999999999\r\n", closes: false },
    Garbage { bytes: b"HMSG x 1 5 2\r\nabcde\r\n", closes: false },
    Garbage { bytes: b"HMSG x 1 -1 2\r\nabcde\r\n", closes: false },
    // What would overflow: nothing so long ever comes, and the connection breaks some day.
    Garbage { bytes: b"MSG x 1 18446744073709551615\r\nabc\r\n", closes: true },
    Garbage { bytes: b"HMSG x 1 12 18446744073709551615\r\nabc\r\n", closes: true },
    Garbage { bytes: b"MSG x 1 5\r\nab", closes: true },
    Garbage { bytes: b"-ERR 'Stale Connection'\r\n", closes: true },
    Garbage { bytes: b"-ERR 'User Authentication Expired'\r\n", closes: true },
];

/// Greets as a broker does, and returns at the first line that begins so.
fn greet(stream: &TcpStream, until: &str) {
    let mut write = stream;
    let info = r#"{"server_id":"x","server_name":"x","version":"2.14.0","headers":true,"proto":1,"max_payload":1048576}"#;
    write.write_all(format!("INFO {info}\r\n").as_bytes()).unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.starts_with("PING") {
            write.write_all(b"PONG\r\n").unwrap();
        }
        if line.starts_with(until) {
            return;
        }
    }
}

fn listen() -> (TcpListener, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    (listener, Target { url, ..Target::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_a_broker_makes_a_new_connection_with_the_same_subscriptions() {
    for Garbage { bytes, closes } in GARBAGE {
        let said = bytes.escape_ascii();
        let (listener, target) = listen();
        let broker = std::thread::spawn(move || {
            let (first, _) = listener.accept().unwrap();
            greet(&first, "SUB x");
            (&first).write_all(bytes).unwrap();
            if closes {
                drop(first);
            }
            let (second, _) = listener.accept().unwrap();
            greet(&second, "SUB x");
            // A bare error is no reason to end.
            (&second).write_all(b"-ERR\r\n-ERR 'caf\xe9'\r\nMSG x 1 2\r\nhi\r\n").unwrap();
            second
        });
        let connection = Connection::open(&target, "test").await.unwrap();
        let mut reconnected = connection.reconnected();
        let mut messages = connection.client().subscribe("x").await.unwrap();
        let message = tokio::time::timeout(SOON, messages.next()).await;
        let message = message.unwrap_or_else(|_| panic!("after {said}")).expect("still subscribed");
        assert_eq!(message.payload.as_ref(), b"hi", "after {said}");
        // Another task tells of it, perhaps after the message.
        let told = tokio::time::timeout(SOON, reconnected.changed()).await;
        told.unwrap_or_else(|_| panic!("nobody was told, after {said}")).unwrap();
        drop(broker.join().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_told_with_its_reason() {
    // Ended by a handle that drains it: so does whatever ends its task.
    let (listener, target) = listen();
    let broker = std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        greet(&first, "never");
    });
    let connection = Connection::open(&target, "test").await.unwrap();
    let ended = tokio::time::timeout(Duration::from_millis(100), connection.ended()).await;
    assert!(ended.is_err(), "a living connection has not ended");
    connection.client().drain().await.unwrap();
    let ended = tokio::time::timeout(SOON, connection.ended()).await.expect("told in time");
    assert_eq!(ended, "it was closed");
    broker.join().unwrap();
}

/// A nats-server with one user, whose password can be changed under its clients.
struct Guarded {
    folder: tempfile::TempDir,
    process: Child,
}

impl Guarded {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = support::nats_server().await;
        write_config(folder.path(), "first", "");
        let process = Command::new(&server.path)
            .arg("-c")
            .arg(folder.path().join("nats.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let guarded = Self { folder, process };
        eventually("the server says its port", SOON, || guarded.url().is_some());
        guarded
    }

    fn url(&self) -> Option<String> {
        let file = std::fs::read_dir(self.folder.path()).ok()?.find_map(|entry| {
            let path = entry.ok()?.path();
            path.extension().is_some_and(|e| e == "ports").then_some(path)
        })?;
        let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        Some(ports["nats"][0].as_str()?.to_owned())
    }

    fn change_the_password(&self) {
        self.reload("second", "");
    }

    /// Takes up other settings while it runs.
    fn reload(&self, password: &str, permissions: &str) {
        write_config(self.folder.path(), password, permissions);
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_config(folder: &std::path::Path, password: &str, permissions: &str) {
    let shown = folder.display();
    let text = format!(
        "listen: 127.0.0.1:-1\nports_file_dir: \"{shown}\"\n\
         jetstream {{ store_dir: \"{shown}/store\" }}\n\
         authorization {{ users: [\n\
         {{ user: worker, password: \"{password}\" {permissions} }} ] }}\n"
    );
    std::fs::write(folder.join("nats.conf"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_whose_credentials_are_revoked_ends_with_a_message_and_8() {
    let server = Guarded::start().await;
    let home = Home::new();
    let url = server.url().unwrap();
    let serve = home.serve(&["--server", &url, "--user", "worker", "--password", "first"]);
    let mut follower = home.command(["logs", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Ready: ")));
    server.change_the_password();
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(8), "{stderr}");
    let why = "the services receive nothing any more: the connection ended: the broker has refused";
    assert!(stderr.contains(why), "{stderr}");
    // Who follows its log sees that too, and nothing is left of the log.
    let rest: Vec<String> = lines.collect();
    let is_it = |line: &String| line.contains(" error: serve: ") && line.contains(why);
    assert!(rest.iter().any(is_it), "{rest:?}");
    assert!(follower.wait().unwrap().success());
    assert_eq!(home.path().join("run/mono-demo").read_dir().unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_that_may_not_listen_any_more_ends_with_a_message_and_8() {
    for taken in ["services.math.calculate", "_INBOX.>", "$SRV.PING", "$SRV.INFO.math"] {
        let server = Guarded::start().await;
        let home = Home::new();
        let url = server.url().unwrap();
        let serve = home.serve(&["--server", &url, "--user", "worker", "--password", "first"]);
        let narrowed = format!(", permissions: {{ subscribe: {{ deny: \"{taken}\" }} }}");
        server.reload("first", &narrowed);
        let (code, _, stderr) = serve.ended();
        assert_eq!(code, Some(8), "{taken}: {stderr}");
        let why = "the services receive nothing any more: the broker took a subscription away:";
        assert!(stderr.contains(why), "{taken}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_that_nobody_may_ask_for_its_proof_says_so_and_serves_on() {
    let server = Guarded::start().await;
    let home = Home::new();
    let url = server.url().unwrap();
    let login = ["--user", "worker", "--password", "first"];
    let serve = home.serve(&[&["--server", &url][..], &login].concat());
    assert_eq!(home.run(&["call", "math", "add", "1", "2"]).ok(), "3\n");
    server.reload("first", ", permissions: { subscribe: { deny: \"services.serve.>\" } }");
    serve.says(SOON, "warning: commands do not find this `serve`: ");
    serve.says(SOON, "services.serve.proof-");
    let named = [&["--server", &url][..], &login, &["call", "math", "add", "1", "2"]].concat();
    assert_eq!(home.run(&named).ok(), "3\n");
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!((code, stderr.matches("do not find").count()), (Some(0), 1), "{stderr}");
}

/// So many commands wait for a connection that is away that no other one is taken, a close neither.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_takes_no_command_any_more_is_closed_in_its_time() {
    let (listener, target) = listen();
    let broker = std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        greet(&first, "PING");
    });
    let connection = Connection::open(&target, "test").await.unwrap();
    broker.join().unwrap();
    let client = connection.client().clone();
    let full = async {
        loop {
            let published = client.publish("x", "y".into());
            // Where it is taken, that is at once.
            if tokio::time::timeout(Duration::from_millis(200), published).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, full).await.expect("a queue with an end");
    let limit = Duration::from_millis(100);
    let passed = tokio::time::timeout(SOON, connection.barrier(limit)).await;
    assert!(passed.expect("told in its time").is_err(), "nothing could be sent");
    let closed = tokio::time::timeout(SOON, connection.close(limit)).await;
    assert!(!closed.expect("closed in its time"), "it could not be drained");
}
