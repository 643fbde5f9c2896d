//! What services print, kept line by line where a promise is about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::aloud::Aloud;
use crate::e2e::record::run::RunId;
use crate::e2e::verdict::event::Event;
use crate::process::{Child, ExitStatus};

/// How long the last lines of a process that has ended may take.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Follows the processes of the services that it is told; clones share what was heard.
#[derive(Clone, Default)]
pub(in crate::e2e) struct Hearing {
    services: Arc<BTreeSet<String>>,
    shared: Arc<Mutex<Shared>>,
    aloud: Option<Aloud>,
}

#[derive(Default)]
struct Shared {
    heard: Vec<Heard>,
    missed: Vec<(String, u64)>,
    /// Somebody still held an output when its last lines were waited for.
    is_held: bool,
    following: Vec<JoinHandle<()>>,
    /// By service.
    up: BTreeMap<String, Up>,
}

/// How many processes of a service run, and how the last that ended did.
#[derive(Default)]
struct Up {
    running: usize,
    last: Option<ExitStatus>,
}

/// One line.
#[derive(Debug, Clone)]
pub(in crate::e2e) struct Heard {
    pub(in crate::e2e) at: Instant,
    pub(in crate::e2e) service: String,
    pub(in crate::e2e) pid: u32,
    pub(in crate::e2e) line: String,
}

impl Hearing {
    /// Of these services and no others.
    pub(in crate::e2e) fn of(services: BTreeSet<String>) -> Self {
        Self { services: Arc::new(services), ..Self::default() }
    }

    /// The same, and all that is printed is told as well.
    pub(in crate::e2e) fn aloud(self, run: &RunId, events: &UnboundedSender<Event>) -> Self {
        Self { aloud: Some(Aloud::new(run, events)), ..self }
    }

    /// Where everything that is printed is told, if that is wanted.
    pub(in crate::e2e) fn told(&self) -> Option<&Aloud> {
        self.aloud.as_ref()
    }

    /// Follows a process from its first line, if anybody wants to know.
    pub(in crate::e2e) fn follow(&self, process: &Child) {
        let service = process.name().to_owned();
        if !self.services.contains(&service) {
            return;
        }
        let (pid, mut lines, shared) = (process.pid(), process.stderr_lines(), self.shared.clone());
        let ended = process.ended();
        lock(&shared).up.entry(service.clone()).or_default().running += 1;
        let following = tokio::spawn(async move {
            let reading = async {
                while let Some(line) = lines.next().await {
                    let heard = Heard { at: Instant::now(), service: service.clone(), pid, line };
                    lock(&shared).heard.push(heard);
                }
            };
            let ending = async {
                let status = ended.await;
                let mut shared = lock(&shared);
                let up = shared.up.entry(service.clone()).or_default();
                (up.running, up.last) = (up.running.saturating_sub(1), Some(status));
            };
            tokio::join!(reading, ending);
            let unread = lines.missed() + lines.cut();
            if unread > 0 {
                lock(&shared).missed.push((service, unread));
            }
        });
        lock(&self.shared).following.push(following);
    }

    /// What was heard of a service, from the line with this number on.
    pub(in crate::e2e) fn heard(&self, service: &str, from: usize) -> Vec<Heard> {
        let shared = lock(&self.shared);
        let of = shared.heard.iter().filter(|heard| heard.service == service);
        of.skip(from).cloned().collect()
    }

    /// How the last process of a service ended, where none runs any more.
    pub(in crate::e2e) fn ended(&self, service: &str) -> Option<ExitStatus> {
        let shared = lock(&self.shared);
        shared.up.get(service).filter(|up| up.running == 0).and_then(|up| up.last)
    }

    /// Waits for the last lines of processes that have ended; false where somebody still holds an
    /// output, or lines of this service came faster than they could be read, or were longer than is kept.
    pub(in crate::e2e) async fn whole(&self, service: &str) -> bool {
        let following = std::mem::take(&mut lock(&self.shared).following);
        let all = futures_util::future::join_all(following);
        let ended = tokio::time::timeout(LAST_LINES, all).await.is_ok();
        let mut shared = lock(&self.shared);
        shared.is_held |= !ended;
        !shared.is_held && shared.missed.iter().all(|(of, _)| of != service)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
