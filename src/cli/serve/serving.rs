//! What serves, until a signal comes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::watch::Watch;
use crate::cli::brokers::Brokers;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::mono::{Connection, Lost, Running};

/// Between two attempts to start a broker again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Everything that serves, in the order in which it is stopped.
pub(super) struct Serving {
    pub(super) broker: Option<Brokers>,
    pub(super) connection: Connection,
    pub(super) running: Running,
    pub(super) journals: PathBuf,
}

impl Serving {
    /// Returns when a signal came, or with an error when a part of the services or the connection is
    /// lost for good. A broker that ends unasked is started again on its port and store; clients reconnect by themselves.
    pub(super) async fn until_stopped(
        &mut self,
        signals: &mut Signals,
        output: &Output,
    ) -> Result<Exit, CliError> {
        let mut watch = Watch::default();
        loop {
            let broker = async {
                match &self.broker {
                    Some(broker) => broker.exited().await,
                    None => std::future::pending().await,
                }
            };
            let (node, status) = tokio::select! {
                () = signals.first() => return Ok(Exit::Success),
                lost = self.running.lost() => return Err(ended(&lost)),
                ended = broker => ended,
                changes = watch.changed(&self.connection, self.broker.as_ref()) => {
                    for change in changes {
                        output.note(format!("warning: {change}"));
                    }
                    continue;
                }
            };
            let Some(broker) = &mut self.broker else { continue };
            let url = broker.nodes()[node].url();
            output.note(format!("nats-server ended with {status}; starting it again on {url}"));
            for line in broker.nodes()[node].log_tail().iter().rev().take(5).rev() {
                output.note(format!("  nats-server: {line}"));
            }
            let mut pause = Duration::from_secs(1);
            while let Err(error) = broker.restart(node).await {
                output.note(format!("{error}; nats-server is started again in {pause:?}"));
                tokio::select! {
                    () = signals.first() => return Ok(Exit::Success),
                    // A full disk, or a port that somebody took: nobody tells when it is over.
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            output.note("nats-server serves again");
        }
    }

    pub(super) async fn stop(self, limit: Duration, output: &Output) -> Result<Exit, CliError> {
        output.note("draining: finishing what is in hand");
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
        self.connection.close(Duration::from_secs(2)).await;
        if let Some(broker) = self.broker {
            broker.stop().await?;
        }
        output.note("stopped");
        Ok(Exit::Success)
    }
}

/// Nobody would be served any more: whoever started this process starts it again.
fn ended(lost: &Lost) -> CliError {
    let (exit, what) = match lost {
        Lost::Connection(_) | Lost::Refused(_) => {
            (Exit::Connection, "the services hear nothing any more")
        }
        Lost::Task { .. } => (Exit::Infrastructure, "a part of the services is gone"),
    };
    CliError::new(exit, format!("serve: {what}: {lost}"))
}
