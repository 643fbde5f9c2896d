//! How everything ends: in order under load, and by SIGKILL at any moment.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::program::{Home, Serve};
use crate::support::{eventually, nats_server, processes_with, reaper};
use async_nats::client::RequestErrorKind;
use mono_demo::broker::{Broker, Settings};

const SLOW: &str = r#"
[notification]
mailer = [{ to = "slow@example.com", delay = "300ms" }]
[payment]
gateway = [{ id = "slow-0", delay = "300ms" }, { id = "slow-1", delay = "300ms" },
           { id = "slow-2", delay = "300ms" }, { id = "hangs", outcome = "hang" }]
"#;

/// What came of requests: answered, and refused at once because nobody takes any.
#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    refused: AtomicUsize,
}

/// Asks without a pause until it is refused; a timeout, or an answer that is none, is a panic.
async fn ask_until_refused(client: async_nats::Client, counts: Arc<Counts>) {
    loop {
        let body = r#"{"operation":"add","a":20,"b":22}"#;
        match client.request("services.math.calculate", body.into()).await {
            Ok(reply) if reply.payload.as_ref() == br#"{"result":42,"operation":"add"}"# => {
                counts.answered.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Ok(reply) => {
                let code = reply.headers.as_ref().and_then(|h| h.get("Nats-Service-Error-Code"));
                assert_eq!(code.map(|code| code.as_str()), Some("503"), "{reply:?}");
            }
            Err(error) => assert_eq!(error.kind(), RequestErrorKind::NoResponders, "{error}"),
        }
        counts.refused.fetch_add(1, Ordering::Relaxed);
        return;
    }
}

fn lines_of(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_drops_no_request_no_email_and_no_payment() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let home = Home::new();
    std::fs::write(home.path().join("slow.toml"), SLOW).unwrap();
    let args = ["--server", broker.url(), "--settings", "slow.toml", "--journal-dir", "books"];
    let serve = tokio::task::block_in_place(|| home.serve(&args));
    let client = async_nats::connect(broker.url()).await.unwrap();

    const ASKING: usize = 64;
    let counts = Arc::new(Counts::default());
    let asking: Vec<_> = (0..ASKING)
        .map(|_| tokio::spawn(ask_until_refused(client.clone(), Arc::clone(&counts))))
        .collect();
    let jetstream = async_nats::jetstream::new(client.clone());
    for n in 0..3 {
        let body = format!(r#"{{"payment_id":"slow-{n}","amount":"1.00"}}"#);
        jetstream
            .publish("services.payment.payment-process", body.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    // The acknowledgement says that a worker has it in hand.
    const EMAILS: usize = 20;
    for _ in 0..EMAILS {
        let email = r#"{"to":"slow@example.com","subject":"s"}"#;
        client.request("services.notification.email-send", email.into()).await.unwrap();
    }
    let status = async || {
        let asked = r#"{"payment_id":"slow-2"}"#;
        let reply = client.request("services.payment.status", asked.into()).await.unwrap();
        String::from_utf8(reply.payload.to_vec()).unwrap()
    };
    while status().await.contains("pending") || counts.answered.load(Ordering::Relaxed) < 100 {}

    assert_eq!(counts.refused.load(Ordering::Relaxed), 0);
    serve.signal("TERM");
    for asked in asking {
        asked.await.expect("each request is answered or refused at once");
    }
    assert_eq!(counts.refused.load(Ordering::Relaxed), ASKING);
    let (code, _, stderr) = serve.ended();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.ends_with("stopped\n") && !stderr.contains("not everything"), "{stderr}");
    let books = home.path().join("books");
    assert_eq!(lines_of(&books.join("mailer.jsonl")), EMAILS, "each email in hand was sent");

    // What was in hand and not finished comes again, and is charged once.
    let serve = tokio::task::block_in_place(|| home.serve(&args));
    for n in 0..3 {
        let status =
            || home.run(&["-s", broker.url(), "call", "payment", "status", &format!("slow-{n}")]);
        eventually("it is completed", Duration::from_secs(60), || {
            status().stdout.starts_with("completed")
        });
    }
    assert_eq!(lines_of(&books.join("gateway.jsonl")), 3);
    serve.signal("TERM");
    serve.ended();
    broker.stop().await.unwrap();
}

#[test]
fn sigterm_ends_within_the_drain_limit_whatever_hangs() {
    let home = Home::new();
    std::fs::write(home.path().join("slow.toml"), SLOW).unwrap();
    let args = ["--port", "0", "--settings", "slow.toml", "--drain-timeout", "500ms"];
    let serve = home.serve(&args);
    home.run(&["pay", "hangs", "1", "--no-wait"]).ok();
    eventually("the payment is in hand", Duration::from_secs(60), || {
        home.run(&["call", "payment", "status", "hangs"]).ok().starts_with("processing")
    });
    let signalled = Instant::now();
    serve.signal("TERM");
    let (code, _, stderr) = serve.ended();
    let took = signalled.elapsed();
    assert!(
        code == Some(0) && stderr.contains("not everything was finished within 500ms"),
        "{stderr}"
    );
    // What hangs would never end; and it has been given its time.
    assert!(took >= Duration::from_millis(500), "{took:?}");
}

/// Something that is killed, and when.
enum Victim {
    /// So long after its start, ready or not.
    Serve(Duration),
    /// When it serves.
    Ready,
    /// When so many processes of its run live: broker, services, drivers and their reapers.
    Scenarios(usize),
}

impl Victim {
    /// Kills it, and returns how long it took until nothing was left of it.
    fn fall(&self, limit: Duration) -> Duration {
        let home = Home::new();
        let place = home.path().to_str().unwrap();
        let mut child = match self {
            Self::Ready => {
                let serve: Serve = home.serve(&["--port", "0"]);
                return killed(&home, limit, || serve.signal("KILL"));
            }
            Self::Serve(after) => {
                let child = quiet(&home, &["serve", "--port", "0"]);
                // The moment of the kill is arbitrary; there is nothing to be waited for.
                std::thread::sleep(*after);
                child
            }
            Self::Scenarios(processes) => {
                let child = quiet(&home, &["e2e", "payment/", "--client", "rust"]);
                eventually("scenarios run", Duration::from_secs(60), || {
                    processes_with(place).len() >= *processes
                });
                child
            }
        };
        let took = killed(&home, limit, || child.kill().unwrap());
        child.wait().unwrap();
        took
    }
}

fn quiet(home: &Home, args: &[&str]) -> std::process::Child {
    home.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn killed(home: &Home, limit: Duration, kill: impl FnOnce()) -> Duration {
    let began = Instant::now();
    kill();
    let left = || {
        let ours = |name: &str| name == "run" || name.starts_with("ready-");
        let entries = home.path().read_dir().unwrap().filter_map(Result::ok);
        let mut left: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !ours(name))
            .collect();
        left.extend(processes_with(home.path().to_str().unwrap()).iter().map(u32::to_string));
        left
    };
    while !left().is_empty() && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(2));
    }
    let left = left();
    assert!(left.is_empty(), "{limit:?} after the kill: {left:?}");
    began.elapsed()
}

/// So many kills, at moments that differ; nothing is left of each within the limit.
fn kills(number: usize, limit: Duration) {
    let mut longest = Duration::ZERO;
    for n in 0..number {
        let victim = match n % 4 {
            0 => Victim::Ready,
            1 => Victim::Scenarios(3 + n % 8),
            // From before there is a broker to after everything serves.
            _ => Victim::Serve(Duration::from_micros((n as u64 * 7919) % 150_000)),
        };
        longest = longest.max(victim.fall(limit));
    }
    println!(
        "{number} of {number} kills left no process and no folder; the slowest took {longest:?}"
    );
}

#[test]
fn sigkill_at_any_moment_leaves_no_process_and_no_folder() {
    kills(8, Duration::from_secs(60));
}

#[test]
#[ignore = "the long form, run by `cargo xtask soak`"]
fn sigkill_fifty_times_leaves_no_process_and_no_folder() {
    // What is promised, where little else runs.
    kills(50, Duration::from_secs(1));
}
