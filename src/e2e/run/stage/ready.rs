//! Starts a process of a service, and tells when it is ready.

use std::{collections::BTreeSet, future::Future, time::Duration};

use async_nats::jetstream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::asked::Asked;
use super::connected::{self, Connection};
use super::harness::Harness;
use super::hearing::Hearing;
use super::machine::{ServiceContext, ServiceUnderTest};
use super::replied::{ASK_AGAIN, until_replied};
use super::sign;
use crate::counted::counted;
use crate::e2e::scenario::ast::service::Ready;
use crate::e2e::text::telling::telling_line;
use crate::e2e::text::template;
use crate::e2e::verdict::outcome::Stop;
use crate::process::{Child, NotReady, Reaper, until_ready};
use crate::web::{Page, Readiness};

/// How long it may take to see what there is instead.
const LOOK: Duration = Duration::from_secs(2);

/// Why none run.
pub(in crate::e2e) struct NotStarted {
    pub(in crate::e2e) reason: Stop,
    /// Which of the services.
    pub(in crate::e2e) service: String,
    /// The end of the log; of one that has ended, its beginning too.
    pub(in crate::e2e) log: Vec<String>,
    /// Whether one ended before it was ready.
    pub(in crate::e2e) ended: bool,
}

impl NotStarted {
    fn because(service: &ServiceUnderTest, why: String) -> Self {
        let reason = Stop::Broken(why);
        Self { reason, service: service.name.clone(), log: Vec::new(), ended: false }
    }

    /// With what is there in the place of the sign; of a process that has ended, that tells nothing.
    fn but(mut self, seen: &str) -> Self {
        if let (Stop::Broken(why), false) = (&mut self.reason, self.ended) {
            why.push_str("; ");
            why.push_str(seen);
        }
        self
    }
}

/// Starts one process, and waits for its line where that is how it is seen to be ready.
pub(in crate::e2e) async fn start_process(
    reaper: &Reaper,
    context: &ServiceContext,
    service: &ServiceUnderTest,
    hearing: &Hearing,
) -> Result<Child, NotStarted> {
    let mut spawn = (service.spawn)(&context.of(&service.name));
    spawn.name.clone_from(&service.name);
    let child = Child::spawn(reaper, spawn).await;
    let child = child.map_err(|error| NotStarted::because(service, error.to_string()))?;
    if let Some(told) = hearing.told() {
        told.follow(&child);
    }
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    let Ready::Line(text) = &service.ready else { return Ok(child) };
    let how = format!("print a line with `{text}`");
    within(service, &[&child], child.prints(text), &how).await?;
    Ok(child)
}

/// Waits until the processes of a service answer, where that is how they are seen to be ready.
pub(in crate::e2e) async fn answers(
    service: &ServiceUnderTest,
    processes: Vec<&Child>,
    broker: &Asked<'_>,
) -> Result<(), NotStarted> {
    if processes.is_empty() {
        return Ok(());
    }
    let ready = &service.ready;
    let waited = observed(service, &processes, broker).await;
    let Err(none @ NotStarted { ended: false, .. }) = waited else { return waited };
    let seen = tokio::time::timeout(LOOK, sign::seen(ready, broker)).await;
    Err(match seen.ok().flatten() {
        Some(seen) => none.but(&seen),
        None => none,
    })
}

async fn observed(
    service: &ServiceUnderTest,
    processes: &[&Child],
    broker: &Asked<'_>,
) -> Result<(), NotStarted> {
    let (harness, many) = (broker.harness, processes.len());
    match &service.ready {
        Ready::Line(_) => Ok(()),
        Ready::Connected(each) => {
            let wanted = many * *each as usize;
            let enough = |all: &[Connection]| all.len() >= wanted.max(broker.connections);
            let how = match wanted {
                1 => "connect to the broker".to_owned(),
                _ => format!("make {} to the broker", counted(wanted, "connection")),
            };
            within(service, processes, connections(broker, enough), &how).await
        }
        Ready::Subscribes(subject) => {
            let listens =
                |one: &&Connection| one.subscriptions.iter().any(|one| one.subject == *subject);
            let enough = |all: &[Connection]| all.iter().filter(listens).count() >= many;
            let how = format!("subscribe to {subject}, {many} of them");
            within(service, processes, connections(broker, enough), &how).await
        }
        Ready::Consumer(name) => {
            let how = format!("wait for messages of a consumer {name}");
            within(service, processes, consumed(harness, name), &how).await
        }
        Ready::Http(url) => {
            let page = match Page::at(&template::fill_text(url, broker.variables)) {
                Ok(page) => Readiness::of(page),
                Err(error) => {
                    return Err(NotStarted::because(service, format!("`ready`: {error}")));
                }
            };
            let waited = within(service, processes, page.seen(), &page.wanted()).await;
            waited.map_err(|none| none.but(&page.instead()))
        }
        Ready::Subject(subject) => {
            let how = format!("answer a request on {subject}");
            let replied = until_replied(|| harness.client(), subject);
            within(service, processes, replied, &how).await
        }
        Ready::Service(name) => {
            let subject = format!("$SRV.PING.{name}");
            let asked = instances(harness, &subject, many);
            let how = format!("answer {subject} with {many} of them");
            within(service, processes, asked, &how).await
        }
    }
}

/// Waits for a sign of readiness; a process that ends before, or no sign in time, is the reason.
async fn within(
    service: &ServiceUnderTest,
    processes: &[&Child],
    sign: impl Future<Output = ()>,
    how: &str,
) -> Result<(), NotStarted> {
    let (name, limit) = (&service.name, service.ready_within);
    let Err(why) = until_ready(processes, sign, limit).await else { return Ok(()) };
    let (reason, log) = match why {
        NotReady::Ended { at, status } => {
            let all: Vec<String> =
                processes[at].timed_tail().into_iter().map(|(_, line)| line).collect();
            let said = telling_line(&all).unwrap_or_default();
            let reason =
                format!("{name} ended with {status} before it was ready; its log says `{said}`");
            (reason, processes[at].both_ends())
        }
        NotReady::Late => {
            let log = processes.iter().flat_map(|process| process.tail()).collect();
            (format!("{name} did not {how} within {limit:?}"), log)
        }
    };
    let (reason, service) = (Stop::Broken(reason), name.clone());
    Err(NotStarted { reason, service, log, ended: matches!(why, NotReady::Ended { .. }) })
}

/// Returns once the connections of services are enough.
async fn connections(broker: &Asked<'_>, enough: impl Fn(&[Connection]) -> bool) {
    loop {
        match connected::services(broker.harness, broker.servers).await {
            Ok(all) if enough(&all) => return,
            _ => tokio::time::sleep(ASK_AGAIN).await,
        }
    }
}

/// Returns once a consumer of this name has somebody who waits for its messages.
async fn consumed(harness: &Harness, name: &str) {
    loop {
        if let Ok(true) = is_consumed(harness, name).await {
            return;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn is_consumed(harness: &Harness, name: &str) -> Result<bool, async_nats::Error> {
    let context = jetstream::new(harness.client().await?);
    let streams: Vec<String> = context.stream_names().try_collect().await?;
    for stream in streams {
        let stream = context.get_stream_no_info(&stream).await?;
        let Ok(info) = stream.consumer_info(name).await else { continue };
        if info.push_bound || info.num_waiting > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns once so many different instances answer.
async fn instances(harness: &Harness, subject: &str, many: usize) {
    loop {
        if let Ok(seen) = ping(harness, subject, many).await
            && seen >= many
        {
            return;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// How many instances answer, up to `many`.
async fn ping(harness: &Harness, subject: &str, many: usize) -> Result<usize, async_nats::Error> {
    let client = harness.client().await?;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?;
    let mut seen = BTreeSet::new();
    loop {
        client.publish_with_reply(subject.to_owned(), inbox.clone(), "".into()).await?;
        // Each answers at once; one that is not up yet is asked again.
        let again = tokio::time::sleep(5 * ASK_AGAIN);
        tokio::pin!(again);
        loop {
            let reply = tokio::select! {
                reply = replies.next() => reply.ok_or("the connection has ended")?,
                () = &mut again => break,
            };
            let reply: Value = serde_json::from_slice(&reply.payload).unwrap_or_default();
            seen.extend(reply["id"].as_str().map(str::to_owned));
            if seen.len() >= many {
                return Ok(seen.len());
            }
        }
    }
}
