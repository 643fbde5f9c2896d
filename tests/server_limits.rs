//! A server, or an account, that has no more to give: told as a limit, with the one to raise, and not as
//! a server that is away or a login without rights.

use crate::support::bare_server::BareServer;
use crate::support::program::{Home, Said};

/// One account with JetStream and these limits.
fn limited(home: &Home, limits: &str) -> String {
    let store = home.path().join("js");
    format!(
        "jetstream {{ store_dir: {store:?} }}\n\
         accounts {{ A {{ jetstream: {{ {limits} }}, users: [{{ user: a, password: p }}] }} }}\n\
         no_auth_user: a"
    )
}

/// What `serve` says there; it must not start.
fn not_served(home: &Home, server: &BareServer) -> Said {
    let args = ["--server", &server.nats, "--journal-dir", "books"];
    let served = tokio::task::block_in_place(|| home.try_serve(&args));
    *served.err().unwrap_or_else(|| panic!("it starts"))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_jetstream_are_told_with_what_to_do() {
    for (limits, code, what) in [
        ("max_streams: 2", "10027", "`nats account info`"),
        ("max_file: 0", "10047", "`nats account info`"),
        ("max_bytes_required: true", "10113", "`max_bytes_required`"),
        ("max_ack_pending: 100", "10121", "`max_ack_pending`"),
    ] {
        let home = Home::new();
        let server = BareServer::start(home.path(), "limited", &limited(&home, limits)).await;
        let said = not_served(&home, &server);
        let said = said.failed(3, code);
        for words in ["hint: ", what] {
            assert!(said.stderr.contains(words), "{limits}: {}", said.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_account_is_told_where_a_payment_is_submitted() {
    let home = Home::new();
    let server = BareServer::start(home.path(), "full", &limited(&home, "max_file: 2MB")).await;
    let args = ["--server", &server.nats, "--journal-dir", "books"];
    let _serve = tokio::task::block_in_place(|| home.serve(&args));
    let client = async_nats::connect(&server.nats).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let junk = async_nats::jetstream::stream::Config {
        name: "JUNK".to_owned(),
        subjects: vec!["junk".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(junk).await.unwrap();
    // By ever smaller pieces, until there is no room for a payment either.
    for bytes in [64 << 10, 4 << 10, 64] {
        while jetstream.publish("junk", vec![0; bytes].into()).await.unwrap().await.is_ok() {}
    }
    let pay = ["-s", &server.nats, "pay", "p-1", "9.99"];
    let said = tokio::task::block_in_place(|| home.run(&pay));
    let said = said.failed(7, "resource limits exceeded");
    assert!(said.stderr.contains("`nats account info`"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_and_subscriptions_are_limits() {
    let home = Home::new();
    let server = BareServer::start(home.path(), "connections", "max_connections: 1").await;
    let _one = async_nats::connect(&server.nats).await.unwrap();
    let call = ["-s", &server.nats, "call", "math", "add", "1", "2"];
    let said = tokio::task::block_in_place(|| home.run(&call));
    let said = said.failed(8, "the server takes no more connections");
    assert!(said.stderr.contains("`max_connections`"), "{}", said.stderr);

    let store = home.path().join("js");
    let config = format!("max_subscriptions: 3\njetstream {{ store_dir: {store:?} }}");
    let server = BareServer::start(home.path(), "subscriptions", &config).await;
    let said = not_served(&home, &server);
    let said = said.failed(8, "maximum subscriptions exceeded");
    assert!(said.stderr.contains("raise `max_subscriptions`"), "{}", said.stderr);
}
