//! What services and programs of a run print, told while they print it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::secrets::Secrets;
use crate::e2e::record::run::RunId;
use crate::e2e::verdict::event::Event;
use crate::process::{Child, clean};

/// How long the last lines of processes that have ended may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Tells each line; clones are one.
#[derive(Clone)]
pub(in crate::e2e) struct Aloud {
    run: RunId,
    events: UnboundedSender<Event>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    secrets: Secrets,
    following: Vec<JoinHandle<()>>,
}

impl Aloud {
    pub(in crate::e2e) fn new(run: &RunId, events: &UnboundedSender<Event>) -> Self {
        Self { run: run.clone(), events: events.clone(), shared: Arc::default() }
    }

    /// From here on without these.
    pub(in crate::e2e) fn hide(&self, secrets: Secrets) {
        self.with(|shared| shared.secrets = secrets);
    }

    /// Tells what a process prints on stderr, and on stdout where nobody takes that.
    pub(in crate::e2e) fn follow(&self, child: &Child) {
        let (mut lines, aloud) = (child.stderr_lines(), self.clone());
        let by = child.name().to_owned();
        let following = tokio::spawn(async move {
            let mut missed = 0;
            while let Some(line) = lines.next().await {
                if lines.missed() > missed {
                    aloud.line(&by, format!("… {} lines …", lines.missed() - missed));
                    missed = lines.missed();
                }
                aloud.line(&by, line);
            }
        });
        self.with(|shared| shared.following.push(following));
    }

    /// Takes the stdout of a process, and tells it to its end.
    pub(in crate::e2e) async fn lines(&self, child: &Child) {
        let Some(mut lines) = child.take_stdout() else { return };
        while let Some(line) = lines.recv().await {
            self.line(child.name(), line.unwrap_or_else(|error| format!("[{error}]")));
        }
    }

    /// Tells one line.
    fn line(&self, by: &str, line: String) {
        let line = self.with(|shared| shared.secrets.out_of_text(clean(&line)));
        // After an interrupt nobody listens any more.
        let _ = self.events.send(Event::Printed { run: self.run.clone(), by: by.to_owned(), line });
    }

    /// Waits for the last lines of processes that have ended.
    pub(in crate::e2e) async fn ended(&self) {
        let following = self.with(|shared| std::mem::take(&mut shared.following));
        // Somebody else may still hold an output.
        let _ = tokio::time::timeout(LAST_LINES, futures_util::future::join_all(following)).await;
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        act(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
