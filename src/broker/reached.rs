//! A server that listens, for those who connect while it is being proved.

use super::logins::{Credentials, Key, Logins};
use super::place::Place;
use super::roles::Role;
use super::settings::Tls;

/// A server that listens and is not proved yet: see [`Broker::start_beside`](super::Broker::start_beside).
#[derive(Debug)]
pub struct Reached {
    url: String,
    logins: Option<Logins>,
    tls: Option<Tls>,
}

impl Reached {
    pub(super) fn new(place: &Place, port: u16) -> Self {
        Self { url: url_of(port), logins: place.logins.clone(), tls: place.settings.tls.clone() }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// As [`Broker::credentials`](super::Broker::credentials).
    #[must_use]
    pub fn credentials(&self, role: Role) -> Option<&Credentials> {
        self.logins.as_ref()?.of(role)
    }

    /// As [`Broker::worker_key`](super::Broker::worker_key).
    #[must_use]
    pub fn worker_key(&self) -> Option<&Key> {
        self.logins.as_ref()?.worker_key()
    }

    /// Its certificates, where clients must speak TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

/// Where the clients of a server on this port connect.
pub(super) fn url_of(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
