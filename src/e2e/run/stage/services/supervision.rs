//! What ends, or is to end, while the services run: started again as often as the fixture allows, and
//! killed at its message.

use std::sync::Arc;

use futures_util::future::select_all;

use super::Services;
use crate::broker::FaultError;
use crate::e2e::record::run::Failure;
use crate::e2e::run::stage::crash::Crashing;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::span::Span;
use crate::e2e::verdict::outcome::Stop;

/// One that ends so often in a row before it is ready will never be; a step's limit mostly comes first.
const RESTARTS: u32 = 200;

impl Services {
    /// From now on one of them is killed at one of its messages.
    pub(in crate::e2e) fn crash_at(&mut self, crashing: Crashing) {
        self.crashing = Some(Arc::new(crashing));
    }

    /// The one that is, if there is one.
    pub(in crate::e2e) fn crashing(&self) -> Option<&Crashing> {
        self.crashing.as_deref()
    }

    /// Waits until that one is at its message; for ever where there is none.
    pub(in crate::e2e) fn due(&self) -> impl Future<Output = ()> + use<> {
        let crashing = self.crashing.clone();
        async move {
            match crashing {
                Some(crashing) => crashing.due().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Kills and starts again what is at its message. It may be given up at any time, and done again.
    pub(in crate::e2e) async fn crash_if_due(&mut self) -> Result<(), Stop> {
        let Some(crashing) = self.crashing.clone().filter(|crashing| crashing.is_due()) else {
            return Ok(());
        };
        self.all_in_view();
        self.only(Some(&crashing.service));
        let done = crashing.perform(self).await;
        self.all_in_view();
        done.map_err(|error| match error {
            // That it does not come back is what the kill shows.
            FaultError::Services(why) => Stop::Failed(Failure {
                message: format!(
                    "{}, killed at a message, did not come back: {why}",
                    crashing.service
                ),
                ..Failure::default()
            }),
            error => Stop::broken(&format!("kill {} at a message", crashing.service), error),
        })
    }

    /// Starts what is missing. Where one of them is at its message meanwhile, nothing of it passes, so that
    /// it would never be ready: it is killed first, as it is to be.
    pub(super) async fn started_by_a_fault(&mut self) -> Result<(), String> {
        loop {
            let crashing = self.crashing.clone();
            let held = async move {
                match crashing {
                    Some(crashing) => crashing.held().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = held => {}
                started = self.start_missing(|wanted| wanted.left) => {
                    return started.map_err(|why| why.reason.to_string());
                }
            }
            // A fault hits all, or one of them.
            let mut in_view = self.wanted.iter().filter(|wanted| wanted.in_view);
            let one = in_view.next().map(|wanted| wanted.service.name.clone());
            let one = one.filter(|_| self.wanted.iter().any(|wanted| !wanted.in_view));
            let crashed = self.crash_if_due().await;
            self.only(one.as_deref());
            crashed.map_err(|stop| stop.to_string())?;
        }
    }

    /// While it is waited for what was promised: as [`Self::supervise`] where those that end are started
    /// again; else what ends is told by what does not come.
    pub(in crate::e2e) async fn look_after(&mut self, fixture: &Fixture) -> Stop {
        match self.restarts.wanted {
            true => self.supervise(fixture, &(0..0)).await,
            false => self.crashes().await,
        }
    }

    /// Whenever one of them is at its message, kills it; returns only with an error.
    async fn crashes(&mut self) -> Stop {
        loop {
            self.due().await;
            if let Err(stop) = self.crash_if_due().await {
                return stop;
            }
        }
    }

    /// Starts again what ends unasked, where the fixture says so, and kills what is at its message;
    /// returns only with an error.
    pub(in crate::e2e) async fn supervise(&mut self, fixture: &Fixture, step: &Span) -> Stop {
        loop {
            tokio::select! {
                biased;
                () = self.due() => {}
                stop = self.start_again_as_often(fixture, step) => return stop,
            }
            if let Err(stop) = self.crash_if_due().await {
                return stop;
            }
        }
    }

    async fn start_again_as_often(&mut self, fixture: &Fixture, step: &Span) -> Stop {
        if !self.restarts.wanted {
            return Stop::failed(fixture, step, self.ends_unasked().await);
        }
        let mut ended_unready = 0;
        loop {
            if let Some(too_often) = self.count_restarts() {
                return Stop::failed(fixture, step, too_often);
            }
            match self.start_missing(|wanted| wanted.left).await {
                Ok(()) => ended_unready = 0,
                // What waits for it may end it before it is ready, each time another message.
                Err(not_started) if not_started.ended && ended_unready < RESTARTS => {
                    ended_unready += 1;
                }
                Err(not_started) => {
                    return Stop::failed(fixture, step, not_started.reason.to_string());
                }
            }
            if self.let_ended_go().await || ended_unready > 0 {
                continue;
            }
            if self.running.is_empty() {
                return std::future::pending().await;
            }
            select_all(self.running.iter().map(|s| Box::pin(s.wait()))).await;
            self.let_ended_go().await;
        }
    }

    /// Counts those that are about to be started again; says which of them was too often.
    fn count_restarts(&mut self) -> Option<String> {
        let mut too_often = None;
        for one in self.wanted.iter().filter(|one| one.in_view) {
            let name = &one.service.name;
            let running = self.running.iter().filter(|child| child.name() == name).count();
            let missing = one.left.saturating_sub(running);
            let counted = self.restarts.count(name, missing, self.last_words.of(name));
            too_often = counted.or(too_often);
        }
        too_often
    }
}
