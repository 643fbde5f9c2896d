//! Breaks and mends what a session has started.

use std::sync::Arc;
use std::time::Duration;

use super::refused::{bad_input, failed, no_such};
use super::services::ready_child;
use super::thing::{Kind, Running, Thing};
use super::world::World;
use crate::broker::{
    self, Broker, Cluster, Fate, Faults, Matching, Proxy, Servers, Side, Turn, What,
};
use crate::process::{Reaper, Signal};
use crate::wire::control::{ControlError, Direction, Done, Fault, MessageKind, Messages, Moment};

pub(super) async fn inject(
    world: &Arc<World>,
    of: &str,
    fault: Fault,
) -> Result<Done, ControlError> {
    let thing = world.find(of)?;
    let injecting = world.noted.begins(of, &fault);
    let injected = of_kind(world, &thing, &fault).await;
    match &injected {
        Ok(done) => world.noted.was_done(injecting, done),
        Err(_) => world.noted.was_refused(&injecting),
    }
    injected
}

async fn of_kind(
    world: &Arc<World>,
    thing: &Arc<Thing>,
    fault: &Fault,
) -> Result<Done, ControlError> {
    match &thing.kind {
        Kind::Broker(divisible) => {
            let mut held = divisible.lock().await;
            let broker = held.broker.as_mut().ok_or_else(|| thing.is_gone())?;
            of_broker(thing, broker, fault).await
        }
        Kind::Cluster(cluster) => {
            let mut held = cluster.lock().await;
            of_cluster(thing, held.as_mut().ok_or_else(|| thing.is_gone())?, fault).await
        }
        Kind::Service(running) => {
            of_service(thing, &mut *running.lock().await, world.machine.reaper(), fault).await
        }
        Kind::Proxy { before, proxies } => {
            of_network(world, thing, before, &proxies.lock().await, fault).await
        }
        Kind::Account { .. } | Kind::History { .. } => {
            Err(thing.is_no("broker, cluster, service or proxy"))
        }
    }
}

fn done(told: impl Into<String>) -> Done {
    Done { told: told.into(), ..Done::default() }
}

/// The fault is about something else.
fn not_of(thing: &Thing, fault: &Fault) -> ControlError {
    let (kind, word) = (thing.kind.word(), fault.word());
    bad_input(format!("fault.kind: a {kind} has no `{word}`: {} is one", thing.name))
}

async fn of_broker(
    thing: &Thing,
    broker: &mut Broker,
    fault: &Fault,
) -> Result<Done, ControlError> {
    match fault {
        Fault::Kill { node: None } => Ok(broker.kill().await.map(|_| done("killed"))?),
        Fault::Stop { node: None } => Ok(broker.shut_down().await.map(|_| done("stopped"))?),
        Fault::Pause { node: None } => Ok(broker.pause().await.map(|()| done("paused"))?),
        Fault::Resume { node: None } => Ok(broker.resume().await.map(|()| done("resumed"))?),
        Fault::LameDuck { node: None } => {
            Ok(broker.lame_duck().await.map(|_| done("all clients sent away, and ended"))?)
        }
        Fault::Restart { node: None } => {
            broker.restart().await?;
            Ok(Done { pid: Some(broker.pid()), ..done("started again") })
        }
        _ => Err(not_of(thing, fault)),
    }
}

async fn of_cluster(
    thing: &Thing,
    cluster: &mut Cluster,
    fault: &Fault,
) -> Result<Done, ControlError> {
    let hit = |told: &str, node: usize| Done { nodes: vec![node], ..done(told) };
    match fault {
        Fault::Kill { node: Some(node) } => {
            cluster.kill(*node).await?;
            Ok(hit("killed", *node))
        }
        Fault::Stop { node: Some(node) } => {
            cluster.stop_gracefully(*node).await?;
            Ok(hit("stopped", *node))
        }
        Fault::Restart { node: Some(node) } => {
            cluster.restart(*node).await?;
            let pid = cluster.nodes().get(*node).map(Broker::pid);
            Ok(Done { pid, ..hit("started again", *node) })
        }
        Fault::Pause { node: Some(node) } => {
            cluster.pause(*node).await?;
            Ok(hit("paused", *node))
        }
        Fault::Resume { node: Some(node) } => {
            cluster.resume(*node).await?;
            Ok(hit("resumed", *node))
        }
        Fault::LameDuck { node: Some(node) } => {
            cluster.lame_duck(*node).await?;
            Ok(hit("its clients sent away, and ended", *node))
        }
        Fault::Wipe { node } => {
            cluster.wipe(*node).await?;
            Ok(hit("killed, and its store lost", *node))
        }
        Fault::Isolate { node } => {
            cluster.isolate(*node).await?;
            Ok(hit("cut off from the others, which go on", *node))
        }
        Fault::KillLeader { stream } => {
            let node = cluster.kill_leader(stream).await?;
            Ok(hit("killed", node))
        }
        Fault::LoseQuorum {} => {
            let nodes = cluster.lose_quorum().await?;
            Ok(Done { nodes, ..done("killed, and no majority is left") })
        }
        Fault::Heal {} => {
            cluster.heal().await?;
            Ok(done("all are up, and have caught up"))
        }
        Fault::Kill { node: None }
        | Fault::Stop { node: None }
        | Fault::Restart { node: None }
        | Fault::Pause { node: None }
        | Fault::Resume { node: None }
        | Fault::LameDuck { node: None } => {
            let nodes = cluster.nodes().len();
            Err(bad_input(format!("fault.node: which of {nodes}, counted from 0, is not said")))
        }
        _ => Err(not_of(thing, fault)),
    }
}

async fn of_service(
    thing: &Thing,
    running: &mut Running,
    reaper: &Reaper,
    fault: &Fault,
) -> Result<Done, ControlError> {
    match fault {
        Fault::Kill { node: None } => {
            running.child()?.kill().await?;
            Ok(done("killed"))
        }
        Fault::Stop { node: None } => {
            let status = running.child()?.stop(running.stop_within).await?;
            Ok(done(format!("stopped, with {status}")))
        }
        Fault::Pause { node: None } => {
            running.child()?.signal(Signal::Stop).await?;
            Ok(done("paused"))
        }
        Fault::Resume { node: None } => {
            running.child()?.signal(Signal::Cont).await?;
            Ok(done("resumed"))
        }
        Fault::Restart { node: None } => {
            if let Some(child) = running.child.take() {
                child.stop(running.stop_within).await?;
                child.drained().await;
                running.said = child.tail();
                child.close().await;
            }
            let child = ready_child(reaper, &running.spawn, &running.ready).await?;
            let pid = Some(child.pid());
            running.child = Some(child);
            Ok(Done { pid, ..done("started again") })
        }
        _ => Err(not_of(thing, fault)),
    }
}

impl Running {
    /// The process that a fault hits: one that has ended it does not hit.
    fn child(&self) -> Result<&crate::process::Child, ControlError> {
        let restart = || Some("`restart` starts another process".to_owned());
        let Some(child) = &self.child else {
            return Err(ControlError { hint: restart(), ..no_such("of: its last start failed") });
        };
        match child.try_status() {
            None => Ok(child),
            Some(status) => {
                let why = format!("nothing was hit: {} has ended, with {status}", child.name());
                Err(ControlError { hint: restart(), ..failed(why) })
            }
        }
    }
}

async fn of_network(
    world: &Arc<World>,
    thing: &Thing,
    before: &Thing,
    proxies: &[Proxy],
    fault: &Fault,
) -> Result<Done, ControlError> {
    if proxies.is_empty() {
        return Err(thing.is_gone());
    }
    let fault = as_word(fault)?.ok_or_else(|| not_of(thing, fault))?;
    let told = match &before.kind {
        Kind::Broker(divisible) => {
            let mut held = divisible.lock().await;
            let broker = held.broker.as_mut().ok_or_else(|| before.is_gone())?;
            perform(world, Servers::One(broker), proxies, &fault).await
        }
        Kind::Cluster(cluster) => {
            let mut held = cluster.lock().await;
            let cluster = held.as_mut().ok_or_else(|| before.is_gone())?;
            // No fault of a network is about leaders.
            let servers = Servers::Several { cluster, leader_of: "", left_with: "" };
            perform(world, servers, proxies, &fault).await
        }
        _ => return Err(failed(format!("{} is in front of no broker", thing.name))),
    };
    Ok(done(told?))
}

async fn perform(
    world: &Arc<World>,
    servers: Servers<'_>,
    proxies: &[Proxy],
    fault: &broker::Fault,
) -> Result<String, broker::FaultError> {
    // Proxies are the world's own, and do not keep it.
    let world = Arc::downgrade(world);
    let heard = Arc::new(move |hit: &broker::Hit| {
        if let Some(world) = world.upgrade() {
            world.noted.hits(hit);
        }
    });
    Faults::new(servers, 0).network(Side::Client, proxies).hearing(heard).inject(fault).await
}

/// As the broker's room has it; `None` is no fault of a network.
fn as_word(fault: &Fault) -> Result<Option<broker::Fault>, ControlError> {
    let ms = Duration::from_millis;
    let what = match fault {
        Fault::Delay { latency_ms, jitter_ms } => {
            What::Delay { latency: ms(*latency_ms), jitter: ms(*jitter_ms) }
        }
        Fault::Cut {} => What::Cut,
        Fault::CutAfter { bytes, direction } => {
            What::CutAfter { bytes: *bytes, direction: way(*direction) }
        }
        Fault::Chop { bytes, pause_ms } => What::Chop { chunk: *bytes, pause: ms(*pause_ms) },
        Fault::Blackhole {} => What::BlackHole,
        Fault::HalfOpen { direction } => What::HalfOpen(way(*direction)),
        Fault::Refuse {} => What::Refuse,
        Fault::HealNetwork {} => What::HealNetwork,
        Fault::Lose { messages } => return of_messages(Fate::Lose, messages),
        Fault::Duplicate { messages } => return of_messages(Fate::Duplicate, messages),
        Fault::Late { messages, by_ms } => return of_messages(Fate::Delay(ms(*by_ms)), messages),
        Fault::Swap { messages } => return of_messages(Fate::Swap, messages),
        Fault::Disconnect { messages, moment } => {
            let moment = match moment {
                Moment::Before => broker::Moment::Before,
                Moment::After => broker::Moment::After,
            };
            return of_messages(Fate::Disconnect(moment), messages);
        }
        _ => return Ok(None),
    };
    Ok(Some(broker::Fault::new(what)))
}

fn way(direction: Direction) -> broker::Direction {
    match direction {
        Direction::ToServer => broker::Direction::ToServer,
        Direction::ToClient => broker::Direction::ToClient,
    }
}

fn of_messages(fate: Fate, messages: &Messages) -> Result<Option<broker::Fault>, ControlError> {
    let kind = match messages.message {
        MessageKind::Publish => broker::MessageKind::Publish,
        MessageKind::PubAck => broker::MessageKind::PubAck,
        MessageKind::Delivery => broker::MessageKind::Delivery,
        MessageKind::Ack => broker::MessageKind::Ack,
        MessageKind::Nak => broker::MessageKind::Nak,
        MessageKind::Reply => broker::MessageKind::Reply,
    };
    let turn = match (messages.nth, messages.every) {
        (Some(_), Some(_)) => {
            return Err(bad_input("fault.messages: `nth` and `every` exclude each other"));
        }
        (Some(0), _) | (_, Some(0)) => {
            return Err(bad_input("fault.messages: `nth` and `every` count from 1"));
        }
        _ if messages.times == Some(0) => {
            return Err(bad_input("fault.messages: `times` counts from 1"));
        }
        (nth, None) => Turn::Nth(nth.unwrap_or(1)),
        (None, Some(every)) => Turn::Every(every),
    };
    let matching = Matching {
        subject: messages.subject.clone(),
        header: messages.header.clone(),
        body: messages.body.clone(),
        turn,
        times: messages.times,
        ..Matching::next(kind)
    };
    Ok(Some(broker::Fault::of_messages(fate, matching)))
}
