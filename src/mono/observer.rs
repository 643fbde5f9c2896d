//! Observes the connection events of the client library: keeps, counts and logs them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::Event;
use tokio::sync::watch;

use super::denials::Denials;
use super::outage::{Advice, Outage};

/// What the log says of refusals has this target.
pub const REFUSALS: &str = "mono_demo::refusals";

/// How a connection ended, if it did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum End {
    #[default]
    Open,
    /// In an orderly drain.
    Closed,
    /// For good, and nobody here asked for it.
    GivenUp(String),
}

/// What the client library's events change.
pub(super) struct Observer {
    reconnects: watch::Sender<u64>,
    state: watch::Sender<End>,
    missed: watch::Sender<Option<&'static str>>,
    denials: Denials,
    outage: Mutex<Outage>,
    quiet: bool,
}

impl Observer {
    /// One that logs nothing where `quiet`.
    pub(super) fn new(
        reconnects: watch::Sender<u64>,
        state: watch::Sender<End>,
        missed: watch::Sender<Option<&'static str>>,
        denials: Denials,
        quiet: bool,
    ) -> Self {
        Self { reconnects, state, missed, denials, outage: Mutex::default(), quiet }
    }

    pub(super) fn observe(&self, event: &Event) {
        if !self.quiet {
            log(event);
        }
        match event {
            Event::Connected => {
                self.denials.begin_anew();
                self.outage().over();
                self.reconnects.send_modify(|n| *n += 1);
            }
            Event::Closed => {
                self.state.send_replace(End::Closed);
            }
            Event::Disconnected => {
                self.outage().lost(Instant::now());
                self.missed.send_replace(Some("the connection to the server was lost"));
            }
            Event::SlowConsumer(_) => {
                let why = "messages came faster than they were read, and some were dropped";
                self.missed.send_replace(Some(why));
            }
            Event::ServerError(error) => self.denials.note(&error.to_string()),
            Event::ClientError(error) => self.attempt_failed(&error.to_string()),
            _ => {}
        }
    }

    fn attempt_failed(&self, words: &str) {
        let advice = self.outage().failed(Instant::now(), words);
        match advice {
            Advice::Quiet => {}
            Advice::Say(lasted) if !self.quiet => {
                let lasted = Duration::from_secs(lasted.as_secs());
                tracing::warn!(
                    error = words,
                    "still no connection to the broker, after {lasted:?}"
                );
            }
            Advice::Say(_) => {}
            Advice::GiveUp => {
                let why = format!("the broker has refused the credentials for 10 s ({words})");
                self.state.send_replace(End::GivenUp(why));
            }
        }
    }

    fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(event: &Event) {
    match event {
        Event::Connected | Event::Closed => {}
        Event::SlowConsumer(sid) => {
            tracing::error!(
                subscription = sid,
                "slow consumer: the client dropped messages of this subscription"
            );
        }
        Event::Disconnected => tracing::warn!("disconnected from the broker; reconnecting"),
        // A refusal: whoever waits for the operation tells it as well, and may not want it twice.
        Event::ServerError(error) if super::denials::is_refusal(&error.to_string()) => {
            tracing::warn!(target: REFUSALS, %error, "the broker reports");
        }
        Event::ServerError(error) => tracing::warn!(%error, "the broker reports"),
        other => tracing::debug!(event = %other, "connection"),
    }
}
