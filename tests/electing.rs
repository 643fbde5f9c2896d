//! Services that start on a cluster while it elects, several processes at once.

use std::time::{Duration, Instant};

use crate::support::program::Home;
use crate::support::{nats_server, reaper};
use async_nats::jetstream;
use mono_demo::broker::{Broker, Cluster, ClusterSettings, Settings};
use mono_demo::mono::{ConnectError, Connection, Target};

const PROCESSES: usize = 4;
const STREAMS: [&str; 4] =
    ["payment-requests", "payment-ledger", "payment-intents", "payment-dead-letters"];

/// Starts several processes at once on a cluster without streams, again and again; every second
/// time one node has just been killed, so that the cluster elects. Returns how long each took.
async fn rounds(number: usize) -> Vec<Duration> {
    let settings = ClusterSettings::new(Settings::new(nats_server().await, reaper()));
    let mut cluster = Cluster::start(settings).await.expect("a cluster");
    let home = Home::new();
    std::fs::write(home.path().join("three.toml"), "[payment]\nreplicas = 3\n").unwrap();
    let urls = cluster.urls();
    let mut took = Vec::new();
    for round in 0..number {
        if round % 2 == 1 {
            cluster.kill_leader(STREAMS[0]).await.expect("a node is killed");
            forget_streams(&urls).await;
        }
        let began = Instant::now();
        let args = ["--server", &urls, "--settings", "three.toml", "--journal-dir", "books"];
        let serving: Vec<_> = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let starting: Vec<_> =
                    (0..PROCESSES).map(|_| scope.spawn(|| home.serve(&args))).collect();
                starting.into_iter().map(|serve| serve.join().expect("it is ready")).collect()
            })
        });
        took.push(began.elapsed());
        println!("round {round}: {PROCESSES} processes ready in {:?}", began.elapsed());
        home.run(&["--server", &urls, "pay", &format!("round-{round}"), "1", "--timeout", "20s"])
            .ok();
        for serve in &serving {
            serve.signal("TERM");
        }
        for serve in serving {
            let (code, _, stderr) = serve.ended();
            assert_eq!(code, Some(0), "{stderr}");
        }
        cluster.heal().await.expect("all nodes again");
        if round % 2 == 1 {
            forget_streams(&urls).await;
        }
    }
    cluster.stop().await.expect("the cluster stops");
    took
}

/// Deletes the streams, so that they are made anew.
async fn forget_streams(urls: &str) {
    let urls: Vec<String> = urls.split(',').map(str::to_owned).collect();
    let client = async_nats::connect(urls).await.expect("a client");
    let jetstream = jetstream::new(client);
    let began = Instant::now();
    for name in STREAMS {
        // While the cluster elects nobody answers.
        while let Err(error) = jetstream.delete_stream(name).await {
            if error.to_string().contains("stream not found") {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{error}");
        }
    }
}

#[tokio::test]
async fn a_client_that_is_told_of_several_servers_connects_though_one_is_down() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("nats://{closed},{},nats://{closed}", broker.url());
    for _ in 0..10 {
        let target = Target { url: url.clone(), ..Target::default() };
        let connection = Connection::open(&target, "test").await.expect("the one that is up");
        assert_eq!(connection.client().server_info().server_name, broker.name());
    }
    let target = Target { url: format!("nats://{closed},nats://{closed}"), ..Target::default() };
    assert!(matches!(
        Connection::open(&target, "test").await,
        Err(ConnectError::Unreachable { .. })
    ));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_start_at_once_while_a_cluster_elects() {
    rounds(2).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the long form, run by `cargo xtask soak`"]
async fn several_processes_start_at_once_while_a_cluster_elects_twenty_times() {
    let took = rounds(20).await;
    let longest = took.iter().max().expect("rounds");
    println!("{} of 20 rounds, {PROCESSES} processes each; the slowest {longest:?}", took.len());
}
