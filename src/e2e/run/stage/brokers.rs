//! The broker of a run, or its cluster: started, broken on purpose, stopped.

use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::secrets::Secrets;
use crate::broker::{
    Broker, Cluster, ClusterError, ClusterSettings, Credentials, LeakReport, Role, Servers,
    Settings, StartError, StopError,
};
use crate::e2e::scenario::ast::elsewhere::Elsewhere;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::faults;

/// What the clients of a run connect to.
pub(in crate::e2e) struct Brokers {
    kind: Kind,
    url: String,
    /// How many faults there were.
    broken: usize,
}

enum Kind {
    One(Box<Broker>),
    Several(Box<Cluster>),
    /// Somebody else runs it; the run has only a folder.
    Elsewhere {
        broker: Elsewhere,
        folder: TempDir,
    },
}

/// Why a broker or a cluster did not start, break, heal or stop as asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::e2e) enum BrokersError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("cannot remove the run's folder: {0}")]
    Folder(io::Error),
}

impl Brokers {
    /// One broker, or a cluster, whose nodes tell clients of each other; not where somebody is behind
    /// a proxy, who would go past it.
    pub(in crate::e2e) async fn start(
        settings: Settings,
        fixture: &Fixture,
    ) -> Result<Self, BrokersError> {
        let advertise = !fixture.proxy.client && !fixture.proxy.services;
        let Some(nodes) = fixture.broker.cluster else {
            let broker = Broker::start(settings).await?;
            let url = broker.url().to_owned();
            return Ok(Self { kind: Kind::One(Box::new(broker)), url, broken: 0 });
        };
        let partitions = faults::cut_off(fixture.all_steps());
        let settings =
            ClusterSettings { nodes, advertise, partitions, ..ClusterSettings::new(settings) };
        let cluster = Cluster::start(settings).await?;
        let url = cluster.urls();
        Ok(Self { kind: Kind::Several(Box::new(cluster)), url, broken: 0 })
    }

    /// One that somebody else runs; the run's files are in this folder.
    pub(in crate::e2e) fn elsewhere(broker: Elsewhere, folder: TempDir) -> Self {
        let url = broker.url.clone();
        Self { kind: Kind::Elsewhere { broker, folder }, url, broken: 0 }
    }

    /// Whether somebody else runs it: then nobody sees what passes it, and nothing breaks it.
    pub(in crate::e2e) fn is_elsewhere(&self) -> bool {
        matches!(self.kind, Kind::Elsewhere { .. })
    }

    /// All of them, comma separated.
    pub(in crate::e2e) fn url(&self) -> &str {
        &self.url
    }

    /// For a program that takes only one: it learns of the others from that one.
    pub(in crate::e2e) fn first_url(&self) -> &str {
        self.url.split(',').next().unwrap_or_default()
    }

    /// How a program in this role connects.
    pub(in crate::e2e) fn access(&self, role: Role) -> Access {
        let credentials = match &self.kind {
            Kind::One(broker) => broker.credentials(role),
            Kind::Several(cluster) => cluster.credentials(role),
            Kind::Elsewhere { broker, .. } => {
                return Access::elsewhere(broker);
            }
        };
        let credentials = credentials.cloned();
        Access { url: self.url.clone(), role, credentials, token: None }
    }

    /// The passwords of all roles.
    pub(in crate::e2e) fn secrets(&self) -> Secrets {
        if let Kind::Elsewhere { broker, .. } = &self.kind {
            return Secrets::new(broker.secrets());
        }
        let all = [Role::Client, Role::Worker, Role::Harness].map(|role| self.access(role));
        Secrets::new(all.into_iter().filter_map(|access| Some(access.credentials?.password)))
    }

    /// Where they listen.
    pub(in crate::e2e) fn ports(&self) -> Vec<u16> {
        match &self.kind {
            Kind::One(broker) => vec![broker.port()],
            Kind::Several(cluster) => cluster.nodes().iter().map(Broker::port).collect(),
            Kind::Elsewhere { .. } => Vec::new(),
        }
    }

    /// The private folder of the run.
    pub(in crate::e2e) fn run_dir(&self) -> &Path {
        match &self.kind {
            Kind::One(broker) => broker.run_dir(),
            Kind::Several(cluster) => cluster.run_dir(),
            Kind::Elsewhere { folder, .. } => folder.path(),
        }
    }

    /// For the handle that breaks them; the leaders of these streams take turns, and the last of them
    /// is left where a quorum is lost.
    pub(in crate::e2e) fn servers<'a>(&'a mut self, streams: &'a [String]) -> Servers<'a> {
        let turn = self.broken.checked_rem(streams.len()).and_then(|turn| streams.get(turn));
        let leader_of = turn.map_or("", String::as_str);
        let left_with = streams.last().map_or("", String::as_str);
        self.broken += 1;
        match &mut self.kind {
            Kind::One(broker) => Servers::One(broker),
            Kind::Several(cluster) => Servers::Several { cluster, leader_of, left_with },
            Kind::Elsewhere { .. } => Servers::Elsewhere,
        }
    }

    /// The servers.
    pub(in crate::e2e) fn nodes(&self) -> &[Broker] {
        match &self.kind {
            Kind::One(broker) => std::slice::from_ref(&**broker),
            Kind::Several(cluster) => cluster.nodes(),
            Kind::Elsewhere { .. } => &[],
        }
    }

    /// Lets everything go on that is paused; what is not, is not changed.
    pub(in crate::e2e) async fn resume(&self) {
        for node in self.nodes() {
            // One that is down has nothing to resume.
            let _ = node.resume().await;
        }
    }

    /// The whole log, a file a node.
    pub(in crate::e2e) fn log_paths(&self) -> impl Iterator<Item = &Path> {
        self.nodes().iter().map(Broker::log_path)
    }

    /// What was logged after it was ready; all of it where it never was. Its banner explains no
    /// failure.
    pub(in crate::e2e) fn log_tail_since_ready(&self) -> Vec<String> {
        self.tails(|mut tail| {
            let ready = tail.iter().rposition(|line| line.contains("[INF] Server is ready"));
            tail.drain(..ready.map_or(0, |at| at + 1));
            // Nor do all the messages that it was asked to trace.
            tail.retain(|line| !line.contains("[TRC]"));
            tail
        })
    }

    fn tails(&self, cut: impl Fn(Vec<String>) -> Vec<String>) -> Vec<String> {
        match &self.kind {
            Kind::One(broker) => cut(broker.log_tail()),
            Kind::Several(cluster) => {
                let named = cluster.nodes().iter().enumerate().flat_map(|(index, node)| {
                    let tail = cut(node.log_tail());
                    tail.into_iter().map(move |line| format!("node {index}: {line}"))
                });
                named.collect()
            }
            Kind::Elsewhere { .. } => Vec::new(),
        }
    }

    /// What is left behind just now.
    ///
    /// # Errors
    /// Why that cannot be known, in words.
    pub(in crate::e2e) async fn leak_report(&self) -> Result<LeakReport, String> {
        if let Some(down) = self.nodes().iter().position(|node| node.try_status().is_some()) {
            return Err(match self.kind {
                Kind::Several(_) => format!("node {down} is down"),
                _ => "the broker is down".to_owned(),
            });
        }
        let report = match &self.kind {
            Kind::One(broker) => broker.leak_report().await,
            Kind::Several(cluster) => cluster.leak_report().await,
            Kind::Elsewhere { .. } => return Err("somebody else runs the broker".to_owned()),
        };
        report.map_err(|error| error.to_string())
    }

    /// Stops everything and removes the run's folder.
    pub(in crate::e2e) async fn stop(self) -> Result<(), BrokersError> {
        match self.kind {
            Kind::One(broker) => Ok(broker.stop().await?),
            Kind::Several(cluster) => Ok(cluster.stop().await?),
            Kind::Elsewhere { folder, .. } => folder.close().map_err(BrokersError::Folder),
        }
    }
}

/// How a program connects: where to, and what it shows.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Access {
    /// All brokers, comma separated.
    pub(in crate::e2e) url: String,
    pub(in crate::e2e) role: Role,
    pub(in crate::e2e) credentials: Option<Credentials>,
    /// Of a broker that somebody else runs; it is in the URL too.
    pub(in crate::e2e) token: Option<String>,
}

impl Access {
    /// To a broker that the run has not started.
    pub(in crate::e2e) fn elsewhere(broker: &Elsewhere) -> Self {
        let login = broker.login.clone();
        let credentials = login.map(|(user, password)| Credentials { user, password });
        // Its users may have no other inbox than the usual one.
        let role = Role::Client;
        Self { url: broker.url.clone(), role, credentials, token: broker.token.clone() }
    }

    /// Connects to any of them.
    pub(in crate::e2e) async fn connect(
        &self,
    ) -> Result<async_nats::Client, async_nats::ConnectError> {
        self.connect_with(self.options()).await
    }

    /// As whom it connects.
    pub(in crate::e2e) fn options(&self) -> async_nats::ConnectOptions {
        let options =
            async_nats::ConnectOptions::new().custom_inbox_prefix(self.role.inbox_prefix());
        match (self.credentials.clone(), self.token.clone()) {
            (Some(Credentials { user, password }), _) => options.user_and_password(user, password),
            (None, Some(token)) => options.token(token),
            (None, None) => options,
        }
    }

    /// Connects to any of them, with options of its own.
    pub(in crate::e2e) async fn connect_with(
        &self,
        options: async_nats::ConnectOptions,
    ) -> Result<async_nats::Client, async_nats::ConnectError> {
        options.connect(self.url.split(',').collect::<Vec<_>>()).await
    }
}
