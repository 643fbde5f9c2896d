//! Messages on a subject, or on several, as they come.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::select_all;

use crate::e2e::run::stage::brokers::Access;

/// Listens to its subjects.
pub(super) struct Ear {
    heard: Arc<Mutex<Vec<(Instant, async_nats::Message)>>>,
    deaf: Arc<Mutex<bool>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ear {
    /// A connection of its own, which notes when it was away: what came then nobody heard.
    pub(super) async fn open(subjects: &[String], access: &Access) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| {
            format!("cannot listen to {}: {error}", subjects.join(" and "))
        };
        let deaf = Arc::new(Mutex::new(false));
        let noted = deaf.clone();
        let options = access.options().event_callback(move |event| {
            if matches!(event, async_nats::Event::Disconnected | async_nats::Event::SlowConsumer(_))
            {
                *lock(&noted) = true;
            }
            std::future::ready(())
        });
        let connected = access.connect_with(options).await;
        let client = connected.map_err(|error| failed(&error))?;
        let mut each = Vec::new();
        for subject in subjects {
            let subscribed = client.subscribe(subject.clone()).await;
            each.push(subscribed.map_err(|error| failed(&error))?);
        }
        let mut messages = select_all(each);
        client.flush().await.map_err(|error| failed(&error))?;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shelf = heard.clone();
        let task = tokio::spawn(async move {
            // Kept as long as it listens.
            let _client = client;
            while let Some(message) = messages.next().await {
                lock(&shelf).push((Instant::now(), message));
            }
        });
        Ok(Self { heard, deaf, task })
    }

    /// What came after the first so many.
    pub(super) fn since(&self, known: usize) -> Vec<(Instant, async_nats::Message)> {
        lock(&self.heard).iter().skip(known).cloned().collect()
    }

    /// Whether something may have come that it did not hear.
    pub(super) fn was_away(&self) -> bool {
        *lock(&self.deaf)
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
