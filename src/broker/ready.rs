//! The observations that prove a server ready: it listens, it is ours, and JetStream answers.

use std::time::Duration;

use async_nats::{ConnectOptions, ReconnectToServer};

use super::logins::{Credentials, Logins};
use super::place::Place;
use super::roles::Role;
use super::settings::{Auth, Settings};
use crate::process::Lines;
use crate::tls::Trouble;

/// Where a server listens, as its log says; all on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    /// For clients.
    pub(super) clients: u16,
    /// For whoever asks `/varz` and the like.
    pub(super) monitoring: Option<u16>,
}

/// Why a server does not listen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Deaf {
    /// This port is another process's.
    PortTaken(u16),
    /// It ended without a word about ports.
    Silence,
}

/// Follows the log until the server listens for clients, and for `routes` if there are to be any,
/// or cannot.
pub(super) async fn listening(lines: &mut Lines, routes: bool) -> Result<Listening, Deaf> {
    let (mut clients, mut monitoring, mut others) = (None, None, !routes);
    while let Some(line) = lines.next().await {
        match hear(&line) {
            Some(Heard::Monitoring(port)) => monitoring = Some(port),
            Some(Heard::Clients(port)) => clients = Some(port),
            Some(Heard::Routes) => others = true,
            Some(Heard::PortTaken(port)) => return Err(Deaf::PortTaken(port)),
            None => {}
        }
        if let (Some(clients), true) = (clients, others) {
            return Ok(Listening { clients, monitoring });
        }
    }
    Err(Deaf::Silence)
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Monitoring(u16),
    Clients(u16),
    Routes,
    PortTaken(u16),
}

fn hear(line: &str) -> Option<Heard> {
    let port = |address: &str| address.trim().rsplit_once(':')?.1.parse().ok();
    if let Some((_, address)) = line.split_once("[INF] Starting http monitor on ") {
        return Some(Heard::Monitoring(port(address)?));
    }
    if let Some((_, address)) = line.split_once("[INF] Listening for client connections on ") {
        return Some(Heard::Clients(port(address)?));
    }
    if line.contains("[INF] Listening for route connections on ") {
        return Some(Heard::Routes);
    }
    if line.contains("[FTL]") && line.contains("address already in use") {
        let (_, address) = line.split_once("listen tcp ")?;
        return Some(Heard::PortTaken(port(address.split_once(": ")?.0)?));
    }
    None
}

/// Connects, makes sure that the server is the one we named, and, if it is alone and has JetStream, asks
/// that for its account. A member of a cluster could not answer that before it has found the others.
///
/// `login` is for one account, where there are several.
///
/// Tries again until it succeeds; `waiting_for` always holds what is still missing.
///
/// # Errors
/// A certificate that no client would accept: waiting does not mend it.
pub(super) async fn answering(
    place: &Place,
    port: u16,
    login: Option<&Credentials>,
    waiting_for: &mut String,
) -> Result<(), Trouble> {
    loop {
        *waiting_for = match attempt(place, port, login).await {
            Ok(()) => return Ok(()),
            Err(Problem::Tls(trouble)) => return Err(trouble),
            Err(Problem::NotYet(what)) => what,
        };
        // A refused connection cannot be awaited; the first attempt nearly always succeeds.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

enum Problem {
    NotYet(String),
    Tls(Trouble),
}

async fn attempt(place: &Place, port: u16, login: Option<&Credentials>) -> Result<(), Problem> {
    let name = &place.name;
    let mut options = options(&place.settings, place.logins.as_ref());
    if let Some(Credentials { user, password }) = login.cloned() {
        options = options.user_and_password(user, password);
    }
    let client = options.connect(format!("nats://127.0.0.1:{port}")).await.map_err(|e| {
        match crate::tls::trouble(&e) {
            Some(trouble) => Problem::Tls(trouble),
            None => Problem::NotYet(format!("connecting to 127.0.0.1:{port} ({e})")),
        }
    })?;
    let found = client.server_info().server_name;
    if found != *name {
        return Err(Problem::NotYet(format!(
            "looking for server {name} on 127.0.0.1:{port}, where {found} answers"
        )));
    }
    if place.member.is_some() || !place.settings.stores() {
        return Ok(());
    }
    async_nats::jetstream::new(client)
        .query_account()
        .await
        .map(|_| ())
        .map_err(|e| Problem::NotYet(format!("asking JetStream for its account ({e})")))
}

/// How we connect ourselves.
pub(super) fn options(settings: &Settings, logins: Option<&Logins>) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .name("mono-demo readiness")
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(Some(Duration::from_secs(2)))
        // Without it, the client sleeps a millisecond before it connects at all.
        .reconnect_to_server_callback(|servers, _| async move {
            let first = servers.first()?;
            Some(ReconnectToServer {
                addr: first.addr.clone(),
                delay: Some(match first.failed_attempts {
                    0 => Duration::ZERO,
                    _ => Duration::from_millis(5),
                }),
            })
        });
    if let Some(tls) = &settings.tls {
        options = options.require_tls(true);
        if let Some(ca) = &tls.ca {
            options = options.add_root_certificates(ca.clone());
        }
    }
    match &settings.auth {
        None => options,
        Some(Auth::Roles(_)) => match logins.and_then(|logins| logins.of(Role::Harness).cloned()) {
            Some(Credentials { user, password }) => options
                .user_and_password(user, password)
                .custom_inbox_prefix(Role::Harness.inbox_prefix()),
            None => options,
        },
        Some(Auth::Token(token)) => options.token(token.clone()),
        Some(Auth::User { user, password }) => {
            options.user_and_password(user.clone(), password.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_matter_are_heard() {
        let line = "[11624] 2026/11/23 12:27:12.146699 [INF] Listening for client connections on 127.0.0.1:33031";
        assert_eq!(hear(line), Some(Heard::Clients(33031)));
        let line = "[11682] 2026/11/23 12:27:13.750002 [FTL] Error listening on port: 127.0.0.1:45678, \"listen tcp 127.0.0.1:45678: bind: address already in use\"";
        assert_eq!(hear(line), Some(Heard::PortTaken(45678)));
        let line = "[1] 2026/11/23 13:01:42.653999 [INF] Listening for route connections on 127.0.0.1:25001";
        assert_eq!(hear(line), Some(Heard::Routes));
        let line = "[1] 2026/11/23 13:01:42.653999 [INF] Starting http monitor on 127.0.0.1:37225";
        assert_eq!(hear(line), Some(Heard::Monitoring(37225)));
        assert_eq!(hear("[11682] [INF] Server is ready"), None);
    }
}
