//! Stops what a session has started, in order.

use std::sync::Arc;

use async_nats::jetstream;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use super::refused::failed;
use super::thing::{Kind, Running, Thing};
use super::world::World;
use crate::broker::StopError;
use crate::wire::control::{ControlError, Ended, Stopped};

const ORDERLY: &str = "orderly";

/// One thing, or all: services, then proxies and accounts, then brokers; those of a kind side by side.
pub(super) async fn stop(world: &Arc<World>, of: Option<&str>) -> Result<Stopped, ControlError> {
    if let Some(of) = of {
        let thing = world.find(of)?;
        world.forget(&thing);
        let how = ended(&thing, true).await?;
        return Ok(Stopped { stopped: vec![Ended { name: thing.name.clone(), how }] });
    }
    let mut stopped = Vec::new();
    for turn in [0, 1, 2] {
        let all = world.all();
        let things: Vec<&Arc<Thing>> =
            all.iter().filter(|thing| turn_of(&thing.kind) == turn).collect();
        let hows = join_all(things.iter().map(|thing| ended(thing, false))).await;
        for (thing, how) in things.into_iter().zip(hows) {
            world.forget(thing);
            // All are stopped, whatever becomes of one.
            let how = how.unwrap_or_else(|error| error.message);
            stopped.push(Ended { name: thing.name.clone(), how });
        }
    }
    Ok(Stopped { stopped })
}

fn turn_of(kind: &Kind) -> u8 {
    match kind {
        Kind::Service(_) => 0,
        Kind::Proxy { .. } | Kind::Account { .. } | Kind::History { .. } => 1,
        Kind::Broker(_) | Kind::Cluster(_) => 2,
    }
}

/// `tidy` is for what the others stay beside: an account's streams go.
async fn ended(thing: &Thing, tidy: bool) -> Result<String, ControlError> {
    match &thing.kind {
        Kind::Broker(divisible) => {
            let broker = divisible.lock().await.broker.take().ok_or_else(|| thing.is_gone())?;
            how(broker.stop().await)
        }
        Kind::Cluster(cluster) => {
            let cluster = cluster.lock().await.take().ok_or_else(|| thing.is_gone())?;
            cluster.stop().await?;
            Ok(ORDERLY.to_owned())
        }
        Kind::Service(running) => service(&mut *running.lock().await).await,
        Kind::Proxy { proxies, .. } => {
            let proxies = std::mem::take(&mut *proxies.lock().await);
            for proxy in proxies {
                proxy.stop().await;
            }
            Ok(ORDERLY.to_owned())
        }
        Kind::History { .. } => Ok(ORDERLY.to_owned()),
        Kind::Account { .. } if !tidy => Ok(ORDERLY.to_owned()),
        Kind::Account { broker, login } => {
            let Kind::Broker(divisible) = &broker.kind else { return Err(broker.is_no("broker")) };
            let mut held = divisible.lock().await;
            let Some(running) = &mut held.broker else { return Ok(ORDERLY.to_owned()) };
            running.forget_account(&login.user);
            let (stores, is_up) = (running.settings().stores(), running.try_status().is_none());
            drop(held);
            if stores && is_up {
                delete_streams(thing).await?;
            }
            Ok(ORDERLY.to_owned())
        }
    }
}

/// One that had to be killed has ended all the same.
fn how(stopped: Result<(), StopError>) -> Result<String, ControlError> {
    match stopped {
        Ok(()) => Ok(ORDERLY.to_owned()),
        Err(error @ StopError::Killed { .. }) => Ok(error.to_string()),
        Err(error) => Err(error.into()),
    }
}

async fn service(running: &mut Running) -> Result<String, ControlError> {
    let Some(child) = running.child.take() else { return Ok(ORDERLY.to_owned()) };
    let before = child.try_status();
    let status = child.stop(running.stop_within).await?;
    child.close().await;
    Ok(match before {
        Some(status) => format!("{status}, before it was stopped"),
        None if status.success() => ORDERLY.to_owned(),
        None => status.to_string(),
    })
}

async fn delete_streams(thing: &Thing) -> Result<(), ControlError> {
    let ask = |error: &dyn std::fmt::Display| failed(format!("delete its streams: {error}"));
    let context = jetstream::new(thing.address()?.connect().await?);
    let streams: Vec<String> =
        context.stream_names().try_collect().await.map_err(|error| ask(&error))?;
    for stream in streams {
        context.delete_stream(stream).await.map_err(|error| ask(&error))?;
    }
    Ok(())
}
