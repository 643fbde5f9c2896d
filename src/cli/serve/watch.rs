//! Notices what others do to the streams of payments while they are served, and did before.
//!
//! Whoever may administer the NATS system can narrow, seal, purge or delete a stream, or the
//! consumer; nobody tells those who depend on it. So it is looked at every few seconds.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::astray::{self, Astray};
use super::journals::Journals;
use super::losses::{losses, made_anew, reset};
use super::snapshot::{Look, Snapshot};
use super::starter::Store;
use super::strangers::strangers;
use super::stream_config::{Config, changes, intended, unlike_intended};
use super::{seen, stuck, twice::Twice};
use crate::modules::payment::{CONSUMER, LEAST_PAYLOAD, REQUESTS};
use crate::mono::Connection;

/// Between two looks: others' changes are not told, they can only be looked for.
const PAUSE: Duration = Duration::from_secs(3);
/// Between two resets of the consumer: what it gives again then has so long to be settled.
const RESETS: Duration = Duration::from_secs(60);
/// Between two readings of what is stored, for messages that no worker is given: so long at first, and
/// twice as long after each that finds none, as where a mirror lags, at most [`SELDOM`].
const READINGS: Duration = Duration::from_secs(15);
const SELDOM: Duration = Duration::from_secs(240);
/// Said of a stream or consumer, before how.
const CHANGED: &str = " was changed by somebody else";
/// Where the server tells that a stream was changed.
const UPDATED: &str = "$JS.EVENT.ADVISORY.STREAM.UPDATED";

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
    /// Where looks are written down, and the last that was.
    journals: Journals,
    written: Option<Snapshot>,
    /// Streams and consumer whose change was told, and is not undone.
    changed: BTreeSet<String>,
    /// Not sooner, however often the wait for it is begun anew.
    next_look: Option<Instant>,
    /// What the server tells of changes.
    updates: Option<Subscriber>,
    /// What lay where nobody looks by the last count, and whether another is due.
    astray: Astray,
    to_count: bool,
    /// How often the connection had been made anew at the last look.
    reconnects: u64,
    /// Whether submissions are stored twice.
    twice: Option<Twice>,
    /// Since when submissions are seen that no worker is given, and when the consumer may be reset.
    stuck: Option<Instant>,
    next_reset: Option<Instant>,
    /// When what is stored may be read for them again, and the pause after that.
    next_reading: Option<(Instant, Duration)>,
}

/// A stream or consumer as it was first seen.
#[derive(Debug)]
struct Known {
    name: String,
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
    /// Remembers how everything is now: what is done from here on is told, and what is gone since the
    /// last `serve` looked. At a server that somebody else runs, others may be joined to it.
    pub(super) async fn begin(
        connection: &Connection,
        journals: &Journals,
        store: Store,
        recreated: bool,
    ) -> Self {
        let before = seen::read(&journals.folder).await;
        let mut watch = Self { to_count: true, before, ..Self::default() };
        if store == Store::Elsewhere {
            watch.twice = Twice::begin(connection).await;
        }
        watch.updates = connection.client().subscribe(format!("{UPDATED}.*")).await.ok();
        let untouched = match store {
            Store::Temporary => Snapshot::untouched(connection).await,
            Store::Kept | Store::Elsewhere => None,
        };
        let now = match untouched {
            // Nothing can lie astray where nothing has ever been.
            Some(now) => {
                (watch.to_count, watch.reconnects) = (false, now.reconnects);
                now
            }
            None => watch.look(connection).await,
        };
        seen::write(journals, &now).await;
        if let Some(before) = &mut watch.before {
            match recreated {
                // What this one made anew, because it was told to, is no loss.
                true => before.forget_what_was_made_anew(&now),
                false => watch.resets = made_anew(before, &now),
            }
        }
        watch.suspected = watch.compare(now);
        watch.written = watch.before.clone();
        watch.journals = journals.clone();
        watch
    }

    /// What is there now. What lies astray is counted when that may have changed: at the start, and
    /// when a stream was changed, or could have been while nothing was heard.
    async fn look(&mut self, connection: &Connection) -> Snapshot {
        while let Some(Some(Some(_))) = self.updates.as_mut().map(|u| u.next().now_or_never()) {
            self.to_count = true;
        }
        let mut now = Snapshot::take(connection).await;
        self.to_count |= std::mem::replace(&mut self.reconnects, now.reconnects) != now.reconnects;
        let all = self.to_count;
        let mut unanswered = false;
        for name in [REQUESTS].iter().chain(astray::KEPT.iter().filter(|_| all)) {
            match astray::astray(connection, name).await {
                Some(count) => drop(self.astray.insert(name, count)),
                None => unanswered = true,
            }
        }
        // Not sooner: the look may be given up anywhere, and is begun anew.
        self.to_count = unanswered;
        now.note(&self.astray);
        now
    }

    /// Returns when something was changed that was not told yet, with a line for each change.
    pub(super) async fn changed(&mut self, connection: &Connection) -> Vec<String> {
        loop {
            // Without one it is the first.
            if let Some(next) = self.next_look {
                tokio::time::sleep_until(next).await;
            }
            let now = self.look(connection).await;
            let mut found = self.compare(now.clone());
            let freed = self.free(connection, &now).await;
            found.extend(astray::told(&self.astray));
            if let Some(twice) = &mut self.twice {
                found.extend(twice.look(connection).await);
            }
            found.extend(too_small(connection));
            found.extend(strangers(connection).await);
            let mut fresh: Vec<String> = found
                .intersection(&self.suspected)
                .filter(|line| !self.told.contains(*line))
                .cloned()
                .collect();
            // What is undone and done again is told again.
            self.told.retain(|line| found.contains(line));
            self.to_count |= found != self.suspected;
            self.write_down().await;
            self.suspected = found;
            self.told.extend(fresh.iter().cloned());
            fresh.append(&mut self.resets);
            fresh.extend(freed);
            let mut fresh: Vec<String> =
                fresh.into_iter().map(|line| format!("warning: {line}")).collect();
            fresh.extend(self.restored().into_iter().map(|line| format!("note: {line}")));
            self.next_look = Some(Instant::now() + PAUSE);
            if !fresh.is_empty() {
                return fresh;
            }
        }
    }

    /// The latest look that shows no loss, for the next `serve`: this one may be killed.
    async fn write_down(&mut self) {
        let Some(before) = &self.before else { return };
        let is_new = self.written.as_ref().is_none_or(|written| {
            (&written.consumer, written.last_request, written.delivered)
                != (&before.consumer, before.last_request, before.delivered)
        });
        if is_new {
            seen::write(&self.journals, before).await;
            self.written = Some(before.clone());
        }
    }

    /// Whose change was told, and is undone by now: each once.
    fn restored(&mut self) -> Vec<String> {
        let is = |line: &&String| line.contains(CHANGED);
        let named = |line: &String| Some(line.split_once(CHANGED)?.0.to_owned());
        let still: BTreeSet<String> = self.suspected.iter().filter(is).filter_map(named).collect();
        let told = self.told.iter().filter(is).filter_map(named).collect();
        let changed = std::mem::replace(&mut self.changed, told);
        let undone = changed.iter().filter(|what| !still.contains(*what));
        undone.map(|what| format!("{what} is again as it was")).collect()
    }

    /// Gives submissions to workers again that their consumer has forgotten.
    async fn free(&mut self, connection: &Connection, now: &Snapshot) -> Option<String> {
        if !stuck::may_be(now) {
            (self.stuck, self.next_reading) = (None, None);
            return None;
        }
        let since = *self.stuck.get_or_insert_with(Instant::now);
        let (reading, pause) = self.next_reading.unwrap_or((since + PAUSE, READINGS));
        let next = self.next_reset.map_or(reading, |reset| reset.max(reading));
        if Instant::now() < next {
            return None;
        }
        let consumer = now.consumer.seen()?;
        let found = stuck::is_one(connection, consumer).await;
        if !matches!(found, Ok(true)) {
            self.next_reading = Some((Instant::now() + pause, (pause * 2).min(SELDOM)));
            if let Err(error) = found {
                tracing::debug!(%error, "submissions that no worker is given are not looked for");
            }
            return None;
        }
        (self.stuck, self.next_reading) = (None, None);
        self.next_reset = Some(Instant::now() + RESETS);
        // It counts from none again, and that is no reset by somebody else.
        self.before = None;
        let forgot = format!(
            "consumer `{CONSUMER}` gave messages of stream `{REQUESTS}` to no worker any more, as where \
             somebody else has set `max_deliver` on it"
        );
        Some(match stuck::free(connection, &consumer.config).await {
            Ok(first) => {
                format!("{forgot}: it was reset, and gives all from message {first} on again")
            }
            Err(why) => {
                format!(
                    "{forgot}, and could not be reset: {why}; whoever may do so should delete it: it \
                     is made anew then, and gives them again"
                )
            }
        })
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
            before.streams.extend(now.streams.into_iter().filter(|(name, _)| name == REQUESTS));
            before.consumer = now.consumer;
        }
        self.resets.extend(reset);
        found.extend(lost);
        found
    }

    fn compare_one(
        &mut self,
        what: &str,
        name: &str,
        look: Look<(&Config, &str)>,
    ) -> Option<String> {
        let (config, created) = match look {
            Look::There(seen) => seen,
            Look::Gone => return Some(format!("{what} `{name}` was deleted by somebody else")),
            // As it was at the last look, so that nothing is told twice.
            Look::Unknown => {
                let it = format!("{what} `{name}` ");
                return self.suspected.iter().find(|line| line.starts_with(&it)).cloned();
            }
        };
        let Some(known) = self.known.iter().find(|known| known.name == name) else {
            let unlike = intended(name).and_then(|intended| unlike_intended(&intended, config));
            let unlike =
                unlike.map(|how| format!("{what} `{name}` is not as `serve` makes it: {how}"));
            self.known.push(Known {
                name: name.to_owned(),
                config: config.clone(),
                created: created.to_owned(),
                unlike_intended: unlike.clone(),
            });
            return unlike;
        };
        if let Some(how) = changes(&known.config, config) {
            return Some(format!("{what} `{name}`{CHANGED}: {how}"));
        }
        if known.created != created {
            return Some(format!("{what} `{name}` was deleted by somebody else, and made anew"));
        }
        known.unlike_intended.clone()
    }
}
