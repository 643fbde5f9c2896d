//! Accounts with separate subjects, so that a client cannot use its reply subject to reach the
//! services.
//!
//! The services have an account, and each client has one. What a client may ask it imports; the broker
//! gives its reply subject another name on the way (`_R_.…`), and whatever answers there, a worker or a
//! stream, comes out in the account of the client that asked: never in the ledger, nor at another
//! client.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::error::StartError;
use super::logins::{Credentials, Logins};
use super::quoted::quoted;
use super::roles::{Permissions, Role, Roles};
use super::shared::SERVER_IDENTITY;
use super::shared::Shared;
use crate::whole;

/// The account of services, harness and streams.
pub(super) const SERVICES: &str = "services";
/// The account of everything at a server without accounts.
pub(super) const GLOBAL: &str = "$G";
/// How long the reply subject of a request stays mapped.
const ONE_ANSWER_WITHIN: &str = "10m";
/// The same if the number of replies is unknown: each request uses the broker's memory for this
/// long.
const ANSWERS_WITHIN: &str = "10s";

/// The same for a user's own nats-server, which reads the passwords from its environment.
///
/// Replies come to NATS's default inboxes there: whoever is in an account needs no settings.
#[must_use]
pub fn accounts_config() -> String {
    let (logins, mut roles) = (Logins::variables(), Roles::default());
    roles.worker.publish.push("_INBOX.>".to_owned());
    roles.worker.subscribe.push("_INBOX.>".to_owned());
    let mut text = config(&logins, &roles);
    for role in [Role::Client, Role::Worker, Role::Harness] {
        let Some(login) = logins.of(role) else { continue };
        text = text.replace(&quoted(&login.password), &login.password);
    }
    text
}

/// The users in nats-server's own language, each in its account.
pub(super) fn config(logins: &Logins, roles: &Roles) -> String {
    let unnamed = roles.unnamed.map(|role| format!("no_auth_user: {}\n", quoted(role.user())));
    users(logins, roles) + &unnamed.unwrap_or_default()
}

fn users(logins: &Logins, roles: &Roles) -> String {
    let Roles { client, worker, shared, clients, unnamed: _ } = roles;
    let more = clients.iter().filter_map(|name| logins.of_client(name));
    let clients: Vec<Credentials> =
        logins.of(Role::Client).cloned().into_iter().chain(more).collect();
    let of = |role, may| logins.of(role).map(|login| user(login, may, &[])).unwrap_or_default();
    let key = logins.worker_key().map(|key| format!("nkey: {}", quoted(&key.public)));
    let by_key = key.map(|key| entry(&key, Some(worker), &[])).unwrap_or_default();
    let of_services = [of(Role::Worker, Some(worker)), by_key, of(Role::Harness, None)];
    let Some(shared) = shared else {
        let clients = clients.iter().map(|login| user(login, Some(client), &[]));
        let users: String = clients.chain(of_services).collect();
        return format!("authorization {{\n  users: [\n{users}  ]\n}}\n");
    };
    let mut text = format!(
        "accounts {{\n  {SERVICES} {{\n    jetstream: enabled\n    users: [\n{}    ]\n    exports: [\n{}    ]\n  }}\n",
        of_services.concat(),
        shared.exports()
    );
    for login in &clients {
        let _ = writeln!(
            text,
            "  {} {{\n    users: [\n{}    ]\n    imports: [\n{}    ]\n  }}",
            quoted(&format!("client-{}", login.user)),
            user(login, Some(client), &shared.events),
            shared.imports()
        );
    }
    // Nobody can import what is not there.
    if let Some(login) = logins.of(Role::Finder)
        && shared.services.iter().any(|subject| subject == SERVER_IDENTITY)
    {
        text += &finder(login);
    }
    text + "}\n"
}

/// The account of a user that only checks a server's identity. Its question reaches the answering
/// `serve` with the name of the server where it was asked, so that nobody can relay it.
fn finder(login: &Credentials) -> String {
    let may = Permissions {
        publish: vec![SERVER_IDENTITY.to_owned()],
        subscribe: vec!["_INBOX.>".to_owned()],
    };
    let (subject, login) = (quoted(SERVER_IDENTITY), user(login, Some(&may), &[]));
    format!(
        "  finder {{\n    users: [\n{login}    ]\n    imports: [\n      \
         {{ service: {{ account: {SERVICES}, subject: {subject} }}, share: true }}\n    ]\n  }}\n"
    )
}

/// Moves the streams of a store folder to this account: a server keeps the streams of each account
/// in a separate folder, and would find none after a change from plain `serve` to `--auth`, or
/// back.
///
/// The nodes of a cluster have also agreed on the account's name among themselves: they keep it.
pub(super) fn house(store: &Path, account: &str, in_cluster: bool) -> Result<(), StartError> {
    let accounts = store.join("jetstream");
    let other = accounts.join(if account == GLOBAL { SERVICES } else { GLOBAL });
    let own = accounts.join(account);
    let failed = |source| StartError::Prepare {
        what: "the account's streams in",
        path: accounts.clone(),
        source,
    };
    if !holds_streams(&other).map_err(failed)? || holds_streams(&own).map_err(failed)? {
        return Ok(());
    }
    if in_cluster {
        return Err(StartError::OtherAccount { store: store.to_owned(), auth: account == GLOBAL });
    }
    let moved = || {
        if own.exists() {
            std::fs::remove_dir_all(&own)?;
        }
        whole::rename(&other, &own)
    };
    moved().map_err(failed)
}

fn holds_streams(account: &Path) -> io::Result<bool> {
    match std::fs::read_dir(account.join("streams")) {
        Ok(mut streams) => Ok(streams.next().is_some()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        // An unreadable folder does not count as empty: an empty one would be removed.
        Err(e) => Err(e),
    }
}

impl Shared {
    fn exports(&self) -> String {
        let one = format!("response_threshold: \"{ONE_ANSWER_WITHIN}\"");
        let several = format!("response_type: stream, response_threshold: \"{ANSWERS_WITHIN}\"");
        let service = |how: String| {
            move |subject: &String| format!("      {{ service: {}, {how} }}\n", quoted(subject))
        };
        let event = |subject: &String| format!("      {{ stream: {} }}\n", quoted(subject));
        let services = self.services.iter().map(service(one));
        let surveys = self.surveys.iter().map(service(several));
        services.chain(surveys).chain(self.events.iter().map(event)).collect()
    }

    fn imports(&self) -> String {
        let import = |kind: &'static str| {
            move |subject: &String| {
                let subject = quoted(subject);
                format!("      {{ {kind}: {{ account: {SERVICES}, subject: {subject} }} }}\n")
            }
        };
        let services = self.services.iter().chain(&self.surveys).map(import("service"));
        services.chain(self.events.iter().map(import("stream"))).collect()
    }
}

/// One user, a line.
fn user(login: &Credentials, may: Option<&Permissions>, not: &[String]) -> String {
    let (user, password) = (quoted(&login.user), quoted(&login.password));
    entry(&format!("user: {user}, password: {password}"), may, not)
}

/// The same, for one who is known by something else.
fn entry(who: &str, may: Option<&Permissions>, not: &[String]) -> String {
    let mut text = format!("      {{ {who}");
    if let Some(Permissions { publish, subscribe }) = may {
        let (publish, subscribe) = (list(publish), list(subscribe));
        let deny = if not.is_empty() { String::new() } else { format!(", deny: {}", list(not)) };
        let _ = write!(
            text,
            ", permissions: {{ publish: {{ allow: {publish}{deny} }}, subscribe: {{ allow: {subscribe} }} }}"
        );
    }
    text + " }\n"
}

fn list(subjects: &[String]) -> String {
    let subjects: Vec<String> = subjects.iter().map(|subject| quoted(subject)).collect();
    format!("[{}]", subjects.join(", "))
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn an_empty_list_of_subjects_allows_none() {
        assert_eq!(list(&[]), "[]");
        assert_eq!(list(&["a.>".into(), "b".into()]), r#"["a.>", "b"]"#);
    }
}
