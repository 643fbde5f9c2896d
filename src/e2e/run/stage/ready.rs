//! Starts a process of a service, and tells when it is ready.

use std::{collections::BTreeSet, future::Future, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::select_all};
use serde_json::Value;

use super::harness::Harness;
use super::machine::{ServiceContext, ServiceUnderTest};
use crate::e2e::scenario::suite::Ready;
use crate::e2e::text::telling::telling_line;
use crate::e2e::verdict::outcome::Stop;
use crate::process::{Child, Reaper};

/// NATS has no event for a new subscription: a service is asked until it answers.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Why none run.
pub(in crate::e2e) struct NotStarted {
    pub(in crate::e2e) reason: Stop,
    /// The end of the log.
    pub(in crate::e2e) log: Vec<String>,
    /// Whether one ended before it was ready.
    pub(in crate::e2e) ended: bool,
}

/// Starts one process, and waits for its line where that is how it is seen to be ready.
pub(in crate::e2e) async fn start_process(
    reaper: &Reaper,
    context: &ServiceContext,
    service: &ServiceUnderTest,
) -> Result<Child, NotStarted> {
    let mut spawn = (service.spawn)(&context.of(&service.name));
    spawn.name.clone_from(&service.name);
    let child = Child::spawn(reaper, spawn).await.map_err(|error| {
        let reason = Stop::broken(&format!("cannot start {}", service.name), error);
        NotStarted { reason, log: Vec::new(), ended: false }
    })?;
    // A program that asks must not wait for a person.
    drop(child.take_stdin());
    let Ready::Line(text) = &service.ready else { return Ok(child) };
    let printed = async {
        let mut lines = child.stderr_lines();
        while let Some(line) = lines.next().await {
            if line.contains(text.as_str()) {
                return;
            }
        }
        // Its outputs are closed: how it ended tells more.
        std::future::pending().await
    };
    let how = format!("print a line with `{text}`");
    within(service, &[&child], printed, &how).await?;
    Ok(child)
}

/// Waits until the processes of a service answer, where that is how they are seen to be ready.
pub(in crate::e2e) async fn answers(
    service: &ServiceUnderTest,
    processes: Vec<&Child>,
    harness: &Harness,
) -> Result<(), NotStarted> {
    if processes.is_empty() {
        return Ok(());
    }
    match &service.ready {
        Ready::Line(_) => Ok(()),
        Ready::Subject(subject) => {
            let how = format!("answer a request on {subject}");
            within(service, &processes, replied(harness, subject), &how).await
        }
        Ready::Service(name) => {
            let subject = format!("$SRV.PING.{name}");
            let (asked, many) = (instances(harness, &subject, processes.len()), processes.len());
            let how = format!("answer {subject} with {many} of them");
            within(service, &processes, asked, &how).await
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
    let name = &service.name;
    let limit = service.ready_within;
    tokio::pin!(sign);
    let ended = select_all(processes.iter().map(|process| Box::pin(process.wait())));
    tokio::select! {
        biased;
        () = &mut sign => Ok(()),
        (status, at, _) = ended => {
            processes[at].drained().await;
            // It was ready, and ended before we had read what it said.
            if tokio::task::unconstrained(&mut sign).now_or_never().is_some() {
                return Ok(());
            }
            let log = processes[at].tail();
            let said = telling_line(&log).unwrap_or_default();
            let reason =
                format!("{name} ended with {status} before it was ready; its log says `{said}`");
            Err(NotStarted { reason: Stop::Broken(reason), log, ended: true })
        }
        () = tokio::time::sleep(limit) => {
            let log = processes.iter().flat_map(|process| process.tail()).collect();
            let reason = Stop::Broken(format!("{name} did not {how} within {limit:?}"));
            Err(NotStarted { reason, log, ended: false })
        }
    }
}

/// Returns once anything answers a request there.
async fn replied(harness: &Harness, subject: &str) {
    loop {
        if let Ok(client) = harness.client().await {
            while client.connection_state() == async_nats::connection::State::Connected {
                if client.request(subject.to_owned(), "".into()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
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
