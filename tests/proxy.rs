//! A bad network between a client and the real nats-server.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::support::{nats_server, reaper};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use mono_demo::broker::{Broker, Cut, Direction, Proxy, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SHORT: Duration = Duration::from_millis(200);
/// A fault is over; a client has to notice within this.
const RECOVERY: Duration = Duration::from_secs(2);

struct Fixture {
    broker: Broker,
    proxy: Proxy,
}

impl Fixture {
    async fn new() -> Fixture {
        let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
        let proxy = Proxy::start(broker.port(), 1).await.unwrap();
        Fixture { broker, proxy }
    }

    /// A client behind the proxy.
    async fn behind(&self) -> Client {
        connect(&self.proxy.url()).await
    }

    /// A client that knows the broker itself.
    async fn direct(&self) -> Client {
        connect(self.broker.url()).await
    }

    async fn end(self) {
        self.proxy.stop().await;
        self.broker.stop().await.unwrap();
    }
}

async fn connect(url: &str) -> Client {
    ConnectOptions::new().request_timeout(Some(SHORT)).connect(url).await.expect("a client")
}

/// Whether the server answers this client in time.
async fn answers(client: &Client, limit: Duration) -> bool {
    matches!(tokio::time::timeout(limit, client.flush()).await, Ok(Ok(())))
        && round_trip(client, limit).await
}

/// Flushing proves only that bytes were written; this one comes back.
async fn round_trip(client: &Client, limit: Duration) -> bool {
    let trip = async {
        let inbox = client.new_inbox();
        let mut back = client.subscribe(inbox.clone()).await.ok()?;
        client.publish(inbox, "x".into()).await.ok()?;
        back.next().await
    };
    matches!(tokio::time::timeout(limit, trip).await, Ok(Some(_)))
}

/// Tries until an answer comes: after a reset, what was sent last may be lost with the connection.
async fn recovers(client: &Client) -> Duration {
    let began = Instant::now();
    while !round_trip(client, SHORT).await {
        assert!(began.elapsed() < RECOVERY, "not within {RECOVERY:?}");
    }
    began.elapsed()
}

/// A target that keeps what it is sent, until the end or a reset.
async fn sink() -> (u16, tokio::task::JoinHandle<(Vec<u8>, Option<ErrorKind>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        let end = stream.read_to_end(&mut got).await;
        (got, end.err().map(|e| e.kind()))
    });
    (port, task)
}

#[tokio::test]
async fn a_healthy_proxy_changes_nothing_and_counts() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    let mut heard = client.subscribe("big").await.unwrap();
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    client.publish("big", sent.clone().into()).await.unwrap();
    let got = heard.next().await.unwrap();
    assert!(got.payload == sent, "the same bytes in the same order");
    let counts = f.proxy.counts();
    assert_eq!((counts.accepted, counts.open, counts.cut), (1, 1, 0));
    assert!(counts.bytes_to_server > 1_000_000 && counts.bytes_to_client > 1_000_000);
    assert_eq!(counts.bytes_swallowed, 0);
    client.drain().await.unwrap();
    f.proxy.until(|counts| counts.open == 0).await;
    f.end().await;
}

#[tokio::test]
async fn a_client_behind_a_proxy_is_told_of_no_way_around_it() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    let info = client.server_info();
    assert_eq!(info.connect_urls, [""; 0]);
    f.end().await;
}

#[tokio::test]
async fn a_proxy_listens_on_loopback_only() {
    let f = Fixture::new().await;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let text = tables.map(|path| std::fs::read_to_string(path).unwrap_or_default()).concat();
    let port = format!(":{:04X}", f.proxy.port());
    let listens = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // 0A is LISTEN.
        words[1].ends_with(&port) && words[3] == "0A"
    };
    let found: Vec<&str> = text.lines().filter(listens).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("0100007F:"), "{found:?}");
    f.end().await;
}

#[tokio::test]
async fn a_delay_is_paid_once_each_way_however_much_is_sent() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    let mut heard = client.subscribe("many").await.unwrap();
    assert!(answers(&client, RECOVERY).await);
    f.proxy.delay(Duration::from_millis(150));
    let began = Instant::now();
    for _ in 0..500 {
        client.publish("many", "x".into()).await.unwrap();
    }
    for _ in 0..500 {
        heard.next().await.unwrap();
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "not 500 times: {took:?}");
    f.proxy.heal();
    // What was under way is done.
    assert!(round_trip(&client, RECOVERY).await);
    let began = Instant::now();
    assert!(round_trip(&client, RECOVERY).await);
    assert!(began.elapsed() < Duration::from_millis(150));
    f.end().await;
}

#[tokio::test]
async fn a_delay_that_varies_keeps_the_order() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    let mut heard = client.subscribe("ordered").await.unwrap();
    f.proxy.delay_within(Duration::ZERO..=Duration::from_millis(20));
    for n in 0..50 {
        client.publish("ordered", n.to_string().into()).await.unwrap();
        // A chunk of its own for each message.
        client.flush().await.unwrap();
    }
    for n in 0..50 {
        assert_eq!(heard.next().await.unwrap().payload, n.to_string());
    }
    f.end().await;
}

#[tokio::test]
async fn a_client_whose_connection_is_cut_connects_anew() {
    for how in [Cut::Reset, Cut::Finish] {
        let f = Fixture::new().await;
        let client = f.behind().await;
        let mut heard = client.subscribe("again").await.unwrap();
        assert!(answers(&client, RECOVERY).await);
        f.proxy.cut(how);
        let counts = f.proxy.until(|counts| counts.cut == 1 && counts.accepted == 2).await;
        assert_eq!(counts.cut, 1);
        recovers(&client).await;
        client.publish("again", "x".into()).await.unwrap();
        heard.next().await.unwrap();
        f.end().await;
    }
}

#[tokio::test]
async fn a_cut_is_a_reset_or_an_end_as_asked() {
    for (how, expected) in [(Cut::Reset, Some(ErrorKind::ConnectionReset)), (Cut::Finish, None)] {
        let (port, sink) = sink().await;
        let proxy = Proxy::start(port, 1).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        proxy.until(|counts| counts.bytes_to_server == 5).await;
        proxy.cut(how);
        let end = client.read_to_end(&mut Vec::new()).await;
        assert_eq!(end.err().map(|e| e.kind()), expected, "the client, {how:?}");
        let (got, end) = sink.await.unwrap();
        assert_eq!((got.len(), end), (5, expected), "the server, {how:?}");
        proxy.stop().await;
    }
}

#[tokio::test]
async fn exactly_so_many_bytes_pass_before_a_cut_and_it_cuts_once() {
    let (port, first) = sink().await;
    let proxy = Proxy::start(port, 7).await.unwrap();
    proxy.cut_after(Direction::ToServer, 1000);
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    client.write_all(&[7; 4321]).await.unwrap();
    let (got, _) = first.await.unwrap();
    assert_eq!(got.len(), 1000);

    let (port, second) = sink().await;
    proxy.set_target(port);
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    client.write_all(&[7; 4321]).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(second.await.unwrap().0.len(), 4321);
    assert_eq!(proxy.counts().cut, 1);
    proxy.stop().await;
}

#[tokio::test]
async fn the_same_seed_cuts_at_the_same_byte() {
    let drawn = async |seed| {
        let proxy = Proxy::start(1, seed).await.unwrap();
        let drawn: Vec<u64> =
            (0..10).map(|_| proxy.cut_after_within(Direction::ToServer, 100..=100_000)).collect();
        proxy.stop().await;
        drawn
    };
    assert_eq!(drawn(3).await, drawn(3).await);
    assert_ne!(drawn(3).await, drawn(4).await);
}

#[tokio::test]
async fn a_message_cut_in_the_middle_does_not_arrive_and_its_client_recovers() {
    let f = Fixture::new().await;
    let mut heard = f.direct().await.subscribe("half").await.unwrap();
    let client = f.behind().await;
    assert!(answers(&client, RECOVERY).await);
    f.proxy.cut_after(Direction::ToServer, 50_000);
    client.publish("half", vec![1; 100_000].into()).await.unwrap();
    f.proxy.until(|counts| counts.cut == 1).await;
    recovers(&client).await;
    client.publish("half", "whole".into()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload, "whole");
    f.end().await;
}

#[tokio::test]
async fn a_black_hole_keeps_connections_open_and_answers_nothing_until_it_is_healed() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    assert!(answers(&client, RECOVERY).await);
    f.proxy.black_hole();
    assert!(!round_trip(&client, SHORT).await);
    // A new one is accepted, and hears nothing.
    let mut late = TcpStream::connect(("127.0.0.1", f.proxy.port())).await.unwrap();
    let greeting = tokio::time::timeout(SHORT, late.read_u8()).await;
    assert!(greeting.is_err(), "{greeting:?}");
    let counts = f.proxy.counts();
    assert_eq!((counts.open, counts.cut), (2, 0));
    assert!(counts.bytes_swallowed > 0);

    f.proxy.heal();
    assert_eq!(late.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let took = recovers(&client).await;
    println!("recovered {took:?} after the black hole's end");
    f.end().await;
}

#[tokio::test]
async fn a_black_hole_hides_that_the_server_is_gone() {
    let mut f = Fixture::new().await;
    let mut client = TcpStream::connect(("127.0.0.1", f.proxy.port())).await.unwrap();
    let mut info = [0; 5];
    client.read_exact(&mut info).await.unwrap();
    assert_eq!(&info, b"INFO ");
    f.proxy.black_hole();
    f.broker.kill().await.unwrap();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(SHORT, client.read_to_end(&mut rest)).await;
    assert!(end.is_err(), "{end:?}");
    f.proxy.heal();
    let end = client.read_to_end(&mut rest).await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    f.end().await;
}

#[tokio::test]
async fn a_connection_that_lost_nothing_survives_a_black_hole() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    assert!(answers(&client, RECOVERY).await);
    f.proxy.black_hole();
    f.proxy.heal();
    assert!(round_trip(&client, RECOVERY).await);
    assert_eq!(f.proxy.counts().accepted, 1);
    f.end().await;
}

#[tokio::test]
async fn of_a_half_open_connection_one_direction_works() {
    let f = Fixture::new().await;
    let direct = f.direct().await;
    let behind = f.behind().await;
    let mut heard_direct = direct.subscribe("from.behind").await.unwrap();
    let mut heard_behind = behind.subscribe("from.direct").await.unwrap();
    assert!(answers(&direct, RECOVERY).await && answers(&behind, RECOVERY).await);

    f.proxy.half_open(Direction::ToServer);
    behind.publish("from.behind", "lost".into()).await.unwrap();
    behind.flush().await.unwrap();
    direct.publish("from.direct", "1".into()).await.unwrap();
    assert_eq!(heard_behind.next().await.unwrap().payload, "1");
    f.proxy.until(|counts| counts.bytes_swallowed > 0).await;
    f.proxy.heal();
    recovers(&behind).await;

    let before = f.proxy.counts().bytes_swallowed;
    f.proxy.half_open(Direction::ToClient);
    direct.publish("from.direct", "lost".into()).await.unwrap();
    f.proxy.until(|counts| counts.bytes_swallowed > before).await;
    behind.publish("from.behind", "2".into()).await.unwrap();
    assert_eq!(heard_direct.next().await.unwrap().payload, "2", "and what was lost stays lost");
    f.proxy.heal();
    recovers(&behind).await;
    direct.publish("from.direct", "3".into()).await.unwrap();
    assert_eq!(heard_behind.next().await.unwrap().payload, "3");
    f.end().await;
}

#[tokio::test]
async fn a_trickle_delivers_everything_ten_bytes_at_a_time() {
    let f = Fixture::new().await;
    f.proxy.trickle(10, Duration::from_millis(1));
    let client = f.behind().await;
    let mut heard = client.subscribe("slow").await.unwrap();
    let began = Instant::now();
    let text = "0123456789".repeat(20);
    client.publish("slow", text.clone().into()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload, text);
    // 20 writes each way, and a pause after each but the last.
    assert!(began.elapsed() >= Duration::from_millis(20), "{:?}", began.elapsed());
    f.proxy.heal();
    let began = Instant::now();
    client.publish("slow", vec![1; 900_000].into()).await.unwrap();
    assert_eq!(heard.next().await.unwrap().payload.len(), 900_000);
    assert!(began.elapsed() < Duration::from_secs(20), "180 s at a trickle");
    f.end().await;
}

#[tokio::test]
async fn refused_connections_are_refused_while_open_ones_go_on() {
    let f = Fixture::new().await;
    let client = f.behind().await;
    assert!(answers(&client, RECOVERY).await);
    let port = f.proxy.port();
    f.proxy.refuse();
    let began = Instant::now();
    // That the listener is closed is told to nobody.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(began.elapsed() < RECOVERY);
    }
    let refused = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(round_trip(&client, RECOVERY).await);
    f.proxy.cut(Cut::Reset);
    assert!(!round_trip(&client, SHORT).await);
    f.proxy.heal();
    recovers(&client).await;
    assert_eq!(f.proxy.port(), port);
    f.end().await;
}

#[tokio::test]
async fn a_new_target_is_for_new_connections() {
    let f = Fixture::new().await;
    let other = Broker::start(f.broker.settings().clone()).await.unwrap();
    let old = f.behind().await;
    f.proxy.set_target(other.port());
    let new = f.behind().await;
    assert_eq!(old.server_info().server_name, f.broker.name());
    assert_eq!(new.server_info().server_name, other.name());
    assert!(round_trip(&old, RECOVERY).await);
    other.stop().await.unwrap();
    f.end().await;
}

#[tokio::test]
async fn a_client_sees_that_the_server_is_gone_and_recovers_when_it_is_back() {
    let mut f = Fixture::new().await;
    let client = f.behind().await;
    assert!(answers(&client, RECOVERY).await);
    f.broker.kill().await.unwrap();
    f.proxy.until(|counts| counts.unreachable > 0).await;
    f.broker.restart().await.unwrap();
    recovers(&client).await;
    f.end().await;
}

#[tokio::test]
async fn a_stopped_or_dropped_proxy_leaves_no_task_no_connection_and_no_port() {
    // The system itself accepts for it: no task but the proxy's.
    let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for dropped in [false, true] {
        let metrics = tokio::runtime::Handle::current().metrics();
        let before = metrics.num_alive_tasks();
        let proxy = Proxy::start(target.local_addr().unwrap().port(), 1).await.unwrap();
        let port = proxy.port();
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            client.write_all(b"hello").await.unwrap();
            clients.push(client);
        }
        proxy.until(|counts| counts.bytes_to_server == 25).await;
        if dropped {
            drop(proxy);
        } else {
            proxy.stop().await;
            assert_eq!(metrics.num_alive_tasks(), before);
            assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
        }
        for mut client in clients {
            let end = tokio::time::timeout(RECOVERY, client.read_to_end(&mut Vec::new())).await;
            end.expect("its connection has ended").ok();
        }
        let began = Instant::now();
        // What a drop leaves to the runtime cannot be awaited.
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok()
            || metrics.num_alive_tasks() > before
        {
            assert!(began.elapsed() < RECOVERY);
            tokio::task::yield_now().await;
        }
    }
}
