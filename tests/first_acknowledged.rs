//! Of two contents of one id the one that was acknowledged first stands, and a readable id never
//! stays pending.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::program::{Home, Serve};
use crate::support::{nats_server, reaper};
use async_nats::jetstream;
use futures_util::{StreamExt, stream};
use mono_demo::broker::{Broker, Cluster, ClusterSettings, Settings};
use mono_demo::modules::payment::{
    CONSUMER, Claim, Commit, DEAD_LETTERS, LEDGER, Ledger, Payment, REQUESTS, Status,
};
use mono_demo::mono::{Connection, Target};
use serde_json::Value;

const SUBJECT: &str = "services.payment.payment-process";

/// A broker and `serve` processes, and who submits to them.
struct House {
    broker: Broker,
    home: Home,
    serves: Vec<Serve>,
    client: async_nats::Client,
    stream: jetstream::Context,
}

impl House {
    async fn new(processes: usize) -> Self {
        let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
        let home = Home::new();
        // Shorter than the pauses below: what a paused process has in hand goes to another one.
        std::fs::write(home.path().join("quick.toml"), "[payment]\nack_wait = \"500ms\"\n")
            .unwrap();
        let client = async_nats::connect(broker.url()).await.unwrap();
        let limit = Duration::from_secs(2);
        let context = jetstream::context::ContextBuilder::new().timeout(limit).ack_timeout(limit);
        let stream = context.build(client.clone());
        let mut house = Self { broker, home, serves: Vec::new(), client, stream };
        for _ in 0..processes {
            let serve = house.serve();
            house.serves.push(serve);
        }
        house
    }

    fn serve(&self) -> Serve {
        let url = self.broker.url();
        let args = ["--server", url, "--settings", "quick.toml", "--journal-dir", "books"];
        tokio::task::block_in_place(|| self.home.serve(&args))
    }

    async fn submit(&self, body: &[u8]) {
        submit(&self.stream, body).await;
    }

    async fn stored(&self, name: &str) -> u64 {
        let found = self.stream.get_stream(name).await;
        found.map_or(u64::MAX, |found| found.cached_info().state.messages)
    }

    /// Waits until every submission is settled.
    async fn settled(&self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.stored(REQUESTS).await > 0 {
            assert!(Instant::now() < deadline, "{} still wait", self.stored(REQUESTS).await);
            // Nothing tells that a stream has become empty.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn status(&self, id: &str) -> Value {
        let asked = format!(r#"{{"payment_id":"{id}"}}"#);
        let reply = self.client.request("services.payment.status", asked.into()).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    }

    /// For how many of these ids the content that came second stands.
    async fn second_wins(&self, ids: usize) -> usize {
        let statuses = stream::iter(0..ids).map(async |n| self.status(&format!("two-{n}")).await);
        let statuses: Vec<Value> = statuses.buffered(64).collect().await;
        for status in &statuses {
            assert_eq!(status["status"], "completed", "{status}");
        }
        statuses.iter().filter(|status| status["amount"] != 1.0).count()
    }

    fn stop_serving(&mut self) {
        for serve in self.serves.drain(..) {
            serve.signal("TERM");
            tokio::task::block_in_place(|| serve.ended());
        }
    }

    /// Audits, and ends what was started.
    async fn end(mut self) {
        let url = self.broker.url();
        tokio::task::block_in_place(|| self.home.run(&["-s", url, "audit"])).ok();
        self.stop_serving();
        self.broker.stop().await.unwrap();
    }
}

/// Submits until it is acknowledged, with no message id.
async fn submit(stream: &jetstream::Context, body: &[u8]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let body = body.to_vec().into();
        let sent = async { stream.publish(SUBJECT, body).await?.await }.await;
        match sent {
            Ok(_) => return,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

/// For each id, other content right after the first was acknowledged, 32 ids at a time.
async fn submit_two_contents(stream: jetstream::Context, ids: usize) {
    let pairs = stream::iter(0..ids).map(async |n| {
        for amount in [1, 2] {
            let body = format!(r#"{{"payment_id":"two-{n}","amount":{amount}}}"#);
            submit(&stream, body.as_bytes()).await;
        }
    });
    pairs.buffer_unordered(32).collect::<()>().await;
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    ServiceKills,
    BrokerKills,
    Pauses,
}

/// For how many of `ids` the second content stands, and how many faults there were.
async fn second_wins(ids: usize, processes: usize, fault: Fault) -> (usize, usize) {
    let mut house = House::new(processes).await;
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let (submitting, told) = (house.stream.clone(), std::sync::Arc::clone(&done));
    let submitted = tokio::spawn(async move {
        submit_two_contents(submitting, ids).await;
        told.store(true, Ordering::Relaxed);
    });
    let mut faults = 0;
    while !matches!(fault, Fault::None) && !done.load(Ordering::Relaxed) {
        // Faults come at arbitrary moments.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let victim = faults % processes;
        match fault {
            Fault::ServiceKills => {
                house.serves[victim].signal("KILL");
                house.serves[victim] = house.serve();
            }
            Fault::BrokerKills => house.broker.kill_and_restart().await.unwrap(),
            Fault::Pauses => {
                house.serves[victim].signal("STOP");
                tokio::time::sleep(Duration::from_millis(700)).await;
                house.serves[victim].signal("CONT");
            }
            Fault::None => {}
        }
        faults += 1;
    }
    submitted.await.unwrap();
    house.settled().await;
    let wins = house.second_wins(ids).await;
    house.end().await;
    (wins, faults)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_content_stands_whoever_gets_the_second() {
    for processes in [1, 3] {
        assert_eq!(second_wins(300, processes, Fault::None).await.0, 0, "{processes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_content_stands_where_services_are_killed() {
    let (wins, faults) = second_wins(600, 2, Fault::ServiceKills).await;
    assert!(wins == 0 && faults > 0, "{wins} after {faults} kills");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the long form, which prints figures"]
async fn measure_how_often_the_second_content_stands() {
    use Fault::{BrokerKills, None, Pauses, ServiceKills};
    let mut wins = 0;
    let faults = [(ServiceKills, 20_000), (BrokerKills, 3000), (Pauses, 20_000)];
    let without = [1, 2, 3].map(|processes| (None, 3000, processes));
    let with = faults.into_iter().flat_map(|(fault, ids)| [1, 2].map(|n| (fault, ids, n)));
    for (fault, ids, processes) in without.into_iter().chain(with) {
        let (found, faults) = second_wins(ids, processes, fault).await;
        println!("{fault:?} ({faults}), {processes} processes: {found} of {ids}");
        wins += found;
    }
    assert_eq!(wins, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_id_can_be_read_fails_and_is_one_dead_letter() {
    let house = House::new(2).await;
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let bad: Vec<Vec<u8>> = [
        r#"{"payment_id":"bad-0","amount":1e400}"#.to_owned(),
        r#"{"payment_id":"bad-1","amount":1,"user_id":1e309}"#.to_owned(),
        format!(r#"{{"payment_id":"bad-2","amount":{}}}"#, "9".repeat(400)),
        format!(r#"{{"user_id":{deep},"payment_id":"bad-3","amount":1}}"#),
        r#"{"payment_id":"bad-4","amount":1,"user_id":"\ud800"}"#.to_owned(),
        r#"{"payment_id":"bad-5","amount":1} trailing"#.to_owned(),
        "\u{feff}{\"payment_id\":\"bad-6\",\"amount\":1}".to_owned(),
        r#"{"payment_id":"bad-7","amount":1"#.to_owned(),
        r#"{"payment_id":"bad-8","amount":NaN}"#.to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([b"{\"payment_id\":\"bad-9\",\"amount\":1,\"user_id\":\"\xff\"}".to_vec()])
    .collect();
    for body in &bad {
        house.submit(body).await;
    }
    house.settled().await;
    for n in 0..bad.len() {
        let said = house.status(&format!("bad-{n}")).await;
        assert_eq!(said["status"], "failed", "{said}");
    }
    let letters = house.stream.get_stream(DEAD_LETTERS).await.unwrap();
    let mut bodies = Vec::new();
    for sequence in 1..=letters.cached_info().state.last_sequence {
        bodies.push(letters.get_raw_message(sequence).await.unwrap().payload.to_vec());
    }
    bodies.sort();
    let mut wanted = bad;
    wanted.sort();
    assert!(bodies == wanted, "{} letters of {} bodies", bodies.len(), wanted.len());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_a_good_and_a_malformed_message_of_one_id_stands() {
    let house = House::new(2).await;
    let good = |id: String| format!(r#"{{"payment_id":"{id}","amount":1}}"#);
    let malformed = |id: String| format!(r#"{{"payment_id":"{id}","amount":1e400}}"#);
    for n in 0..100 {
        let (a, b) = (format!("good-first-{n}"), format!("malformed-first-{n}"));
        for body in [good(a.clone()), malformed(a), malformed(b.clone()), good(b)] {
            house.submit(body.as_bytes()).await;
        }
    }
    house.settled().await;
    for n in 0..100 {
        let (a, b) = (format!("good-first-{n}"), format!("malformed-first-{n}"));
        for (id, expected) in [(a, "completed"), (b, "failed")] {
            let said = house.status(&id).await;
            assert_eq!(said["status"], expected, "{said}");
        }
    }
    assert_eq!((house.stored(LEDGER).await, house.stored(DEAD_LETTERS).await), (200, 300));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_never_comes_again_holds_nothing_back() {
    let mut house = House::new(1).await;
    house.stop_serving();
    // A stream made by hand, which keeps what is settled, and somebody who settles the first one.
    house.stream.delete_stream(REQUESTS).await.unwrap();
    let stream = jetstream::stream::Config {
        name: REQUESTS.to_owned(),
        subjects: vec![SUBJECT.to_owned()],
        ..Default::default()
    };
    let stream = house.stream.create_stream(stream).await.unwrap();
    house.submit(br#"{"payment_id":"p-1","amount":1}"#).await;
    let consumer = jetstream::consumer::pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        filter_subject: SUBJECT.to_owned(),
        ..Default::default()
    };
    let consumer = stream.create_consumer(consumer).await.unwrap();
    let mut taken = consumer.fetch().max_messages(1).messages().await.unwrap();
    taken.next().await.unwrap().unwrap().double_ack().await.unwrap();
    house.submit(br#"{"payment_id":"p-1","amount":2}"#).await;
    let serve = house.serve();
    house.serves.push(serve);
    let deadline = Instant::now() + Duration::from_secs(60);
    while house.status("p-1").await["status"] != "completed" {
        assert!(Instant::now() < deadline, "held back by a message that never comes");
    }
    assert_eq!(house.status("p-1").await["amount"], 2.0);
    house.stop_serving();
    house.broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_cannot_be_represented_are_bad_requests_that_name_the_field() {
    let house = House::new(1).await;
    for (subject, body, field) in [
        ("services.math.calculate", r#"{"operation":"add","a":1e400,"b":1}"#, "`a`"),
        ("services.math.calculate", r#"{"operation":"add","a":1,"b":-1e309}"#, "`b`"),
        ("services.payment.status", r#"{"payment_id":1e400}"#, "`payment_id`"),
    ] {
        let reply = house.client.request(subject, body.into()).await.unwrap();
        let code = reply.headers.as_ref().and_then(|h| h.get("Nats-Service-Error-Code"));
        assert_eq!(code.map(|code| code.as_str()), Some("400"), "{reply:?}");
        let said = String::from_utf8(reply.payload.to_vec()).unwrap();
        assert!(said.contains(field), "{body}: {said}");
    }
    house.end().await;
}

/// Claims and commits of one content, from several processes at once, on three nodes: how often a
/// record refused and a read showed none.
async fn write_each_id_at_once(ids: usize) -> usize {
    let broker = Settings::new(nats_server().await, reaper());
    let cluster = Cluster::start(ClusterSettings::new(broker)).await.unwrap();
    let mut ledgers = Vec::new();
    for node in cluster.nodes() {
        let target = Target { url: node.url().to_owned(), ..Target::default() };
        let connection = Connection::open(&target, "worker").await.unwrap();
        ledgers.push(Ledger::new(connection, 3));
    }
    ledgers[0].prepare().await.unwrap();
    let mut asked_again = 0;
    for n in 0..ids {
        let payment = Payment::new(&format!("one-{n}"), "1", "USD", None, None).unwrap();
        let intent = payment.intent(payment.content(), "worker", "now".to_owned());
        let said = (Status::Completed, String::new());
        let entry = payment.entry(payment.content(), said, 1, "worker", "now".to_owned());
        let writes = ledgers.iter().map(async |ledger| {
            let mut again = 0;
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut ask_again = |error: String| {
                assert!(Instant::now() < deadline, "{error}");
                again += usize::from(error.contains("a read shows none yet"));
            };
            let claimed = loop {
                match ledger.claim(&payment.id, &intent).await {
                    Ok(claim) => break claim,
                    Err(error) => ask_again(error.to_string()),
                }
            };
            assert!(claimed != Claim::Other, "a false conflict");
            let committed = loop {
                match ledger.commit(&payment.id, &entry).await {
                    Ok(commit) => break commit,
                    Err(error) => ask_again(error.to_string()),
                }
            };
            if let Commit::Exists(found) = &committed {
                assert_eq!(found.content, entry.content);
            }
            (again, usize::from(claimed == Claim::Mine), usize::from(committed == Commit::Done))
        });
        let done = futures_util::future::join_all(writes).await;
        asked_again += done.iter().map(|(again, ..)| again).sum::<usize>();
        let mine: usize = done.iter().map(|(_, mine, _)| mine).sum();
        let first: usize = done.iter().map(|(.., first)| first).sum();
        assert!(mine <= 1 && first <= 1, "{mine} claims and {first} entries of one id");
    }
    drop(ledgers);
    cluster.stop().await.unwrap();
    asked_again
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_one_id_at_once_in_a_cluster_are_no_conflict() {
    write_each_id_at_once(300).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the long form, which prints a figure"]
async fn measure_how_often_a_cluster_refuses_before_it_shows() {
    println!("{} of 6000 ids were asked again", write_each_id_at_once(6000).await);
}
