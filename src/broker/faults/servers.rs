//! What a fault means to one server, and what to a cluster.

use super::error::FaultError;
use super::fault::{Fault, What};
use crate::broker::cluster::Cluster;
use crate::broker::lifecycle::Broker;

/// The servers that a fault hits.
#[derive(Debug)]
pub enum Servers<'a> {
    /// One, alone.
    One(&'a mut Broker),
    /// Several that replicate each other's streams.
    Several {
        /// All of them.
        cluster: &'a mut Cluster,
        /// `kill-leader` and `stop-leader` break the node that leads this stream, unless a fault
        /// names another.
        leader_of: &'a str,
        /// `lose-quorum` leaves the node that leads this stream, unless the fault names another.
        left_with: &'a str,
    },
    /// One that somebody else runs, which is not broken.
    Elsewhere,
}

impl Servers<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::One(_) | Self::Elsewhere => 1,
            Self::Several { cluster, .. } => cluster.nodes().len(),
        }
    }

    /// Whether clients have to speak TLS.
    pub(super) fn are_encrypted(&self) -> bool {
        match self {
            Self::One(broker) => broker.settings().tls.is_some(),
            Self::Elsewhere => false,
            Self::Several { cluster, .. } => cluster.settings().tls.is_some(),
        }
    }

    /// Breaks or mends, as `fault` or as its end; says what has happened. `nodes` are those that
    /// `kill-node` kills, `wipe-node` empties and `isolate-node` cuts off.
    pub(super) async fn inject(
        &mut self,
        what: What,
        fault: &Fault,
        nodes: &[usize],
    ) -> Result<&'static str, FaultError> {
        if let Self::Several { cluster, .. } = self
            && what.breaks_servers()
        {
            cluster.whole()?;
        }
        match self {
            Self::Elsewhere => Err(FaultError::Elsewhere),
            Self::One(broker) => one(broker, what).await,
            Self::Several { cluster, leader_of, left_with } => match what {
                What::KillLeader | What::StopLeader => {
                    let stream = fault.stream.as_deref().unwrap_or(leader_of);
                    let kills = what == What::KillLeader;
                    match kills {
                        true => cluster.kill_leader(stream).await?,
                        false => cluster.stop_leader(stream).await?,
                    };
                    // Another one leads before it is back: its return is no part of the gap.
                    cluster.leader_of_stream(stream).await?;
                    cluster.heal().await?;
                    Ok(match kills {
                        true => "killed, another one elected, and back with what it missed",
                        false => "stopped, another one elected, and back with what it missed",
                    })
                }
                What::KillNode(_) => {
                    cluster.kill_nodes(nodes).await?;
                    cluster.heal().await?;
                    Ok("killed, and back with what was missed")
                }
                What::WipeNode => {
                    for node in nodes {
                        cluster.wipe(*node).await?;
                    }
                    cluster.heal().await?;
                    Ok("killed, its store lost, and back with all that the others have")
                }
                What::IsolateNode(_) => {
                    for node in nodes {
                        cluster.isolate(*node).await?;
                    }
                    Ok("cut off from the others, which go on; its clients stay with it")
                }
                What::LoseQuorum => {
                    let stream = fault.stream.as_deref();
                    cluster.leave_only_leader(stream.unwrap_or(left_with)).await?;
                    Ok(match stream {
                        None => "all killed but the one that takes submissions",
                        Some(_) => "all killed but the one that leads the stream",
                    })
                }
                What::Heal => {
                    cluster.heal().await?;
                    Ok("all are back and agree")
                }
                other => each(cluster, other).await,
            },
        }
    }
}

async fn one(broker: &mut Broker, what: What) -> Result<&'static str, FaultError> {
    match what {
        What::KillBroker => broker.kill_and_restart().await?,
        What::RestartBroker => {
            broker.shut_down().await?;
            broker.restart().await?;
        }
        What::LameDuck => {
            broker.lame_duck().await?;
            broker.restart().await?;
        }
        What::PauseBroker => broker.pause().await?,
        What::ResumeBroker => broker.resume().await?,
        _ => return Err(FaultError::NoCluster),
    }
    Ok(said(what))
}

/// What is meant for one server happens to each node: one after the other, so that a majority is
/// always there; a pause to all of them at once.
async fn each(cluster: &mut Cluster, what: What) -> Result<&'static str, FaultError> {
    for node in 0..cluster.nodes().len() {
        match what {
            What::KillBroker => drop(cluster.kill(node).await?),
            What::RestartBroker => drop(cluster.stop_gracefully(node).await?),
            What::LameDuck => drop(cluster.lame_duck(node).await?),
            What::PauseBroker => {
                cluster.pause(node).await?;
                continue;
            }
            What::ResumeBroker => {
                cluster.resume(node).await?;
                continue;
            }
            _ => return Ok(""),
        }
        cluster.heal().await?;
    }
    Ok(said(what))
}

fn said(what: What) -> &'static str {
    match what {
        What::KillBroker => "killed, and back on the same port and store",
        What::RestartBroker => "stopped, and back on the same port and store",
        What::LameDuck => {
            "took no new client, sent the others away, and is back on the same port and store"
        }
        What::PauseBroker => "paused",
        _ => "goes on",
    }
}
