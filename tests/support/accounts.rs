//! Services in an account of their own, and two clients, each in another.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, Subscriber};
use futures_util::StreamExt;
use mono_demo::broker::{
    Auth, Broker, Cluster, ClusterSettings, Credentials, Role, Roles, Settings,
};
use mono_demo::modules::journal::Journal;
use mono_demo::modules::math::{self, MathModule};
use mono_demo::modules::notification::{Mailer, NotificationModule};
use mono_demo::modules::payment::{self, Gateway, Ledger, PaymentClient, PaymentModule};
use mono_demo::mono::{self, App, Connection, Running, Target};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{nats_server, reaper};

pub const LIMIT: Duration = Duration::from_secs(60);
/// Where a client would like others to write, or to be heard.
pub const VICTIMS: [&str; 20] = [
    "payments.ledger.victim",
    "payments.intent.x",
    "payments.dead-letters.9-9",
    "payments.events.victim",
    "services.notification.email-rejected",
    "$JS.API.STREAM.DELETE.payment-ledger",
    "$JS.API.STREAM.PURGE.payment-requests",
    "$JS.ACK.payment-requests.payment-payment-process.1.1.1.1.0",
    "_INBOX_worker.victim",
    "_INBOX_harness.victim",
    "$SYS.REQ.SERVER.PING",
    "_R_.forged.reply",
    "_R_.>",
    "_GR_.forged.reply",
    "$GR.forged.reply",
    "$NRG.P.forged",
    "$JSC.R.forged",
    "$MQTT.sub.forged",
    "payments.ledger.*",
    "payments.>",
];

/// The broker, alone or of three nodes.
enum Servers {
    One(Box<Broker>),
    Three(Box<Cluster>),
}

pub struct World {
    servers: Servers,
    pub running: Running,
    _folder: tempfile::TempDir,
}

impl World {
    /// The services, and a second client called `other`.
    pub async fn start() -> World {
        let broker = Broker::start(Self::settings().await).await.expect("a broker");
        Self::serve(Servers::One(Box::new(broker)), 1).await
    }

    /// The same on a cluster; whoever connects is at another node than the services.
    pub async fn start_on_three() -> World {
        let settings = ClusterSettings::new(Self::settings().await);
        let cluster = Cluster::start(settings).await.expect("a cluster");
        Self::serve(Servers::Three(Box::new(cluster)), 3).await
    }

    async fn settings() -> Settings {
        let mut settings = Settings::new(nats_server().await, reaper());
        let roles = Roles { clients: vec!["other".to_owned()], ..Roles::default() };
        settings.auth = Some(Auth::Roles(roles));
        settings
    }

    async fn serve(servers: Servers, replicas: usize) -> World {
        let login = servers.nodes()[0].credentials(Role::Worker).unwrap().clone();
        let target = Target {
            url: servers.nodes()[0].url().to_owned(),
            auth: mono::Auth::User(login.user, login.password),
            inbox_prefix: Some(Role::Worker.inbox_prefix().to_owned()),
            ..Target::default()
        };
        let connection = Connection::open(&target, "services").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let journal = |name: &str| Journal::open(folder.path().join(name), false).unwrap();
        let settings = payment::Settings { replicas, ..payment::Settings::default() };
        let ledger = Ledger::new(connection.clone(), settings.replicas);
        let gateway = Gateway::new(Vec::new(), settings.chance, journal("gateway"));
        let mailer = Mailer::new(Vec::new(), journal("mailer"));
        let running = App::new()
            .module(MathModule::new(math::Settings::default()))
            .module(NotificationModule::new(1, mailer))
            .module(PaymentModule::new(settings, ledger, gateway))
            .start(connection)
            .await
            .unwrap();
        World { servers, running, _folder: folder }
    }

    async fn connect(&self, node: usize, login: Credentials) -> Client {
        let nodes = self.servers.nodes();
        let options = ConnectOptions::with_user_and_password(login.user, login.password);
        options.connect(nodes[node % nodes.len()].url()).await.unwrap()
    }

    fn credentials(&self, role: Role) -> Credentials {
        self.servers.nodes()[0].credentials(role).unwrap().clone()
    }

    pub async fn client(&self) -> Client {
        self.connect(1, self.credentials(Role::Client)).await
    }

    /// The same, and what the server refuses it.
    pub async fn refused_client(&self) -> (Client, UnboundedReceiver<String>) {
        let (refusals, refused) = unbounded_channel();
        let Credentials { user, password } = self.credentials(Role::Client);
        let options = ConnectOptions::with_user_and_password(user, password);
        let options = options.event_callback(move |event| {
            if let Event::ServerError(refusal) = event {
                let _ = refusals.send(refusal.to_string());
            }
            std::future::ready(())
        });
        let nodes = self.servers.nodes();
        (options.connect(nodes[1 % nodes.len()].url()).await.unwrap(), refused)
    }

    pub async fn other(&self) -> Client {
        self.connect(2, self.servers.nodes()[0].client_credentials("other").unwrap()).await
    }

    pub async fn finder(&self) -> Client {
        self.connect(2, self.credentials(Role::Finder)).await
    }

    /// As the harness, with whose inboxes nothing is published.
    pub async fn harness(&self) -> Client {
        self.connect(0, self.credentials(Role::Harness)).await
    }

    /// The services end; the broker goes on until what this returns is stopped.
    pub async fn drain(self) -> impl Future<Output = ()> {
        let Self { servers, running, _folder } = self;
        running.drain(LIMIT).await;
        async move {
            match servers {
                Servers::One(broker) => broker.stop().await.unwrap(),
                Servers::Three(cluster) => cluster.stop().await.unwrap(),
            }
        }
    }

    pub async fn stop(self) {
        self.drain().await.await;
    }
}

impl Servers {
    fn nodes(&self) -> &[Broker] {
        match self {
            Servers::One(broker) => std::slice::from_ref(&**broker),
            Servers::Three(cluster) => cluster.nodes(),
        }
    }
}

pub async fn listen(client: &Client, subject: &str) -> Subscriber {
    let subscriber = client.subscribe(subject.to_owned()).await.unwrap();
    client.flush().await.unwrap();
    subscriber
}

/// What came until now: behind a message to itself.
pub async fn heard(client: &Client, subscriber: &mut Subscriber) -> Vec<String> {
    let mut fence = listen(client, "_INBOX.barrier.fence").await;
    client.publish("_INBOX.barrier.fence", "".into()).await.unwrap();
    tokio::time::timeout(LIMIT, fence.next()).await.expect("the fence comes back");
    let mut subjects = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(Duration::ZERO, subscriber.next()).await {
        subjects.push(message.subject.to_string());
    }
    subjects
}

/// Asks everything that answers, with this reply subject.
pub async fn ask_all(client: &Client, reply: &str, id: &str) {
    let payment = format!(r#"{{"payment_id": "{id}", "amount": 1}}"#);
    for (subject, body) in [
        ("services.math.calculate", r#"{"operation": "add", "a": 1, "b": 2}"#),
        ("services.math.calculate", "not a calculation"),
        ("services.notification.email-send", r#"{"to": "a@example.com", "subject": "s"}"#),
        ("services.payment.status", r#"{"payment_id": "p"}"#),
        ("services.payment.payment-process", &payment),
        ("$SRV.PING", ""),
        ("$SRV.INFO.math", ""),
    ] {
        let (reply, body) = (reply.to_owned(), body.to_owned().into());
        client.publish_with_reply(subject, reply, body).await.unwrap();
    }
    client.flush().await.unwrap();
}

/// Waits until a payment has been settled, and with it what was asked before.
pub async fn settled(client: &Client, id: &str) {
    let paid = PaymentClient::new(client.clone(), LIMIT).wait(id, LIMIT).await.unwrap();
    assert_eq!(paid.status.as_str(), "completed");
}
