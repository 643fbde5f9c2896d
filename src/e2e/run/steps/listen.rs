//! Listens for messages: subscribed before the first step, and none behind a fence.

use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::attempt::{DEFAULT_TIMEOUT, millis};
use super::bucket;
use super::running_step::{RunningStep, Subscriptions};
use crate::e2e::record::seen::Seen;
use crate::e2e::run::probe::instead::instead;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::beside::{Kv, KvVerb};
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Action;
use crate::e2e::verdict::outcome::Stop;
use crate::wire::driver::{ErrorKind, Message, Op, Outcome};

/// The fence of `none`; the client publishes it and hears it on the same connection. It may: see
/// `Roles`.
const FENCE: &str = "_INBOX.barrier.fence";
/// A message that came before the fence is with the client library already; this is only the time
/// to hand it over.
const HAND_OVER: Duration = Duration::from_millis(50);

/// Subscribes to everything that the scenario expects, flushed, before its first step.
pub(in crate::e2e) async fn subscribe(
    world: &World,
    fixture: &Fixture,
) -> Result<Subscriptions, Stop> {
    let mut subscriptions = Subscriptions::default();
    for step in fixture.all_steps() {
        if let Action::Kv(Kv { does: KvVerb::Watch, bucket, key, .. }) = &step.action {
            let name = (bucket.clone(), key.clone());
            if let Entry::Vacant(vacant) = subscriptions.watches.entry(name) {
                let watch = bucket::watch(world.harness(), bucket, key).await;
                let failed = |why| Stop::failed(fixture, &step.span, why);
                vacant.insert(Mutex::new(watch.map_err(failed)?));
            }
        }
        let Some((subject, fenced)) = step.action.listens() else {
            continue;
        };
        for subject in [Some(subject), fenced.then_some(FENCE)].into_iter().flatten() {
            if subscriptions.subjects.contains_key(subject) {
                continue;
            }
            let op = Op::Subscribe { subject: subject.to_owned(), queue_group: None };
            match world.driver.perform(op).await {
                Ok(Outcome::Ok(value)) => {
                    let id = value["subscription"].as_u64().unwrap_or_default();
                    subscriptions.subjects.insert(subject.to_owned(), id);
                }
                Ok(Outcome::Skip(reason)) => return Err(Stop::Skipped(reason)),
                Ok(Outcome::Err(error)) => {
                    let message = format!("cannot subscribe to {subject}: {error}");
                    return Err(Stop::failed(fixture, &step.span, message));
                }
                Err(fault) => return Err(Stop::failed(fixture, &step.span, fault.to_string())),
            }
        }
    }
    Ok(subscriptions)
}

impl RunningStep<'_> {
    /// The next message on a subject, within the step's time.
    pub(in crate::e2e) async fn one_message(&self, subject: &str) -> Result<Seen, Stop> {
        let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
        let message = self.next(subject, within).await?;
        match message {
            Some(message) => Ok(Seen::message(&message)),
            None => {
                let what = format!("no message on {subject} within {within:?}");
                Err(self.failed(self.with_what_came(what).await))
            }
        }
    }

    /// What did not come, and what came instead.
    async fn with_what_came(&self, what: String) -> String {
        let scene = &self.scene;
        match instead(scene.harness, scene.brokers, self.fixture).await {
            Some(instead) => format!("{what}; {instead}"),
            None => what,
        }
    }

    /// So many messages, and behind a fence no further one.
    pub(in crate::e2e) async fn messages(&self, subject: &str, count: u32) -> Result<Seen, Stop> {
        let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
        let deadline = Instant::now() + within;
        let mut messages = Vec::new();
        while messages.len() < count as usize {
            let left = deadline.saturating_duration_since(Instant::now());
            // One that is there already is taken even when the time is up.
            match self.next(subject, left.max(HAND_OVER)).await? {
                Some(message) => messages.push(message),
                None => {
                    let bodies = Seen::messages(&messages).main_part();
                    let (found, seen) = (messages.len(), bodies);
                    let what = format!(
                        "expected {count} messages on {subject} within {within:?}, saw {found}: {seen}"
                    );
                    return Err(self.failed(self.with_what_came(what).await));
                }
            }
        }
        match self.before_the_fence(subject).await? {
            None => Ok(Seen::messages(&messages)),
            Some(_) => Err(self.failed(format!("more than {count} messages on {subject}"))),
        }
    }

    pub(in crate::e2e) async fn no_message(&self, subject: &str) -> Result<Seen, Stop> {
        match self.before_the_fence(subject).await? {
            None => Ok(Seen::Ok(Default::default())),
            Some(message) => {
                let body = Seen::message(&message).main_part();
                Err(self.failed(format!("expected no message on {subject}, saw {body}")))
            }
        }
    }

    /// Everything that the broker had for this client before the fence has come when the fence has.
    async fn before_the_fence(&self, subject: &str) -> Result<Option<Message>, Stop> {
        let op = Op::Publish {
            subject: FENCE.to_owned(),
            payload_base64: String::new(),
            headers: Default::default(),
        };
        if let Outcome::Err(error) = self.ask(op).await? {
            return Err(self.failed(format!("cannot publish the fence: {error}")));
        }
        if self.next(FENCE, Duration::from_secs(10)).await?.is_none() {
            return Err(self.failed("the fence did not come within 10 s".to_owned()));
        }
        self.next(subject, HAND_OVER).await
    }

    async fn next(&self, subject: &str, timeout: Duration) -> Result<Option<Message>, Stop> {
        let subscription = self.subscriptions.subjects.get(subject).copied().unwrap_or_default();
        match self.ask(Op::Next { subscription, timeout_ms: millis(timeout) }).await? {
            Outcome::Ok(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| self.failed(format!("the driver answered {value}: {error}"))),
            Outcome::Err(error) if error.kind == ErrorKind::Timeout => Ok(None),
            Outcome::Err(error) => Err(self.failed(error.to_string())),
            Outcome::Skip(reason) => Err(Stop::Skipped(reason)),
        }
    }
}
