//! A service that is looked after message by message, and killed at one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::networks::Networks;
use crate::broker::{Direction, FaultError, Passing, ServiceProcesses, Tap};
use crate::e2e::record::history::event::Phase;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::run::Watched;
use crate::e2e::scenario::ast::crash::{Crash, Message, Point};

/// A service that is looked after.
pub(in crate::e2e) struct Crashing {
    /// Its name.
    pub(in crate::e2e) service: String,
    tap: Arc<Tap>,
    seen: Arc<Mutex<Seen>>,
    recorder: Recorder,
    /// How far its crash has come, so that whoever takes over goes on from there.
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has its processes.
    Up,
    /// It is being killed.
    Falling,
    /// It was killed, and is to be started again.
    Down,
    /// It was killed and is there again.
    Back,
}

/// What passed, in order.
#[derive(Default)]
struct Seen {
    messages: Vec<Message>,
    counts: BTreeMap<Message, u32>,
}

impl Seen {
    /// Counts it; which of its kind it is.
    fn count(&mut self, message: &Message) -> u32 {
        self.messages.push(message.clone());
        let count = self.counts.entry(message.clone()).or_default();
        *count += 1;
        *count
    }
}

impl Crashing {
    /// From now on; its messages before do not count.
    pub(in crate::e2e) fn begin(crash: &Crash, networks: &Networks, recorder: &Recorder) -> Self {
        let (seen, at) = (Arc::<Mutex<Seen>>::default(), crash.at.clone());
        let counting = seen.clone();
        let tap = Tap::new(move |passing| {
            let Passing { direction, kind, subject } = passing;
            let is_sent = direction == Direction::ToServer;
            let message = Message { is_sent, kind, subject };
            let count = lock(&counting).count(&message);
            let Point { moment, .. } =
                at.as_ref().filter(|at| at.message == message && at.nth == count)?;
            Some(*moment)
        });
        let tap = Arc::new(tap);
        networks.tap(&crash.service, Some(&tap));
        let state = watch::Sender::new(State::Up);
        let (service, recorder) = (crash.service.clone(), recorder.clone());
        Self { service, tap, seen, recorder, state }
    }

    /// Waits until there is something to do.
    pub(in crate::e2e) async fn due(&self) {
        if *self.state.borrow() != State::Down {
            self.tap.held().await;
        }
    }

    /// Waits until it is at its message, and nothing passes any more.
    pub(in crate::e2e) async fn held(&self) {
        self.tap.held().await;
    }

    /// Whether there is.
    pub(in crate::e2e) fn is_due(&self) -> bool {
        self.tap.holds() || *self.state.borrow() == State::Down
    }

    /// Kills all processes, which are those of this service, and starts them again. It may be given up
    /// at any time, and done again.
    pub(in crate::e2e) async fn perform(
        &self,
        processes: &mut dyn ServiceProcesses,
    ) -> Result<(), FaultError> {
        let name = format!("kill {} at a message", self.service);
        if self.tap.holds() {
            if *self.state.borrow() == State::Up {
                self.recorder.fault(&name, Phase::Begin);
                self.state.send_replace(State::Falling);
            }
            while let Some(oldest) = processes.running().first() {
                oldest.kill().await?;
                processes.oldest_ended().await;
            }
            self.state.send_replace(State::Down);
            self.tap.release();
        }
        if *self.state.borrow() == State::Down {
            processes.start_missing().await.map_err(FaultError::Services)?;
            self.recorder.fault(&name, Phase::End);
            self.state.send_replace(State::Back);
        }
        Ok(())
    }

    /// Hears no more, and stops nothing.
    pub(in crate::e2e) fn end(&self, networks: &Networks) {
        networks.tap(&self.service, None);
    }

    /// What passed, and whether it was killed.
    pub(in crate::e2e) fn watched(&self) -> Watched {
        let messages = lock(&self.seen).messages.clone();
        Watched { messages, is_killed: matches!(*self.state.borrow(), State::Down | State::Back) }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
