//! Does the steps: once or many times, again where it says so, and held against what is expected.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::{Stop, load, program, record, settle, teardown, world::World};
use crate::{
    broker::Role,
    e2e::{
        event::{Event, RunId},
        fill::filled,
        fixture::{
            Action, Expect, Fixture, Outgoing, Payload, Span, Step,
            template::{Variables, fill},
        },
        inside,
        matcher::{Difference, canonical},
        seen::{self, Seen},
        transcript::Transcript,
    },
    wire::driver::{ErrorKind, Message, Op, Outcome},
};

/// Bound on one attempt where the step does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a step asks again about is in another process: there is nothing to wait on.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// The fence of `none`; the client publishes it and hears it on the same connection. It may: see
/// `Roles`.
const FENCE: &str = "_INBOX.barrier.fence";
/// A message that came before the fence is with the client library already; this is only the time
/// to hand it over.
const HAND_OVER: Duration = Duration::from_millis(50);

/// Subscriptions by subject, as the driver knows them.
type Subscriptions = BTreeMap<String, u64>;

/// What goes on from step to step.
pub(super) struct Carried {
    /// Values for `{{name}}`.
    pub(super) variables: Variables,
    /// What each step came to.
    pub(super) seen: Vec<Vec<Seen>>,
    pub(super) transcript: Transcript,
}

/// Does all steps in order, then those of the teardown, whatever the steps came to.
pub(super) async fn all(
    world: &mut World,
    fixture: &Fixture,
    run: &RunId,
    events: &UnboundedSender<Event>,
    carried: &mut Carried,
) -> Result<(), Stop> {
    // Nothing has happened yet that would have to be undone.
    let subscriptions = subscribe(world, fixture).await?;
    world.begin_looking_for_leaks().await;
    let mut index = 0;
    let mut started = |step: &Step| {
        // A reporter that has gone is not the scenario's business.
        let _ = events.send(Event::StepStarted {
            run: run.clone(),
            index,
            line: fixture.source.line(&step.span),
            verb: step.action.verb(),
        });
        index += 1;
    };
    let mut ended = Ok(());
    for step in &fixture.steps {
        started(step);
        ended = one(world, fixture, &subscriptions, step, carried).await;
        if ended.is_err() {
            break;
        }
    }
    for step in &fixture.teardown {
        if let Some(name) = teardown::missing(step, &carried.variables) {
            // Its step was not reached: there is nothing to undo.
            let why = format!("left out: {{{{{name}}}}} was not saved");
            carried.transcript.note(&format!("teardown {}", step.action.verb()), &[why]);
            continue;
        }
        started(step);
        let undone = one(world, fixture, &subscriptions, step, carried).await;
        ended = teardown::beside(ended, undone);
    }
    ended
}

/// Does one step.
async fn one(
    world: &mut World,
    fixture: &Fixture,
    subscriptions: &Subscriptions,
    step: &Step,
    carried: &mut Carried,
) -> Result<(), Stop> {
    let Carried { variables, seen, transcript } = carried;
    seen.push(Vec::new());
    let clock = world.recorder.clock();
    world.tape.step(clock, transcript, fixture, step);
    match &step.action {
        Action::Fault(fault) => {
            let done = world.fault(fault, None).await?;
            transcript.note(&format!("fault {fault}"), &[done]);
        }
        Action::Settle => {
            let within = step.within.unwrap_or(settle::DEFAULT_WITHIN);
            let harness = world.harness();
            tokio::select! {
                settled = settle::settle(&harness, within) => {
                    settled.map_err(|reason| Stop::failed(fixture, &step.span, reason))?;
                }
                stop = world.services.supervise() => return Err(stop),
            }
            transcript.note("settle", &["nothing is in flight".to_owned()]);
        }
        action => match &step.load {
            Some(load) => {
                let lines = load::run(world, fixture, step, load, variables).await?;
                transcript.load(step, &filled(action, variables), &lines);
            }
            None => {
                let stage = Stage { world, fixture, subscriptions, step };
                let outcomes = stage.repeated(variables, transcript).await?;
                save(fixture, step, &outcomes, variables)?;
                seen.pop();
                seen.push(outcomes);
            }
        },
    }
    Ok(())
}

/// Subscribes to everything that the scenario expects, flushed, before its first step.
async fn subscribe(world: &World, fixture: &Fixture) -> Result<Subscriptions, Stop> {
    let mut subscriptions = Subscriptions::new();
    for step in fixture.steps.iter().chain(&fixture.teardown) {
        let Some((subject, fenced)) = step.action.listens() else {
            continue;
        };
        for subject in [Some(subject), fenced.then_some(FENCE)].into_iter().flatten() {
            if subscriptions.contains_key(subject) {
                continue;
            }
            let op = Op::Subscribe { subject: subject.to_owned(), queue_group: None };
            match world.driver.perform(op).await {
                Ok(Outcome::Ok(value)) => {
                    let id = value["subscription"].as_u64().unwrap_or_default();
                    subscriptions.insert(subject.to_owned(), id);
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

/// Keeps values of the last outcome for later steps.
fn save(
    fixture: &Fixture,
    step: &Step,
    outcomes: &[Seen],
    variables: &mut Variables,
) -> Result<(), Stop> {
    for save in &step.save {
        let whole = outcomes.last().map_or(Value::Null, Seen::main_part);
        match whole.pointer(&save.pointer) {
            Some(value) => drop(variables.insert(save.name.clone(), value.clone())),
            None => {
                let message = format!("there is no `{}` to save in {whole}", save.pointer);
                return Err(Stop::failed(fixture, &step.span, message));
            }
        }
    }
    Ok(())
}

/// A step on its stage.
struct Stage<'a> {
    world: &'a World,
    fixture: &'a Fixture,
    subscriptions: &'a Subscriptions,
    step: &'a Step,
}

impl Stage<'_> {
    /// As often as the step says, so many at a time; the outcomes in order.
    async fn repeated(
        &self,
        variables: &Variables,
        transcript: &mut Transcript,
    ) -> Result<Vec<Seen>, Stop> {
        let times = self.step.repeat.unwrap_or(1);
        let attempts = stream::iter(1..=times).map(|n| {
            let mut variables = variables.clone();
            if self.step.repeat.is_some() {
                variables.insert("n".to_owned(), Value::from(n));
            }
            async move { self.until_it_holds(n, &variables).await }
        });
        let results: Vec<_> = attempts.buffered(self.step.concurrency as usize).collect().await;
        let mut outcomes = Vec::new();
        let mut failed = None;
        for result in results {
            match result {
                Ok(seen) => outcomes.push(seen),
                Err((seen, stop)) => {
                    outcomes.extend(seen);
                    failed = failed.or(Some(stop));
                }
            }
        }
        transcript.step(self.step, &filled(&self.step.action, variables), &outcomes);
        if let Some(stop) = failed {
            return Err(stop);
        }
        let skipped = outcomes.iter().find_map(|seen| match seen {
            Seen::Skip(reason) => Some(Stop::Skipped(reason.clone())),
            _ => None,
        });
        skipped.map_or(Ok(outcomes), Err)
    }

    /// Asked again until it holds, where the step says `within`.
    async fn until_it_holds(
        &self,
        n: u32,
        variables: &Variables,
    ) -> Result<Seen, (Option<Seen>, Stop)> {
        let action = filled(&self.step.action, variables);
        let fill_in = |e: &Expect| Expect { pattern: fill(&e.pattern, variables), ..e.clone() };
        let expects: Vec<Expect> = self.step.expects.iter().map(fill_in).collect();
        // The next message is waited for; asking again would take the one after it.
        let patience = match action {
            Action::ExpectMessage { .. } | Action::ExpectMessages { .. } => Duration::ZERO,
            _ => self.step.within.unwrap_or_default(),
        };
        let deadline = Instant::now() + patience;
        loop {
            let seen = self.attempt(&action).await.map_err(|stop| (None, stop))?;
            if self.step.open {
                return Ok(seen);
            }
            let (expect, difference) = match seen.check(&expects) {
                Ok(()) => return Ok(seen),
                Err(difference) => difference,
            };
            if Instant::now() >= deadline {
                let span = expect.map_or(&self.step.span, |expect| &expect.span);
                let stop = self.differs(span, n, &difference);
                return Err((Some(seen), stop));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn differs(&self, span: &Span, n: u32, difference: &Difference) -> Stop {
        let mut message = difference.to_string();
        if self.step.repeat.is_some() {
            message.push_str(&format!(" (repetition {n})"));
        }
        if let Some(within) = self.step.within {
            message.push_str(&format!(" (asked for {within:?})"));
        }
        Stop::failed(self.fixture, span, message)
    }

    /// One attempt.
    async fn attempt(&self, action: &Action) -> Result<Seen, Stop> {
        let timeout_ms = millis(self.step.timeout.unwrap_or(DEFAULT_TIMEOUT));
        match action {
            Action::Call { method, args, kwargs } => {
                let (method, args, kwargs) = (method.clone(), args.clone(), kwargs.clone());
                Ok(Seen::call(self.ask(Op::Call { method, args, kwargs, timeout_ms }).await?))
            }
            Action::Request(out) => {
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Request { subject, payload_base64, headers, timeout_ms };
                Ok(Seen::request(self.ask(op).await?))
            }
            Action::Publish(out) => {
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Publish { subject, payload_base64, headers };
                Ok(Seen::publish(self.ask(op).await?))
            }
            Action::Submit(out) => {
                let (subject, payload_base64, headers) = self.message(out)?;
                let op = Op::Submit { subject, payload_base64, headers, timeout_ms };
                Ok(Seen::submit(self.ask(op).await?))
            }
            Action::Run(argv) => {
                let machine = self.world.machine();
                let timeout = self.step.timeout.unwrap_or(program::DEFAULT_TIMEOUT);
                let mut access = self.world.access(Role::Client);
                // A program may take only one; it learns of the others from that one.
                access.url = self.world.brokers.first_url().to_owned();
                let argv = &self.world.argv(argv);
                match program::run(&machine.reaper, argv, &machine.root, &access, timeout).await {
                    Ok(seen) => Ok(seen),
                    Err(program::Failed::Start(reason)) => Err(Stop::Broken(reason)),
                    Err(program::Failed::Ended(reason)) => Err(self.failed(reason)),
                }
            }
            Action::ExpectMessage { subject, none: true } => self.no_message(subject).await,
            Action::ExpectMessage { subject, none: false } => {
                let within = self.step.within.unwrap_or(DEFAULT_TIMEOUT);
                let message = self.next(subject, within).await?;
                message.map(|message| Seen::message(&message)).ok_or_else(|| {
                    self.failed(format!("no message on {subject} within {within:?}"))
                })
            }
            Action::ExpectMessages { subject, count } => self.messages(subject, *count).await,
            Action::Fault(_) | Action::Settle => Ok(Seen::Ok(Default::default())),
        }
    }

    /// So many messages, and behind a fence no further one.
    async fn messages(&self, subject: &str, count: u32) -> Result<Seen, Stop> {
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
                    let (found, seen) = (messages.len(), canonical(&bodies));
                    return Err(self.failed(format!(
                        "expected {count} messages on {subject} within {within:?}, saw {found}: {seen}"
                    )));
                }
            }
        }
        self.no_message(subject).await.map_err(|stop| match stop {
            Stop::Failed(_) => self.failed(format!("more than {count} messages on {subject}")),
            other => other,
        })?;
        Ok(Seen::messages(&messages))
    }

    /// Everything that the broker had for this client before the fence has come when the fence has.
    async fn no_message(&self, subject: &str) -> Result<Seen, Stop> {
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
        match self.next(subject, HAND_OVER).await? {
            None => Ok(Seen::Ok(Default::default())),
            Some(message) => {
                let body = Seen::message(&message).main_part();
                Err(self.failed(format!("expected no message on {subject}, saw {body}")))
            }
        }
    }

    async fn next(&self, subject: &str, timeout: Duration) -> Result<Option<Message>, Stop> {
        let subscription = self.subscriptions.get(subject).copied().unwrap_or_default();
        match self.ask(Op::Next { subscription, timeout_ms: millis(timeout) }).await? {
            Outcome::Ok(value) => serde_json::from_value(value.clone())
                .map(Some)
                .map_err(|error| self.failed(format!("the driver answered {value}: {error}"))),
            Outcome::Err(error) if error.kind == ErrorKind::Timeout => Ok(None),
            Outcome::Err(error) => Err(self.failed(error.to_string())),
            Outcome::Skip(reason) => Err(Stop::Skipped(reason)),
        }
    }

    async fn ask(&self, op: Op) -> Result<Outcome, Stop> {
        let contents = self.world.machine().contents.as_ref();
        let operation =
            record::begin(&self.world.recorder, contents, self.world.driver.name(), &op);
        let is_status = record::is_status(&op);
        let performed = self.world.driver.perform(op).await;
        let outcome = performed.map_err(|fault| self.failed(fault.to_string()))?;
        if let Some(operation) = operation {
            record::end(operation, is_status, &outcome);
        }
        Ok(outcome)
    }

    /// Subject, body and headers as the driver takes them.
    fn message(
        &self,
        out: &Outgoing,
    ) -> Result<(String, String, crate::wire::driver::Headers), Stop> {
        let body = match &out.payload {
            Payload::Json(value) => value.to_string().into_bytes(),
            Payload::Text(text) => text.clone().into_bytes(),
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Filler(size) => vec![b'x'; *size],
            Payload::File(name) => {
                let fixture = self.world.machine().root.join(&*self.fixture.source.path);
                let folder = fixture.parent().unwrap_or(Path::new("."));
                let file = folder.join(name);
                inside::read(folder, &file, inside::LARGEST_BODY).map_err(|error| {
                    self.failed(format!("cannot read {}: {error}", file.display()))
                })?
            }
        };
        Ok((out.subject.clone(), seen::base64(&body), out.headers.clone()))
    }

    fn failed(&self, message: String) -> Stop {
        Stop::failed(self.fixture, &self.step.span, message)
    }
}

/// Whole milliseconds, as the driver protocol counts them.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
