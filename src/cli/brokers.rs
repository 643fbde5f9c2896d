//! The broker that `serve` starts, or the cluster: started, watched, stopped.

use std::path::Path;

use futures_util::future::{join_all, select_all};

use super::connect::{BrokerError, SERVICES, as_role, broker_settings};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::Tools;
use super::output::Output;
use crate::broker::{
    Auth, Broker, Cluster, ClusterError, ClusterSettings, Credentials, Key, Port, Reached, Role,
    Roles, StartError, Store, Tls,
};
use crate::mono::{self, ConnectError, Connection, Target};
use crate::process::ExitStatus;

/// The port that every NATS client tries by default.
const DEFAULT_PORT: u16 = 4222;

/// What is to be started.
pub struct Wanted {
    /// One, or as many as replicate each other.
    pub nodes: usize,
    /// The first node's; `None` is the default port where it is free.
    pub port: Option<Port>,
    pub store: Store,
    /// Whether clients must show who they are.
    pub auth: bool,
    /// Names of more clients beside `client`.
    pub clients: Vec<String>,
    /// Whether they must speak TLS.
    pub tls: Option<Tls>,
}

impl Wanted {
    /// The error, with the flag whose value it refuses.
    fn refused(&self, error: BrokerError) -> CliError {
        let cannot_use = match (&error, &self.store) {
            (
                BrokerError::Start(StartError::Prepare { path, .. })
                | BrokerError::Cluster(
                    ClusterError::Prepare { source: StartError::Prepare { path, .. } }
                    | ClusterError::Start { source: StartError::Prepare { path, .. }, .. },
                ),
                Store::Folder(folder),
            ) => path.starts_with(folder),
            _ => false,
        };
        let error = CliError::from(error);
        if cannot_use { error.about(&["store-dir"]) } else { error }
    }
}

/// What a server says of passwords in its config: here they are drawn for it, and its config is a file
/// of this user only.
const ON_PURPOSE: &str = "Plaintext passwords detected";

/// What was started.
pub struct Brokers {
    kind: Kind,
    url: String,
    /// What came of connecting while the server was proved.
    connected: Option<Result<Connection, ConnectError>>,
}

enum Kind {
    One(Box<Broker>),
    Several(Box<Cluster>),
}

impl Brokers {
    /// Starts what is wanted and returns once it is ready.
    pub async fn start(
        wanted: &Wanted,
        tools: &Tools,
        context: &Context,
        output: &Output,
    ) -> Result<Self, CliError> {
        let start = |port| Self::start_on(port, wanted, tools, context, output);
        if let Some(port) = wanted.port {
            return start(port).await.map_err(|error| match is_port_in_use(&error) {
                true => CliError::from(error).hint("--port 0 takes a temporary port"),
                false => wanted.refused(error),
            });
        }
        match start(Port::Fixed(DEFAULT_PORT)).await {
            Err(error) if is_port_in_use(&error) => {
                let taken = match wanted.nodes {
                    1 => format!("port {DEFAULT_PORT} is in use, so a temporary one is taken"),
                    n => format!(
                        "one of the ports {DEFAULT_PORT} to {} is in use, so temporary ones are taken",
                        usize::from(DEFAULT_PORT) + n - 1
                    ),
                };
                output.note(taken);
                start(Port::Any).await.map_err(|error| wanted.refused(error))
            }
            other => other.map_err(|error| wanted.refused(error)),
        }
    }

    async fn start_on(
        port: Port,
        wanted: &Wanted,
        tools: &Tools,
        context: &Context,
        output: &Output,
    ) -> Result<Self, BrokerError> {
        let mut node = broker_settings(tools, context, output, port, wanted.store.clone()).await?;
        let roles = || Roles { clients: wanted.clients.clone(), ..Roles::default() };
        node.auth = wanted.auth.then(|| Auth::Roles(roles()));
        node.tls = wanted.tls.clone();
        if wanted.nodes == 1 {
            let connecting = |reached: Reached| async move {
                let (worker, key) = (reached.credentials(Role::Worker), reached.worker_key());
                let target = to_serve(reached.url(), worker, key, reached.tls());
                Connection::open(&target, SERVICES).await
            };
            let (broker, connected) = Broker::start_beside(node, connecting).await?;
            let url = broker.url().to_owned();
            return Ok(Self { kind: Kind::One(Box::new(broker)), url, connected: Some(connected) });
        }
        let settings =
            ClusterSettings { nodes: wanted.nodes, advertise: true, ..ClusterSettings::new(node) };
        let cluster = Cluster::start(settings).await?;
        let url = cluster.urls();
        Ok(Self { kind: Kind::Several(Box::new(cluster)), url, connected: None })
    }

    /// The connection of the services of this process.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn connect(&mut self) -> Result<Connection, ConnectError> {
        match self.connected.take() {
            Some(connected) => connected,
            None => Connection::open(&self.serving(), SERVICES).await,
        }
    }

    /// How a program in this role connects.
    pub fn target(&self, role: Role) -> Target {
        let node = &self.nodes()[0];
        in_role(&self.url, role, node.credentials(role), node.settings().tls.as_ref())
    }

    /// How the services of this process connect: by a key, which is not given away where somebody else
    /// takes a server's place while that is down.
    pub fn serving(&self) -> Target {
        let node = &self.nodes()[0];
        let (worker, key) = (node.credentials(Role::Worker), node.worker_key());
        to_serve(&self.url, worker, key, node.settings().tls.as_ref())
    }

    /// How a further client connects.
    pub fn target_of(&self, client: &str) -> Target {
        let mut target = self.target(Role::Client);
        let login = self.nodes()[0].client_credentials(client);
        target.auth =
            login.map_or(target.auth, |login| mono::Auth::User(login.user, login.password));
        target
    }

    /// The servers.
    pub fn nodes(&self) -> &[Broker] {
        match &self.kind {
            Kind::One(broker) => std::slice::from_ref(broker),
            Kind::Several(cluster) => cluster.nodes(),
        }
    }

    /// The name of each server, comma separated.
    pub fn names(&self) -> String {
        self.nodes().iter().map(Broker::name).collect::<Vec<_>>().join(",")
    }

    /// What the servers complained of while they started, as of a store that they cannot read.
    pub fn warnings(&self) -> Vec<String> {
        let lines = self.nodes().iter().flat_map(Broker::log_tail);
        let complaint = |line: String| {
            let at = ["[WRN]", "[ERR]"].iter().find_map(|level| line.find(level))?;
            Some(line[at..].to_owned())
        };
        lines.filter_map(complaint).filter(|line| !line.contains(ON_PURPOSE)).collect()
    }

    /// The private folder, which goes with them.
    pub fn run_dir(&self) -> &Path {
        match &self.kind {
            Kind::One(broker) => broker.run_dir(),
            Kind::Several(cluster) => cluster.run_dir(),
        }
    }

    /// Where the streams are; of a cluster the folder that every node has a part of.
    pub fn store_dir(&self) -> &Path {
        match &self.kind {
            Kind::One(broker) => broker.store_dir(),
            Kind::Several(cluster) => match &cluster.settings().store {
                Store::Folder(folder) => folder,
                Store::Temporary | Store::Nowhere | Store::CopyOf(_) => cluster.run_dir(),
            },
        }
    }

    /// Waits until a server has ended, for whatever reason; says which, from 0.
    pub async fn exited(&self) -> (usize, ExitStatus) {
        let (status, node, _) =
            select_all(self.nodes().iter().map(|node| Box::pin(node.exited()))).await;
        (node, status)
    }

    /// Waits until every server has ended.
    pub async fn all_exited(&self) {
        join_all(self.nodes().iter().map(Broker::exited)).await;
    }

    /// Starts a server again on its port and store.
    pub async fn restart(&mut self, node: usize) -> Result<(), CliError> {
        match &mut self.kind {
            Kind::One(broker) => Ok(broker.restart().await?),
            Kind::Several(cluster) => {
                cluster.restart(node).await.map_err(|e| CliError::new(Exit::Infrastructure, e))
            }
        }
    }

    /// Stops all and removes the run folder.
    pub async fn stop(self) -> Result<(), CliError> {
        match self.kind {
            Kind::One(broker) => {
                broker.stop().await.map_err(|e| CliError::infrastructure("stop the broker", e))
            }
            Kind::Several(cluster) => {
                cluster.stop().await.map_err(|e| CliError::infrastructure("stop the cluster", e))
            }
        }
    }
}

/// How a program in this role connects.
fn in_role(url: &str, role: Role, login: Option<&Credentials>, tls: Option<&Tls>) -> Target {
    let mut target = as_role(url, role, login);
    target.tls.ca = tls.and_then(|tls| tls.ca.clone());
    target
}

/// How the services connect: by a key, where there is one.
fn to_serve(
    url: &str,
    worker: Option<&Credentials>,
    key: Option<&Key>,
    tls: Option<&Tls>,
) -> Target {
    let mut target = in_role(url, Role::Worker, worker, tls);
    if let Some(key) = key {
        target.auth = mono::Auth::Nkey(key.seed.clone());
    }
    target
}

fn is_port_in_use(error: &BrokerError) -> bool {
    matches!(
        error,
        BrokerError::Start(StartError::PortInUse { .. })
            | BrokerError::Cluster(ClusterError::Start {
                source: StartError::PortInUse { .. },
                ..
            })
    )
}
