//! Another `serve` at the server that lost its streams, which does not answer whether they were its own.

use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures_util::StreamExt as _;
use mono_demo::broker::Proxy;

use crate::changed_streams::said_once;
use crate::lost_systems::{refused, serve};
use crate::support::bare_server::BareServer;
use crate::support::payments::LIMIT;
use crate::support::program::Home;
use crate::support::steady_port;

const UNKNOWN: &str = "does not say whether it serves this system";

/// JetStream with a store, and these further lines.
fn with_store(store: &Path, more: &str) -> String {
    format!("jetstream {{ store_dir: {store:?} }}\n{more}\n")
}

pub async fn client_of(url: &str, user: &str) -> async_nats::Client {
    let options = async_nats::ConnectOptions::with_user_and_password(user.into(), "p".into());
    options.connect(url).await.unwrap()
}

async fn at(url: &str, user: &str) -> jetstream::Context {
    jetstream::new(client_of(url, user).await)
}

/// Waits until somebody, or nobody, answers there.
async fn until_answered(client: &async_nats::Client, answered: bool) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let body = r#"{"operation": "add", "operands": [1, 1]}"#;
        let asked = client.request("services.math.calculate", body.into());
        let nobody = match asked.await {
            Ok(_) => false,
            Err(error) => error.kind() == async_nats::RequestErrorKind::NoResponders,
        };
        if nobody != answered {
            return;
        }
        assert!(Instant::now() < deadline, "answered: {answered}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// It can't be asked, and charges all the same.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_serve_that_may_not_listen_nothing_is_made_anew() {
    let home = Home::new();
    let users = "authorization { users: [ { user: b, password: p }, { user: a, password: p, \
                 permissions: { subscribe: { deny: \"services.serve.*\" } } } ] }";
    let server =
        BareServer::start(home.path(), "server", &with_store(&home.path().join("js"), users)).await;
    let url = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let living = serve(&home, &["--server", &url("a")]);
    at(&server.nats, "b").await.delete_stream("payment-ledger").await.unwrap();
    let said = refused(&home, &["--server", &url("b")]).failed(3, UNKNOWN);
    // The remedy names the server: without one, `serve` starts a broker.
    let remedy = format!("mono-demo serve --server {} --recreate", server.nats);
    assert!(said.stderr.contains(&remedy), "{}", said.stderr);
    drop(living);
}

/// The server has given it up; when it goes on it connects again, and charges.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_paused_serve_whose_connection_was_dropped_nothing_is_made_anew() {
    let home = Home::new();
    let config = with_store(&home.path().join("js"), "ping_interval: \"1s\"\nping_max: 1");
    let server = BareServer::start(home.path(), "server", &config).await;
    let client = async_nats::connect(&server.nats).await.unwrap();
    let living = serve(&home, &["--server", &server.nats]);
    until_answered(&client, true).await;
    living.signal("STOP");
    until_answered(&client, false).await;
    jetstream::new(client).delete_stream("payment-ledger").await.unwrap();
    refused(&home, &["--server", &server.nats]).failed(3, UNKNOWN);
    living.signal("CONT");
}

/// Before and after it has connected again, and by another way to the server.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_serve_whose_server_began_anew_nothing_is_made_anew() {
    let home = Home::new();
    let port = steady_port();
    let listen = format!("listen: \"127.0.0.1:{port}\"");
    let config = |store: &str| with_store(&home.path().join(store), &listen);
    let server = BareServer::start(home.path(), "server", &config("js")).await;
    let url = server.nats.clone();
    let living = serve(&home, &["--server", &url]);
    living.signal("STOP");
    drop(server);
    let server = BareServer::start(home.path(), "again", &config("empty")).await;
    assert_eq!(server.nats, url);
    let proxy = Proxy::start(port, 7).await.unwrap();
    for way in [&url, &proxy.url()] {
        refused(&home, &["--server", way]).failed(3, UNKNOWN);
    }
    living.signal("CONT");
    until_answered(&async_nats::connect(&url).await.unwrap(), true).await;
    let knows = format!("your `serve` with pid {} serves this system", living.pid());
    for way in [&url, &proxy.url()] {
        refused(&home, &["--server", way]).failed(3, &knows);
    }
}

/// Each server tells clients an address of its own.
#[tokio::test(flavor = "multi_thread")]
async fn by_another_server_of_the_cluster_nothing_is_made_anew() {
    let home = Home::new();
    let ports = [steady_port(), steady_port()];
    let node = async |n: usize| {
        let (port, other, name) = (ports[n], ports[1 - n], format!("n{n}"));
        let more = format!(
            "server_name: {name}\nclient_advertise: \"10.99.0.{n}:4222\"\ncluster {{ name: kk, listen: \
             \"127.0.0.1:{port}\", routes: [ \"nats://127.0.0.1:{other}\" ] }}"
        );
        BareServer::start(
            home.path(),
            &name,
            &with_store(&home.path().join(&name).join("js"), &more),
        )
        .await
    };
    let nodes = [node(0).await, node(1).await];
    let jetstream = jetstream::new(async_nats::connect(&nodes[1].nats).await.unwrap());
    let deadline = Instant::now() + LIMIT;
    while let Err(error) = jetstream.query_account().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let living = serve(&home, &["--server", &nodes[0].nats]);
    jetstream.delete_stream("payment-ledger").await.unwrap();
    let knows = format!("your `serve` with pid {} serves this system", living.pid());
    refused(&home, &["--server", &nodes[1].nats]).failed(3, &knows);
}

/// It can be in another account: what is deleted is no more than possible, and the new folder comes first.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_account_is_not_known_a_deletion_is_a_possibility() {
    let home = Home::new();
    let accounts = "accounts { A { jetstream: enabled, users: [{ user: a, password: p }] }, \
                    B { jetstream: enabled, users: [{ user: b, password: p, permissions: { publish: \
                    { deny: \"services.serve.*\" } } }] } }";
    let config = with_store(&home.path().join("js"), accounts);
    let server = BareServer::start(home.path(), "server", &config).await;
    let url = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let living = serve(&home, &["--server", &url("a")]);
    let said = refused(&home, &["--server", &url("b")]).failed(3, UNKNOWN);
    let (hint, stderr) = (said.stderr.find("name a new folder"), &said.stderr);
    assert!(hint < stderr.find("goes on with what its gateway has charged"), "{stderr}");
    assert!(hint.is_some() && stderr.contains("may have deleted"), "{stderr}");
    // What the hint says.
    let args = ["--server", &url("b"), "--recreate", "--journal-dir", "new"];
    said_once(serve(&home, &args), &[]);
    drop(living);
}

/// One that is at no server which answers may be at this one.
#[tokio::test(flavor = "multi_thread")]
async fn that_others_cannot_be_asked_for_want_of_a_connection_is_told() {
    let home = Home::new();
    let config = |name: &str, more: &str| with_store(&home.path().join(name), more);
    let away = BareServer::start(home.path(), "away", &config("a", "")).await;
    let living = serve(&home, &["--server", &away.nats]);
    drop(away);
    let server = BareServer::start(home.path(), "server", &config("b", "max_connections: 1")).await;
    let told = "warning: your other `serve` processes were not asked whether they serve this system, for that \
                needs a second connection: ";
    said_once(serve(&home, &["--server", &server.nats]), &[told]);
    drop(living);
}

/// Its one connection is needed to serve.
#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_second_connection_nobody_is_asked() {
    let home = Home::new();
    let elsewhere = serve(&home, &["--port", "0"]);
    let config = with_store(&home.path().join("js"), "max_connections: 1");
    let server = BareServer::start(home.path(), "server", &config).await;
    let told = "warning: streams that do not exist are made anew, though another `serve` may use this \
                system: it was not asked, for that needs a second connection: ";
    said_once(serve(&home, &["--server", &server.nats]), &[told]);
    said_once(elsewhere, &[]);
}

/// Of a question in another account the server says, but for such a listener, that nobody has it there.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_to_everything_makes_no_witness_of_a_serve_in_another_account() {
    let home = Home::new();
    let accounts = "accounts { A { jetstream: enabled, users: [{ user: a, password: p }] }, \
                    B { jetstream: enabled, users: [{ user: b, password: p }] } }";
    let config = with_store(&home.path().join("js"), accounts);
    let server = BareServer::start(home.path(), "server", &config).await;
    let url = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let client = client_of(&server.nats, "b").await;
    let mut tap = client.subscribe(">").await.unwrap();
    client.publish("x", "".into()).await.unwrap();
    assert_eq!(tap.next().await.unwrap().subject.as_str(), "x");
    let living = serve(&home, &["--server", &url("a")]);
    // It answers in its own account.
    let told = "somebody listens here to what any service is asked";
    said_once(serve(&home, &["--server", &url("b")]), &[told]);
    // It does not, so that it may be in this one.
    let streams = at(&server.nats, "b").await;
    streams.delete_stream("payment-ledger").await.unwrap();
    living.signal("STOP");
    refused(&home, &["--server", &url("b")]).failed(3, UNKNOWN);
    living.signal("CONT");
}
