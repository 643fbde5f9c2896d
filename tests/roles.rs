//! Roles, with the real services: what each needs works, and nothing else does.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::{nats_server, reaper};
use futures_util::StreamExt;
use mono_demo::broker::{
    Auth, Broker, Cluster, ClusterSettings, Credentials, Role, Roles, Settings,
};
use mono_demo::modules::journal::Journal;
use mono_demo::modules::math::{self, MathClient, MathModule};
use mono_demo::modules::notification::{Email, EmailClient, Mailer, NotificationModule};
use mono_demo::modules::payment::{
    self, Gateway, GatewayRule, Ledger, PaymentClient, PaymentModule, Submission,
};
use mono_demo::mono::{self, App, Connection, Running, Target};

const LIMIT: Duration = Duration::from_secs(5);

async fn settings(roles: Roles) -> Settings {
    let mut settings = Settings::new(nats_server().await, reaper());
    settings.auth = Some(Auth::Roles(roles));
    settings
}

async fn start() -> Broker {
    Broker::start(settings(Roles::default()).await).await.expect("a broker")
}

fn target(broker: &Broker, role: Role) -> Target {
    let Credentials { user, password } = broker.credentials(role).expect("roles").clone();
    Target {
        url: broker.url().to_owned(),
        auth: mono::Auth::User(user, password),
        inbox_prefix: Some(role.inbox_prefix().to_owned()),
        ..Target::default()
    }
}

async fn connect(broker: &Broker, role: Role) -> Connection {
    Connection::open(&target(broker, role), role.user()).await.expect("a connection")
}

/// The three services, with journals in `folder`.
async fn serve(connection: &Connection, folder: &std::path::Path) -> Result<Running, String> {
    let journal = |name: &str| Journal::open(folder.join(name), false).expect("a journal");
    let settings = payment::Settings::default();
    let ledger = Ledger::new(connection.clone(), settings.replicas);
    let fails_once =
        GatewayRule { id: Some("p-once".to_owned()), fail_times: 1, ..GatewayRule::default() };
    let gateway = Gateway::new(vec![fails_once], settings.chance, journal("gateway"));
    let mailer = Mailer::new(Vec::new(), journal("mailer"));
    App::new()
        .module(MathModule::new(math::Settings::default()))
        .module(NotificationModule::new(1, mailer))
        .module(PaymentModule::new(settings, ledger, gateway))
        .start(connection.clone())
        .await
        .map_err(|e| e.to_string())
}

/// Everything that services and clients do, with these roles: the first refusal or failure, if any.
async fn a_day_at_work(roles: Roles) -> Result<(), String> {
    let broker = Broker::start(settings(roles).await).await.map_err(|e| e.to_string())?;
    let folder = tempfile::tempdir().unwrap();
    let worker = connect(&broker, Role::Worker).await;
    let client = connect(&broker, Role::Client).await;
    let harness = connect(&broker, Role::Harness).await;
    let outcome = tokio::select! {
        biased;
        denied = worker.denied() => Err(format!("worker: {denied}")),
        denied = client.denied() => Err(format!("client: {denied}")),
        denied = harness.denied() => Err(format!("harness: {denied}")),
        done = async {
            let first = serve(&worker, folder.path()).await?;
            // Another one finds what the first has made.
            let second = serve(&worker, folder.path()).await?;
            ask_everything(client.client(), harness.client()).await?;
            find_the_serve(&worker, client.client()).await?;
            // Streams of others over the same subjects are looked for.
            let over = serde_json::json!({ "subject": "services.>" });
            let listed = worker.jetstream().request("STREAM.LIST", &over).await;
            let _: serde_json::Value = listed.map_err(|e| e.to_string())?;
            watches_the_streams(&worker).await?;
            let requests = harness.jetstream().get_stream("payment-requests").await;
            let far_off = async_nats::datetime::from_nanos(i128::from(u32::MAX) * 1_000_000_000);
            let paused = requests.map_err(|e| e.to_string())?;
            let paused = paused.pause_consumer("payment-payment-process", far_off.unwrap());
            paused.await.map_err(|e| e.to_string())?;
            // One that starts later resumes that, and reads what came before its first payment.
            let third = serve(&worker, folder.path()).await?;
            first.drain(LIMIT).await;
            second.drain(LIMIT).await;
            let payments = PaymentClient::new(client.client().clone(), LIMIT);
            let submission =
                Submission { payment_id: "p-4", amount: "9.99", ..Submission::default() };
            payments.submit(&submission).await.map_err(|e| e.to_string())?;
            payments.wait("p-4", LIMIT).await.map_err(|e| e.to_string())?;
            third.drain(LIMIT).await;
            Ok(())
        } => done,
    };
    // A refusal arrives on its own way, perhaps after the answer.
    for connection in [&worker, &client, &harness] {
        connection.client().flush().await.unwrap();
        let refused = tokio::time::timeout(Duration::from_millis(50), connection.denied()).await;
        if let (Ok(()), Ok(denied)) = (&outcome, refused) {
            return Err(denied);
        }
    }
    broker.stop().await.unwrap();
    outcome
}

async fn ask_everything(
    client: &async_nats::Client,
    harness: &async_nats::Client,
) -> Result<(), String> {
    let mut rejected = listen(client, "services.notification.email-rejected").await?;
    let mut letters = listen(harness, "payments.dead-letters.*").await?;
    for asker in [client, harness] {
        let math = MathClient::new(asker.clone(), LIMIT);
        let sum = math.result(math::Operation::Add, 10.0, Some(5.0)).await;
        assert_eq!(sum.map_err(|e| e.to_string())?, 15.0);
    }
    let email =
        Email { to: "a@example.com".to_owned(), subject: "s".to_owned(), body: "b".to_owned() };
    EmailClient::new(client.clone()).send(&[email]).await.map_err(|e| e.to_string())?;
    client
        .publish("services.notification.email-send", "not an email".into())
        .await
        .map_err(|e| e.to_string())?;
    heard(&mut rejected).await?;

    let payments = PaymentClient::new(client.clone(), LIMIT);
    let submission = Submission { payment_id: "p-1", amount: "9.99", ..Submission::default() };
    payments.submit(&submission).await.map_err(|e| e.to_string())?;
    let paid = payments.wait("p-1", LIMIT).await.map_err(|e| e.to_string())?;
    assert_eq!(paid.status.as_str(), "completed");
    let submission = Submission { payment_id: "p-once", amount: "1", ..Submission::default() };
    payments.submit(&submission).await.map_err(|e| e.to_string())?;
    payments.wait("p-once", LIMIT).await.map_err(|e| e.to_string())?;
    let other = payments.status("p-2").await.map_err(|e| e.to_string())?;
    assert!(!other.status.is_final());
    client
        .publish("services.payment.payment-process", "not a payment".into())
        .await
        .map_err(|e| e.to_string())?;
    heard(&mut letters).await?;

    for verb in ["PING", "INFO", "STATS"] {
        let inbox = client.new_inbox();
        let mut answers = listen(client, &inbox).await?;
        client
            .publish_with_reply(format!("$SRV.{verb}"), inbox, "".into())
            .await
            .map_err(|e| e.to_string())?;
        for _ in 0..6 {
            heard(&mut answers).await?;
        }
    }
    let mut events = listen(client, "payments.events.*").await?;
    let submission = Submission { payment_id: "p-3", amount: "1", ..Submission::default() };
    payments.submit(&submission).await.map_err(|e| e.to_string())?;
    heard(&mut events).await?;
    Ok(())
}

/// A runtime file is believed once its `serve` has answered for it, on a subject of its own.
async fn find_the_serve(worker: &Connection, client: &async_nats::Client) -> Result<(), String> {
    let mut asked = listen(worker.client(), "services.serve.proof-0123456789abcdef").await?;
    worker.barrier(LIMIT).await.map_err(|e| e.to_string())?;
    let worker = worker.client();
    let answering = async {
        let question = asked.next().await.and_then(|question| question.reply);
        let reply = question.ok_or("nothing was asked")?;
        worker.publish(reply, "proof".into()).await.map_err(|e| e.to_string())
    };
    let asking = async {
        let subject = "services.serve.proof-0123456789abcdef";
        client.request(subject, "question".into()).await.map(drop).map_err(|e| e.to_string())
    };
    futures_util::future::try_join(asking, answering).await.map(drop)
}

async fn listen(
    client: &async_nats::Client,
    subject: &str,
) -> Result<async_nats::Subscriber, String> {
    let subscriber = client.subscribe(subject.to_owned()).await.map_err(|e| e.to_string())?;
    client.flush().await.map_err(|e| e.to_string())?;
    Ok(subscriber)
}

/// As `serve` does: it hears of changes, asks who stores submissions, and resets its consumer.
async fn watches_the_streams(worker: &Connection) -> Result<(), String> {
    let client = worker.client();
    let _updates =
        client.subscribe("$JS.EVENT.ADVISORY.STREAM.UPDATED.*").await.map_err(|e| e.to_string())?;
    let asked = client.request("$SYS.REQ.ACCOUNT.PING.STATZ", "{}".into()).await;
    let answer = asked.map_err(|e| e.to_string())?.payload;
    assert!(String::from_utf8_lossy(&answer).contains("\"leafnodes\":0"), "{answer:?}");
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Expected-Stream", "none");
    let subject = "services.payment.payment-process";
    let asked = client.request_with_headers(subject, headers, "".into()).await;
    let answer = asked.map_err(|e| e.to_string())?.payload;
    assert!(String::from_utf8_lossy(&answer).contains("10060"), "{answer:?}");
    let reset = "CONSUMER.RESET.payment-requests.payment-payment-process";
    let asked = worker.jetstream().request(reset, &serde_json::json!({ "seq": 1 })).await;
    let _: serde_json::Value = asked.map_err(|e| e.to_string())?;
    Ok(())
}

async fn heard(subscriber: &mut async_nats::Subscriber) -> Result<(), String> {
    match tokio::time::timeout(LIMIT, subscriber.next()).await {
        Ok(Some(_)) => Ok(()),
        _ => Err("nothing was heard".to_owned()),
    }
}

/// Publishes or subscribes, and returns the server's words.
async fn refused(broker: &Broker, role: Role, action: &str, subject: &str) -> String {
    let connection = connect(broker, role).await;
    let client = connection.client();
    match action {
        "publish" => client.publish(subject.to_owned(), "x".into()).await.unwrap(),
        _ => drop(client.subscribe(subject.to_owned()).await.unwrap()),
    }
    client.flush().await.unwrap();
    tokio::time::timeout(LIMIT, connection.denied())
        .await
        .unwrap_or_else(|_| panic!("{} was not refused to {action} {subject}", role.user()))
}

#[tokio::test]
async fn services_and_their_clients_can_do_all_they_do() {
    a_day_at_work(Roles::default()).await.unwrap();
}

/// Every way to take one subject away, with what was taken.
fn one_less(roles: &Roles) -> Vec<(String, Roles)> {
    type List = fn(&mut Roles) -> &mut Vec<String>;
    let lists: [List; 7] = [
        |roles| &mut roles.shared.as_mut().unwrap().services,
        |roles| &mut roles.shared.as_mut().unwrap().surveys,
        |roles| &mut roles.shared.as_mut().unwrap().events,
        |roles| &mut roles.client.publish,
        |roles| &mut roles.client.subscribe,
        |roles| &mut roles.worker.publish,
        |roles| &mut roles.worker.subscribe,
    ];
    let mut found = Vec::new();
    for list in lists {
        for index in 0..list(&mut roles.clone()).len() {
            let mut fewer = roles.clone();
            let taken = list(&mut fewer).remove(index);
            found.push((taken, fewer));
        }
    }
    found
}

#[tokio::test]
async fn no_permission_could_be_taken_away() {
    let cases = one_less(&Roles::default());
    assert!(cases.len() > 20);
    let days = cases.into_iter().map(|(taken, roles)| async move {
        let outcome = a_day_at_work(roles).await;
        println!("without {taken}: {outcome:?}");
        outcome.is_ok().then_some(taken)
    });
    // A few at once: each has a broker and services of its own.
    let idle: Vec<String> = futures_util::stream::iter(days)
        .buffer_unordered(4)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(idle.is_empty(), "not needed: {idle:?}");
}

#[tokio::test]
async fn what_a_client_may_not_do_is_refused_as_a_permissions_violation() {
    let broker = start().await;
    let folder = tempfile::tempdir().unwrap();
    let worker = connect(&broker, Role::Worker).await;
    let running = serve(&worker, folder.path()).await.unwrap();
    for (action, subject) in [
        ("publish", "payments.ledger.x"),
        ("publish", "payments.events.x"),
        ("publish", "$JS.API.STREAM.DELETE.payment-ledger"),
        ("publish", "$JS.API.STREAM.PURGE.payment-requests"),
        ("publish", "$JS.API.STREAM.MSG.GET.payment-ledger"),
        ("publish", "$JS.ACK.payment-requests.payment-payment-process.1.1.1.1.0"),
        ("publish", "_INBOX_worker.x"),
        ("subscribe", ">"),
        ("subscribe", "payments.>"),
        ("subscribe", "services.payment.payment-process"),
        ("subscribe", "_INBOX_worker.>"),
        ("subscribe", "_INBOX_harness.>"),
    ] {
        let words = refused(&broker, Role::Client, action, subject).await;
        assert!(words.to_lowercase().contains("permissions violation"), "{words}");
        assert!(words.to_lowercase().contains(&subject.to_lowercase()), "{words}");
    }
    let harness = connect(&broker, Role::Harness).await;
    harness.jetstream().get_stream("payment-ledger").await.expect("it is still there");
    running.drain(LIMIT).await;
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_cannot_delete_or_purge_nor_hear_the_answers_to_clients() {
    let broker = start().await;
    for (action, subject) in [
        ("publish", "$JS.API.STREAM.DELETE.payment-ledger"),
        ("publish", "$JS.API.STREAM.UPDATE.payment-ledger"),
        ("publish", "$JS.API.STREAM.PURGE.payment-ledger"),
        ("publish", "$JS.API.CONSUMER.DELETE.payment-requests.payment-payment-process"),
        ("publish", "payments.events.x"),
        ("subscribe", "_INBOX.>"),
        ("subscribe", "payments.>"),
        ("subscribe", ">"),
    ] {
        let words = refused(&broker, Role::Worker, action, subject).await;
        assert!(words.to_lowercase().contains("permissions violation"), "{words}");
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn who_shows_nothing_or_something_wrong_is_refused() {
    let broker = start().await;
    let mut wrong = target(&broker, Role::Client);
    for auth in [mono::Auth::None, mono::Auth::User("client".to_owned(), "guess".to_owned())] {
        wrong.auth = auth;
        let problem = Connection::open(&wrong, "stranger").await.unwrap_err();
        assert!(matches!(problem, mono::ConnectError::Refused { .. }), "{problem}");
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn passwords_are_drawn_for_each_run_kept_through_restarts_and_shown_nowhere() {
    let mut broker = start().await;
    let other = start().await;
    let all = [Role::Client, Role::Worker, Role::Harness];
    let password = |broker: &Broker, role| broker.credentials(role).unwrap().password.clone();
    let mut passwords: Vec<String> = all.map(|role| password(&broker, role)).to_vec();
    for role in all {
        assert_ne!(password(&broker, role), password(&other, role));
    }
    other.stop().await.unwrap();
    broker.kill_and_restart().await.unwrap();
    assert_eq!(all.map(|role| password(&broker, role)).to_vec(), passwords);
    connect(&broker, Role::Client).await;
    passwords.dedup();
    assert_eq!(passwords.len(), 3);

    let config = broker.run_dir().join("nats.conf");
    assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let log = std::fs::read_to_string(broker.log_path()).unwrap();
    let line = std::fs::read(format!("/proc/{}/cmdline", broker.pid())).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    let debug = format!("{broker:?} {:?}", broker.credentials(Role::Worker));
    for password in &passwords {
        assert!(std::fs::read_to_string(&config).unwrap().contains(password));
        for (place, text) in [("log", &log), ("command line", &line), ("Debug", &debug)] {
            assert!(!text.contains(password), "the {place} shows a password");
        }
    }
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_without_roles_has_no_credentials() {
    let broker = Broker::start(Settings::new(nats_server().await, reaper())).await.unwrap();
    assert_eq!(broker.credentials(Role::Client), None);
    broker.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_has_the_same_roles_on_every_node_and_shows_no_secret() {
    let settings = ClusterSettings::new(settings(Roles::default()).await);
    let cluster = Cluster::start(settings).await.unwrap();
    for node in cluster.nodes() {
        assert_eq!(node.credentials(Role::Client), cluster.credentials(Role::Client));
        connect(node, Role::Client).await;
        let words = refused(node, Role::Client, "publish", "payments.ledger.x").await;
        assert!(words.to_lowercase().contains("permissions violation"), "{words}");
    }
    let config = std::fs::read_to_string(cluster.nodes()[0].run_dir().join("nats.conf")).unwrap();
    let debug = format!("{cluster:?}");
    let secrets = config.split("password: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let secrets: Vec<&str> = secrets.collect();
    assert_eq!(secrets.len(), 5, "four roles, and what the nodes show each other");
    assert!(secrets.iter().all(|secret| !debug.contains(secret)));
    cluster.stop().await.unwrap();
}
