//! A store without space: submissions are refused with the cause, and nothing accepted is lost.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support;
use crate::support::expected::left_out;
use crate::support::program::{Home, Serve};
use crate::support::{eventually, nats_server, reaper};
use mono_demo::broker::{Broker, Settings, Store};
use serde_json::Value;

const SUBJECT: &str = "services.payment.payment-process";

/// What came of submissions.
#[derive(Debug, Default)]
struct Submitted {
    acknowledged: Vec<String>,
    refused: Vec<(String, String)>,
}

/// Submits payments with a large text until so many in a row are refused, or unknown.
async fn fill(jetstream: &async_nats::jetstream::Context, prefix: &str, limit: usize) -> Submitted {
    let mut submitted = Submitted::default();
    let note = "x".repeat(20_000);
    let mut in_a_row = 0;
    for n in 0..limit {
        let id = format!("{prefix}-{n}");
        let body = format!(r#"{{"payment_id":"{id}","amount":"1.00","note":"{note}"}}"#);
        let published = async { jetstream.publish(SUBJECT, body.into()).await?.await };
        match published.await {
            Ok(_) => {
                in_a_row = 0;
                submitted.acknowledged.push(id);
            }
            Err(error) => {
                in_a_row += 1;
                submitted.refused.push((id, error.to_string()));
            }
        }
        if in_a_row == 5 {
            return submitted;
        }
    }
    panic!("the store took all {limit}");
}

async fn jetstream(url: &str) -> async_nats::jetstream::Context {
    let limit = Duration::from_secs(2);
    let client = async_nats::connect(url.split(',').collect::<Vec<_>>()).await.unwrap();
    async_nats::jetstream::context::ContextBuilder::new()
        .timeout(limit)
        .ack_timeout(limit)
        .build(client)
}

fn completed(home: &Home, url: &str, id: &str) -> bool {
    home.run(&["-s", url, "call", "payment", "status", id]).stdout.starts_with("completed")
}

/// A payment that does not hang in a store that was full: submitted, charged, audited.
fn audit(home: &Home, url: &str, books: &str) -> Value {
    let said = home.run(&["-s", url, "audit", "--journal-dir", books, "--json"]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", said.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_at_its_limit_refuses_and_names_the_cause_and_loses_nothing() {
    let home = Home::new();
    let store = home.path().join("store");
    let start = async |limit: &str| {
        let mut settings = Settings::new(nats_server().await, reaper());
        settings.store = Store::Folder(store.clone());
        settings.extra_config = format!(
            "jetstream {{ max_file_store: {limit}, store_dir: \"{}\", sync_interval: always }}\n",
            store.display()
        );
        Broker::start(settings).await.unwrap()
    };
    let broker = start("300KB").await;
    let url = broker.url().to_owned();
    std::fs::write(
        home.path().join("hang.toml"),
        "[payment]\ngateway = [{ outcome = \"hang\" }]\n",
    )
    .unwrap();
    let serve = |settings: &[&str]| {
        let args =
            [&["--server", &url, "--journal-dir", "books", "--drain-timeout", "200ms"], settings]
                .concat();
        tokio::task::block_in_place(|| home.serve(&args))
    };
    // Nothing is settled, so that the space is not given back.
    let services = serve(&["--settings", "hang.toml"]);
    let submitted = fill(&jetstream(&url).await, "limit", 100).await;
    assert!(submitted.acknowledged.len() >= 3, "{submitted:?}");
    for (_, error) in &submitted.refused {
        assert!(error.contains("insufficient resources"), "{error}");
    }
    let said = home.run(&["-s", &url, "pay", "one-more", "1"]);
    // The shell's words for the same; a small payment may still find room.
    if !said.stderr.is_empty() {
        said.failed(7, "insufficient resources");
    }
    services.signal("TERM");
    services.ended();
    broker.stop().await.unwrap();

    // With room again, what was acknowledged is there, and nothing of what was refused.
    let broker = start("100MB").await;
    let url = broker.url().to_owned();
    let args = ["--server", &url, "--journal-dir", "books"];
    let services = tokio::task::block_in_place(|| home.serve(&args));
    for id in &submitted.acknowledged {
        eventually(&format!("{id} is completed"), Duration::from_secs(10), || {
            completed(&home, &url, id)
        });
    }
    for (id, _) in &submitted.refused {
        assert!(!completed(&home, &url, id), "{id} was refused, and charged");
    }
    let audit = audit(&home, &url, "books");
    assert_eq!(audit["ok"], true, "{audit}");
    services.signal("TERM");
    services.ended();
    broker.stop().await.unwrap();
}

/// A file system of a few megabytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount one.
    fn mounted(at: &Path, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| SmallDisk(at.to_owned()))
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_accepts_nothing_that_it_then_loses() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mounted(&home.path().join("disk"), "2m") else {
        return left_out("root", "a small tmpfs cannot be mounted");
    };
    std::fs::write(
        home.path().join("hang.toml"),
        "[payment]\ngateway = [{ outcome = \"hang\" }]\n",
    )
    .unwrap();
    let args = [
        "--port",
        "0",
        "--store-dir",
        "disk/store",
        "--journal-dir",
        "books",
        "--drain-timeout",
        "200ms",
    ];
    let serve = |more: &[&str]| {
        let args = [&args[..], more].concat();
        tokio::task::block_in_place(|| home.serve(&args))
    };
    let serving = serve(&["--settings", "hang.toml"]);
    let submitted = fill(&jetstream(&serving.url()).await, "full", 400).await;
    println!("{} acknowledged, then {:?}", submitted.acknowledged.len(), submitted.refused[0].1);
    assert!(submitted.acknowledged.len() >= 3, "{submitted:?}");
    serving.signal("KILL");
    serving.ended();

    disk.grow();
    let serving = serve(&[]);
    let url = serving.url();
    for id in &submitted.acknowledged {
        eventually(&format!("{id} is completed"), Duration::from_secs(20), || {
            completed(&home, &url, id)
        });
    }
    let audit = audit(&home, &url, "books");
    assert_eq!(audit["ok"], true, "{audit}");
    // One that was refused or unknown can be submitted again.
    let (id, _) = &submitted.refused[0];
    let jetstream = jetstream(&url).await;
    let body = format!(r#"{{"payment_id":"{id}","amount":"1.00"}}"#);
    jetstream.publish(SUBJECT, body.into()).await.unwrap().await.unwrap();
    serving.signal("TERM");
    let (code, _, stderr) = serving.ended();
    assert_eq!(code, Some(0), "{stderr}");
}

/// Payments that are accepted and in hand for as long as the gateway's journal is locked.
fn accepted_and_in_hand(home: &Home, ids: std::ops::Range<usize>) -> (Vec<String>, std::fs::File) {
    let held = std::fs::File::open(home.path().join("books/gateway.jsonl")).unwrap();
    held.lock().unwrap();
    let ids: Vec<String> = ids.map(|n| format!("waits-{n}")).collect();
    for id in &ids {
        home.run(&["pay", id, "1", "--no-wait"]).ok();
    }
    (ids, held)
}

/// Everything accepted is completed, and a new payment too.
fn all_is_well(home: &Home, url: &str, accepted: &[String]) {
    for id in accepted {
        eventually(&format!("{id} is completed"), Duration::from_secs(30), || {
            completed(home, url, id)
        });
    }
    home.run(&["pay", "afterwards", "1"]).ok();
    let audit = audit(home, url, "books");
    assert_eq!(audit["ok"], true, "{audit}");
}

/// Everything is well, and `serve` ends as it should.
fn ends_well(home: &Home, serving: Serve, accepted: &[String]) {
    all_is_well(home, &serving.url(), accepted);
    serving.signal("TERM");
    let (code, _, stderr) = serving.ended();
    assert_eq!(code, Some(0), "{stderr}");
}

/// A disk that is filled under `serve`, and then has space again.
async fn filled_and_freed(size: &str, more: &[&str]) {
    let home = Home::new();
    let Some(_disk) = SmallDisk::mounted(&home.path().join("disk"), size) else {
        return left_out("root", "a small tmpfs cannot be mounted");
    };
    let args = ["--port", "0", "--store-dir", "disk/store", "--journal-dir", "books"];
    let serving = tokio::task::block_in_place(|| home.serve(&[&args, more].concat()));
    let url = serving.url();
    let (mut accepted, held) = accepted_and_in_hand(&home, 0..5);
    let filler = home.path().join("disk/filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    std::io::copy(&mut std::io::repeat(1), &mut file).expect_err("a full disk");
    let submitted = fill(&jetstream(&url).await, "full", 100).await;
    accepted.extend(submitted.acknowledged);
    serving.says(Duration::from_secs(10), "refuses to store messages: [ERR]");
    serving.says(Duration::from_secs(10), "hint: make space in ");
    assert!(!serving.stderr().contains("starting nats-server"), "{}", serving.stderr());
    held.unlock().unwrap();

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    serving.says(Duration::from_secs(10), "there is space in");
    serving.says(Duration::from_secs(20), "nats-server serves again");
    ends_well(&home, serving, &accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_tells_a_full_disk_and_heals_its_broker_when_there_is_space() {
    filled_and_freed("24m", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_heals_every_node_of_a_cluster_whose_disk_was_full() {
    filled_and_freed("64m", &["--cluster", "3"]).await;
}

/// A nats-server whose limit for all streams is what a file says when it starts.
async fn limited_server(home: &Home, limit: &str) -> (PathBuf, PathBuf) {
    let file = home.path().join("limit");
    std::fs::write(&file, limit).unwrap();
    let (real, limit) = (nats_server().await.path, file.display());
    let script = format!(
        r#"[ "$1" = -c ] || exec {real} "$@"
sed "s/store_dir:/max_file_store: $(cat {limit})\n  store_dir:/" "$2" > "$2.limited"
exec {real} -c "$2.limited""#,
        real = real.display()
    );
    (support::fake_nats_server(&home.path().join("bin"), &script), file)
}

/// Takes space from the disk that the store is on, and no time.
fn take_space(at: &Path) {
    let status = Command::new("fallocate").args(["-l", "256M"]).arg(at).status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_tells_that_the_limit_is_reached_and_heals_its_broker_when_there_is_space() {
    let home = Home::new();
    let (server, limit) = limited_server(&home, "200KB").await;
    let filler = home.path().join("filler");
    take_space(&filler);
    let args = [
        "--port=0",
        "--store-dir=store",
        "--journal-dir=books",
        "--nats-server",
        server.to_str().unwrap(),
    ];
    let serving = tokio::task::block_in_place(|| home.serve(&args));
    let url = serving.url();
    let (mut accepted, held) = accepted_and_in_hand(&home, 0..3);
    let submitted = fill(&jetstream(&url).await, "limit", 100).await;
    accepted.extend(submitted.acknowledged);
    serving.says(Duration::from_secs(10), "file resource limits exceeded for server");
    held.unlock().unwrap();
    std::fs::write(limit, "100MB").unwrap();
    assert!(!serving.stderr().contains("starting nats-server"), "{}", serving.stderr());
    std::fs::remove_file(filler).unwrap();
    serving.says(Duration::from_secs(20), "nats-server serves again");
    ends_well(&home, serving, &accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_ours_is_told_and_who_must_start_it_again() {
    let home = Home::new();
    let (server, limit) = limited_server(&home, "200KB").await;
    let mut settings = Settings::new(nats_server().await, reaper());
    settings.server.path = server;
    settings.store = Store::Folder(home.path().join("store"));
    let mut broker = Broker::start(settings).await.unwrap();
    let url = broker.url().to_owned();
    let args = ["--server", &url, "--journal-dir", "books"];
    let serving = tokio::task::block_in_place(|| home.serve(&args));
    let (mut accepted, held) = accepted_and_in_hand(&home, 0..3);
    let submitted = fill(&jetstream(&url).await, "limit", 100).await;
    accepted.extend(submitted.acknowledged);
    held.unlock().unwrap();
    serving.says(Duration::from_secs(20), "the broker stores no messages of payments");
    serving.says(Duration::from_secs(1), "insufficient resources");
    let who = format!("nats-server {} was not started here: whoever runs it", broker.name());
    serving.says(Duration::from_secs(1), &who);

    std::fs::write(limit, "100MB").unwrap();
    broker.restart().await.unwrap();
    serving.says(Duration::from_secs(30), "the broker stores messages of payments again");
    ends_well(&home, serving, &accepted);
    broker.stop().await.unwrap();
}
