//! The one handle to faults: servers, networks and service processes, against the real nats-server.

use std::time::{Duration, Instant};

use crate::support::{nats_server, reaper, state};
use async_nats::{Client, ConnectOptions, Event};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mono_demo::broker::{
    Broker, Cluster, ClusterSettings, Direction, Fault, FaultError, Faults, Proxy, Servers,
    ServiceProcesses, Settings, Side, What,
};
use mono_demo::process::{Child, Spawn};
use tokio::sync::watch;

const SHORT: Duration = Duration::from_millis(300);
/// A fault is over; a client has to notice within this.
const RECOVERY: Duration = Duration::from_secs(2);

async fn settings() -> Settings {
    let mut settings = Settings::new(nats_server().await, reaper());
    settings.extra_config = "lame_duck_grace_period: \"100ms\"\n".to_owned();
    settings
}

async fn broker() -> Broker {
    Broker::start(settings().await).await.expect("a broker")
}

/// Processes that stand for services.
struct Sleepers(Vec<Child>);

impl Sleepers {
    async fn start(many: usize) -> Self {
        let mut sleepers = Self(Vec::new());
        while sleepers.0.len() < many {
            sleepers.0.push(sleeper().await);
        }
        sleepers
    }

    fn pids(&self) -> Vec<u32> {
        self.0.iter().map(Child::pid).collect()
    }

    async fn end(self) {
        for child in self.0 {
            child.kill().await.unwrap();
            child.close().await;
        }
    }
}

async fn sleeper() -> Child {
    Child::spawn(&reaper(), Spawn::new("sleeper", "sleep").arg("1000")).await.expect("a sleeper")
}

impl ServiceProcesses for Sleepers {
    fn running(&mut self) -> &mut Vec<Child> {
        &mut self.0
    }

    fn oldest_ended(&mut self) -> BoxFuture<'_, ()> {
        self.0.remove(0).close().boxed()
    }

    fn start_missing(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            while self.0.len() < 3 {
                self.0.push(sleeper().await);
            }
            Ok(())
        }
        .boxed()
    }

    fn drain_limit(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// A client, and whether it was told that its server is a lame duck.
async fn client(url: &str) -> (Client, watch::Receiver<bool>) {
    let (told, lame) = watch::channel(false);
    let client = ConnectOptions::new()
        .request_timeout(Some(SHORT))
        .event_callback(move |event| {
            if matches!(event, Event::LameDuckMode) {
                told.send_replace(true);
            }
            std::future::ready(())
        })
        .connect(url)
        .await
        .expect("a client");
    (client, lame)
}

/// A message to itself that comes back: whether it did in time.
async fn answers(client: &Client, limit: Duration) -> bool {
    let trip = async {
        let inbox = client.new_inbox();
        let mut echo = client.subscribe(inbox.clone()).await.ok()?;
        client.publish(inbox, "".into()).await.ok()?;
        client.flush().await.ok()?;
        futures_util::StreamExt::next(&mut echo).await
    };
    matches!(tokio::time::timeout(limit, trip).await, Ok(Some(_)))
}

/// What is sent while a connection is being made anew may be lost: it asks again.
async fn answers_again(client: &Client) -> bool {
    let began = Instant::now();
    while began.elapsed() < RECOVERY {
        if answers(client, SHORT).await {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn one_handle_breaks_servers_networks_and_services() {
    let mut broker = broker().await;
    let pid = broker.pid();
    let proxies = [Proxy::start(broker.port(), 1).await.unwrap()];
    let (client, _) = client(&proxies[0].url()).await;
    let mut sleepers = Sleepers::start(3).await;
    let before = sleepers.pids();

    let mut faults = Faults::new(Servers::One(&mut broker), 1)
        .network(Side::Client, &proxies)
        .services(&mut sleepers);
    let mut inject = async |what| faults.inject(&Fault::new(what)).await.expect("it breaks");
    assert_eq!(inject(What::KillBroker).await, "killed, and back on the same port and store");
    assert!(answers_again(&client).await);
    inject(What::BlackHole).await;
    assert!(!answers(&client, SHORT).await);
    inject(What::HealNetwork).await;
    assert!(answers_again(&client).await);
    inject(What::PauseBroker).await;
    assert!(!answers(&client, SHORT).await);
    inject(What::ResumeBroker).await;
    assert!(answers_again(&client).await);
    inject(What::KillService).await;
    inject(What::StopService).await;
    inject(What::PauseService).await;
    drop(faults);

    assert_ne!(broker.pid(), pid);
    let after = sleepers.pids();
    // The first was killed and one took its place; the second stays away; the third is paused, and
    // counts as the youngest.
    assert_eq!(after.len(), 2);
    assert_eq!(after[1], before[2]);
    assert_eq!(state(after[1]), Some('T'));
    assert!(state(after[0]).is_some_and(|state| "RS".contains(state)));
    let mut faults = Faults::new(Servers::One(&mut broker), 1).services(&mut sleepers);
    faults.inject(&Fault::new(What::ResumeServices)).await.unwrap();
    faults.inject(&Fault::new(What::StartServices)).await.unwrap();
    drop(faults);
    assert_eq!(sleepers.pids().len(), 3);
    assert!(sleepers.pids().iter().all(|pid| state(*pid) != Some('T')));
    sleepers.end().await;
    let [proxy] = proxies;
    proxy.stop().await;
    broker.stop().await.unwrap();
}

/// Processes that are started again, and end at once.
struct Mayflies(Vec<Child>);

impl ServiceProcesses for Mayflies {
    fn running(&mut self) -> &mut Vec<Child> {
        &mut self.0
    }

    fn oldest_ended(&mut self) -> BoxFuture<'_, ()> {
        self.0.remove(0).close().boxed()
    }

    fn start_missing(&mut self) -> BoxFuture<'_, Result<(), String>> {
        async {
            if self.0.is_empty() {
                let child = Child::spawn(&reaper(), Spawn::new("mayfly", "true")).await.unwrap();
                child.wait().await;
                self.0.push(child);
            }
            Ok(())
        }
        .boxed()
    }

    fn restarts(&self) -> bool {
        true
    }

    fn drain_limit(&self) -> Duration {
        Duration::from_secs(5)
    }
}

#[tokio::test]
async fn a_service_that_came_back_and_has_ended_already_is_not_hit() {
    let mut broker = broker().await;
    let mut mayflies = Mayflies(Vec::new());
    let mut faults = Faults::new(Servers::One(&mut broker), 1).services(&mut mayflies);
    for what in [What::KillService, What::PauseServices, What::ResumeServices] {
        let problem = faults.inject(&Fault::new(what)).await.expect_err(what.word());
        assert!(problem.to_string().starts_with("matched nothing: "), "{problem}");
    }
    drop(faults);
    for child in mayflies.0 {
        child.close().await;
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_fault_of_services_hits_one_that_runs_or_is_refused() {
    let mut broker = broker().await;
    let mut sleepers = Sleepers::start(2).await;
    let pids = sleepers.pids();
    // The oldest has ended by itself.
    sleepers.0[0].kill().await.unwrap();
    let mut faults = Faults::new(Servers::One(&mut broker), 1).services(&mut sleepers);
    faults.inject(&Fault::new(What::PauseService)).await.unwrap();
    drop(faults);
    assert_eq!(state(pids[1]), Some('T'));
    let mut faults = Faults::new(Servers::One(&mut broker), 1).services(&mut sleepers);
    faults.inject(&Fault::new(What::StopService)).await.unwrap();
    // Now none of them runs.
    for what in [
        What::KillServices,
        What::KillService,
        What::StopServices,
        What::RestartServices,
        What::RestartService,
        What::PauseServices,
        What::PauseService,
        What::ResumeServices,
    ] {
        let problem = faults.inject(&Fault::new(what)).await.expect_err(what.word());
        assert!(problem.to_string().starts_with("matched nothing: "), "{problem}");
    }
    faults.inject(&Fault::new(What::StartServices)).await.unwrap();
    drop(faults);
    assert!(sleepers.pids().iter().any(|pid| !pids.contains(pid)));
    sleepers.end().await;
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_fault_that_lasts_a_time_is_over_after_it_and_not_before() {
    let mut broker = broker().await;
    let (client, _) = client(broker.url()).await;
    let (pid, began) = (broker.pid(), Instant::now());
    let pause = Fault::new(What::PauseBroker).lasting(Duration::from_secs(1));
    let mut faults = Faults::new(Servers::One(&mut broker), 1);
    let meanwhile = async {
        while state(pid) != Some('T') {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        answers(&client, SHORT).await
    };
    let (said, answered) = tokio::join!(faults.inject(&pause), meanwhile);
    assert_eq!(said.unwrap(), "paused, for 1s");
    assert!(!answered && began.elapsed() >= Duration::from_secs(1));
    assert!(answers_again(&client).await);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_break_is_refused() {
    let mut broker = broker().await;
    let proxies = [Proxy::start(broker.port(), 1).await.unwrap()];
    let mut faults = Faults::new(Servers::One(&mut broker), 1).network(Side::Client, &proxies);
    let mut refused = async |fault| faults.inject(&fault).await.expect_err("it cannot");
    let on_services = Fault { on: Some(Side::Services), ..Fault::new(What::Cut) };
    assert!(matches!(refused(on_services).await, FaultError::NoProxy));
    assert!(matches!(refused(Fault::new(What::KillLeader)).await, FaultError::NoCluster));
    assert!(matches!(refused(Fault::new(What::KillService)).await, FaultError::NoServices));
    let cut = What::CutAfter { bytes: 4096, direction: Direction::ToServer };
    faults.inject(&Fault::new(cut)).await.unwrap();
    let problem = faults.inject(&Fault::new(What::HealNetwork)).await.expect_err("nobody sent");
    assert_eq!(problem.to_string(), "nothing was cut: 4096 more bytes had to pass first");
    drop(faults);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_lame_duck_tells_its_clients_and_is_back() {
    let mut broker = broker().await;
    let pid = broker.pid();
    let (client, mut lame) = client(broker.url()).await;
    let duck = Fault::new(What::LameDuck);
    Faults::new(Servers::One(&mut broker), 1).inject(&duck).await.unwrap();
    assert_ne!(broker.pid(), pid);
    let told = tokio::time::timeout(RECOVERY, lame.wait_for(|lame| *lame)).await;
    assert!(told.is_ok(), "the client was not told");
    assert!(answers_again(&client).await);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn in_a_cluster_clients_leave_a_lame_duck_and_the_seed_chooses_who_is_killed() {
    let settings = ClusterSettings { advertise: true, ..ClusterSettings::new(settings().await) };
    let mut cluster = Cluster::start(settings).await.expect("a cluster");
    let (client, mut lame) = client(cluster.nodes()[0].url()).await;
    assert_eq!(client.server_info().server_name, cluster.nodes()[0].name());
    cluster.lame_duck(0).await.unwrap();
    lame.wait_for(|lame| *lame).await.unwrap();
    // The node is down: whoever answers is another.
    assert!(answers_again(&client).await);
    assert_ne!(client.server_info().server_name, cluster.nodes()[0].name());

    let mut drawn = async |seed| {
        let servers = Servers::Several { cluster: &mut cluster, leader_of: "", left_with: "" };
        let mut faults = Faults::new(servers, seed);
        let two = Fault::new(What::KillNode(2));
        let mut texts = Vec::new();
        for injected in 0..8 {
            faults = faults.after(injected);
            texts.push(faults.drawn(&two).await.unwrap());
        }
        texts
    };
    let texts = drawn(7).await;
    assert_eq!(texts, drawn(7).await);
    assert_ne!(texts, drawn(8).await);
    assert!(texts.iter().all(|text| text.starts_with("kill-node 2 (nodes ")));

    let mut names: Vec<u32> = cluster.nodes().iter().map(Broker::pid).collect();
    let servers = Servers::Several { cluster: &mut cluster, leader_of: "", left_with: "" };
    let mut faults = Faults::new(servers, 7);
    faults.inject(&Fault::new(What::KillNode(2))).await.unwrap();
    drop(faults);
    names.retain(|pid| cluster.nodes().iter().any(|node| node.pid() == *pid));
    assert!(names.len() <= 1, "two were killed and are back under other process ids");
    cluster.stop().await.unwrap();
}
