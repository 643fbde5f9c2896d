//! What serves, until a signal comes.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::announced::Announced;
use super::journals::Journals;
use super::seen;
use super::starter::Starter;
use super::storage::{News, Storage};
use super::watch::Watch;
use crate::cli::brokers::Brokers;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::modules::payment::Refusals;
use crate::mono::{Connection, Lost, Running};
use crate::process::ExitStatus;

/// Between two attempts to start a broker again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the last look at the streams may take.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long the connection may take to close, where there is so much time.
const CLOSES: Duration = Duration::from_secs(2);

/// Everything that serves, in the order in which it is stopped.
pub(super) struct Serving {
    pub(super) broker: Option<Brokers>,
    pub(super) connection: Connection,
    pub(super) running: Running,
    pub(super) journals: Journals,
    pub(super) starter: Starter,
}

impl Serving {
    /// Returns when a signal came, or with an error when a part of the services or the connection is
    /// lost for good. A broker that ends unasked is started again on its port and store; clients
    /// reconnect by themselves.
    pub(super) async fn until_stopped(
        &mut self,
        mut watch: Watch,
        announced: &mut Announced,
        signals: &mut Signals,
        limit: Duration,
        context: &Context,
        output: &Output,
    ) -> Result<Exit, CliError> {
        let (mut storage, mut refused) = (Storage::new(), false);
        let mut unread = std::pin::pin!(output.unread().fuse());
        loop {
            let broker = async {
                match &self.broker {
                    Some(broker) => broker.exited().await,
                    None => std::future::pending().await,
                }
            };
            let restart = tokio::select! {
                () = signals.first() => return Ok(Exit::Success),
                lost = self.running.lost() => return Err(ended(&lost)),
                (node, status) = broker => self.say_why_it_ended(node, status, output),
                news = storage.news(self.broker.as_ref()) => self.say_what_is_stored(news, output),
                words = refused_or_not(&self.starter.refusals, refused) => {
                    refused = words.is_some();
                    self.say_whether_payments_are_stored(words.as_deref(), output);
                    None
                }
                () = &mut unread => {
                    output.note(
                        "note: nobody reads the output of `serve` any more; it goes on until a signal \
                         ends it, and says here what happens",
                    );
                    None
                }
                why = announced.lost() => {
                    output.note(format!("warning: commands do not find this `serve`: {why}"));
                    output.note("hint: name its server with --server, --context or NATS_URL");
                    None
                }
                changes = watch.changed(&self.connection) => {
                    for change in changes {
                        output.note(change);
                    }
                    None
                }
                folder = self.journals.moved(&self.connection, context) => {
                    let journals = Journals::of_another(folder);
                    if self.move_to(journals, limit, signals, output).await == Restarted::Stopped {
                        return Ok(Exit::Success);
                    }
                    None
                }
            };
            if let Some(node) = restart
                && self.restart(node, signals, output).await == Restarted::Stopped
            {
                return Ok(Exit::Success);
            }
        }
    }

    fn say_why_it_ended(&self, node: usize, status: ExitStatus, output: &Output) -> Option<usize> {
        let broker = &self.broker.as_ref()?.nodes()[node];
        let url = broker.url();
        output.note(format!("nats-server ended with {status}; starting it again on {url}"));
        for line in broker.log_tail().iter().rev().take(5).rev() {
            output.note(format!("  nats-server: {line}"));
        }
        Some(node)
    }

    /// The node that is to be started again, if that helps now.
    fn say_what_is_stored(&self, news: News, output: &Output) -> Option<usize> {
        let nodes = self.broker.as_ref()?.nodes();
        match news {
            News::Refuses { node, words } => {
                let (url, store) = (nodes[node].url(), nodes[node].store_dir().display());
                output.note(format!(
                    "warning: nats-server on {url} refuses to store messages: {words}"
                ));
                output.note(format!(
                    "hint: make space in {store}: nats-server is started again then"
                ));
                None
            }
            News::Stopped { node, words } => {
                let url = nodes[node].url();
                output.note(format!(
                    "warning: a message has stopped a stream of nats-server on {url}, which takes no \
                     other one any more: {words}"
                ));
                output.note(
                    "hint: it was sent with the header Nats-Expected-Last-Msg-Id, for which a cluster \
                     stops; nothing acknowledged is lost, and no restart ends it: keep the store, and \
                     give a new one to `serve`",
                );
                None
            }
            News::Space { node } => {
                let (url, store) = (nodes[node].url(), nodes[node].store_dir().display());
                output.note(format!(
                    "there is space in {store} again; starting nats-server on {url} again, for it \
                     would go on refusing"
                ));
                Some(node)
            }
        }
    }

    fn say_whether_payments_are_stored(&self, refused: Option<&str>, output: &Output) {
        let Some(words) = refused else {
            return output.note("the broker stores messages of payments again");
        };
        output.note(format!(
            "warning: the broker stores no messages of payments, so payments wait: {words}"
        ));
        if self.broker.is_none() {
            let server = self.connection.client().server_info().server_name;
            output.note(format!(
                "hint: nats-server {server} was not started here: whoever runs it has to make space, \
                 or raise its limits, and to start it again, for it may go on refusing until then"
            ));
        }
    }

    /// The services begin anew beside other journals; those that there were finish what is in hand, for
    /// as long as that may take.
    async fn move_to(
        &mut self,
        journals: Journals,
        limit: Duration,
        signals: &mut Signals,
        output: &Output,
    ) -> Restarted {
        let folder = journals.folder.display();
        let started = tokio::select! {
            started = self.starter.start(&self.connection, &journals) => started,
            () = signals.first() => return Restarted::Stopped,
        };
        let running = match started {
            Ok(running) => running,
            Err(error) => {
                output.note(format!(
                    "warning: the journals in {folder} should be used now, and cannot be used yet: {error}"
                ));
                return Restarted::Serves;
            }
        };
        output.note(format!(
            "the journals are now in {folder}: they go with the `serve` that runs the broker"
        ));
        self.journals = journals;
        let former = std::mem::replace(&mut self.running, running);
        let mut outcome = Restarted::Serves;
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                () = signals.first() => outcome = Restarted::Stopped,
            }
        };
        former.drain_until(enough).await;
        outcome
    }

    /// Starts a server again, for as long as it takes.
    async fn restart(&mut self, node: usize, signals: &mut Signals, output: &Output) -> Restarted {
        let Some(broker) = &mut self.broker else { return Restarted::Serves };
        let mut pause = Duration::from_secs(1);
        loop {
            let restarted = tokio::select! {
                restarted = broker.restart(node) => restarted,
                // What was begun of it is ended; the folder that others share stays.
                () = signals.first() => return Restarted::Stopped,
            };
            let Err(error) = restarted else { break };
            output.note(format!("{error}; nats-server is started again in {pause:?}"));
            tokio::select! {
                () = signals.first() => return Restarted::Stopped,
                // A full disk, or a port that somebody took: nobody tells when it is over.
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        output.note("nats-server serves again");
        Restarted::Serves
    }

    pub(super) async fn stop(self, limit: Duration, output: &Output) -> Result<(), CliError> {
        output.note("draining: finishing messages and requests in progress");
        let (began, connection, broker) =
            (Instant::now(), self.connection.clone(), self.broker.as_ref());
        let out_of_reach = async {
            match broker {
                Some(broker) => broker.all_exited().await,
                None => std::future::pending().await,
            }
        };
        let enough = async {
            tokio::select! {
                () = tokio::time::sleep(limit) => {}
                // Nothing can be finished there any more.
                _ = connection.ended() => {}
                () = out_of_reach => {}
            }
        };
        let report = self.running.drain_until(enough).await;
        if !report.complete {
            let why = match began.elapsed() >= limit {
                true => format!(" within {limit:?}"),
                false => ": the broker is gone".to_owned(),
            };
            output.note(format!("not everything was finished{why}; the rest is delivered again"));
        }
        if report.complete {
            // A broker that is away does not hold up the end.
            let last = seen::last(&self.journals, &connection);
            let _ =
                tokio::time::timeout(limit.saturating_sub(began.elapsed()).min(LAST_LOOK), last)
                    .await;
        }
        // What was to reach the broker has: a drain makes sure of it, for as long as there is time.
        let left = limit.saturating_sub(began.elapsed()).min(CLOSES);
        self.connection.close(left).await;
        if let Some(broker) = self.broker {
            broker.stop().await?;
        }
        output.note("stopped");
        Ok(())
    }
}

/// The broker's words when it begins to refuse what payments need; nothing when it no more does.
async fn refused_or_not(refusals: &Refusals, refused: bool) -> Option<String> {
    if refused {
        refusals.end().await;
        return None;
    }
    Some(refusals.begin().await)
}

/// What came of starting a server, or the services, again.
#[derive(Debug, PartialEq, Eq)]
enum Restarted {
    Serves,
    /// A signal came first.
    Stopped,
}

/// Nobody would be served any more: whoever started this process starts it again.
fn ended(lost: &Lost) -> CliError {
    let (exit, what) = match lost {
        Lost::Connection(_) | Lost::Refused(_) => {
            (Exit::Connection, "the services receive nothing any more")
        }
        Lost::Task { .. } => (Exit::Infrastructure, "a task of the services has ended"),
    };
    CliError::new(exit, format!("serve: {what}: {lost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No request can end a task, as far as is known; who restarts `serve` sees why, if one does.
    #[test]
    fn a_task_that_is_gone_ends_serve_as_a_fault_of_its_own() {
        let (task, evidence) = ("worker w of `services.math.calculate`", "it panicked: why");
        let error = ended(&Lost::Task { task: task.into(), evidence: evidence.into() });
        assert_eq!(error.exit, Exit::Infrastructure);
        let message = format!("serve: a task of the services has ended: {task} ended: {evidence}");
        assert_eq!(error.message, message);
        assert_eq!(ended(&Lost::Connection("it was closed".into())).exit, Exit::Connection);
    }
}
