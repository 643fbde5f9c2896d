//! A node of a cluster is cut off from the others, against the real nats-server.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use futures_util::future::join_all;
use mono_demo::broker::{
    Broker, Cluster, ClusterError, ClusterSettings, Fault, FaultError, Faults, PartOf, Proxy,
    Servers, Settings, Side, What,
};

use crate::support::{nats_server, reaper};

async fn start(partitions: bool) -> Cluster {
    let node = ClusterSettings::new(Settings::new(nats_server().await, reaper()));
    Cluster::start(ClusterSettings { partitions, ..node }).await.expect("a cluster")
}

/// As a client that knows one node.
async fn at(cluster: &Cluster, node: usize) -> jetstream::Context {
    let client = async_nats::connect(cluster.nodes()[node].url()).await.expect("a client");
    let limit = Duration::from_secs(2);
    jetstream::context::ContextBuilder::new().timeout(limit).ack_timeout(limit).build(client)
}

async fn publish(jetstream: &jetstream::Context, text: &str) -> Result<u64, String> {
    let acknowledged = async { jetstream.publish("kept", text.to_owned().into()).await?.await };
    acknowledged.await.map(|ack| ack.sequence).map_err(|e| e.to_string())
}

async fn publish_again_and_again(jetstream: &jetstream::Context, text: &str) {
    let began = Instant::now();
    while let Err(problem) = publish(jetstream, text).await {
        assert!(began.elapsed() < Duration::from_secs(60), "{problem}");
    }
}

/// What the node itself has in its copy of the stream, read without asking who leads it.
async fn texts_of_its_own(jetstream: &jetstream::Context) -> Vec<String> {
    let stream = jetstream.get_stream("kept").await.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let mut found = Vec::new();
    for sequence in 1..=last {
        // What most of the nodes have, this one may get a moment later.
        let began = Instant::now();
        let message = loop {
            match stream.direct_get(sequence).await {
                Ok(message) => break message,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(60), "{error}"),
            }
        };
        found.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    found.dedup();
    found
}

/// First the node that leads the stream, then another one: its routes are as they were.
#[tokio::test]
async fn a_node_that_is_cut_off_accepts_nothing_and_the_others_go_on_and_lose_nothing() {
    let mut cluster = start(true).await;
    let config = stream::Config {
        name: "kept".to_owned(),
        subjects: vec!["kept".to_owned()],
        num_replicas: 3,
        allow_direct: true,
        ..Default::default()
    };
    at(&cluster, 0).await.create_stream(config).await.expect("a replicated stream");
    let mut published = Vec::new();
    for round in 0..2 {
        let leader = cluster.leader_of_stream("kept").await.unwrap();
        let alone = if round == 0 { leader } else { (leader + 1) % 3 };
        let (minority, majority) = (at(&cluster, alone).await, at(&cluster, (alone + 2) % 3).await);
        let before = format!("before {round}");
        publish_again_and_again(&minority, &before).await;

        let began = Instant::now();
        cluster.isolate(alone).await.unwrap();
        let gap = began.elapsed();
        let texts: Vec<String> = (0..20).map(|n| format!("refused {round} {n}")).collect();
        let refused = join_all(texts.iter().map(|text| publish(&minority, text))).await;
        let mut problems =
            refused.into_iter().map(|refused| refused.expect_err("a minority accepts nothing"));
        let problem = problems.next_back().unwrap();
        let during = format!("during {round}");
        publish_again_and_again(&majority, &during).await;
        println!("round {round}: {problem}; the others go on after {gap:?}");
        // It is not down: its clients stay with it.
        assert_eq!(cluster.nodes()[alone].try_status(), None);
        assert!(minority.client().flush().await.is_ok());

        let began = Instant::now();
        cluster.heal().await.unwrap();
        println!("round {round}: it has caught up after {:?}", began.elapsed());
        let after = format!("after {round}");
        publish_again_and_again(&minority, &after).await;
        published.extend([before, during, after]);
        for node in 0..3 {
            let (of_node, began) = (at(&cluster, node).await, Instant::now());
            loop {
                let mut texts = texts_of_its_own(&of_node).await;
                // JetStream does not promise what becomes of a message that it has not acknowledged.
                let all = texts.len();
                texts.retain(|text| !text.starts_with("refused"));
                let kept = all - texts.len();
                texts.dedup();
                if texts == published {
                    println!(
                        "round {round}, node {node}: {kept} unacknowledged messages are there"
                    );
                    break;
                }
                // Who led it a moment ago may still say what the stream was then.
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "{node}: {texts:?}, {published:?}"
                );
            }
        }
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_whose_routes_are_its_own_is_not_cut_and_that_is_said() {
    let mut cluster = start(false).await;
    let problem = cluster.isolate(0).await.unwrap_err();
    assert!(matches!(problem, ClusterError::NoPartitions), "{problem}");
    assert!(problem.to_string().contains("`ClusterSettings::partitions` puts them there"));
    let nobody = cluster.isolate(3).await.unwrap_err();
    assert!(matches!(nobody, ClusterError::NoNode { node: 3, nodes: 3 }), "{nobody}");
    cluster.stop().await.unwrap();
}

/// What ends another node, or cuts one off, would end the partition or ask a node that never answers.
#[tokio::test]
async fn a_cluster_that_is_cut_in_two_is_broken_no_further_until_it_is_healed() {
    let mut cluster = start(true).await;
    let mut proxies = Vec::new();
    for node in cluster.nodes() {
        proxies.push(Proxy::start(node.port(), 1).await.expect("a proxy"));
    }
    let pids = |cluster: &Cluster| cluster.nodes().iter().map(Broker::pid).collect::<Vec<_>>();
    let before = pids(&cluster);
    let servers = Servers::Several { cluster: &mut cluster, leader_of: "", left_with: "" };
    let mut faults = Faults::new(servers, 1).network(Side::Client, &proxies);
    // The client connects while the fault is on its way: it is waited for.
    let with_the_client = Fault::new(What::IsolateNode(Some(PartOf::Minority)));
    let connect = async_nats::connect(proxies[1].url());
    let (cut, client) = tokio::join!(faults.inject(&with_the_client), connect);
    cut.expect("a partition");
    let _client = client.expect("a client");

    for what in What::words().filter_map(What::named).filter(|what| what.breaks_servers()) {
        let refused = faults.inject(&Fault::new(what)).await;
        let problem = refused.expect_err("one node is cut off");
        let is_told = matches!(problem, FaultError::Cluster(ClusterError::CutOff { node: 1 }));
        assert!(is_told, "{}: {problem}", what.word());
        assert!(problem.to_string().contains("`heal` ends it"), "{problem}");
    }
    drop(faults);
    assert_eq!((cluster.cut_off(), pids(&cluster)), (Some(1), before), "the partition lasts");

    cluster.heal().await.unwrap();
    assert_eq!(cluster.cut_off(), None);
    cluster.isolate(2).await.expect("it is whole again");
    cluster.stop().await.unwrap();
}
