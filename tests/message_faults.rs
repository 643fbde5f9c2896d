//! Faults by message through the one handle, against the real nats-server and a real client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::certificates::{Authority, Certificate};
use crate::support::{nats_server, reaper};
use async_nats::jetstream::{self, consumer, stream};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use mono_demo::broker::{
    Broker, Fate, Fault, FaultError, Faults, Matching, MessageKind, MessageRule, Moment, Proxy,
    Servers, Settings, Side, Tls, Turn,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is not expected to come did not come within this.
const SHORT: Duration = Duration::from_millis(300);
/// What is expected to come comes within this.
const LIMIT: Duration = Duration::from_secs(60);

struct Fixture {
    broker: Broker,
    proxies: [Proxy; 1],
    /// What was hit.
    hits: Arc<Mutex<Vec<String>>>,
    /// Behind the proxy.
    client: Client,
    direct: Client,
}

impl Fixture {
    /// With a stream of `orders.>`.
    async fn new() -> Self {
        let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
        let proxies = [Proxy::start(broker.port(), 1).await.unwrap()];
        let client = async_nats::connect(proxies[0].url()).await.unwrap();
        let direct = async_nats::connect(broker.url()).await.unwrap();
        let config = stream::Config {
            name: "ORDERS".to_owned(),
            subjects: vec!["orders.>".to_owned()],
            ..stream::Config::default()
        };
        jetstream::new(direct.clone()).create_stream(config).await.unwrap();
        Self { broker, proxies, hits: Arc::default(), client, direct }
    }

    async fn inject(&mut self, fate: Fate, matching: Matching) -> Arc<MessageRule> {
        let hits = self.hits.clone();
        let mut faults = Faults::new(Servers::One(&mut self.broker), 1)
            .network(Side::Client, &self.proxies)
            .hearing(Arc::new(move |hit| hits.lock().unwrap().push(hit.to_string())));
        faults.inject(&Fault::of_messages(fate, matching)).await.expect("it breaks");
        faults.rules()[0].clone()
    }

    fn hits(&self) -> Vec<String> {
        self.hits.lock().unwrap().clone()
    }

    /// Publishes to the stream, and waits for the acknowledgement.
    async fn submit(&self, id: Option<&str>, patience: Duration) -> Option<bool> {
        let mut context = jetstream::new(self.client.clone());
        context.set_timeout(patience);
        let message = jetstream::message::PublishMessage::build().payload("{}".into());
        let message = match id {
            Some(id) => message.message_id(id),
            None => message,
        };
        let acknowledgement = context.send_publish("orders.new", message).await.ok()?;
        acknowledgement.await.ok().map(|acknowledged| acknowledged.duplicate)
    }

    async fn stored(&self) -> u64 {
        let context = jetstream::new(self.direct.clone());
        let mut stream = context.get_stream("ORDERS").await.unwrap();
        stream.info().await.unwrap().state.messages
    }

    /// The messages of the stream, for a worker behind the proxy that is asked again soon.
    async fn worker(&self) -> consumer::pull::Stream {
        let stream = jetstream::new(self.client.clone()).get_stream("ORDERS").await.unwrap();
        let config = consumer::pull::Config {
            durable_name: Some("worker".to_owned()),
            ack_wait: Duration::from_secs(1),
            ..consumer::pull::Config::default()
        };
        stream.create_consumer(config).await.unwrap().messages().await.unwrap()
    }

    async fn end(self) {
        let [proxy] = self.proxies;
        proxy.stop().await;
        self.broker.stop().await.unwrap();
    }
}

/// The next, with its body.
async fn next<S: StreamExt + Unpin>(messages: &mut S) -> S::Item {
    tokio::time::timeout(LIMIT, messages.next()).await.expect("a message in time").expect("one")
}

/// Returns when the server has read what was sent: an echo comes back behind it.
async fn heard(client: &Client) {
    let inbox = client.new_inbox();
    let mut echo = client.subscribe(inbox.clone()).await.unwrap();
    client.publish(inbox, "".into()).await.unwrap();
    next(&mut echo).await;
}

fn body(message: &async_nats::Message) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

#[tokio::test]
async fn a_publish_whose_acknowledgement_is_lost_is_stored() {
    let mut f = Fixture::new().await;
    let lost = || Matching::next(MessageKind::PubAck).on("orders.*");
    f.inject(Fate::Lose, lost()).await;
    assert_eq!(f.submit(None, SHORT).await, None);
    assert_eq!((f.stored().await, f.submit(None, LIMIT).await), (1, Some(false)));
    // With an id, what is sent again is known.
    f.inject(Fate::Lose, lost()).await;
    assert_eq!(f.submit(Some("o-1"), SHORT).await, None);
    assert_eq!(f.submit(Some("o-1"), LIMIT).await, Some(true));
    assert_eq!(f.stored().await, 3);
    assert_eq!(f.hits().len(), 2);
    assert_eq!(f.hits()[0], "lose pub-ack on orders.new: {\"stream\":\"ORDERS\",\"seq\":1}");
    f.end().await;
}

#[tokio::test]
async fn a_connection_ends_before_a_message_is_stored_or_after() {
    for (moment, stored) in [(Moment::Before, 0), (Moment::After, 1)] {
        let mut f = Fixture::new().await;
        f.inject(Fate::Disconnect(moment), Matching::next(MessageKind::Publish)).await;
        assert_eq!(f.submit(None, SHORT).await, None, "{moment:?}");
        // The connection is a new one: what comes after it is stored, so what came before is as well.
        while f.submit(None, SHORT).await.is_none() {}
        assert!(f.stored().await > stored, "{moment:?}");
        let first = jetstream::new(f.direct.clone()).get_stream("ORDERS").await.unwrap();
        assert_eq!(f.proxies[0].counts().cut, 1);
        assert_eq!(first.get_raw_message(1).await.unwrap().payload, "{}");
        assert_eq!(f.stored().await, stored + 1, "{moment:?}");
        f.end().await;
    }
}

#[tokio::test]
async fn a_message_whose_acknowledgement_is_lost_comes_again() {
    let mut f = Fixture::new().await;
    let mut messages = f.worker().await;
    f.inject(Fate::Lose, Matching::next(MessageKind::Ack).on("orders.new")).await;
    f.submit(None, LIMIT).await;
    for delivered in 1..=2 {
        let message = next(&mut messages).await.unwrap();
        assert_eq!(message.info().unwrap().delivered, delivered);
        message.ack().await.unwrap();
    }
    assert_eq!(f.hits(), ["lose ack on orders.new"]);
    let rule = f.inject(Fate::Lose, Matching::next(MessageKind::Nak)).await;
    f.submit(None, LIMIT).await;
    let message = next(&mut messages).await.unwrap();
    message.ack_with(jetstream::AckKind::Nak(None)).await.unwrap();
    let message = next(&mut messages).await.unwrap();
    assert_eq!((message.info().unwrap().delivered, rule.hits()), (2, 1));
    f.end().await;
}

#[tokio::test]
async fn deliveries_come_twice_late_and_in_another_order() {
    let mut f = Fixture::new().await;
    let mut messages = f.client.subscribe("jobs.*").await.unwrap();
    heard(&f.client).await;
    let jobs = || Matching::next(MessageKind::Delivery).on("jobs.>");
    for (fate, expected) in [
        (Fate::Duplicate, "1123"),
        (Fate::Swap, "213"),
        (Fate::Delay(Duration::from_millis(500)), "231"),
        (Fate::Lose, "23"),
    ] {
        f.inject(fate, jobs()).await;
        for n in 1..=3 {
            f.direct.publish(format!("jobs.{n}"), n.to_string().into()).await.unwrap();
        }
        let mut got = String::new();
        while got.len() < expected.len() {
            got.push_str(&body(&next(&mut messages).await));
        }
        assert_eq!(got, expected, "{fate:?}");
    }
    assert!(tokio::time::timeout(SHORT, messages.next()).await.is_err(), "and no more");
    f.end().await;
}

#[tokio::test]
async fn a_reply_comes_twice_as_it_is_sent_and_as_it_is_received() {
    for behind in ["who asks", "who answers"] {
        let mut f = Fixture::new().await;
        let (asks, answers) = match behind {
            "who asks" => (f.client.clone(), f.direct.clone()),
            _ => (f.direct.clone(), f.client.clone()),
        };
        let mut requests = answers.subscribe("sums").await.unwrap();
        heard(&answers).await;
        let rule = f.inject(Fate::Duplicate, Matching::next(MessageKind::Reply).on("sums")).await;
        let inbox = asks.new_inbox();
        let mut replies = asks.subscribe(inbox.clone()).await.unwrap();
        asks.publish_with_reply("sums", inbox, "1".into()).await.unwrap();
        let request = next(&mut requests).await;
        answers.publish(request.reply.unwrap(), "2".into()).await.unwrap();
        let both = [next(&mut replies).await, next(&mut replies).await];
        assert_eq!(both.each_ref().map(body), ["2", "2"], "{behind}");
        assert_eq!((rule.hits(), rule.unmet()), (1, None));
        f.end().await;
    }
}

#[tokio::test]
async fn a_fault_that_matched_nothing_says_what_passed_instead() {
    let mut f = Fixture::new().await;
    let third = Matching { turn: Turn::Nth(3), ..Matching::next(MessageKind::PubAck) };
    let third = f.inject(Fate::Lose, third).await;
    let other = f.inject(Fate::Lose, Matching::next(MessageKind::PubAck).on("order.new")).await;
    let unmet = third.unmet().unwrap();
    assert!(unmet.starts_with("matched nothing; what passed instead: nothing: "), "{unmet}");
    assert_eq!(f.submit(None, LIMIT).await, Some(false));
    let told = "matched 1 message and hit none; what passed instead: 1 × publish on orders.new";
    assert_eq!(third.unmet().unwrap(), told);
    let told = "matched nothing; what passed instead: 1 × publish on orders.new, 1 × pub-ack on orders.new";
    assert_eq!((other.unmet().unwrap().as_str(), other.hits()), (told, 0));
    f.end().await;
}

/// What went each way over a connection.
type Recorded = [Vec<u8>; 2];

/// Passes one connection on, and hands out what went over it once both ends have closed.
async fn recording(target: u16) -> (u16, JoinHandle<Recorded>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
        let ((client_in, client_out), (server_in, server_out)) =
            (client.into_split(), server.into_split());
        let (up, down) = tokio::join!(copy(client_in, server_out), copy(server_in, client_out));
        [up, down]
    });
    (port, task)
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1500]);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        all.extend_from_slice(&buffer[..read]);
        // One that has gone reads no more; what is compared is what the other end sent.
        let _ = to.write_all(&buffer[..read]).await;
    }
    let _ = to.shutdown().await;
    all
}

#[tokio::test]
async fn real_traffic_that_matches_no_rule_passes_byte_for_byte() {
    let mut f = Fixture::new().await;
    let (behind, at_the_server) = recording(f.broker.port()).await;
    f.proxies[0].set_target(behind);
    let (before, at_the_client) = recording(f.proxies[0].port()).await;
    for kind in MessageKind::ALL {
        f.inject(Fate::Lose, Matching::next(kind).on("nobody.>")).await;
    }
    f.client = async_nats::connect(format!("127.0.0.1:{before}")).await.unwrap();
    let mut messages = f.worker().await;
    for n in 0..50 {
        f.submit(Some(&n.to_string()), LIMIT).await.expect("an acknowledgement");
        next(&mut messages).await.unwrap().ack().await.unwrap();
    }
    let mut echo = f.client.subscribe("echo").await.unwrap();
    for size in [0, 1, 16 * 1024, 500_000] {
        f.client.publish("echo", vec![b'\n'; size].into()).await.unwrap();
        assert_eq!(next(&mut echo).await.payload.len(), size);
    }
    drop((messages, echo));
    f.client.drain().await.unwrap();
    f.client = f.direct.clone();
    let (sent, arrived) = tokio::join!(at_the_client, at_the_server);
    let (sent, arrived) = (sent.unwrap(), arrived.unwrap());
    assert!(sent[0].len() > 500_000 && sent[0] == arrived[0], "to the server");
    assert!(arrived[1].len() > 500_000 && sent[1] == arrived[1], "to the client");
    assert_eq!(f.proxies[0].counts().unreadable, 0);
    f.end().await;
}

#[tokio::test]
async fn messages_that_are_encrypted_cannot_be_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let Certificate { cert, key } = authority.sign("server", |_| {});
    let tls = Tls { cert, key, ca: Some(authority.pem) };
    let settings =
        Settings { tls: Some(tls.clone()), ..Settings::new(nats_server().await, reaper()) };
    let mut broker = Broker::start(settings).await.unwrap();
    let proxies = [Proxy::start(broker.port(), 1).await.unwrap()];
    let options = ConnectOptions::new().require_tls(true);
    let client =
        options.add_root_certificates(tls.ca.unwrap()).connect(proxies[0].url()).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(proxies[0].counts().unreadable, 1);
    let mut faults = Faults::new(Servers::One(&mut broker), 1).network(Side::Client, &proxies);
    let lost = Fault::of_messages(Fate::Lose, Matching::next(MessageKind::Publish));
    let refused = faults.inject(&lost).await.expect_err("nobody can");
    assert!(matches!(refused, FaultError::Encrypted) && refused.to_string().contains("TLS"));
    broker.stop().await.unwrap();
}
