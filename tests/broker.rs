//! A broker, against the real nats-server.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{
    Helper, eventually, fake_nats_server, lives, nats_server, processes_with, reaper, state,
};
use async_nats::jetstream;
use futures_util::StreamExt;
use mono_demo::broker::{Auth, Broker, MonitorError, Port, Settings, Share, StartError, Store};
use mono_demo::process::{ExitStatus, Signal};

async fn settings() -> Settings {
    Settings::new(nats_server().await, reaper())
}

async fn start() -> Broker {
    Broker::start(settings().await).await.expect("a broker")
}

async fn connect(broker: &Broker) -> async_nats::Client {
    async_nats::connect(broker.url()).await.expect("a client")
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("metadata").permissions().mode() & 0o777
}

/// The addresses on which a process listens, as `/proc` has them: little-endian hex and a port.
fn listeners(pid: u32) -> Vec<String> {
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its descriptors")
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            // 0A is LISTEN.
            if words[3] == "0A" && inodes.iter().any(|inode| inode == words[9]) {
                found.push(format!("{table} {}", words[1]));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_started_broker_is_ready_and_ours() {
    let broker = start().await;
    let client = connect(&broker).await;
    assert_eq!(client.server_info().server_name, broker.name());
    let account = jetstream::new(client).query_account().await.unwrap();
    assert_eq!(account.streams, 0);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn concurrent_brokers_have_ports_and_stores_of_their_own() {
    let (a, b, c) = tokio::join!(start(), start(), start());
    assert_ne!(a.port(), b.port());
    assert_ne!(b.port(), c.port());
    assert_ne!(a.store_dir(), b.store_dir());
    for broker in [a, b, c] {
        broker.stop().await.unwrap();
    }
}

#[tokio::test]
async fn what_a_broker_keeps_is_private_and_on_loopback_only() {
    let broker = start().await;
    assert_eq!(mode(broker.run_dir()), 0o700);
    assert_eq!(mode(&broker.run_dir().join("nats.conf")), 0o600);
    assert_eq!(mode(broker.store_dir()), 0o700);
    assert_eq!(mode(broker.log_path()), 0o600);
    let expected = format!("tcp 0100007F:{:04X}", broker.port());
    assert_eq!(listeners(broker.pid()), [expected]);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn stop_leaves_no_process_and_no_folder() {
    let broker = start().await;
    let (pid, folder) = (broker.pid(), broker.run_dir().to_owned());
    let needle = folder.to_str().unwrap().to_owned();
    assert_eq!(processes_with(&needle).len(), 2, "the server and its reaper");
    broker.stop().await.unwrap();
    assert!(!lives(pid));
    assert!(!folder.exists());
    assert_eq!(processes_with(&needle), [0u32; 0]);
}

#[tokio::test]
async fn a_dropped_broker_leaves_no_process_and_no_folder() {
    let broker = start().await;
    let folder = broker.run_dir().to_owned();
    drop(broker);
    eventually("nothing is left", Duration::from_secs(60), || {
        !folder.exists() && processes_with(folder.to_str().unwrap()).is_empty()
    });
}

#[tokio::test]
async fn a_kill_and_restart_keeps_port_and_messages() {
    let mut broker = start().await;
    let (port, pid) = (broker.port(), broker.pid());
    let js = jetstream::new(connect(&broker).await);
    js.create_stream(jetstream::stream::Config {
        name: "kept".to_owned(),
        subjects: vec!["kept".to_owned()],
        ..Default::default()
    })
    .await
    .unwrap();
    js.publish("kept", "before".into()).await.unwrap().await.unwrap();

    broker.kill_and_restart().await.unwrap();

    assert_eq!(broker.port(), port);
    assert_ne!(broker.pid(), pid);
    let js = jetstream::new(connect(&broker).await);
    let stream = js.get_stream("kept").await.unwrap();
    let message = stream.get_raw_message(1).await.unwrap();
    assert_eq!(&message.payload[..], b"before");
    let folder = broker.run_dir().to_owned();
    assert!(folder.exists(), "the old reaper must not remove it");
    broker.stop().await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_client_that_reconnects_all_the_time_does_not_take_the_port() {
    let mut broker = start().await;
    let client = async_nats::ConnectOptions::new()
        .reconnect_delay_callback(|_| Duration::ZERO)
        .connect(broker.url())
        .await
        .unwrap();
    for _ in 0..3 {
        broker.kill().await.unwrap();
        // Long enough for thousands of attempts; nothing is being waited for.
        tokio::time::sleep(Duration::from_millis(100)).await;
        broker.restart().await.unwrap();
    }
    assert_eq!(
        client.flush().await.map_err(|e| e.to_string()),
        Ok(()),
        "the client found it again"
    );
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_waits_for_its_port_and_says_when_it_lost_it() {
    let mut settings = settings().await;
    settings.ready_timeout = Duration::from_secs(20);
    let mut broker = Broker::start(settings).await.unwrap();
    broker.kill().await.unwrap();
    // It can be taken by force: whoever reuses addresses may bind where nobody listens.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    let address = format!("127.0.0.1:{}", broker.port()).parse().unwrap();
    socket.bind(address).unwrap();
    let thief = socket.listen(1).unwrap();

    let lost = broker.restart().await.unwrap_err();
    assert!(matches!(lost, StartError::PortLost { port, .. } if port == broker.port()), "{lost}");
    assert!(broker.run_dir().exists());

    let freed = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(thief);
    });
    broker.restart().await.unwrap();
    freed.await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_in_use_is_its_own_error() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wanted = taken.local_addr().unwrap().port();
    let mut settings = settings().await;
    settings.port = Port::Fixed(wanted);
    let root = tempfile::tempdir().unwrap();
    settings.run_root = Some(root.path().to_owned());
    let problem = Broker::start(settings).await.unwrap_err();
    assert!(matches!(problem, StartError::PortInUse { port } if port == wanted));
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_fixed_port_is_used_when_it_is_free() {
    let port = start_and_stop_to_learn_a_free_port().await;
    let mut settings = settings().await;
    settings.port = Port::Fixed(port);
    let broker = Broker::start(settings).await.unwrap();
    assert_eq!(broker.url(), format!("nats://127.0.0.1:{port}"));
    broker.stop().await.unwrap();
}

async fn start_and_stop_to_learn_a_free_port() -> u16 {
    let broker = start().await;
    let port = broker.port();
    broker.stop().await.unwrap();
    port
}

#[tokio::test]
async fn an_early_exit_is_told_at_once_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    settings.extra_config = "no_such_option: 1\n".to_owned();
    settings.run_root = Some(root.path().to_owned());
    let log = root.path().join("kept.log");
    settings.log = Some(log.clone());
    let began = Instant::now();
    let problem = Broker::start(settings).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(60));
    let StartError::EarlyExit { status, tail, log_path } = &problem else {
        panic!("{problem:?}");
    };
    assert_eq!(*status, ExitStatus::Code(1));
    assert!(tail.iter().any(|line| line.contains("no_such_option")));
    assert_eq!(log_path.as_ref(), Some(&log));
    let kept = std::fs::read_to_string(&log).unwrap();
    assert!(kept.contains("no_such_option"));
    assert!(problem.to_string().contains("no_such_option"), "{problem}");
    assert_eq!(root.path().read_dir().unwrap().count(), 1, "only the log");
}

#[tokio::test]
async fn a_server_that_never_listens_is_not_ready_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let script = fake_nats_server(
        folder.path(),
        "[ \"$1\" = --version ] && echo 'nats-server: v2.15.1' && exit\n\
         echo '[INF] Thinking' >&2\nexec sleep 1000",
    );
    let mut provision = mono_demo::provision::Settings::new(folder.path());
    provision.explicit = Some(script);
    let server = mono_demo::provision::nats_server(&provision, &|_| {}).await.unwrap();
    let mut settings = Settings::new(server, reaper());
    // Long enough for it to have said so.
    settings.ready_timeout = Duration::from_secs(3);
    settings.run_root = Some(folder.path().to_owned());
    let problem = Broker::start(settings).await.unwrap_err();
    let text = problem.to_string();
    assert!(matches!(problem, StartError::NotReady { .. }), "{text}");
    assert!(text.contains("waiting for it to listen"), "{text}");
    assert!(text.contains("[INF] Thinking"), "{text}");
    assert_eq!(processes_with(folder.path().to_str().unwrap()), [0u32; 0]);
}

#[tokio::test]
async fn two_brokers_never_share_a_store_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    settings.store = Store::Folder(folder.path().join("store"));
    let mut first = Broker::start(settings.clone()).await.unwrap();
    let second = Broker::start(settings.clone()).await.unwrap_err();
    assert!(matches!(second, StartError::StoreInUse { .. }), "{second}");
    first.kill().await.unwrap();
    let second = Broker::start(settings.clone()).await.unwrap_err();
    assert!(matches!(second, StartError::StoreInUse { .. }), "{second}");
    first.restart().await.unwrap();
    first.stop().await.unwrap();
    Broker::start(settings).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_store_folder_outlives_its_broker() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings().await;
    settings.store = Store::Folder(folder.path().join("a \"store\""));
    let broker = Broker::start(settings.clone()).await.unwrap();
    let config = std::fs::read_to_string(broker.run_dir().join("nats.conf")).unwrap();
    assert!(config.contains("sync_interval: always"), "{config}");
    let js = jetstream::new(connect(&broker).await);
    js.create_stream(jetstream::stream::Config { name: "kept".to_owned(), ..Default::default() })
        .await
        .unwrap();
    broker.stop().await.unwrap();

    let broker = Broker::start(settings).await.unwrap();
    let js = jetstream::new(connect(&broker).await);
    js.get_stream("kept").await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn settings_reach_the_server() {
    let mut settings = settings().await;
    settings.max_payload = Some(2_000_000);
    settings.auth = Some(Auth::Token("a \"secret\"".to_owned()));
    let broker = Broker::start(settings).await.unwrap();
    let refused = async_nats::connect(broker.url()).await;
    assert!(refused.is_err(), "no token, no connection");
    let client = async_nats::ConnectOptions::with_token("a \"secret\"".to_owned())
        .connect(broker.url())
        .await
        .unwrap();
    assert_eq!(client.server_info().max_payload, 2_000_000);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_broker_answers_nothing_until_it_is_resumed() {
    let broker = start().await;
    let client = connect(&broker).await;
    broker.pause().await.unwrap();
    eventually("it is stopped", Duration::from_secs(60), || state(broker.pid()) == Some('T'));
    let answer = tokio::time::timeout(Duration::from_millis(100), client.flush()).await;
    let asked = jetstream::new(client.clone());
    let account = tokio::time::timeout(Duration::from_millis(200), asked.query_account()).await;
    assert!(account.is_err(), "{answer:?}");
    broker.resume().await.unwrap();
    jetstream::new(client).query_account().await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_paused_broker_can_be_stopped_and_killed() {
    let broker = start().await;
    broker.pause().await.unwrap();
    broker.stop().await.unwrap();
    let mut broker = start().await;
    broker.pause().await.unwrap();
    let status = broker.kill().await.unwrap();
    assert_eq!(status, ExitStatus::Signal(9));
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_is_noticed() {
    let broker = start().await;
    broker.signal(Signal::Term).await.unwrap();
    assert_eq!(broker.exited().await, ExitStatus::Code(0));
    assert!(broker.log_tail().iter().any(|line| line.contains("Server Exiting")));
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_leak_report_tells_who_holds_what() {
    let mut settings = settings().await;
    settings.monitoring = true;
    let mut broker = Broker::start(settings).await.unwrap();
    let named = |name: &str| async_nats::ConnectOptions::new().name(name).connect(broker.url());
    let (one, two) = tokio::try_join!(named("leaky"), named("leaky")).unwrap();
    let other = named("tidy").await.unwrap();
    let _held = [one.subscribe("a.*").await.unwrap(), two.subscribe("b").await.unwrap()];
    let js = jetstream::new(other.clone());
    let stream = js
        .create_stream(jetstream::stream::Config { name: "s".to_owned(), ..Default::default() })
        .await
        .unwrap();
    let config = jetstream::consumer::pull::Config {
        durable_name: Some("c".to_owned()),
        ..Default::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    for _ in 0..3 {
        js.publish("s", "x".into()).await.unwrap().await.unwrap();
    }
    let mut batch = consumer.fetch().max_messages(2).messages().await.unwrap();
    while let Some(message) = batch.next().await {
        drop(message.unwrap());
    }
    one.flush().await.unwrap();
    two.flush().await.unwrap();

    let began = Instant::now();
    let report = loop {
        let report = broker.leak_report().await.unwrap();
        // The connection that proved it ready may just be closing.
        if !report.by_name().contains_key("mono-demo readiness") {
            break report;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{report:?}");
    };
    let shares = report.by_name();
    assert_eq!(shares.len(), 2, "{report:?}");
    assert_eq!(shares["leaky"], Share { connections: 2, subscriptions: 2 });
    assert_eq!(shares["tidy"].connections, 1);
    let mut subjects: Vec<_> = report.connections.iter().flat_map(|c| &c.subscriptions).collect();
    subjects.retain(|subject| !subject.starts_with("_INBOX"));
    subjects.sort();
    assert_eq!(subjects, ["a.*", "b"]);
    let state = report.consumer("s", "c").unwrap();
    assert_eq!((state.unacknowledged, state.pending), (2, 1));
    assert_eq!(report.consumer("s", "d"), None);

    broker.kill_and_restart().await.unwrap();
    assert_eq!(broker.leak_report().await.unwrap().consumers.len(), 1);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn monitoring_is_on_loopback_and_off_unless_asked_for() {
    let broker = start().await;
    assert_eq!(broker.monitoring_url(), None);
    assert!(matches!(broker.leak_report().await, Err(MonitorError::Off)));
    broker.stop().await.unwrap();
    let mut settings = settings().await;
    settings.monitoring = true;
    let broker = Broker::start(settings).await.unwrap();
    let port = broker.monitoring_port().unwrap();
    assert_eq!(broker.monitoring_url(), Some(format!("http://127.0.0.1:{port}")));
    let found = listeners(broker.pid());
    assert!(found.contains(&format!("tcp 0100007F:{port:04X}")), "{found:?}");
    assert!(found.iter().all(|listener| listener.contains(" 0100007F:")), "{found:?}");
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_lame_duck_tells_its_clients_refuses_new_ones_and_ends_by_itself() {
    let mut settings = settings().await;
    settings.extra_config = "lame_duck_grace_period: \"300ms\"\n".to_owned();
    let mut broker = Broker::start(settings).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let client = async_nats::ConnectOptions::new()
        .event_callback(move |event| {
            let _ = tell.send(event);
            async {}
        })
        .connect(broker.url())
        .await
        .unwrap();
    broker.signal(Signal::Usr2).await.unwrap();
    let warned = async {
        while let Some(event) = told.recv().await {
            if matches!(event, async_nats::Event::LameDuckMode) {
                return;
            }
        }
        panic!("no word of it");
    };
    tokio::time::timeout(Duration::from_secs(60), warned).await.unwrap();
    assert!(async_nats::connect(broker.url()).await.is_err(), "it takes nobody any more");
    client.flush().await.unwrap();
    assert_eq!(broker.exited().await, ExitStatus::Code(0));
    broker.restart().await.unwrap();
    jetstream::new(client).query_account().await.unwrap();
    broker.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "a helper: holds a broker until it is killed"]
async fn helper_holds_a_broker() {
    let mut settings = settings().await;
    settings.run_root = Some(Helper::argument().join("run"));
    settings.store = Store::Folder(Helper::argument().join("store"));
    let broker = Broker::start(settings).await.unwrap();
    println!("told {} {}", broker.pid(), broker.run_dir().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn killing_its_owner_leaves_nothing_of_a_broker_and_frees_its_store() {
    let server = nats_server().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("run")).unwrap();
    let mut helper = Helper::start("broker::helper_holds_a_broker", folder.path());
    let pid: u32 = helper.told[0].parse().unwrap();
    let run_dir = helper.told[1].clone();
    assert!(lives(pid));
    assert_eq!(processes_with(&run_dir).len(), 2, "server and reaper");

    helper.kill();
    // At once, while the old server may still be dying: the lock on the store keeps them apart.
    let mut settings = Settings::new(server, reaper());
    settings.store = Store::Folder(folder.path().join("store"));
    let next = Broker::start(settings).await.unwrap();
    assert!(!lives(pid));

    eventually("nothing is left", Duration::from_secs(60), || {
        processes_with(&run_dir).is_empty() && !Path::new(&run_dir).exists()
    });
    next.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measure_start_to_ready() {
    let settings = settings().await;
    let mut times = Vec::new();
    let mut stops = Vec::new();
    for _ in 0..40 {
        let began = Instant::now();
        let broker = Broker::start(settings.clone()).await.unwrap();
        times.push(began.elapsed());
        let began = Instant::now();
        broker.stop().await.unwrap();
        stops.push(began.elapsed());
    }
    times.sort();
    stops.sort();
    println!(
        "start to ready: min {:?} median {:?} max {:?}; stop: median {:?}",
        times[0], times[20], times[39], stops[20]
    );
}
