//! Systems whose streams somebody deleted: what another `serve`, or the journals that are left, know of them.

use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::changed_streams::{TOLD, said_once};
use crate::support::bare_server::BareServer;
use crate::support::eventually;
use crate::support::payments::{LIMIT, Payments};
use crate::support::program::{Home, Said, Serve};

const EARLIER: &str = "an earlier system at ";

pub fn serve(home: &Home, args: &[&str]) -> Serve {
    tokio::task::block_in_place(|| home.serve(args))
}

#[track_caller]
pub fn refused(home: &Home, args: &[&str]) -> Said {
    match tokio::task::block_in_place(|| home.try_serve(args)) {
        Err(said) => *said,
        Ok(serve) => panic!("it serves: {}", serve.stderr()),
    }
}

async fn delete_streams(payments: &Payments) {
    let mut names = payments.jetstream.stream_names();
    while let Some(name) = names.next().await {
        payments.jetstream.delete_stream(name.unwrap()).await.unwrap();
    }
}

async fn streams(payments: &Payments) -> usize {
    payments.jetstream.stream_names().count().await
}

/// The folders of systems in a home.
fn systems(home: &Home) -> Vec<PathBuf> {
    let all = home.path().join(".local/state/mono-demo/journals");
    all.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn charges(folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("gateway.jsonl")).unwrap_or_default();
    text.lines().count()
}

/// The same server, spelled otherwise.
fn respelled(url: &str) -> String {
    url.replace("nats://127.0.0.1", "LocalHost") + "/"
}

/// Nothing in NATS remembers such a system.
#[tokio::test(flavor = "multi_thread")]
async fn charges_of_systems_whose_streams_are_all_gone_are_told_at_each_start() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let home = &payments.home;
    let args = ["--server", &url, "--settings", "s.toml"];
    let first = serve(home, &args);
    payments.submit("paid").await;
    payments.outcome("paid").await;
    payments.all_settled(1).await;
    assert!(!first.stderr().contains(EARLIER), "{}", first.stderr());
    said_once(first, &[]);
    let paid = systems(home).pop().unwrap();
    delete_streams(&payments).await;
    let told = format!("warning: {EARLIER}{url} has 1 charge in its journals");
    for _ in 0..2 {
        let again = serve(home, &args);
        again.says(TOLD, &told);
        let goes_on =
            format!("`mono-demo serve --server {url} --journal-dir {}` goes on", paid.display());
        said_once(again, &[&told, &goes_on]);
    }
    // One that charges, and is lost in its turn.
    let second = serve(home, &args);
    payments.submit("other").await;
    payments.outcome("other").await;
    payments.all_settled(1).await;
    said_once(second, &[&told]);
    delete_streams(&payments).await;
    let other = respelled(&url);
    let third = serve(home, &["--server", &other]);
    let stderr = third.stderr();
    assert_eq!(stderr.matches("has 1 charge in its journals").count(), 2, "{stderr}");
    said_once(third, &[]);
    let serve = serve(home, &[&args[..], &["--journal-dir", paid.to_str().unwrap()]].concat());
    payments.submit("paid").await;
    assert_eq!(payments.outcome("paid").await["status"], "completed");
    assert_eq!(charges(&paid), 1);
    said_once(serve, &[]);
    // Nobody needs them any more.
    for folder in systems(home) {
        if charges(&folder) > 0 {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
    let quiet = tokio::task::block_in_place(|| home.serve(&args));
    assert!(!quiet.stderr().contains(EARLIER), "{}", quiet.stderr());
    said_once(quiet, &[]);
    payments.broker.stop().await.unwrap();
}

/// It has seen them, and its gateway has charged.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_serve_whose_streams_were_deleted_nothing_is_made_anew() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let home = &payments.home;
    let living = serve(home, &["--server", &url, "--settings", "s.toml"]);
    payments.submit("paid").await;
    payments.all_settled(1).await;
    let folder = systems(home).pop().unwrap();
    delete_streams(&payments).await;
    let knows = format!("your `serve` with pid {} serves this system", living.pid());
    for other in [url.clone(), respelled(&url)] {
        let remedy = format!(
            "`mono-demo serve --server {other} --recreate --journal-dir {}`",
            folder.display()
        );
        let said = refused(home, &["--server", &other]).failed(3, &knows);
        assert!(said.stderr.contains(&remedy), "{}", said.stderr);
        assert!(said.stderr.contains("`payment-ledger`"), "{}", said.stderr);
    }
    // Also by one that no command is to find; where it does not answer just now; whichever journals are named.
    refused(home, &["--server", &url, "--unlisted"]).failed(3, &knows);
    living.signal("STOP");
    refused(home, &["--server", &url, "--journal-dir", "books"]).failed(3, &knows);
    living.signal("CONT");
    assert_eq!((streams(&payments).await, systems(home).len()), (0, 1));
    let journals = folder.to_str().unwrap();
    let args = ["--server", &url, "--recreate", "--journal-dir", journals];
    let again = serve(home, &args);
    payments.submit("paid").await;
    assert_eq!(payments.outcome("paid").await["status"], "completed");
    assert_eq!(charges(&folder), 1);
    said_once(again, &[]);
    // A single stream is no other case, also where none has had a message.
    delete_streams(&payments).await;
    let again = serve(home, &args);
    payments.jetstream.delete_stream("payment-dead-letters").await.unwrap();
    let said = refused(home, &["--server", &url]);
    said.failed(3, "`payment-dead-letters` does not exist any more");
    drop((living, again));
    payments.broker.stop().await.unwrap();
}

/// The journals of the `serve` that runs the broker are used; its ledger would be made anew.
#[tokio::test(flavor = "multi_thread")]
async fn beside_the_serve_that_runs_the_broker_nothing_is_made_anew() {
    let home = Home::new();
    let runs = serve(&home, &["--port", "0"]);
    let url = runs.url();
    let jetstream = async_nats::jetstream::new(async_nats::connect(&url).await.unwrap());
    jetstream.delete_stream("payment-ledger").await.unwrap();
    let said = refused(&home, &["--server", &url]);
    said.failed(3, "and `payment-ledger` does not exist any more");
    said_once(runs, &[]);
}

/// Each account has streams of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_serve_in_another_account_is_no_witness() {
    let home = Home::new();
    let account = |name: &str, user: &str| {
        format!("{name} {{ jetstream: enabled, users: [{{ user: {user}, password: p }}] }}")
    };
    let store = home.path().join("js");
    let config = format!(
        "jetstream {{ store_dir: {store:?} }}\naccounts {{ {}, {} }}",
        account("A", "a"),
        account("B", "b")
    );
    let server = BareServer::start(home.path(), "server", &config).await;
    let at = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let one = serve(&home, &["--server", &at("a")]);
    let jetstream = {
        let user = async_nats::ConnectOptions::with_user_and_password("a".into(), "p".into());
        async_nats::jetstream::new(user.connect(&server.nats).await.unwrap())
    };
    let body = r#"{"payment_id": "paid", "amount": "1"}"#;
    jetstream
        .publish("services.payment.payment-process", body.into())
        .await
        .unwrap()
        .await
        .unwrap();
    let is_charged = || systems(&home).iter().any(|folder| charges(folder) == 1);
    tokio::task::block_in_place(|| eventually("it is charged", LIMIT, is_charged));
    // While it lives, its system has lost nothing.
    let other = serve(&home, &["--server", &at("b")]);
    assert!(!other.stderr().contains("warning: "), "{}", other.stderr());
    said_once(other, &[]);
    said_once(one, &[]);
    let other = serve(&home, &["--server", &at("b")]);
    said_once(other, &[EARLIER, "unless it is in another account"]);
}

/// Whoever may not ask is told so, and charges nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_serve_that_may_not_ask_makes_nothing_anew_at_the_server_of_another_one() {
    let home = Home::new();
    let store = home.path().join("js");
    let config = format!(
        "jetstream {{ store_dir: {store:?} }}\nauthorization {{ users: [ {{ user: a, password: p }}, \
         {{ user: b, password: p, permissions: {{ publish: {{ deny: \"services.serve.*\" }} }} }} ] }}"
    );
    let server = BareServer::start(home.path(), "server", &config).await;
    let at = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let living = serve(&home, &["--server", &at("a")]);
    // Nothing is missing.
    said_once(serve(&home, &["--server", &at("b")]), &[]);
    let user = async_nats::ConnectOptions::with_user_and_password("a".into(), "p".into());
    let jetstream = async_nats::jetstream::new(user.connect(&server.nats).await.unwrap());
    jetstream.delete_stream("payment-ledger").await.unwrap();
    let said = refused(&home, &["--server", &at("b")]);
    let said = said.failed(3, "does not say whether it serves this system");
    assert!(said.stderr.contains("`payment-ledger` does not exist:"), "{}", said.stderr);
    said_once(living, &[]);
}

/// What the gateway of one has charged, that of the other does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_serve_with_other_journals_is_told_beside_one_that_serves_the_system() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let living = payments.serve();
    let other = serve(&payments.home, &["--server", &respelled(&url)]);
    let books = payments.home.path().join("books");
    let told =
        format!("serves this system too, and has journals of its own, in {}", books.display());
    other.says(TOLD, &told);
    said_once(other, &[&told]);
    let same: Value = payments.serve().runtime();
    assert_eq!(same["journals"], books.to_str().unwrap());
    payments.end(living).await;
}

/// Nobody paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_of_an_earlier_system_is_no_charge() {
    let payments = Payments::new("[payment]\ngateway = [{ outcome = \"decline\" }]").await;
    let url = payments.broker.url().to_owned();
    let args = ["--server", &url, "--settings", "s.toml"];
    let first = serve(&payments.home, &args);
    payments.submit("declined").await;
    payments.outcome("declined").await;
    payments.all_settled(1).await;
    said_once(first, &[]);
    assert_eq!(charges(&systems(&payments.home).pop().unwrap()), 1);
    delete_streams(&payments).await;
    let again = serve(&payments.home, &args);
    assert!(!again.stderr().contains(EARLIER), "{}", again.stderr());
    said_once(again, &[]);
    payments.broker.stop().await.unwrap();
}

/// One folder is told once: what it has is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn the_journals_of_one_that_serves_this_system_are_of_no_earlier_one() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let first = serve(&payments.home, &["--server", &url]);
    payments.submit("paid").await;
    payments.all_settled(1).await;
    let folder = systems(&payments.home).pop().unwrap();
    said_once(first, &[]);
    delete_streams(&payments).await;
    let args = ["--server", &url, "--recreate", "--journal-dir", folder.to_str().unwrap()];
    let living = serve(&payments.home, &args);
    let other = serve(&payments.home, &["--server", &url]);
    assert!(!other.stderr().contains(EARLIER), "{}", other.stderr());
    said_once(other, &["serves this system too"]);
    drop(living);
    payments.broker.stop().await.unwrap();
}
