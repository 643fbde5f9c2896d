//! Permissions: one user for each role, with the subjects it needs and no others.

use super::shared::Shared;

/// A part that a program plays at a broker with [`Auth::Roles`](super::Auth::Roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Asks services and submits payments.
    Client,
    /// Runs the services.
    Worker,
    /// Sets up, breaks and examines: may do everything.
    Harness,
    /// Checks a server's identity before any other password is sent to it: may ask for the proof,
    /// and nothing else.
    Finder,
}

impl Role {
    /// The user's name.
    #[must_use]
    pub fn user(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Worker => "worker",
            Role::Harness => "harness",
            Role::Finder => "finder",
        }
    }

    /// The role whose user has this name.
    #[must_use]
    pub fn of_user(name: &str) -> Option<Self> {
        [Role::Client, Role::Worker, Role::Harness, Role::Finder]
            .into_iter()
            .find(|role| role.user() == name)
    }

    /// Where the role's replies come. A client has NATS's default, so that it needs no settings; the
    /// others have one of their own, which the other one of the two cannot listen to.
    #[must_use]
    pub fn inbox_prefix(self) -> &'static str {
        match self {
            Role::Client | Role::Finder => "_INBOX",
            Role::Worker => "_INBOX_worker",
            Role::Harness => "_INBOX_harness",
        }
    }
}

/// The subjects that a user may publish to and subscribe to; all others are denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Publishing, requesting and acknowledging.
    pub publish: Vec<String>,
    /// Subscribing, also to replies.
    pub subscribe: Vec<String>,
}

/// What the roles may do; the harness may do everything.
///
/// The default is what the built-in services and their clients need, and nothing that they do not; a
/// service of one's own adds its streams with [`worker_makes`](Self::worker_makes) and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Clients.
    pub client: Permissions,
    /// Workers.
    pub worker: Permissions,
    /// Which subjects of the services' account clients can use, each client in its own account;
    /// `None` has all users in one account, where a client chooses any reply subject.
    pub shared: Option<Shared>,
    /// Names of more clients beside `client`, each with the same permissions.
    pub clients: Vec<String>,
    /// As whom somebody is let in who shows nothing; nobody is if `None`.
    pub unnamed: Option<Role>,
}

impl Default for Roles {
    fn default() -> Self {
        let owned = |subjects: &[&str]| subjects.iter().map(|&s| s.to_owned()).collect();
        let client = Permissions {
            publish: owned(&[
                "services.>",
                "$SRV.>",
                // A message to itself tells that the broker has processed what was sent before. No
                // answer to anybody comes there.
                "_INBOX.barrier.*",
            ]),
            subscribe: owned(&[
                "_INBOX.>",
                "payments.events.*",
                "services.notification.email-rejected",
            ]),
        };
        let worker = Permissions {
            publish: owned(&[
                // Replies: to clients, under a name that the broker gives to where they wait in
                // their own account; and to the harness.
                "_R_.>",
                "_INBOX_harness.>",
                // A message to itself, as a client; and which messages it was given, to other workers.
                "_INBOX_worker.barrier.*",
                "services.notification.email-rejected",
                "payments.ledger.*",
                "payments.intent.*",
                "payments.dead-letters.*",
                "payments.failures.*",
            ]),
            subscribe: owned(&["_INBOX_worker.>", "services.>", "$SRV.>"]),
        };
        let mut roles = Roles {
            client,
            worker,
            shared: Some(Shared::default()),
            clients: Vec::new(),
            unnamed: None,
        };
        for stream in [
            "payment-requests",
            "payment-ledger",
            "payment-intents",
            "payment-dead-letters",
            "payment-failures",
        ] {
            roles.worker_makes(stream);
        }
        roles.worker_reads("payment-ledger");
        roles.worker_reads("payment-intents");
        roles.worker_reads("payment-requests");
        roles.worker_reads("payment-failures");
        roles.worker_consumes("payment-requests", "payment-payment-process");
        // Whose streams also store what services are asked.
        roles.worker.publish.push("$JS.API.STREAM.LIST".to_owned());
        // Others may be joined to a server as leaf nodes: who stores a submission is asked there.
        roles.worker.publish.push("$SYS.REQ.ACCOUNT.PING.STATZ".to_owned());
        roles.worker.publish.push("services.payment.payment-process".to_owned());
        // That a stream was changed, if only for a moment.
        roles.worker.subscribe.push("$JS.EVENT.ADVISORY.STREAM.UPDATED.*".to_owned());
        roles
    }
}

impl Roles {
    /// Users with passwords, who may do everything: for services whose subjects are not known.
    #[must_use]
    pub fn unlimited() -> Self {
        let all = || Permissions { publish: vec![">".to_owned()], subscribe: vec![">".to_owned()] };
        Self { client: all(), worker: all(), shared: None, clients: Vec::new(), unnamed: None }
    }

    /// Lets workers make a stream or find that it is there; not change, purge or delete it.
    pub fn worker_makes(&mut self, stream: &str) {
        let verbs = ["INFO", "CREATE"];
        self.worker.publish.extend(verbs.map(|verb| format!("$JS.API.STREAM.{verb}.{stream}")));
    }

    /// Lets workers read single messages of a stream.
    pub fn worker_reads(&mut self, stream: &str) {
        self.worker.publish.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
    }

    /// Lets workers make a consumer of a stream, resume and reset it, pull from it and acknowledge; not
    /// delete it.
    pub fn worker_consumes(&mut self, stream: &str, consumer: &str) {
        self.worker.publish.extend([
            format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.>"),
            format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"),
            // There is no other subject to resume it by; whoever may make it may pause it too.
            format!("$JS.API.CONSUMER.PAUSE.{stream}.{consumer}"),
            // What somebody else has had it forget it gives again.
            format!("$JS.API.CONSUMER.RESET.{stream}.{consumer}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            format!("$JS.ACK.{stream}.{consumer}.>"),
        ]);
    }
}
