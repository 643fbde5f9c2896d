//! Several servers that replicate each other's streams: started, broken and healed as one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;

use super::error::ClusterError;
use super::ready;
use super::routes::Routes;
use crate::broker::error::StartError;
use crate::broker::lifecycle::{Broker, logins, nothing, private_folder, run_folder};
use crate::broker::logins::{Credentials, Logins};
use crate::broker::names::{ClusterNames, kept_in};
use crate::broker::place::Member;
use crate::broker::ports::Placeholder;
use crate::broker::roles::Role;
use crate::broker::secret::draw_secret;
use crate::broker::settings::{ClusterSettings, Port, Settings, Store};
use crate::broker::store::OwnedStore;
use crate::process::{ExitStatus, Signal};

/// Several nats-servers that form one JetStream cluster, ready when you have it: a write to a stream
/// with a replica on every node was acknowledged.
///
/// Nodes are counted from 0. [`stop`](Self::stop) is the orderly end; dropping it, or dying, kills
/// all servers at once and removes the run folder.
#[derive(Debug)]
pub struct Cluster {
    pub(super) nodes: Vec<Broker>,
    pub(super) settings: Settings,
    run_dir: PathBuf,
    /// Held for life: where the nodes listen for each other.
    _listening: Vec<Placeholder>,
    /// Where they find each other, if they can be cut off.
    pub(super) routes: Option<Routes>,
    /// The folder that has those of the nodes, where it is kept: each of them has its own lock too.
    owned: Option<OwnedStore>,
}

impl Cluster {
    /// Starts the servers and returns once a write to a stream with a replica on each was
    /// acknowledged.
    ///
    /// # Errors
    /// [`ClusterError::Start`] at once if a server ends early; [`ClusterError::NotReady`] with what
    /// was still missing. Nothing is left behind.
    pub async fn start(settings: ClusterSettings) -> Result<Cluster, ClusterError> {
        let ClusterSettings { node: settings, nodes: count, advertise, partitions } = settings;
        if count < 3 {
            return Err(ClusterError::TooFew { nodes: count });
        }
        let alone = |source| ClusterError::Prepare { source };
        let run_dir = run_folder(&settings).map_err(alone)?;
        let (names, owned) = match &settings.store {
            Store::Temporary | Store::Nowhere | Store::CopyOf(_) => {
                (ClusterNames::new(count), None)
            }
            Store::Folder(folder) => {
                let (names, owned) = kept_in(folder, count).map_err(alone)?;
                (names, Some(owned))
            }
        };
        let mut listening = (0..count)
            .map(|_| Placeholder::any())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| ClusterError::Ports { source })?;
        let ports: Vec<u16> = listening.iter().map(Placeholder::port).collect();
        if !Placeholder::LETS_THE_SERVER_IN {
            listening.clear();
        }
        let routes = match partitions {
            true => Some(Routes::between(&ports).await),
            false => None,
        };
        let routes = routes.transpose().map_err(|source| ClusterError::Ports { source })?;
        let way = |from, to| routes.as_ref().and_then(|routes| routes.port(from, to));
        let drawn = draw_secret().map_err(|source| StartError::NoRandomness { source });
        let secret = drawn.map_err(alone)?;
        let logins = logins(&settings).map_err(alone)?;
        let mut nodes = Vec::new();
        let member = |index: usize| Member {
            cluster: names.cluster.clone(),
            port: ports[index],
            all: (0..count).map(|to| way(index, to).unwrap_or(ports[to])).collect(),
            told: routes.as_ref().and_then(|routes| routes.told(index)),
            secret: secret.clone(),
            advertise,
        };
        let started =
            start_nodes(&mut nodes, run_dir.path(), &settings, logins, names.nodes, member);
        if let Err(problem) = started.await {
            join_all(nodes.into_iter().map(Broker::abandon)).await;
            return Err(problem);
        }
        // From here on the reapers remove it.
        let run_dir = run_dir.keep();
        let cluster = Cluster { nodes, settings, run_dir, _listening: listening, routes, owned };
        if let Some(owned) = &cluster.owned {
            owned.say(Some(&cluster.urls()));
        }
        Ok(cluster)
    }

    /// Where clients connect: `nats://127.0.0.1:A,nats://127.0.0.1:B,…`; the same after restarts.
    #[must_use]
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Broker::url).collect::<Vec<_>>().join(",")
    }

    /// The servers, also those that are down.
    #[must_use]
    pub fn nodes(&self) -> &[Broker] {
        &self.nodes
    }

    /// The login of a program in this role, for any node; `None` without
    /// [`Auth::Roles`](crate::broker::Auth::Roles).
    #[must_use]
    pub fn credentials(&self, role: Role) -> Option<&Credentials> {
        self.nodes.first()?.credentials(role)
    }

    /// The settings its nodes were started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A folder that only this user can enter, and that is gone when the cluster is.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Kills a node with SIGKILL and waits until it has ended.
    ///
    /// # Errors
    /// If there is no such node, or the operating system does not let us.
    pub async fn kill(&mut self, node: usize) -> Result<ExitStatus, ClusterError> {
        let killed = self.node_mut(node)?.kill().await;
        killed.map_err(|source| ClusterError::Stop { node, source })
    }

    /// Kills several nodes with SIGKILL, all at once.
    ///
    /// # Errors
    /// As [`kill`](Self::kill).
    pub async fn kill_nodes(&mut self, nodes: &[usize]) -> Result<(), ClusterError> {
        if let Some(node) = nodes.iter().find(|node| **node >= self.nodes.len()) {
            return Err(ClusterError::NoNode { node: *node, nodes: self.nodes.len() });
        }
        let doomed = self.nodes.iter_mut().enumerate().filter(|(node, _)| nodes.contains(node));
        let killed = doomed.map(|(node, broker)| async move {
            let killed = broker.kill().await;
            killed.map(drop).map_err(|source| ClusterError::Stop { node, source })
        });
        join_all(killed).await.into_iter().collect()
    }

    /// Kills a node with SIGKILL, and its disk is lost: its streams, and what it knew of the cluster.
    /// [`restart`](Self::restart) and [`heal`](Self::heal) start it empty.
    ///
    /// # Errors
    /// As [`kill`](Self::kill), and [`ClusterError::Wipe`] if its files could not be removed.
    pub async fn wipe(&mut self, node: usize) -> Result<(), ClusterError> {
        self.kill(node).await?;
        let wiped = self.node(node)?.remove_streams().await;
        wiped.map_err(|source| ClusterError::Wipe { node, source })
    }

    /// Sends a node into lame duck mode and waits until it has ended: its clients move to other
    /// nodes, where they know any.
    ///
    /// # Errors
    /// As [`Broker::lame_duck`].
    pub async fn lame_duck(&mut self, node: usize) -> Result<ExitStatus, ClusterError> {
        let ended = self.node_mut(node)?.lame_duck().await;
        ended.map_err(|source| ClusterError::Stop { node, source })
    }

    /// Ends a node with SIGTERM and waits: it hands its leaderships over first.
    ///
    /// # Errors
    /// As [`kill`](Self::kill).
    pub async fn stop_gracefully(&mut self, node: usize) -> Result<ExitStatus, ClusterError> {
        let stopped = self.node_mut(node)?.shut_down().await;
        stopped.map_err(|source| ClusterError::Stop { node, source })
    }

    /// Starts a node again, on the same ports and store, and returns once clients can connect to it.
    /// What it missed it learns afterwards; [`heal`](Self::heal) waits for that too.
    ///
    /// # Errors
    /// As [`Broker::restart`].
    pub async fn restart(&mut self, node: usize) -> Result<(), ClusterError> {
        let restarted = self.node_mut(node)?.restart().await;
        restarted.map_err(|source| ClusterError::Start { node, source })
    }

    /// Pauses a node with SIGSTOP: connections stay open, nothing answers.
    ///
    /// # Errors
    /// If there is no such node, or it is down.
    pub async fn pause(&self, node: usize) -> Result<(), ClusterError> {
        let paused = self.node(node)?.pause().await;
        paused.map_err(|source| ClusterError::Stop { node, source })
    }

    /// Lets a paused node go on.
    ///
    /// # Errors
    /// If there is no such node, or it is down.
    pub async fn resume(&self, node: usize) -> Result<(), ClusterError> {
        let resumed = self.node(node)?.resume().await;
        resumed.map_err(|source| ClusterError::Stop { node, source })
    }

    /// Which node leads a stream; waits for an election that is under way.
    ///
    /// # Errors
    /// [`ClusterError::NoStream`] at once; [`ClusterError::NoLeader`] if none is elected within the
    /// ready timeout, as without a quorum.
    pub async fn leader_of_stream(&self, stream: &str) -> Result<usize, ClusterError> {
        ready::leader(&self.all(), &self.settings, stream).await
    }

    /// Kills the node that leads a stream, and says which it was.
    ///
    /// # Errors
    /// As [`leader_of_stream`](Self::leader_of_stream) and [`kill`](Self::kill).
    pub async fn kill_leader(&mut self, stream: &str) -> Result<usize, ClusterError> {
        let node = self.leader_of_stream(stream).await?;
        self.kill(node).await?;
        Ok(node)
    }

    /// Stops the node that leads a stream with SIGTERM, and says which it was.
    ///
    /// # Errors
    /// As [`leader_of_stream`](Self::leader_of_stream) and
    /// [`stop_gracefully`](Self::stop_gracefully).
    pub async fn stop_leader(&mut self, stream: &str) -> Result<usize, ClusterError> {
        let node = self.leader_of_stream(stream).await?;
        self.stop_gracefully(node).await?;
        Ok(node)
    }

    /// Kills the last nodes that are up, as many as it takes to leave less than a majority, all at
    /// once; says which.
    ///
    /// # Errors
    /// As [`kill`](Self::kill).
    pub async fn lose_quorum(&mut self) -> Result<Vec<usize>, ClusterError> {
        let minority = self.nodes.len().div_ceil(2) - 1;
        let up = self.nodes.iter_mut().enumerate().filter(|(_, node)| node.try_status().is_none());
        let doomed = up.skip(minority).map(|(index, node)| async move {
            let killed = node.kill().await;
            killed.map_err(|source| ClusterError::Stop { node: index, source })?;
            Ok(index)
        });
        join_all(doomed).await.into_iter().collect()
    }

    /// Kills every node but the one that leads a stream; says which that is. It takes writes for as
    /// long as it has not noticed, which is some seconds, and can have none acknowledged.
    ///
    /// # Errors
    /// As [`kill_leader`](Self::kill_leader).
    pub async fn leave_only_leader(&mut self, stream: &str) -> Result<usize, ClusterError> {
        let leader = self.leader_of_stream(stream).await?;
        let others = self.nodes.iter_mut().enumerate().filter(|(node, _)| *node != leader);
        let killed = others.map(|(node, broker)| async move {
            let killed = broker.kill().await;
            killed.map(drop).map_err(|source| ClusterError::Stop { node, source })
        });
        join_all(killed).await.into_iter().collect::<Result<(), _>>()?;
        Ok(leader)
    }

    /// Mends the routes of what is cut off, resumes what is paused, restarts what is down, and waits
    /// until a write to a new stream with a replica on every node is acknowledged, and until each
    /// stream there is has a leader and no replica that lags.
    ///
    /// After the loss of a quorum the nodes hold elections, which takes 4 to 9 s.
    ///
    /// # Errors
    /// [`ClusterError::Start`], or [`ClusterError::NotReady`] with what was still missing.
    pub async fn heal(&mut self) -> Result<(), ClusterError> {
        self.routes.iter_mut().for_each(Routes::heal);
        let healed = self.nodes.iter_mut().enumerate().map(|(node, broker)| async move {
            if broker.try_status().is_none() {
                // One that ends at this moment is noticed below: the write needs every node.
                let _ = broker.signal(Signal::Cont).await;
                return Ok(());
            }
            broker.restart().await.map_err(|source| ClusterError::Start { node, source })
        });
        join_all(healed).await.into_iter().collect::<Result<(), _>>()?;
        ready::write_acknowledged(&self.all(), &self.settings).await?;
        ready::streams_current(&self.all(), &self.settings).await
    }

    /// Ends all servers as [`Broker::stop`] does, waits until they have ended, and removes the run folder.
    ///
    /// # Errors
    /// The first problem; all have ended all the same.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        // All servers first: the first reaper that goes removes the folder that all share.
        let stops = self.nodes.iter_mut().enumerate().map(|(node, broker)| async move {
            let stopped = broker.end().await;
            stopped.map(|_| ()).map_err(|source| ClusterError::Stop { node, source })
        });
        let stopped: Result<(), _> = join_all(stops).await.into_iter().collect();
        let closed =
            join_all(self.nodes.into_iter().enumerate().map(|(node, broker)| async move {
                broker.stop().await.map_err(|source| ClusterError::Stop { node, source })
            }));
        let closed: Result<(), _> = closed.await.into_iter().collect();
        stopped.and(closed)
    }

    /// All nodes, for whoever looks at some of them only.
    fn all(&self) -> Vec<&Broker> {
        self.nodes.iter().collect()
    }

    pub(super) fn node(&self, node: usize) -> Result<&Broker, ClusterError> {
        let nodes = self.nodes.len();
        self.nodes.get(node).ok_or(ClusterError::NoNode { node, nodes })
    }

    fn node_mut(&mut self, node: usize) -> Result<&mut Broker, ClusterError> {
        let nodes = self.nodes.len();
        self.nodes.get_mut(node).ok_or(ClusterError::NoNode { node, nodes })
    }
}

/// Starts the nodes and waits until they work together; those that have started are in `nodes`.
async fn start_nodes(
    nodes: &mut Vec<Broker>,
    run_dir: &Path,
    settings: &Settings,
    logins: Option<Logins>,
    names: Vec<String>,
    member: impl Fn(usize) -> Member,
) -> Result<(), ClusterError> {
    // One after the other: a node that begins connects to those that listen already. Two that
    // connect to each other at the same moment would both be refused as duplicates, and try again
    // only a second later.
    for (index, name) in names.into_iter().enumerate() {
        let started =
            start_node(run_dir, settings, index, name, logins.clone(), member(index)).await;
        nodes.push(started.map_err(|source| ClusterError::Start { node: index, source })?);
    }
    let nodes: Vec<&Broker> = nodes.iter().collect();
    ready::leader_elected(&nodes, settings).await?;
    ready::write_acknowledged(&nodes, settings).await
}

async fn start_node(
    run_dir: &Path,
    settings: &Settings,
    index: usize,
    name: String,
    logins: Option<Logins>,
    member: Member,
) -> Result<Broker, StartError> {
    let own = format!("node-{index}");
    let folder = run_dir.join(&own);
    private_folder(&folder, "a node's folder")?;
    let mut settings = settings.clone();
    if let Store::Folder(store) = &settings.store {
        settings.store = Store::Folder(store.join(&own));
    }
    if let Port::Fixed(first) = settings.port {
        let port = u16::try_from(index).ok().and_then(|index| first.checked_add(index));
        settings.port = Port::Fixed(port.ok_or(StartError::NoSuchPort { first, index })?);
    }
    settings.log = settings.log.map(|path| path.with_extension(format!("{index}.log")));
    let started = Broker::start_in(&folder, run_dir, name, settings, logins, Some(member), nothing);
    Ok(started.await?.0)
}

impl ClusterSettings {
    /// Three nodes on random ports with temporary stores, for which there are 30 s to be ready: an
    /// election alone takes up to 9.
    #[must_use]
    pub fn new(mut node: Settings) -> Self {
        node.ready_timeout = Duration::from_secs(30);
        ClusterSettings { node, nodes: 3, advertise: false, partitions: false }
    }
}
