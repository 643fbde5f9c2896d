//! A cluster of brokers, against the real nats-server.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Helper, eventually, lives, nats_server, processes_with, reaper};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use futures_util::TryStreamExt as _;
use mono_demo::broker::{
    Broker, Cluster, ClusterError, ClusterSettings, InFlight, Settings, StartError, Store,
    in_flight,
};
use mono_demo::process::ExitStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn settings() -> ClusterSettings {
    ClusterSettings::new(Settings::new(nats_server().await, reaper()))
}

async fn start() -> Cluster {
    Cluster::start(settings().await).await.expect("a cluster")
}

/// A client that knows all nodes, and gives up an acknowledgement after two seconds.
async fn jetstream_of(cluster: &Cluster) -> jetstream::Context {
    let urls: Vec<String> = cluster.urls().split(',').map(str::to_owned).collect();
    let client = async_nats::connect(urls).await.expect("a client");
    let limit = Duration::from_secs(2);
    jetstream::context::ContextBuilder::new().timeout(limit).ack_timeout(limit).build(client)
}

/// A stream with a replica on each of three nodes.
async fn replicated(jetstream: &jetstream::Context) -> stream::Stream {
    let config = stream::Config {
        name: "kept".to_owned(),
        subjects: vec!["kept".to_owned()],
        num_replicas: 3,
        ..Default::default()
    };
    let stream = jetstream.create_stream(config).await.expect("a replicated stream");
    // Another node hears of its subject a moment later: asked until it answers. Nothing is stored.
    let began = Instant::now();
    loop {
        let impossible = PublishMessage::build().expected_last_sequence(u64::MAX);
        let answer = async { jetstream.send_publish("kept", impossible).await?.await };
        match answer.await.expect_err("it expects what is not there").kind() {
            PublishErrorKind::StreamNotFound | PublishErrorKind::TimedOut
                if began.elapsed() < Duration::from_secs(60) => {}
            PublishErrorKind::WrongLastSequence => return stream,
            other => panic!("{other:?}"),
        }
    }
}

async fn publish(jetstream: &jetstream::Context, text: &str) -> Result<u64, String> {
    let acknowledged = async { jetstream.publish("kept", text.to_owned().into()).await?.await };
    acknowledged.await.map(|ack| ack.sequence).map_err(|e| e.to_string())
}

/// Publishes until it is acknowledged; returns how long that took.
async fn publish_again_and_again(jetstream: &jetstream::Context, text: &str) -> Duration {
    let began = Instant::now();
    while let Err(problem) = publish(jetstream, text).await {
        assert!(began.elapsed() < Duration::from_secs(60), "{problem}");
    }
    began.elapsed()
}

async fn texts(jetstream: &jetstream::Context) -> Vec<String> {
    let mut stream = jetstream.get_stream("kept").await.unwrap();
    let last = stream.info().await.unwrap().state.last_sequence;
    let mut found = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        found.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    found.dedup();
    found
}

#[tokio::test]
async fn a_started_cluster_replicates_and_its_nodes_are_its_own() {
    let cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    let mut stream = replicated(&jetstream).await;
    assert_eq!(publish(&jetstream, "a").await, Ok(1));
    let info = stream.info().await.unwrap().cluster.clone().unwrap();
    assert_eq!(info.replicas.len(), 2);
    let leader = cluster.leader_of_stream("kept").await.unwrap();
    assert_eq!(info.leader.unwrap(), cluster.nodes()[leader].name());
    let distinct = |mut of: Vec<String>| {
        of.sort();
        of.dedup();
        of.len() == 3
    };
    let each = |of: fn(&Broker) -> String| cluster.nodes().iter().map(of).collect::<Vec<_>>();
    assert!(distinct(each(|node| node.url().to_owned())));
    assert!(distinct(each(|node| node.name().to_owned())));
    assert!(distinct(each(|node| node.store_dir().display().to_string())));
    for node in cluster.nodes() {
        assert!(node.run_dir().starts_with(cluster.run_dir()));
        assert!(node.log_tail().iter().any(|line| line.contains("metadata leader")));
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_is_told_of_no_node_that_it_was_not_given() {
    let cluster = start().await;
    let client = async_nats::connect(cluster.nodes()[0].url()).await.unwrap();
    assert_eq!(client.server_info().connect_urls, [""; 0]);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn nodes_admit_only_who_knows_their_secret() {
    let cluster = start().await;
    let config = std::fs::read_to_string(cluster.nodes()[0].run_dir().join("nats.conf")).unwrap();
    let (_, cluster_part) = config.split_once("cluster {").unwrap();
    let port = cluster_part.split_once("port: ").unwrap().1.lines().next().unwrap();
    let mut stranger = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let hello = "CONNECT {\"name\":\"stranger\",\"user\":\"route\",\"pass\":\"guess\"}\r\nINFO {\"server_id\":\"x\"}\r\n";
    stranger.write_all(hello.as_bytes()).await.unwrap();
    let mut heard = String::new();
    // It closes the connection.
    stranger.read_to_string(&mut heard).await.unwrap();
    assert!(heard.contains("-ERR 'Authorization Violation'"), "{heard}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    publish(&jetstream, "before").await.unwrap();
    let urls = cluster.urls();

    let killed = cluster.kill_leader("kept").await.unwrap();
    assert_eq!(cluster.nodes()[killed].try_status(), Some(ExitStatus::Signal(9)));
    let gap = publish_again_and_again(&jetstream, "during").await;
    let next = cluster.leader_of_stream("kept").await.unwrap();
    assert_ne!(next, killed);
    println!("write gap after a kill of the leader: {gap:?}");

    cluster.heal().await.unwrap();
    publish(&jetstream, "after").await.unwrap();
    assert_eq!(texts(&jetstream).await, ["before", "during", "after"]);
    assert_eq!(cluster.urls(), urls);
    cluster.stop().await.unwrap();
}

/// Each disk is lost once, one after the other: in the end no file is left of those that took the
/// first write. What only one node had is gone with its disk, and the stream is there and empty.
#[tokio::test]
async fn a_wiped_node_learns_what_others_have_and_what_it_had_alone_is_lost() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    let config = stream::Config {
        name: "alone".to_owned(),
        subjects: vec!["alone".to_owned()],
        num_replicas: 1,
        ..Default::default()
    };
    jetstream.create_stream(config).await.unwrap();
    let stored = async { jetstream.publish("alone", "a".into()).await?.await };
    stored.await.expect("an acknowledgement");
    let alone = cluster.leader_of_stream("alone").await.unwrap();

    let mut published = vec!["before".to_owned()];
    publish(&jetstream, "before").await.unwrap();
    // An empty node votes for whoever asks, also for one that lags behind: nobody does.
    cluster.heal().await.unwrap();
    for node in 0..3 {
        cluster.wipe(node).await.unwrap();
        assert!(!cluster.nodes()[node].store_dir().join("jetstream").exists());
        let text = format!("without {node}");
        publish_again_and_again(&jetstream, &text).await;
        published.push(text);
        cluster.heal().await.unwrap();
        assert_eq!(texts(&jetstream).await, published);
    }
    let left = jetstream.get_stream("alone").await.unwrap().cached_info().state.clone();
    assert_eq!(left.messages, 0, "node {alone} lost its disk, and nobody else had the message");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_that_stops_gracefully_hands_over_before_an_election_would_begin() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    publish(&jetstream, "before").await.unwrap();

    let stopped = cluster.stop_leader("kept").await.unwrap();
    assert_eq!(cluster.nodes()[stopped].try_status(), Some(ExitStatus::Code(0)));
    let began = Instant::now();
    let next = cluster.leader_of_stream("kept").await.unwrap();
    // Without a word of the old leader, it takes 4 to 9 s.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_ne!(next, stopped);
    publish_again_and_again(&jetstream, "after").await;

    cluster.restart(stopped).await.unwrap();
    cluster.heal().await.unwrap();
    assert_eq!(texts(&jetstream).await, ["before", "after"]);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_quorum_nothing_is_acknowledged_until_it_is_healed() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    publish(&jetstream, "before").await.unwrap();

    let killed = cluster.lose_quorum().await.unwrap();
    assert_eq!(killed, [1, 2]);
    let problem = publish(&jetstream, "during").await.unwrap_err();
    println!("without a quorum: {problem}");

    cluster.heal().await.unwrap();
    assert!(cluster.nodes().iter().all(|node| node.try_status().is_none()));
    publish_again_and_again(&jetstream, "after").await;
    let texts = texts(&jetstream).await;
    // Not acknowledged is not lost: it may have come to the node that survived.
    assert_eq!(
        (texts.first().unwrap(), texts.last().unwrap()),
        (&"before".into(), &"after".into())
    );
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_quorum_a_stream_has_no_leader_and_that_is_said_in_time() {
    let mut settings = settings().await;
    // The time to start, too, which takes its time on a loaded machine.
    settings.node.ready_timeout = Duration::from_secs(20);
    let mut cluster = Cluster::start(settings).await.unwrap();
    replicated(&jetstream_of(&cluster).await).await;
    let leader = cluster.leader_of_stream("kept").await.unwrap();
    for node in (0..3).filter(|node| *node != (leader + 1) % 3) {
        cluster.kill(node).await.unwrap();
    }
    let problem = cluster.leader_of_stream("kept").await.unwrap_err();
    assert!(matches!(&problem, ClusterError::NoLeader { stream, .. } if stream == "kept"));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_leader_is_replaced_and_follows_when_it_is_resumed() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    let paused = cluster.leader_of_stream("kept").await.unwrap();
    cluster.pause(paused).await.unwrap();
    // A client of a paused node would wait for it: ask those that answer.
    let others = cluster.nodes().iter().enumerate().filter(|(node, _)| *node != paused);
    let others: Vec<String> = others.map(|(_, node)| node.url().to_owned()).collect();
    let client = async_nats::connect(others).await.unwrap();
    let limit = Duration::from_secs(2);
    let other = jetstream::context::ContextBuilder::new().ack_timeout(limit).build(client);
    publish_again_and_again(&other, "during").await;

    cluster.resume(paused).await.unwrap();
    cluster.heal().await.unwrap();
    assert_ne!(cluster.leader_of_stream("kept").await.unwrap(), paused);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_and_a_node_that_are_not_there_are_errors_at_once() {
    let mut cluster = start().await;
    let problem = cluster.leader_of_stream("nowhere").await.unwrap_err();
    assert!(matches!(problem, ClusterError::NoStream { .. }), "{problem}");
    let problem = cluster.kill(3).await.unwrap_err();
    assert_eq!(problem.to_string(), "there is no node 3: the cluster has 3, counted from 0");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_node_that_ends_early_is_told_with_the_reason_and_nothing_is_left() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    settings.node.extra_config = "no_such_option: 1\n".to_owned();
    settings.node.run_root = Some(root.path().to_owned());
    let problem = Cluster::start(settings.clone()).await.unwrap_err();
    let text = problem.to_string();
    assert!(matches!(
        problem,
        ClusterError::Start { node: 0, source: StartError::EarlyExit { .. } }
    ));
    assert!(text.contains("no_such_option"), "{text}");
    settings.nodes = 2;
    let problem = Cluster::start(settings).await.unwrap_err();
    assert!(matches!(problem, ClusterError::TooFew { nodes: 2 }));
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn nodes_that_do_not_work_together_are_not_ready_and_nothing_is_left() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    // The last word counts: servers without JetStream choose no leader.
    settings.node.extra_config = "jetstream: false\n".to_owned();
    // Until then each of them has to be up.
    settings.node.ready_timeout = Duration::from_secs(10);
    settings.node.run_root = Some(root.path().to_owned());
    let problem = Cluster::start(settings).await.unwrap_err();
    let text = problem.to_string();
    let ClusterError::NotReady { tails, .. } = problem else { panic!("{text}") };
    assert_eq!(tails.len(), 3);
    assert!(text.contains("still waiting for a leader of the nodes"), "{text}");
    assert_eq!(processes_with(root.path().to_str().unwrap()), [0u32; 0]);
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn stop_leaves_no_process_and_no_folder_even_if_a_node_is_down_and_one_paused() {
    let mut cluster = start().await;
    let folder = cluster.run_dir().to_owned();
    let needle = folder.to_str().unwrap().to_owned();
    let pids: Vec<u32> = cluster.nodes().iter().map(Broker::pid).collect();
    assert_eq!(processes_with(&needle).len(), 6, "the servers and their reapers");
    cluster.kill(0).await.unwrap();
    cluster.pause(1).await.unwrap();
    cluster.stop().await.unwrap();
    assert!(!pids.into_iter().any(lives));
    assert!(!folder.exists());
    assert_eq!(processes_with(&needle), [0u32; 0]);
}

#[tokio::test]
async fn a_store_folder_outlives_its_cluster_and_is_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    settings.node.store = Store::Folder(folder.path().join("store"));
    let cluster = Cluster::start(settings.clone()).await.unwrap();
    let jetstream = jetstream_of(&cluster).await;
    replicated(&jetstream).await;
    publish(&jetstream, "kept").await.unwrap();
    let second = Cluster::start(settings.clone()).await.unwrap_err();
    assert!(matches!(second, ClusterError::Prepare { source: StartError::StoreInUse { .. } }));
    cluster.stop().await.unwrap();

    settings.nodes = 5;
    let other = Cluster::start(settings.clone()).await.unwrap_err();
    assert!(other.to_string().contains("a cluster of 3 nodes, not of 5"), "{other}");
    settings.nodes = 3;
    let mut cluster = Cluster::start(settings).await.unwrap();
    cluster.heal().await.unwrap();
    assert_eq!(texts(&jetstream_of(&cluster).await).await, ["kept"]);
    cluster.stop().await.unwrap();
}

/// The server leaves a consumer without a leader out of its list: whoever believes the list sees
/// nothing in flight.
#[tokio::test]
async fn what_a_consumer_has_is_not_taken_for_nothing_while_it_has_no_leader() {
    let mut cluster = start().await;
    let jetstream = jetstream_of(&cluster).await;
    let stream = replicated(&jetstream).await;
    let config = jetstream::consumer::pull::Config {
        durable_name: Some("worker".to_owned()),
        num_replicas: 1,
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    publish(&jetstream, "a").await.unwrap();
    let ask = |url: String| async move { in_flight(async_nats::connect(url).await?).await };
    let on = cluster
        .nodes()
        .iter()
        .position(|node| {
            let leader = &consumer.cached_info().cluster.as_ref().unwrap().leader;
            leader.as_deref() == Some(node.name())
        })
        .unwrap();
    let elsewhere = cluster.nodes()[(on + 1) % 3].url().to_owned();
    let waits = InFlight {
        stream: "kept".to_owned(),
        consumer: Some("worker".to_owned()),
        pending: 1,
        unacknowledged: 0,
    };
    assert_eq!(ask(elsewhere.clone()).await.unwrap(), Some(waits.clone()));
    cluster.kill(on).await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    // The server waits four seconds for whoever does not answer.
    let patient = jetstream::new(async_nats::connect(&elsewhere).await.unwrap());
    let listed = || async {
        let stream = patient.get_stream("kept").await?;
        Ok::<_, async_nats::Error>(
            stream.consumers().map_ok(|consumer| consumer.name).try_collect::<Vec<_>>().await?,
        )
    };
    loop {
        let said = listed().await;
        if said.as_ref().is_ok_and(Vec::is_empty) {
            break;
        }
        assert!(Instant::now() < until, "the list still has the consumer: {said:?}");
    }
    let unknown = ask(elsewhere.clone()).await.unwrap_err().to_string();
    assert!(unknown.contains("consumer worker of stream kept does not say"), "{unknown}");
    cluster.restart(on).await.unwrap();
    while !ask(elsewhere.clone()).await.is_ok_and(|found| found.as_ref() == Some(&waits)) {
        assert!(Instant::now() < until, "the consumer does not say again what it has");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_leak_report_of_a_cluster_counts_each_consumer_once() {
    let mut settings = settings().await;
    settings.node.monitoring = true;
    let cluster = Cluster::start(settings).await.unwrap();
    let jetstream = jetstream_of(&cluster).await;
    let stream = replicated(&jetstream).await;
    let config = jetstream::consumer::pull::Config {
        durable_name: Some("c".to_owned()),
        ..Default::default()
    };
    stream.create_consumer(config).await.unwrap();
    publish(&jetstream, "a").await.unwrap();
    let began = Instant::now();
    let report = loop {
        let report = cluster.leak_report().await.unwrap();
        // Replicas learn of it later.
        if report.consumer("kept", "c").is_some_and(|consumer| consumer.pending == 1) {
            break report;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{report:?}");
    };
    assert_eq!(report.consumers.len(), 1);
    assert!(!report.connections.is_empty());
    cluster.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "a helper: holds a cluster until it is killed"]
async fn helper_holds_a_cluster() {
    let mut settings = settings().await;
    settings.node.run_root = Some(Helper::argument());
    let cluster = Cluster::start(settings).await.unwrap();
    println!("told {}", cluster.run_dir().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killing_its_owner_leaves_nothing_of_a_cluster() {
    nats_server().await;
    let folder = tempfile::tempdir().unwrap();
    let mut helper = Helper::start("cluster::helper_holds_a_cluster", folder.path());
    let run_dir = helper.told[0].clone();
    assert_eq!(processes_with(&run_dir).len(), 6, "the servers and their reapers");
    helper.kill();
    eventually("nothing is left", Duration::from_secs(60), || {
        processes_with(&run_dir).is_empty() && !Path::new(&run_dir).exists()
    });
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_start_to_replicated_write() {
    let settings = settings().await;
    let mut times = Vec::new();
    let mut stops = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        let cluster = Cluster::start(settings.clone()).await.unwrap();
        times.push(began.elapsed());
        let began = Instant::now();
        cluster.stop().await.unwrap();
        stops.push(began.elapsed());
    }
    times.sort();
    stops.sort();
    println!(
        "start to replicated write: min {:?} median {:?} max {:?}; stop: median {:?}",
        times[0], times[10], times[19], stops[10]
    );
}
