//! A node of a cluster is cut off from the others, against the real nats-server.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use mono_demo::broker::{Cluster, ClusterError, ClusterSettings, Settings};

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
        let refused = publish(&minority, &format!("refused {round}")).await;
        let problem = refused.expect_err("a minority acknowledges nothing");
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
                // What was not acknowledged may have been kept.
                texts.retain(|text| !text.starts_with("refused"));
                texts.dedup();
                if texts == published {
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
    let cluster = start(false).await;
    let problem = cluster.isolate(0).await.unwrap_err();
    assert!(matches!(problem, ClusterError::NoPartitions), "{problem}");
    assert!(problem.to_string().contains("`ClusterSettings::partitions` puts them there"));
    let nobody = cluster.isolate(3).await.unwrap_err();
    assert!(matches!(nobody, ClusterError::NoNode { node: 3, nodes: 3 }), "{nobody}");
    cluster.stop().await.unwrap();
}
