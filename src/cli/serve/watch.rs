//! Notices what others do to the streams of payments while they are served, and did before.
//!
//! Whoever may administer the NATS system can narrow, seal, purge or delete a stream, or the
//! consumer; nobody tells those who depend on it. So it is looked at every few seconds.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::losses::{losses, reset};
use super::snapshot::{Look, Snapshot};
use super::strangers::strangers;
use super::stream_config::{Config, changes, intended, unlike_intended};
use crate::modules::payment::{CONSUMER, LEAST_PAYLOAD, REQUESTS};
use crate::mono::Connection;

/// Between two looks: others' changes are not told, they can only be looked for.
const PAUSE: Duration = Duration::from_secs(3);

/// What the streams were when serving began, and what was said of them since.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// What losses are counted from.
    before: Option<Snapshot>,
    known: Vec<Known>,
    /// Found by the last look; told if the next one finds it too, so that an election is no change.
    suspected: BTreeSet<String>,
    told: HashSet<String>,
    /// Found by one look, which proves them, and to be told now.
    resets: Vec<String>,
    /// Not sooner, however often the wait for it is begun anew.
    next_look: Option<Instant>,
}

/// A stream or consumer as it was first seen.
#[derive(Debug)]
struct Known {
    name: &'static str,
    config: Config,
    created: String,
    /// What was wrong with it then.
    unlike_intended: Option<String>,
}

/// What is wrong with the largest message that the server takes; an administrator may change it.
pub(super) fn too_small(connection: &Connection) -> Option<String> {
    let most = connection.client().max_payload();
    (most < LEAST_PAYLOAD).then(|| {
        format!(
            "the server takes messages of {most} bytes at most (`max_payload`), and the outcome of a \
             payment may need {LEAST_PAYLOAD}"
        )
    })
}

impl Watch {
    /// Remembers how everything is now: what is done from here on is told.
    pub(super) async fn begin(connection: &Connection) -> Self {
        let mut watch = Self::default();
        watch.suspected = watch.compare(Snapshot::take(connection).await);
        watch
    }

    /// Returns when something was changed that was not told yet, with a sentence for each change.
    pub(super) async fn changed(&mut self, connection: &Connection) -> Vec<String> {
        loop {
            // Without one it is the first.
            if let Some(next) = self.next_look {
                tokio::time::sleep_until(next).await;
            }
            let mut found = self.compare(Snapshot::take(connection).await);
            found.extend(too_small(connection));
            found.extend(strangers(connection).await);
            let mut fresh: Vec<String> = found
                .intersection(&self.suspected)
                .filter(|line| !self.told.contains(*line))
                .cloned()
                .collect();
            // What is undone and done again is told again.
            self.told.retain(|line| found.contains(line));
            self.suspected = found;
            self.told.extend(fresh.iter().cloned());
            fresh.append(&mut self.resets);
            self.next_look = Some(Instant::now() + PAUSE);
            if !fresh.is_empty() {
                return fresh;
            }
        }
    }

    /// What the look shows that should not be.
    fn compare(&mut self, now: Snapshot) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (name, look) in &now.streams {
            let look = look.as_ref().map(|seen| (&seen.config, seen.created.as_str()));
            found.extend(self.compare_one("stream", name, look));
        }
        let look = now.consumer.as_ref().map(|seen| (&seen.config, seen.created.as_str()));
        found.extend(self.compare_one("consumer", CONSUMER, look));
        let lost = self.before.as_ref().map_or_else(Vec::new, |before| losses(before, &now));
        let reset = self.before.as_ref().and_then(|before| reset(before, &now));
        // Counted from before the loss for as long as there is one; deliveries from the last reset on.
        if lost.is_empty() && now.is_whole() {
            self.before = Some(now);
        } else if let (Some(before), Some(_)) = (&mut self.before, &reset) {
            before.streams.extend(now.streams.into_iter().filter(|(name, _)| *name == REQUESTS));
            before.consumer = now.consumer;
        }
        self.resets.extend(reset);
        found.extend(lost);
        found
    }

    fn compare_one(
        &mut self,
        what: &str,
        name: &'static str,
        look: Look<(&Config, &str)>,
    ) -> Option<String> {
        let (config, created) = match look {
            Look::There(seen) => seen,
            Look::Gone => return Some(format!("{what} `{name}` was deleted by somebody else")),
            Look::Unknown => return None,
        };
        let Some(known) = self.known.iter().find(|known| known.name == name) else {
            let unlike = intended(name).and_then(|intended| unlike_intended(&intended, config));
            let unlike =
                unlike.map(|how| format!("{what} `{name}` is not as `serve` makes it: {how}"));
            self.known.push(Known {
                name,
                config: config.clone(),
                created: created.to_owned(),
                unlike_intended: unlike.clone(),
            });
            return unlike;
        };
        if let Some(how) = changes(&known.config, config) {
            return Some(format!("{what} `{name}` was changed by somebody else: {how}"));
        }
        if known.created != created {
            return Some(format!("{what} `{name}` was deleted by somebody else, and made anew"));
        }
        known.unlike_intended.clone()
    }
}
