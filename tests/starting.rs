//! A signal ends `serve` in order also while it starts, and while it starts a broker again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::bare_server::BareServer;
use crate::support::program::Home;
use crate::support::{eventually, fake_nats_server, nats_server, send};

const SOON: Duration = Duration::from_secs(60);

/// A `serve` that is not ready; killed if the test forgets it.
struct Starting(Child);

impl Starting {
    fn on(home: &Home, url: &str) -> Self {
        let args = ["serve", "--server", url, "--journal-dir", "books", "--drain-timeout=1s"];
        let child = home.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    /// The exit code and what it said, once SIGTERM has ended it.
    fn terminated(mut self) -> (Option<i32>, String) {
        send("TERM", self.0.id());
        eventually("serve ends", SOON, || self.0.try_wait().unwrap().is_some());
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_it_while_it_connects_to_a_server_that_says_nothing() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = Starting::on(&home, &format!("nats://{}", silent.local_addr().unwrap()));
    let _connected = silent.accept().unwrap();
    let (code, said) = serve.terminated();
    assert_eq!(code, Some(130), "{said}");
    assert!(!said.contains("error"), "{said}");
}

/// Passes everything on until the client has sent one of these words after the other; says so, and
/// passes on nothing more.
fn silent_after(words: &'static [&'static str], server: &str) -> (String, impl Fn()) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let (server, (told, heard)) = (server.to_owned(), channel());
    let left = Arc::new(Mutex::new(words));
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&server).unwrap();
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (left, told) = (Arc::clone(&left), told.clone());
            std::thread::spawn({
                let left = Arc::clone(&left);
                move || pass(back.0, back.1, &left, None)
            });
            std::thread::spawn(move || pass(client, server, &left, Some(&told)));
        }
    });
    (url, move || heard.recv_timeout(SOON).expect("it has sent the last of them"))
}

fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    left: &Mutex<&'static [&'static str]>,
    told: Option<&Sender<()>>,
) {
    let mut bytes = [0; 65536];
    while let Ok(1..) = from.read(&mut bytes).inspect(|n| {
        let mut left = left.lock().unwrap();
        let text = String::from_utf8_lossy(&bytes[..*n]);
        if let (Some(told), Some((first, rest))) = (told, left.split_first())
            && text.contains(first)
        {
            *left = rest;
            if rest.is_empty() {
                let _ = told.send(());
            }
        }
        if !left.is_empty() {
            let _ = to.write_all(&bytes[..*n]);
        }
    }) {}
    let _ = to.shutdown(Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_while_it_looks_at_streams_that_nobody_answers_for() {
    let home = Home::new();
    let jetstream = format!("jetstream {{ store_dir: {:?} }}", home.path().join("store"));
    let server = BareServer::start(home.path(), "server", &jetstream).await;
    // The workers are the last to begin; then it looks at the streams, beginning with the consumer.
    let (url, silent) = silent_after(&["CONSUMER.MSG.NEXT", "CONSUMER.INFO"], server.host());
    let serve = Starting::on(&home, &url);
    silent();
    let (code, said) = serve.terminated();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.ends_with("stopped\n"), "in order: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_while_a_broker_does_not_start_again() {
    let home = Home::new();
    // The first start is that of a server; every later one never gets so far.
    let real = nats_server().await.path.display().to_string();
    let script = format!(
        "case \"$1\" in -c) ;; *) exec {real} \"$@\" ;; esac\n\
         [ -e \"$0.once\" ] && : > \"$0.again\" && exec sleep 600\n\
         : > \"$0.once\"\nexec {real} \"$@\""
    );
    let program = fake_nats_server(&home.path().join("fake"), &script);
    let serve = home.serve(&["--port", "0", "--nats-server", program.to_str().unwrap()]);
    send("KILL", home.brokers()[0]);
    let again = program.with_extension("again");
    eventually("it is started again", SOON, || again.exists());
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.ends_with("stopped\n"), "in order: {stderr}");
    assert!(!stderr.contains("is started again in"), "it was not waited for: {stderr}");
    assert_eq!(home.processes(), [] as [u32; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_a_node_does_not_start_again_leaves_the_others_their_folder() {
    let home = Home::new();
    let real = nats_server().await.path.display().to_string();
    // The first three starts are those of servers; every later one never gets so far.
    let script = format!(
        "case \"$1\" in -c) ;; *) exec {real} \"$@\" ;; esac\n\
         [ $(ls \"$0\".start-* 2>/dev/null | wc -l) -ge 3 ] && : > \"$0.again\" && exec sleep 600\n\
         : > \"$0.start-$$\"\nexec {real} \"$@\""
    );
    let program = fake_nats_server(&home.path().join("fake"), &script);
    let settings = ["--cluster", "3", "--gateway", "id = 'p', delay = '6s'"];
    let program_args = ["--port", "0", "--nats-server", program.to_str().unwrap()];
    let serve = home.serve(&[&program_args[..], &settings].concat());
    // In hand before the kill: a stream whose leader is gone takes nothing for a while.
    home.run(&["pay", "p", "1", "--no-wait"]).ok();
    eventually("it is in hand", SOON, || {
        home.run(&["call", "payment", "status", "p"]).ok().starts_with("processing")
    });
    send("KILL", home.brokers()[0]);
    let again = program.with_extension("again");
    eventually("a node is started again", SOON, || again.exists());
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.ends_with("stopped\n"), "in order: {stderr}");
    assert!(!stderr.contains("journal"), "its journals are there to the end: {stderr}");
    assert!(!stderr.contains("not everything"), "what was in hand is finished: {stderr}");
    assert_eq!(home.processes(), [] as [u32; 0]);
}

#[test]
fn whoever_ends_it_at_once_when_the_ready_file_is_there_has_had_the_line_too() {
    for _ in 0..8 {
        let home = Home::new();
        // It is waited for by its ready file.
        let serve = home.serve(&["--port", "0"]);
        serve.signal("TERM");
        let (code, stdout, stderr) = serve.ended();
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("\nReady: "), "{stdout}");
    }
}
