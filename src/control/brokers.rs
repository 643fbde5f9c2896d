//! Starts brokers and clusters, adds accounts to them, and puts proxies in front.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::refused::{bad_input, failed, no_such};
use super::thing::{Address, Divisible, Kind, Thing};
use super::world::World;
use crate::broker::{
    self, Auth, Broker, Cluster, ClusterSettings, Credentials, Port, Store, Tls, first_reserved,
};
use crate::wire::control::{Account, BrokerSettings, ControlError, Proxy, Server, Servers};

/// So many accounts are made ahead at first, and at most so many at once.
const LEAST_SPARES: u32 = 16;
const MOST_SPARES: u32 = 128;

pub(super) async fn start(
    world: &Arc<World>,
    name: Option<String>,
    wanted: BrokerSettings,
) -> Result<Server, ControlError> {
    let name = world.name(name, "broker")?;
    let mut divisible = Divisible::default();
    let divided = wanted.accounts;
    let mut settings = settings(world, wanted).await?;
    let spares = divisible.more_names(&name.name);
    settings.accounts = divided.then(|| spares.clone());
    let broker = Broker::start(settings).await?;
    divisible.spares = spares.iter().filter_map(|one| broker.account_login(one)).cloned().collect();
    let address = Address::of(vec![broker.port()], broker.settings(), broker.own_login());
    let server = told(name.name.clone(), &broker, &address);
    divisible.broker = Some(broker);
    name.is(Kind::Broker(Box::new(Mutex::new(divisible))), Some(address));
    Ok(server)
}

pub(super) async fn start_cluster(
    world: &Arc<World>,
    name: Option<String>,
    nodes: usize,
    partitions: bool,
    wanted: BrokerSettings,
) -> Result<Servers, ControlError> {
    for (is_wanted, field) in [
        (wanted.accounts, "accounts"),
        (wanted.store.is_some(), "store"),
        (wanted.store_from.is_some(), "store_from"),
        (!wanted.jetstream, "jetstream"),
    ] {
        if is_wanted {
            return Err(bad_input(format!("settings.{field}: that is for a single broker")));
        }
    }
    let name = world.name(name, "cluster")?;
    let node = settings(world, wanted).await?;
    let settings =
        ClusterSettings { nodes, advertise: true, partitions, ..ClusterSettings::new(node) };
    let cluster = Cluster::start(settings).await?;
    let address =
        Address::of(cluster.nodes().iter().map(Broker::port).collect(), cluster.settings(), None);
    let node = |(number, node): (usize, &Broker)| {
        told(format!("{}/{number}", name.name), node, &address.at(vec![node.port()]))
    };
    let nodes = cluster.nodes().iter().enumerate().map(node).collect();
    let servers = Servers { name: name.name.clone(), url: address.url(), nodes };
    name.is(Kind::Cluster(Mutex::new(Some(cluster))), Some(address));
    Ok(servers)
}

/// What is wanted, as the broker's room has it.
async fn settings(world: &World, wanted: BrokerSettings) -> Result<broker::Settings, ControlError> {
    let mut settings = world.machine.broker().await?;
    settings.port = wanted.port.filter(|port| *port != 0).map_or(Port::Any, Port::Fixed);
    settings.auth = auth(&wanted)?;
    settings.monitoring = true;
    settings.max_payload = wanted.max_payload;
    settings.ready_timeout = Duration::from_millis(wanted.ready_within_ms);
    settings.tls = wanted.tls.map(|tls| Tls {
        cert: world.path(&tls.cert),
        key: world.path(&tls.key),
        ca: tls.ca.map(|ca| world.path(&ca)),
    });
    settings.store = match (wanted.store, wanted.store_from) {
        (None, None) if wanted.jetstream => Store::Temporary,
        (None, None) => Store::Nowhere,
        _ if !wanted.jetstream => {
            return Err(bad_input("settings.jetstream: without it nothing is stored"));
        }
        (Some(folder), None) => Store::Folder(world.path(&folder)),
        (None, Some(folder)) => Store::CopyOf(world.path(&folder)),
        (Some(_), Some(_)) => {
            return Err(bad_input("settings: `store` and `store_from` exclude each other"));
        }
    };
    if let Some(text) = wanted.config {
        if let Some((line, key)) = first_reserved(&text) {
            return Err(bad_input(format!(
                "settings.config: line {line} sets `{key}`, which mono-demo sets itself"
            )));
        }
        settings.extra_config = text + "\n";
    }
    Ok(settings)
}

fn auth(wanted: &BrokerSettings) -> Result<Option<Auth>, ControlError> {
    match (&wanted.user, &wanted.password, &wanted.token) {
        (None, None, None) => Ok(None),
        (Some(user), Some(password), None) => {
            Ok(Some(Auth::User { user: user.clone(), password: password.clone() }))
        }
        (None, None, Some(_)) if wanted.accounts => {
            Err(bad_input("settings.token: with `accounts` everybody has a user"))
        }
        (None, None, Some(token)) => Ok(Some(Auth::Token(token.clone()))),
        _ => Err(bad_input("settings: `user` goes with `password`, and `token` without both")),
    }
}

fn told(name: String, broker: &Broker, address: &Address) -> Server {
    Server {
        name,
        url: address.url(),
        user: address.user(),
        password: address.password(),
        port: broker.port(),
        pid: broker.pid(),
        version: broker.settings().server.version.to_string(),
        monitoring_url: broker.monitoring_url(),
        ca: address.ca.clone(),
        log: broker.log_path().to_owned(),
    }
}

pub(super) async fn create_account(
    world: &Arc<World>,
    of: &str,
    name: Option<String>,
) -> Result<Account, ControlError> {
    let broker = world.find(of)?;
    let divisible = match &broker.kind {
        Kind::Broker(divisible) => divisible,
        Kind::Cluster(_) => {
            return Err(no_such(format!(
                "of: {of} is a cluster: only a single broker has accounts"
            )));
        }
        _ => return Err(broker.is_no("broker")),
    };
    let mut held = divisible.lock().await;
    let login = match name {
        Some(name) => {
            // One that is taken is refused before the broker has it.
            drop(world.name(Some(name.clone()), "account")?);
            held.add(&broker, &[name]).await?.pop()
        }
        None => {
            if held.spares.is_empty() {
                let names = held.more_names(&broker.name);
                held.spares = held.add(&broker, &names).await?.into();
            }
            held.spares.pop_front()
        }
    };
    let login = login.ok_or_else(|| failed("the broker has no account"))?;
    drop(held);
    let name = world.name(Some(login.user.clone()), "account")?;
    let address = broker.address()?.as_user(&login);
    let account = Account {
        name: name.name.clone(),
        url: address.url(),
        user: login.user.clone(),
        password: login.password.clone(),
    };
    name.is(Kind::Account { broker: broker.clone(), login }, Some(address));
    Ok(account)
}

impl Divisible {
    async fn add(
        &mut self,
        thing: &Thing,
        names: &[String],
    ) -> Result<Vec<Credentials>, ControlError> {
        let broker = self.broker.as_mut().ok_or_else(|| thing.is_gone())?;
        Ok(broker.add_accounts(names).await?)
    }

    /// Names of as many as there were, from the least number on: adding some disturbs the others, so it
    /// is done seldom.
    fn more_names(&mut self, broker: &str) -> Vec<String> {
        let first = self.made + 1;
        self.made += self.made.clamp(LEAST_SPARES, MOST_SPARES);
        (first..=self.made).map(|number| format!("{broker}-account-{number}")).collect()
    }
}

pub(super) async fn start_proxy(
    world: &Arc<World>,
    name: Option<String>,
    of: &str,
    port: Option<u16>,
    seed: u64,
) -> Result<Proxy, ControlError> {
    let found = world.find(of)?;
    let before = match &found.kind {
        Kind::Broker(_) | Kind::Cluster(_) => found.clone(),
        Kind::Account { broker, .. } => broker.clone(),
        Kind::Service(_) | Kind::Proxy { .. } | Kind::History { .. } => {
            return Err(found.is_no("broker, cluster or account"));
        }
    };
    let address = found.address()?;
    let name = world.name(name, "proxy")?;
    let mut proxies = Vec::new();
    for (number, target) in (0..).zip(&address.ports) {
        let listen =
            match port.filter(|port| *port != 0) {
                None => Port::Any,
                Some(first) => Port::Fixed(first.checked_add(number).ok_or_else(|| {
                    bad_input(format!("port: there is no port {first} + {number}"))
                })?),
            };
        let started = broker::Proxy::start_on(listen, *target, seed.wrapping_add(number.into()));
        proxies.push(started.await.map_err(|error| match listen {
            Port::Fixed(port) => failed(format!("listen on 127.0.0.1:{port}: {error}")),
            Port::Any => failed(format!("listen: {error}")),
        })?);
    }
    let address = address.at(proxies.iter().map(broker::Proxy::port).collect());
    let first = proxies.first().map_or(0, broker::Proxy::port);
    let proxy = Proxy { name: name.name.clone(), url: address.url(), port: first };
    name.is(Kind::Proxy { before, proxies: Mutex::new(proxies) }, Some(address));
    Ok(proxy)
}
