//! What can be seen of what a session has started: logs, leaks, status, and what is kept.

use std::path::Path;
use std::sync::Arc;

use super::refused::{bad_input, failed};
use super::thing::{Kind, Thing};
use super::world::World;
use crate::broker::{Broker, LeakReport, copy_streams};
use crate::wire::control::{
    Connection, Consumer, ControlError, Leaks, Log, Logs, Status, Thing as Seen,
};

/// Names of connections of this program: they may be closing just now.
const OURS: [&str; 2] = ["mono-demo control", "mono-demo readiness"];

/// The last lines of one, or of all that have any.
pub(super) async fn logs(world: &Arc<World>, of: Option<&str>) -> Result<Logs, ControlError> {
    let things = match of {
        Some(of) => vec![world.find(of)?],
        None => world.all(),
    };
    let mut logs = Vec::new();
    for thing in things {
        let name = || thing.name.clone();
        match &thing.kind {
            Kind::Broker(divisible) => {
                let held = divisible.lock().await;
                logs.extend(
                    held.broker.iter().map(|one| Log { name: name(), lines: one.log_tail() }),
                );
            }
            Kind::Cluster(cluster) => {
                let held = cluster.lock().await;
                let nodes = held.iter().flat_map(|cluster| cluster.nodes().iter().enumerate());
                logs.extend(nodes.map(|(number, node)| Log {
                    name: format!("{}/{number}", thing.name),
                    lines: node.log_tail(),
                }));
            }
            Kind::Service(running) => {
                let held = running.lock().await;
                let now = held.child.iter().flat_map(|child| child.tail());
                let lines = held.said.iter().cloned().chain(now).collect();
                logs.push(Log { name: name(), lines });
            }
            _ if of.is_some() => return Err(thing.is_no("broker, cluster or service")),
            Kind::Account { .. } | Kind::Proxy { .. } | Kind::History { .. } => {}
        }
    }
    logs.retain(|log| !log.lines.is_empty());
    Ok(Logs { logs })
}

/// What clients hold at a broker.
pub(super) async fn leaks(world: &Arc<World>, of: &str) -> Result<Leaks, ControlError> {
    let thing = world.find(of)?;
    match &thing.kind {
        Kind::Cluster(cluster) => {
            let held = cluster.lock().await;
            let cluster = held.as_ref().ok_or_else(|| thing.is_gone())?;
            cluster.leak_report().await.map(told).map_err(failed)
        }
        Kind::Broker(_) => leaks_at(&thing).await.map(told),
        Kind::Account { broker, login } => {
            let mut leaks = leaks_at(broker).await.map(told)?;
            leaks.connections.retain(|connection| connection.user == login.user);
            leaks.consumers.clear();
            Ok(leaks)
        }
        Kind::Service(_) | Kind::Proxy { .. } | Kind::History { .. } => {
            Err(thing.is_no("broker, cluster or account"))
        }
    }
}

async fn leaks_at(thing: &Thing) -> Result<LeakReport, ControlError> {
    let Kind::Broker(divisible) = &thing.kind else { return Err(thing.is_no("broker")) };
    let held = divisible.lock().await;
    let broker = held.broker.as_ref().ok_or_else(|| thing.is_gone())?;
    broker.leak_report().await.map_err(failed)
}

fn told(report: LeakReport) -> Leaks {
    let consumers = report.consumers.into_iter().map(|consumer| Consumer {
        in_use: consumer.in_use(),
        stream: consumer.stream,
        name: consumer.name,
        unacknowledged: consumer.unacknowledged,
        pending: consumer.pending,
    });
    let others = report.connections.into_iter().filter(|one| !OURS.contains(&one.name.as_str()));
    let connections = others.map(|connection| Connection {
        name: connection.name,
        user: connection.user,
        subscriptions: connection.subscriptions,
    });
    Leaks { connections: connections.collect(), consumers: consumers.collect() }
}

pub(super) async fn status(world: &Arc<World>) -> Status {
    let mut things = Vec::new();
    for thing in world.all() {
        things.push(Seen {
            name: thing.name.clone(),
            kind: thing.kind.word().to_owned(),
            state: state(&thing).await,
            url: thing.address.as_ref().map(super::thing::Address::url),
        });
    }
    Status { things }
}

async fn state(thing: &Thing) -> String {
    let of = |broker: &Broker| broker.try_status().map_or("runs".to_owned(), |how| how.to_string());
    match &thing.kind {
        Kind::Broker(divisible) => {
            divisible.lock().await.broker.as_ref().map_or("stopped".to_owned(), of)
        }
        Kind::Cluster(cluster) => {
            let held = cluster.lock().await;
            let nodes = held.iter().flat_map(|cluster| cluster.nodes()).map(of);
            let mut states: Vec<String> = nodes.collect();
            match states.iter().all(|state| state == "runs") {
                true => "runs".to_owned(),
                false => {
                    states
                        .iter_mut()
                        .enumerate()
                        .for_each(|(n, state)| *state = format!("{n}: {state}"));
                    states.join(", ")
                }
            }
        }
        Kind::Service(running) => {
            let status = running.lock().await.child.as_ref().map(|child| child.try_status());
            match status {
                Some(None) => "runs".to_owned(),
                Some(Some(how)) => how.to_string(),
                None => "stopped".to_owned(),
            }
        }
        Kind::Account { .. } | Kind::Proxy { .. } | Kind::History { .. } => "runs".to_owned(),
    }
}

/// Copies log and store while the broker stands still.
pub(super) async fn keep(world: &Arc<World>, of: &str, into: &Path) -> Result<(), ControlError> {
    let thing = world.find(of)?;
    let Kind::Broker(divisible) = &thing.kind else { return Err(thing.is_no("broker")) };
    let held = divisible.lock().await;
    let broker = held.broker.as_ref().ok_or_else(|| thing.is_gone())?;
    let into = world.path(into);
    if into.exists() {
        return Err(bad_input(format!("into: {} is there already", into.display())));
    }
    crate::private::folder(&into)
        .map_err(|error| failed(format!("into: make {}: {error}", into.display())))?;
    // One that has ended stands still anyhow.
    let paused = broker.try_status().is_none() && broker.pause().await.is_ok();
    let copied = copied(broker, &into).await;
    if paused {
        broker.resume().await?;
    }
    copied
}

async fn copied(broker: &Broker, into: &Path) -> Result<(), ControlError> {
    let log = into.join("broker.log");
    let copied = tokio::fs::copy(broker.log_path(), &log).await;
    copied.map_err(|error| failed(format!("copy the log to {}: {error}", log.display())))?;
    if broker.settings().stores() {
        copy_streams(broker.store_dir(), into).await?;
    }
    Ok(())
}
