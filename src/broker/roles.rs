//! Who may do what: one user a role, with the subjects it needs and no others.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::quoted;
use super::error::StartError;
use super::store::{private_folders, write_first};

/// In a store folder: the passwords of its roles.
const KEPT: &str = "roles.json";

/// A part that a program plays at a broker with [`Auth::Roles`](super::Auth::Roles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Asks services and submits payments.
    Client,
    /// Runs the services.
    Worker,
    /// Sets up, breaks and examines: may do everything.
    Harness,
}

impl Role {
    /// The user's name.
    #[must_use]
    pub fn user(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Worker => "worker",
            Role::Harness => "harness",
        }
    }

    /// The role whose user has this name.
    #[must_use]
    pub fn of_user(name: &str) -> Option<Self> {
        [Role::Client, Role::Worker, Role::Harness].into_iter().find(|role| role.user() == name)
    }

    /// Where the role's replies come. A client has NATS's default, so that it needs no settings; the
    /// others have one of their own, which no client can listen to.
    #[must_use]
    pub fn inbox_prefix(self) -> &'static str {
        match self {
            Role::Client => "_INBOX",
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
    /// Whoever asks.
    pub client: Permissions,
    /// Whoever answers.
    pub worker: Permissions,
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
                // Replies.
                "_INBOX.>",
                "_INBOX_harness.>",
                // A message to itself, as a client.
                "_INBOX_worker.barrier.*",
                "services.notification.email-rejected",
                "payments.ledger.*",
                "payments.intent.*",
                "payments.dead-letters.*",
            ]),
            subscribe: owned(&["_INBOX_worker.>", "services.>", "$SRV.>"]),
        };
        let mut roles = Roles { client, worker };
        for stream in
            ["payment-requests", "payment-ledger", "payment-intents", "payment-dead-letters"]
        {
            roles.worker_makes(stream);
        }
        roles.worker_reads("payment-ledger");
        roles.worker_reads("payment-intents");
        roles.worker_reads("payment-requests");
        roles.worker_consumes("payment-requests", "payment-payment-process");
        roles
    }
}

impl Roles {
    /// Users with passwords, who may do everything: for services whose subjects are not known.
    #[must_use]
    pub fn unlimited() -> Self {
        let all = || Permissions { publish: vec![">".to_owned()], subscribe: vec![">".to_owned()] };
        Self { client: all(), worker: all() }
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

    /// Lets workers make a consumer of a stream, pull from it and acknowledge; not delete it.
    pub fn worker_consumes(&mut self, stream: &str, consumer: &str) {
        self.worker.publish.extend([
            format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.>"),
            format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            format!("$JS.ACK.{stream}.{consumer}.>"),
        ]);
    }
}

/// A user and a password. Its `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password; drawn anew for each run or store folder, the same through restarts.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.user)
    }
}

/// The passwords of one run, or of one store folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Logins {
    client: Credentials,
    worker: Credentials,
    harness: Credentials,
}

impl Logins {
    pub(super) fn draw() -> io::Result<Logins> {
        let draw = |role: Role| {
            Ok::<_, io::Error>(Credentials { user: role.user().to_owned(), password: secret()? })
        };
        Ok(Logins {
            client: draw(Role::Client)?,
            worker: draw(Role::Worker)?,
            harness: draw(Role::Harness)?,
        })
    }

    /// Those that a store folder was used with; new ones for a new folder.
    ///
    /// The file is for this user only; one that others could read has told its secrets, and is
    /// refused.
    pub(super) fn kept_in(folder: &Path) -> Result<Logins, StartError> {
        let path = folder.join(KEPT);
        let problem = |source| StartError::Prepare {
            what: "the file of the roles' passwords",
            path: path.clone(),
            source,
        };
        private_folders(folder).map_err(problem)?;
        if !path.exists() {
            let drawn = Self::draw().map_err(|source| StartError::NoRandomness { source })?;
            let text = serde_json::json!(drawn).to_string() + "\n";
            write_first(folder, &path, &text).map_err(problem)?;
        }
        let mut file = File::open(&path).map_err(problem)?;
        let mode = file.metadata().map_err(problem)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let why = format!("others may read it (mode {mode:o}); remove it for new passwords");
            return Err(problem(io::Error::other(why)));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(problem)?;
        serde_json::from_str(&text).map_err(|e| problem(e.into()))
    }

    pub(super) fn of(&self, role: Role) -> &Credentials {
        match role {
            Role::Client => &self.client,
            Role::Worker => &self.worker,
            Role::Harness => &self.harness,
        }
    }

    /// The users in nats-server's own language.
    pub(super) fn config(&self, roles: &Roles) -> String {
        let mut text = "authorization {\n  users: [\n".to_owned();
        for (login, may) in [
            (&self.client, Some(&roles.client)),
            (&self.worker, Some(&roles.worker)),
            (&self.harness, None),
        ] {
            let (user, password) = (quoted(&login.user), quoted(&login.password));
            let _ = write!(text, "    {{ user: {user}, password: {password}");
            if let Some(Permissions { publish, subscribe }) = may {
                let (publish, subscribe) = (list(publish), list(subscribe));
                let _ = write!(
                    text,
                    ", permissions: {{ publish: {{ allow: {publish} }}, subscribe: {{ allow: {subscribe} }} }}"
                );
            }
            text.push_str(" }\n");
        }
        text.push_str("  ]\n}\n");
        text
    }
}

fn list(subjects: &[String]) -> String {
    let subjects: Vec<String> = subjects.iter().map(|subject| quoted(subject)).collect();
    format!("[{}]", subjects.join(", "))
}

/// 128 bits that nobody can guess, as text.
///
/// From the system: a NUID, which names our servers, is unique but can be guessed from the one
/// before it.
pub(super) fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_new_each_time_and_not_shown() {
        let (a, b) = (secret().unwrap(), secret().unwrap());
        assert_eq!(a.len(), 32);
        assert_ne!(a, b);
        let shown = format!("{:?}", Credentials { user: "u".into(), password: a.clone() });
        assert!(!shown.contains(&a), "{shown}");
    }

    #[test]
    fn an_empty_list_of_subjects_allows_none() {
        assert_eq!(list(&[]), "[]");
        assert_eq!(list(&["a.>".into(), "b".into()]), r#"["a.>", "b"]"#);
    }
}
