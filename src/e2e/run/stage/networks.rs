//! The bad networks of a run: a proxy before each server, for each side that is to have one.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::brokers::Brokers;
use crate::broker::{Port, Proxy, Tap};
use crate::e2e::scenario::ast::scenario::ProxyTable;

/// Proxies before all servers; none for a side that connects directly.
#[derive(Default)]
pub(in crate::e2e) struct Networks {
    pub(in crate::e2e) client: Vec<Proxy>,
    /// Each service has proxies of its own, so that it is known whose messages pass.
    pub(in crate::e2e) services: Vec<(String, Vec<Proxy>)>,
    /// Where the broker's port is fixed there is one for all services, and none of their own: they may
    /// know no other.
    pub(in crate::e2e) shared: Vec<Proxy>,
}

impl Networks {
    /// Starts what the fixture asks for; those of services on the fixed port, if there is one, so that
    /// nobody goes past them. Each proxy has dice of its own.
    pub(in crate::e2e) async fn start(
        table: ProxyTable,
        brokers: &Brokers,
        services: impl IntoIterator<Item = String>,
        seed: u64,
        fixed: Option<u16>,
    ) -> io::Result<Self> {
        let mut networks = Self::default();
        if table.client {
            networks.client = before(brokers, None, seed).await?;
        }
        let services: Vec<String> = services.into_iter().filter(|_| table.services).collect();
        if services.len() > 1 && fixed.is_some() {
            networks.shared = before(brokers, fixed, seed.wrapping_add(1)).await?;
        }
        for (number, service) in services.into_iter().enumerate() {
            let seed = seed.wrapping_add(1).wrapping_add((number as u64) << 32);
            let proxies = match networks.shared.is_empty() {
                true => before(brokers, fixed, seed).await?,
                false => Vec::new(),
            };
            networks.services.push((service, proxies));
        }
        Ok(networks)
    }

    /// Where the client connects.
    pub(in crate::e2e) fn client_url(&self, brokers: &Brokers) -> String {
        url(&self.client, brokers)
    }

    /// Where each service connects, by its name, if it is behind proxies.
    pub(in crate::e2e) fn service_urls(&self, brokers: &Brokers) -> BTreeMap<String, String> {
        let urls = self.services.iter().map(|(name, own)| {
            let proxies = if own.is_empty() { &self.shared } else { own };
            (name.clone(), url(proxies, brokers))
        });
        urls.collect()
    }

    /// Has this one hear every message of a service; `None` is nobody.
    pub(in crate::e2e) fn tap(&self, service: &str, tap: Option<&Arc<Tap>>) {
        let own = self.services.iter().filter(|(name, _)| name == service);
        own.flat_map(|(_, proxies)| proxies).for_each(|proxy| proxy.tap(tap));
    }

    /// Ends every connection and closes the ports.
    pub(in crate::e2e) async fn stop(self) {
        let services = self.services.into_iter().flat_map(|(_, proxies)| proxies);
        for proxy in self.client.into_iter().chain(self.shared).chain(services) {
            proxy.stop().await;
        }
    }
}

/// A proxy before each server; where the port is fixed, on that and those after it.
async fn before(brokers: &Brokers, fixed: Option<u16>, seed: u64) -> io::Result<Vec<Proxy>> {
    let mut proxies = Vec::new();
    for (number, server) in (0..).zip(brokers.ports()) {
        let port = fixed.map(|first| first.checked_add(number).ok_or(ErrorKind::AddrNotAvailable));
        let port = port.transpose()?.map_or(Port::Any, Port::Fixed);
        let seed = seed.wrapping_add(2 * u64::from(number));
        let started = Proxy::start_on(port, server, seed).await;
        proxies.push(started.map_err(|error| match port {
            Port::Fixed(port) => io::Error::new(error.kind(), format!("port {port}: {error}")),
            Port::Any => error,
        })?);
    }
    Ok(proxies)
}

/// All of them, comma separated.
fn url(proxies: &[Proxy], brokers: &Brokers) -> String {
    match proxies {
        [] => brokers.url().to_owned(),
        proxies => proxies.iter().map(Proxy::url).collect::<Vec<_>>().join(","),
    }
}
