//! Another `serve` at the server that lost its streams, of which no file tells.

use std::path::Path;
use std::process::Command;

use async_nats::jetstream::Context;
use futures_util::StreamExt as _;

use crate::changed_streams::said_once;
use crate::lost_systems::{refused, serve};
use crate::support::bare_server::BareServer;
use crate::support::payments::Payments;
use crate::support::program::Home;
use crate::support::steady_port;
use crate::unheard::client_of;

const ANSWERS: &str = "serve: a `serve` answers here for payments";
const EARLIER: &str = "an earlier system at ";
const UNKNOWN: &str =
    "streams that do not exist are made anew, though another `serve` may use this system: ";

async fn delete_streams(jetstream: &Context) {
    let mut names = jetstream.stream_names();
    while let Some(name) = names.next().await {
        jetstream.delete_stream(name.unwrap()).await.unwrap();
    }
}

async fn charged(payments: &Payments, id: &str) {
    payments.submit(id).await;
    payments.outcome(id).await;
    payments.all_settled(1).await;
}

/// However it comes that the file of the one is not seen by the other.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_serve_that_answers_and_is_in_no_file_nothing_is_made_anew() {
    let payments = Payments::new("").await;
    let (url, home, stranger) = (payments.broker.url().to_owned(), &payments.home, Home::new());
    let args = ["--server", &url, "--journal-dir", "books"];
    let run = home.path().join("run/mono-demo");
    let file = |pid: u32| run.join(format!("serve-{pid}.json"));
    let mode = |path: &Path, mode: &str| {
        assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
    };
    type Hide<'a> = Box<dyn Fn(u32) + 'a>;
    let renamed = home.path().join("renamed");
    let ways: [(&str, &[&str], &Home, Hide); 6] = [
        ("unlisted", &["--unlisted"], home, Box::new(|_| {})),
        ("another home, as that of another user", &[], &stranger, Box::new(|_| {})),
        ("a renamed folder", &[], home, Box::new(|_| std::fs::rename(&run, &renamed).unwrap())),
        ("a removed file", &[], home, Box::new(|pid| std::fs::remove_file(file(pid)).unwrap())),
        ("half a file", &[], home, Box::new(|pid| std::fs::write(file(pid), "{").unwrap())),
        ("a file that others may write", &[], home, Box::new(|pid| mode(&file(pid), "666"))),
    ];
    for (what, more, other, hide) in ways {
        println!("{what}");
        let living = serve(home, &[&args[..], more].concat());
        hide(living.pid());
        for some in [&["payment-ledger"][..], &["payment-requests", "payment-intents"]] {
            for name in some {
                payments.jetstream.delete_stream(name).await.unwrap();
            }
            let said = refused(other, &["--server", &url]).failed(3, ANSWERS);
            let named: Vec<String> = some.iter().map(|name| format!("`{name}`")).collect();
            assert!(named.iter().all(|name| said.stderr.contains(name)), "{}", said.stderr);
            assert!(said.stderr.contains("--recreate --journal-dir DIR"), "{}", said.stderr);
            refused(other, &["--server", &url, "--unlisted"]).failed(3, ANSWERS);
        }
        delete_streams(&payments.jetstream).await;
        refused(other, &["--server", &url, "--journal-dir", "new"]).failed(3, ANSWERS);
        // As the hint says, with its journals.
        if other.path() == home.path() {
            let again = serve(other, &[&args[..], &["--recreate"]].concat());
            charged(&payments, "paid").await;
            drop(again);
        }
        drop(living);
        delete_streams(&payments.jetstream).await;
    }
    let books = std::fs::read_to_string(home.path().join("books/gateway.jsonl")).unwrap();
    assert_eq!(books.lines().count(), 1, "{books}");
    payments.broker.stop().await.unwrap();
}

/// It is subscribed, and does not answer.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_paused_serve_that_is_in_no_file_nothing_is_made_anew() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let living = serve(&payments.home, &["--server", &url, "--unlisted"]);
    delete_streams(&payments.jetstream).await;
    living.signal("STOP");
    let silent = "somebody listens here for payments, and does not answer";
    refused(&Home::new(), &["--server", &url]).failed(3, silent);
    living.signal("CONT");
    drop(living);
    // Nobody is left.
    said_once(serve(&Home::new(), &["--server", &url]), &[]);
    payments.broker.stop().await.unwrap();
}

/// Where somebody listens to all subjects, a server says of no question that nobody has it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_to_everything_keeps_no_first_serve_from_starting() {
    for (all, one) in [(">", "x"), ("$SRV.>", "$SRV.x"), ("$SRV.INFO.*", "$SRV.INFO.x")] {
        println!("{all}");
        let payments = Payments::new("").await;
        let url = payments.broker.url().to_owned();
        let client = async_nats::connect(&url).await.unwrap();
        let mut tap = client.subscribe(all).await.unwrap();
        client.publish(one, "".into()).await.unwrap();
        assert_eq!(tap.next().await.unwrap().subject.as_str(), one);
        let told = format!("{UNKNOWN}somebody listens here to what any service is asked");
        said_once(serve(&payments.home, &["--server", &url]), &[&told]);
        // Nothing is made anew.
        let living = serve(&payments.home, &["--server", &url, "--unlisted"]);
        assert!(!living.stderr().contains(UNKNOWN), "{}", living.stderr());
        // One that answers is heard all the same.
        payments.jetstream.delete_stream("payment-ledger").await.unwrap();
        refused(&Home::new(), &["--server", &url]).failed(3, ANSWERS);
        drop(living);
        payments.broker.stop().await.unwrap();
    }
}

/// Streams are made anew all the same: nothing says that they are used.
#[tokio::test(flavor = "multi_thread")]
async fn that_it_may_not_be_asked_who_serves_payments_is_told() {
    let home = Home::new();
    let store = home.path().join("js");
    let config = format!(
        "jetstream {{ store_dir: {store:?} }}\nauthorization {{ users: [ {{ user: a, password: p }}, \
         {{ user: b, password: p, permissions: {{ publish: {{ deny: \"$SRV.INFO.payment\" }} }} }} ] }}"
    );
    let server = BareServer::start(home.path(), "server", &config).await;
    let at = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let told = format!("warning: {UNKNOWN}it may not be asked: ");
    let living = serve(&home, &["--server", &at("b"), "--unlisted"]);
    let said = living.stderr();
    assert_eq!(said.matches(&told).count(), 1, "{said}");
    assert!(said.contains("Permissions Violation for Publish to \"$SRV.INFO.payment\""), "{said}");
    // Where nothing is missing, nobody need be asked.
    let beside = serve(&home, &["--server", &at("b"), "--unlisted"]);
    assert!(!beside.stderr().contains(UNKNOWN), "{}", beside.stderr());
    drop(beside);
    delete_streams(&async_nats::jetstream::new(client_of(&server.nats, "a").await)).await;
    refused(&Home::new(), &["--server", &at("a")]).failed(3, ANSWERS);
    said_once(serve(&Home::new(), &["--server", &at("b")]), &[&told]);
}

/// What cannot be read or written is named, whichever of the files it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_of_journals_that_cannot_be_read_is_named() {
    let payments = Payments::new("").await;
    for file in ["servers.txt", "systems.txt"] {
        let folder = payments.home.path().join(format!("books-{file}"));
        std::fs::create_dir_all(folder.join(file)).unwrap();
        let name = folder.display().to_string();
        let args = ["--server", payments.broker.url(), "--journal-dir", &name];
        let named = format!("{name}/{file}: ");
        refused(&payments.home, &args).failed(3, &named);
    }
    payments.broker.stop().await.unwrap();
}

/// A service of somebody else that has the name of ours, and streams of its own or none.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_service_for_payments_is_no_witness() {
    let payments = Payments::new("").await;
    let client = async_nats::connect(payments.broker.url()).await.unwrap();
    let mut asked = client.subscribe("$SRV.INFO.payment").await.unwrap();
    let answering = tokio::spawn(async move {
        while let Some(asked) = asked.next().await {
            let info = r#"{"type":"io.nats.micro.v1.info_response","name":"payment","id":"x","version":"1.0.0","description":"Pays","metadata":{},"endpoints":[]}"#;
            client.publish(asked.reply.unwrap(), info.into()).await.unwrap();
        }
    });
    said_once(serve(&payments.home, &["--server", payments.broker.url()]), &[]);
    answering.abort();
    payments.broker.stop().await.unwrap();
}

fn leaf_of(port: u16, domain: &str, store: &Path) -> String {
    format!(
        "jetstream {{ store_dir: {store:?}, domain: {domain} }}\n\
         leafnodes {{ remotes: [ {{ url: \"nats://127.0.0.1:{port}\" }} ] }}\n"
    )
}

fn hub(port: u16, store: &Path) -> String {
    format!(
        "jetstream {{ store_dir: {store:?}, domain: hub }}\nleafnodes {{ listen: \"127.0.0.1:{port}\" }}\n"
    )
}

/// By the name of its domain it uses the streams of another server than the one that it joined.
#[tokio::test(flavor = "multi_thread")]
async fn by_a_domain_behind_a_leaf_node_nothing_is_made_anew() {
    let home = Home::new();
    let port = steady_port();
    let at = |name: &str| home.path().join(name).join("js");
    let hub = BareServer::start(home.path(), "hub", &hub(port, &at("hub"))).await;
    let leaf = BareServer::start(home.path(), "leaf", &leaf_of(port, "leaf", &at("leaf"))).await;
    let jetstream = async_nats::jetstream::new(async_nats::connect(&hub.nats).await.unwrap());
    let context = format!(r#"{{"url": "{}", "jetstream_domain": "hub"}}"#, leaf.nats);
    std::fs::write(home.path().join("hub.json"), context).unwrap();
    let living = serve(&home, &["--context", "hub.json"]);
    jetstream.delete_stream("payment-ledger").await.unwrap();
    let knows = format!("your `serve` with pid {} serves this system", living.pid());
    refused(&home, &["--server", &hub.nats]).failed(3, &knows);
    drop(living);
    // And the other way round.
    delete_streams(&jetstream).await;
    let living = serve(&home, &["--server", &hub.nats]);
    jetstream.delete_stream("payment-ledger").await.unwrap();
    let said = refused(&home, &["--context", "hub.json"]);
    said.failed(3, "serves this system, and `payment-ledger` does not exist any more");
    // At the leaf node's own streams it is none.
    said_once(serve(&home, &["--server", &leaf.nats, "--journal-dir", "leaf-books"]), &[]);
    said_once(serve(&Home::new(), &["--server", &leaf.nats]), &[]);
    drop(living);
}

/// Where the streams of a system are gone, so are those of one whose journals were named.
#[tokio::test(flavor = "multi_thread")]
async fn charges_in_a_folder_that_was_named_are_told_at_later_starts() {
    let payments = Payments::new("").await;
    let url = payments.broker.url().to_owned();
    let home = &payments.home;
    let named = ["--server", &url, "--journal-dir", "books"];
    let first = serve(home, &named);
    charged(&payments, "paid").await;
    said_once(first, &[]);
    // Its streams are there: other journals lose nothing.
    let other = serve(home, &["--server", &url]);
    assert!(!other.stderr().contains(EARLIER), "{}", other.stderr());
    said_once(other, &[]);
    delete_streams(&payments.jetstream).await;
    let books = home.path().join("books").canonicalize().unwrap();
    let told = format!("{EARLIER}{url} has 1 charge in its journals");
    let goes_on = format!("--journal-dir {}` goes on", books.display());
    for _ in 0..2 {
        said_once(serve(home, &["--server", &url]), &[&told, &goes_on]);
    }
    let again = serve(home, &named);
    assert!(!again.stderr().contains(EARLIER), "{}", again.stderr());
    charged(&payments, "paid").await;
    said_once(again, &[]);
    let text = std::fs::read_to_string(books.join("gateway.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    // What is not to be found is not noted.
    said_once(serve(home, &["--server", &url, "--journal-dir", "hidden", "--unlisted"]), &[]);
    assert!(!home.path().join("hidden/servers.txt").exists());
    payments.broker.stop().await.unwrap();
}

/// However many others live.
#[tokio::test(flavor = "multi_thread")]
async fn that_others_may_not_be_asked_is_told_once() {
    let home = Home::new();
    let store = home.path().join("js");
    let config = format!(
        "jetstream {{ store_dir: {store:?} }}\nauthorization {{ users: [ {{ user: a, password: p }}, \
         {{ user: b, password: p, permissions: {{ publish: {{ deny: \"services.serve.*\" }} }} }} ] }}"
    );
    let server = BareServer::start(home.path(), "server", &config).await;
    let at = |user: &str| server.nats.replace("nats://", &format!("nats://{user}:p@"));
    let living = [(); 3].map(|()| serve(&home, &["--server", &at("a")]));
    let told =
        "warning: your other `serve` processes may not be asked whether they serve this system: ";
    said_once(serve(&home, &["--server", &at("b")]), &[told, "Permissions Violation"]);
    drop(living);
}

/// Whoever looks for it is told that some are not seen.
#[test]
fn commands_say_that_one_which_is_unlisted_is_not_seen() {
    let home = Home::new();
    let unlisted = home.serve(&["--port", "0", "--unlisted", "--store-dir", "store"]);
    for command in ["stop", "audit"] {
        let said = home.run(&[command]).failed(8, "`serve`");
        assert!(said.stderr.contains("--unlisted"), "{}", said.stderr);
    }
    let said = home.run(&["pay", "p-1", "1"]);
    assert!(
        said.stderr.contains("this uses a temporary broker: nothing is kept"),
        "{}",
        said.stderr
    );
    let url = unlisted.url();
    home.run(&["-s", &url, "pay", "p-2", "1"]).ok();
    let said = home.run(&["-s", &url, "audit"]);
    assert!(
        said.stderr.contains("without the gateway's journal (--journal-dir DIR)"),
        "{}",
        said.stderr
    );
    home.run(&["audit", "--store-dir", "store"]).failed(3, &format!("a broker on {url}"));
    drop(unlisted);
}
