//! Finding a running `serve` sends no secret to a program that has taken its place.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::program::{Home, Serve};
use crate::support::{eventually, lives, processes_with};
use serde_json::Value;

/// A false server, which records what it is sent.
struct Stranger(Arc<Mutex<String>>);

impl Stranger {
    /// Lets everybody in, under this name.
    fn at(port: u16, name: &str) -> Self {
        let name = name.to_owned();
        Self::with(port, move |stream, heard| {
            let info = serde_json::json!({
                "server_id": "S", "server_name": name, "version": "2.15.1", "proto": 1,
                "host": "127.0.0.1", "port": port, "max_payload": 1_048_576, "headers": true,
                "auth_required": true,
            });
            let mut answers = stream.try_clone().unwrap();
            let _ = write!(answers, "INFO {info}\r\n");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if line == "PING" {
                    let _ = answers.write_all(b"PONG\r\n");
                }
                *heard.lock().unwrap() += &(line + "\n");
            }
        })
    }

    /// Passes everything on to the server at another port, and back.
    fn between(port: u16, other: u16) -> Self {
        Self::with(port, move |mut stream, heard| {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", other)) else { return };
            let (mut back, mut to) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut to));
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                *heard.lock().unwrap() += &String::from_utf8_lossy(&bytes[..count]);
                if server.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = server.shutdown(Shutdown::Both);
        })
    }

    /// Its threads end with the test's process.
    fn with(port: u16, talk: impl Fn(TcpStream, &Mutex<String>) + Send + Sync + 'static) -> Self {
        let heard = Arc::new(Mutex::new(String::new()));
        let (record, talk) = (Arc::clone(&heard), Arc::new(talk));
        let bind = || TcpListener::bind(("127.0.0.1", port));
        eventually("the port is free", Duration::from_secs(10), || bind().is_ok());
        let listener = bind().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (record, talk) = (Arc::clone(&record), Arc::clone(&talk));
                std::thread::spawn(move || talk(stream, &record));
            }
        });
        Self(heard)
    }

    fn heard(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

fn passwords(serve: &Serve) -> Vec<(String, String)> {
    let folder = serve.runtime()["contexts"].as_str().unwrap().to_owned();
    let read = |role: &str| {
        let text = std::fs::read(format!("{folder}/{role}.json")).unwrap();
        let context: Value = serde_json::from_slice(&text).unwrap();
        (role.to_owned(), context["password"].as_str().unwrap().to_owned())
    };
    ["client", "worker", "harness"].map(read).to_vec()
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    eventually("it is gone", Duration::from_secs(60), || !lives(pid));
}

/// The process that listens at this port (proc(5)).
fn broker_at(home: &Home, port: u16) -> u32 {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listens = format!("0100007F:{port:04X} 00000000:0000 0A");
    let line = sockets.lines().find(|line| line.contains(&listens)).expect("somebody listens");
    let socket = format!("socket:[{}]", line.split_whitespace().nth(9).unwrap());
    let holds = |pid: &u32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .any(|to| to.to_string_lossy() == socket)
    };
    processes_with(home.path().to_str().unwrap()).into_iter().find(holds).expect("a broker of ours")
}

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A `serve` that lives and cannot help it: its broker was killed, and somebody else took the port.
#[test]
fn a_stranger_at_the_port_of_a_serve_that_lives_is_shown_no_password() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth"]);
    let (passwords, name) = (passwords(&serve), serve.runtime()["name"].clone());
    let port = port(&serve.url());
    let broker = broker_at(&home, port);
    serve.signal("STOP");
    kill(broker);
    let stranger = Stranger::at(port, name.as_str().unwrap());
    for args in [&["call", "math", "add", "1", "2"][..], &["dlq", "ls"], &["pay", "p", "1"]] {
        let said = home.run(args);
        assert!(said.stderr.contains("is not used"), "{}", said.stderr);
    }
    let said = home.run(&["doctor"]).stdout;
    assert!(said.contains(&format!("(pid {}) is not used", serve.pid())), "{said}");
    let heard = stranger.heard();
    assert!(heard.contains("CONNECT"), "it was not asked at all");
    for (role, password) in passwords {
        assert!(!heard.contains(&password), "the password of {role} was sent: {heard}");
    }
    serve.signal("CONT");
}

#[test]
fn one_on_an_existing_system_with_a_login_is_found() {
    let broker = Home::new();
    let serve = broker.serve(&["--port", "0", "--auth", "--unlisted"]);
    let folder = serve.runtime()["contexts"].as_str().unwrap().to_owned();
    let worker = format!("{folder}/harness.json");
    let home = Home::new();
    let joined = home.serve(&["--context", &worker, "--journal-dir", "j"]);
    let ready = joined.runtime().to_string();
    let password = &passwords(&serve)[2].1;
    assert!(!ready.contains(password), "the ready file holds a password: {ready}");
    let said = home.run(&["pay", "p", "1"]);
    assert!(
        !said.stderr.contains("temporary") && !said.stderr.contains("not used"),
        "{}",
        said.stderr
    );
    said.ok();
    drop(joined);
}

/// Of a cluster one node is down, and somebody else in its place passes everything on to another one.
#[test]
fn a_stranger_between_a_client_and_a_cluster_is_shown_no_password() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth", "--cluster", "3"]);
    let (passwords, url) = (passwords(&serve), serve.url());
    let ports: Vec<u16> = url.split(',').map(port).collect();
    let broker = broker_at(&home, ports[0]);
    serve.signal("STOP");
    kill(broker);
    let stranger = Stranger::between(ports[0], ports[1]);
    serve.signal("CONT");
    for n in 0..3 {
        assert_eq!(
            home.run(&["call", "math", "add", "1", &n.to_string()]).ok(),
            format!("{}\n", n + 1)
        );
    }
    let heard = stranger.heard();
    assert!(heard.contains("services.serve.proof-"), "it was not asked: {heard}");
    for (role, password) in passwords {
        assert!(!heard.contains(&password), "the password of {role} was sent: {heard}");
    }
}

/// The services connect again and again while their broker is away.
#[test]
fn a_stranger_in_the_place_of_a_broker_that_died_is_shown_no_password_by_the_services() {
    let home = Home::new();
    let serve = home.serve(&["--port", "0", "--auth"]);
    let (passwords, name) = (passwords(&serve), serve.runtime()["name"].clone());
    let port = port(&serve.url());
    let broker = broker_at(&home, port);
    serve.signal("STOP");
    kill(broker);
    let stranger = Stranger::at(port, name.as_str().unwrap());
    serve.signal("CONT");
    eventually("the services are back", Duration::from_secs(20), || {
        stranger.heard().contains("mono-demo services")
    });
    let heard = stranger.heard();
    for (role, password) in passwords {
        assert!(!heard.contains(&password), "the password of {role} was sent: {heard}");
    }
}
