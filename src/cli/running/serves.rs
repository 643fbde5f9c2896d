//! Whether another `serve` of this user serves the system at the other end of a connection.
//!
//! It is asked twice: where its file says that it is, as whom it is there, and over the connection. What
//! answers the first question and not the second is in another account; what answers neither may be
//! paused, or not be allowed to listen, and proves nothing. Where somebody listens to all subjects, nobody says
//! of the second question that it has no answer. Leaf nodes carry the second question to servers
//! with a JetStream of their own: whether a server is another one, its INFO says.

use async_nats::ServerInfo;

use super::file::Runtime;
use super::find::{CLOSES, open, target};
use super::proof::{SPREADS, Secret, Unproved, is_overheard, proves, still_proves};
use crate::broker::Role;
use crate::mono::{Connection, JetStreamApi, Target, places};

/// Whether a `serve` serves the system at the other end of a connection, in the same account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// It does, paused as it may be.
    Here,
    /// It may: it is at the same server, and is not heard or may not be asked.
    Perhaps,
    /// Nothing says that it does, and nothing proves that it does not.
    Apart,
    /// It has proved to serve at another server or in another account.
    Elsewhere,
}

/// What is known of a `serve` before it is asked over the connection.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    place: Place,
    /// It has answered where its file says that it is.
    proved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Same,
    Different,
    Unknown,
}

impl Standing {
    /// Looks where the file says that it is; `joined` and `to` are the server of the connection.
    pub async fn find(runtime: &Runtime, joined: &ServerInfo, to: &Target) -> Self {
        let (info, proved) = at_its_own(runtime).await;
        let (one, other) = (target(runtime).jetstream, &to.jetstream);
        let place = match info {
            Some(info) if one == *other => place(&info, joined),
            Some(info) => place(&reached(&one, info), &reached(other, joined.clone())),
            None if one == *other && is_listed(runtime, joined, &to.url) => Place::Same,
            None => Place::Unknown,
        };
        Self { place, proved }
    }

    /// What that says without another question; `None` where it must be asked.
    pub fn decided(self) -> Option<Serves> {
        match (self.place, self.proved) {
            (Place::Different, true) => Some(Serves::Elsewhere),
            (Place::Different, false) => Some(Serves::Apart),
            _ => None,
        }
    }

    /// What that says where it cannot be asked.
    pub fn unasked(self) -> Serves {
        let perhaps = if self.place == Place::Same { Serves::Perhaps } else { Serves::Apart };
        self.decided().unwrap_or(perhaps)
    }

    /// Asks it over the connection, unless it is decided; with the server's words where it may not be asked.
    pub async fn ask(self, runtime: &Runtime, connection: &Connection) -> (Serves, Option<String>) {
        if let Some(decided) = self.decided() {
            return (decided, None);
        }
        let Some(secret) = &runtime.secret else { return (self.unasked(), None) };
        let answer = prove(connection, runtime, secret).await;
        if let Err(Unproved::Unknown(_)) = answer
            && is_overheard(connection).await
        {
            // Its silence proves nothing, unless it answers elsewhere before and after.
            return match self.proved && at_its_own(runtime).await.1 {
                true => (Serves::Elsewhere, None),
                false => (self.unasked(), None),
            };
        }
        let serves = match (&answer, self.place) {
            (Ok(()) | Err(Unproved::Unknown(_)), Place::Same) => Serves::Here,
            (Ok(()) | Err(Unproved::Unknown(_)), _) => Serves::Perhaps,
            (Err(Unproved::Nobody | Unproved::AnotherSecret), _) if self.proved => {
                Serves::Elsewhere
            }
            _ => self.unasked(),
        };
        match answer {
            Err(Unproved::Denied(words)) => (serves, Some(words)),
            _ => (serves, None),
        }
    }
}

/// What the server says of itself where the file says that it is, and whether it answers there.
async fn at_its_own(runtime: &Runtime) -> (Option<ServerInfo>, bool) {
    let Some(secret) = &runtime.secret else { return (None, false) };
    // A broker of its own is shown no password before it has proved itself.
    let (connection, proved) = match &runtime.contexts {
        Some(_) => (open(runtime, Role::Client).await.ok(), true),
        None => match Connection::open(&quiet(target(runtime)), "mono-demo").await.ok() {
            Some(connection) => {
                let proved = prove(&connection, runtime, secret).await.is_ok();
                (Some(connection), proved)
            }
            None => (None, false),
        },
    };
    let Some(connection) = connection else { return (None, false) };
    let info = connection.client().server_info();
    connection.close(CLOSES).await;
    (Some(info), proved)
}

/// A connection for questions: what the server says of it is told by whoever asks.
pub fn quiet(target: Target) -> Target {
    Target { quiet: true, ..target }
}

async fn prove(
    connection: &Connection,
    runtime: &Runtime,
    secret: &Secret,
) -> Result<(), Unproved> {
    let is_new = Runtime::now_ms().saturating_sub(runtime.since_ms) < SPREADS.as_millis() as u64;
    match is_new {
        true => proves(connection, secret, "").await,
        false => still_proves(connection, secret).await,
    }
}

/// Whether its file names this server.
fn is_listed(runtime: &Runtime, joined: &ServerInfo, url: &str) -> bool {
    let is_named = runtime.name.split(',').any(|node| node == joined.server_name);
    // Of a cluster, a server names the others.
    let servers = format!("{url},{}", joined.connect_urls.join(","));
    is_named || !places(&runtime.url).is_disjoint(&places(&servers))
}

/// The server whose JetStream is used by this API: that of a domain may be elsewhere, behind leaf nodes.
fn reached(api: &JetStreamApi, joined: ServerInfo) -> ServerInfo {
    let domain = match api {
        JetStreamApi::Here => return joined,
        JetStreamApi::Domain(domain) => Some(domain.as_str()),
        JetStreamApi::Prefix(prefix) => {
            prefix.strip_prefix("$JS.").and_then(|rest| rest.strip_suffix(".API"))
        }
    };
    match domain {
        Some(domain) if joined.domain.as_deref() == Some(domain) => joined,
        // Which server it is, is not known.
        _ => ServerInfo {
            domain: domain.map(str::to_owned),
            jetstream: domain.is_some(),
            ..ServerInfo::default()
        },
    }
}

/// Whether two servers have one JetStream. A leaf node has a cluster name of its own, or none; so has a
/// cluster behind a gateway, and one that has no JetStream uses that of its neighbour.
fn place(one: &ServerInfo, other: &ServerInfo) -> Place {
    if one.server_id == other.server_id && !one.server_id.is_empty() {
        return Place::Same;
    }
    if let (Some(one), Some(other)) = (&one.cluster, &other.cluster)
        && one == other
    {
        return Place::Same;
    }
    if !one.jetstream || !other.jetstream {
        return Place::Unknown;
    }
    match (&one.domain, &other.domain) {
        (Some(one), Some(other)) if one == other => return Place::Same,
        (Some(_), Some(_)) => return Place::Different,
        _ => {}
    }
    match one.cluster.is_some() && other.cluster.is_some() {
        true => Place::Unknown,
        false => Place::Different,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_is_named_is_where_the_streams_are() {
        let (hub, leaf) = (info("a", "", "hub", true), info("b", "", "leaf", true));
        let domain = |name: &str| JetStreamApi::Domain(name.to_owned());
        let prefix = |name: &str| JetStreamApi::Prefix(name.to_owned());
        for (at_hub, at_leaf, expected) in [
            (JetStreamApi::Here, domain("hub"), Place::Same),
            (JetStreamApi::Here, prefix("$JS.hub.API"), Place::Same),
            (JetStreamApi::Here, domain("leaf"), Place::Different),
            (domain("leaf"), JetStreamApi::Here, Place::Same),
            (domain("third"), JetStreamApi::Here, Place::Different),
            (JetStreamApi::Here, prefix("JS.account"), Place::Unknown),
        ] {
            let found = place(&reached(&at_hub, hub.clone()), &reached(&at_leaf, leaf.clone()));
            assert_eq!(found, expected, "{at_hub:?} {at_leaf:?}");
        }
    }

    fn info(id: &str, cluster: &str, domain: &str, jetstream: bool) -> ServerInfo {
        let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        ServerInfo {
            server_id: id.to_owned(),
            cluster: named(cluster),
            domain: named(domain),
            jetstream,
            ..ServerInfo::default()
        }
    }

    #[test]
    fn where_two_servers_have_one_jetstream_their_info_says() {
        for (one, other, expected) in [
            (info("a", "", "", true), info("a", "", "", true), Place::Same),
            (info("a", "kk", "", true), info("b", "kk", "", true), Place::Same),
            (info("a", "kk", "", true), info("b", "kk", "", false), Place::Same),
            (info("a", "", "d", true), info("b", "", "d", true), Place::Same),
            (info("a", "", "", true), info("b", "", "", true), Place::Different),
            // A leaf node, and what it is joined to.
            (info("a", "kk", "", true), info("b", "", "", true), Place::Different),
            (info("a", "kk", "hub", true), info("b", "ll", "leaf", true), Place::Different),
            // Two clusters may be joined by a gateway.
            (info("a", "kk", "", true), info("b", "ll", "", true), Place::Unknown),
            // The streams are at the other one.
            (info("a", "kk", "", true), info("b", "", "", false), Place::Unknown),
        ] {
            assert_eq!(place(&one, &other), expected, "{one:?} {other:?}");
            assert_eq!(place(&other, &one), expected, "{other:?} {one:?}");
        }
    }
}
