//! The ledger and the claims: what JetStream refuses to store twice.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::books::{Books, Seen};
use super::gathered::Gathered;
use super::id::PaymentId;
use super::names::INTENTS;
use super::names::LEDGER;
use super::names::REQUESTS;
use super::refusals::Refusals;
use super::streams;
use super::types::{Entry, Intent};
use super::writes::{RECONNECTED, Record, Writes};
use crate::mono::{Connection, Kept, ModuleError, Which, ensure, message};
use crate::wire::subjects::{INTENT_PREFIX, LEDGER_PREFIX};

/// How often the nodes of a cluster are asked again, every 200 ms, before something counts as lost.
const APPLIED: u32 = 25;

/// What came of writing a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The id was free: it belongs to this content now, and there is no entry.
    Mine,
    /// The same content has it already: take over, or find its entry.
    Same,
    /// Other content has it: a conflict.
    Other,
}

/// What came of writing an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// Written now.
    Done,
    /// There was one already; it stands.
    Exists(Box<Entry>),
}

/// A step that JetStream did not answer; the message must be delivered again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation}: {evidence}")]
pub struct LedgerError {
    operation: String,
    evidence: String,
}

impl LedgerError {
    fn new(operation: &str, id: &PaymentId, evidence: String) -> Self {
        Self { operation: format!("{operation} of payment `{id}`"), evidence }
    }

    /// In a cluster a record can refuse a second one before a read shows it: that is no conflict and
    /// no loss, but a question to ask again.
    fn refused_and_nothing_there(operation: &str, id: &PaymentId) -> Self {
        let evidence = "refused, because there is a record, and a read shows none yet";
        Self::new(operation, id, evidence.to_owned())
    }

    /// What is waiting in `payment-requests` could not be read.
    pub(super) fn looking_back(evidence: String) -> Self {
        Self { operation: format!("read earlier messages of stream `{REQUESTS}`"), evidence }
    }
}

/// The two streams, and compare-and-set on them.
#[derive(Debug, Clone)]
pub struct Ledger {
    connection: Connection,
    replicas: usize,
    books: Option<Books>,
    recreate: bool,
    /// The store was made just now: there is no stream yet.
    is_new: bool,
    refusals: Refusals,
    /// The broker syncs every write.
    synced: bool,
    /// When the stream of requests was made, in nanoseconds since 1970.
    requests_made: Arc<OnceLock<i128>>,
    /// By prefix, where records are written together; known once the streams are.
    gathered: Arc<OnceLock<BTreeMap<&'static str, Gathered>>>,
}

impl Ledger {
    /// The ledger behind this connection; streams are made with `replicas` copies.
    pub fn new(connection: Connection, replicas: usize) -> Self {
        Self {
            connection,
            replicas,
            books: None,
            recreate: false,
            is_new: false,
            refusals: Refusals::default(),
            synced: false,
            requests_made: Arc::default(),
            gathered: Arc::default(),
        }
    }

    /// The same, which tells there whether the broker stores what it is given.
    #[must_use]
    pub fn telling(self, refusals: Refusals) -> Self {
        Self { refusals, ..self }
    }

    /// The same on a broker that syncs every write, if `synced`: what comes while it does so is written
    /// together.
    #[must_use]
    pub fn synced(self, synced: bool) -> Self {
        Self { synced, ..self }
    }

    /// The same, which remembers in a file what the streams held: for a store of our own.
    #[must_use]
    pub fn remembering(self, books: Option<Books>) -> Self {
        Self { books, ..self }
    }

    /// The same, which goes on with what is left where something was lost, if `recreate`.
    #[must_use]
    pub fn recreating(self, recreate: bool) -> Self {
        Self { recreate, ..self }
    }

    /// The same in a store that was made just now, so that there is nothing to look for, if `is_new`.
    #[must_use]
    pub fn in_new_store(self, is_new: bool) -> Self {
        Self { is_new, ..self }
    }

    /// When the stream of requests was made, in nanoseconds since 1970; `None` before [`prepare`](Self::prepare).
    pub(super) fn requests_made(&self) -> Option<i128> {
        self.requests_made.get().copied()
    }

    /// The connection that it is behind.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Makes the streams, or adopts what is there if it protects as this one would; says how many
    /// payments have an outcome.
    ///
    /// # Errors
    /// [`ModuleError`]; a ledger that would accept a second entry is refused, and so are streams
    /// that had payments and are gone or shorter: see [`Books`].
    pub async fn prepare(&self) -> Result<u64, ModuleError> {
        if !self.is_new {
            self.see_what_was_lost().await?;
        }
        let ledger = streams::ledger_stream(self.replicas);
        let intents = streams::intents_stream(self.replicas);
        let dead_letters = streams::dead_letters_stream(self.replicas);
        // The framework would make it, one after the other.
        let failures = streams::failures(self.replicas).stream;
        let (ledger, intents, ..) = tokio::try_join!(
            self.ensure(ledger),
            self.ensure(intents),
            self.made(&dead_letters),
            self.made(&failures)
        )?;
        self.gather([(LEDGER_PREFIX, &ledger), (INTENT_PREFIX, &intents)]);
        // The last one: no message can come before all are there.
        let requests = self.made(&streams::requests_stream(self.replicas)).await?;
        let _ = self.requests_made.set(requests.cached_info().created.unix_timestamp_nanos());
        self.remember(false).await?;
        Ok(ledger.cached_info().state.messages)
    }

    /// Begins to write records together where that pays, and where the streams are made for it.
    fn gather(&self, streams: [(&'static str, &Stream); 2]) {
        if !self.synced || self.replicas > 1 {
            return;
        }
        let able = |stream: &Stream| stream.cached_info().config.allow_atomic_publish;
        let able = streams.into_iter().filter(|(_, stream)| able(stream));
        let begun = |(prefix, _)| (prefix, Gathered::begin(self.writes(prefix)));
        let _ = self.gathered.set(able.map(begun).collect());
    }

    /// Makes the streams as [`prepare`](Self::prepare); and when the claims' stream was made, in nanoseconds since 1970.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn claims_made_at(&self) -> Result<i128, ModuleError> {
        self.prepare().await?;
        let claims = streams::intents_stream(self.replicas);
        let claims = ensure::stream(&self.connection, &claims).await?;
        Ok(claims.cached_info().created.unix_timestamp_nanos())
    }

    /// Writes down what the streams hold, where that is kept; `at_rest` if nothing is handled any
    /// more.
    ///
    /// # Errors
    /// [`ModuleError`].
    pub async fn remember(&self, at_rest: bool) -> Result<(), ModuleError> {
        let Some(books) = &self.books else { return Ok(()) };
        let seen = match at_rest {
            true => Seen::at_rest(&self.connection).await?,
            false => Seen::now(&self.connection).await?,
        };
        // It syncs: not on the runtime's thread.
        let (books, failed) = (books.clone(), ModuleError::new("write the books", "no thread"));
        tokio::task::spawn_blocking(move || books.write(&seen)).await.unwrap_or(Err(failed))
    }

    async fn see_what_was_lost(&self) -> Result<(), ModuleError> {
        let mut now = Seen::now(&self.connection).await?;
        let before = match &self.books {
            Some(books) => books.read().await,
            None => Ok(None),
        };
        let mut lost = match &before {
            Ok(Some(before)) => before.lost(&now),
            Ok(None) => {
                if let Some(books) = self.books.as_ref().filter(|_| now.has_had_messages()) {
                    tracing::warn!(
                        "{books} is missing: nothing tells whether the streams are shorter than they were"
                    );
                }
                Vec::new()
            }
            Err(error) => vec![error.to_string()],
        };
        if let (Ok(Some(before)), true) = (before, self.replicas > 1) {
            // A leader just elected may not have applied all that it has yet.
            for _ in 0..APPLIED {
                if lost.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
                now = Seen::now(&self.connection).await?;
                lost = before.lost(&now);
            }
        }
        if lost.is_empty() {
            lost = now.gone();
        }
        for made_anew in now.made_anew() {
            tracing::warn!("{made_anew}; `mono-demo audit` names what is known of it elsewhere");
        }
        if self.recreate {
            for loss in &lost {
                tracing::warn!("{loss}; going on with what is left");
            }
            return Ok(());
        }
        if lost.is_empty() {
            return Ok(());
        }
        Err(ModuleError::new(
            "open the books",
            format!("{}; nothing was made anew", lost.join("; ")),
        )
        .hint(if self.replicas > 1 {
            // The store of a cluster can be looked at only where the cluster runs.
            "`serve --recreate` makes lost streams anew and goes on with what is left; then \
             `mono-demo audit` names what is missing"
        } else {
            "`mono-demo audit --store-dir DIR` (or --server URL) names what is missing; \
             `serve --recreate` makes lost streams anew and goes on with what is left"
        }))
    }

    /// A stream, made or found.
    async fn made(&self, wanted: &Config) -> Result<Stream, ModuleError> {
        match self.is_new {
            true => ensure::new_stream(&self.connection, wanted).await,
            false => ensure::stream(&self.connection, wanted).await,
        }
    }

    async fn ensure(&self, wanted: Config) -> Result<Stream, ModuleError> {
        let operation = format!("create stream `{}`", wanted.name);
        let stream = self.made(&wanted).await?;
        let found = &stream.cached_info().config;
        let protects = found.max_messages_per_subject == 1
            && found.discard == DiscardPolicy::New
            && found.discard_new_per_subject
            && found.max_age.is_zero()
            && found.deny_delete
            && found.deny_purge;
        if protects {
            return Ok(stream);
        }
        Err(ModuleError::new(
            operation,
            "a stream of this name exists and would allow a second entry for a payment \
             (wanted: one message a subject, discard new also per subject, no age limit, \
             deletes and purges denied)",
        )
        .hint(format!(
            "`nats stream edit {}` sets what is wanted and can be changed; else delete it if nobody needs what \
             it holds, or serve in another account",
            wanted.name
        )))
    }

    /// Claims the id for the intent's content.
    ///
    /// # Errors
    /// [`LedgerError`] if JetStream did not answer; the claim may stand.
    pub async fn claim(&self, id: &PaymentId, intent: &Intent) -> Result<Claim, LedgerError> {
        if self.write(INTENT_PREFIX, "claim", id, intent).await? {
            return Ok(Claim::Mine);
        }
        let found: Option<Intent> = Box::pin(self.intent(id)).await?;
        Ok(match found {
            Some(found) if found.content == intent.content => Claim::Same,
            Some(_) => Claim::Other,
            None => return Err(LedgerError::refused_and_nothing_there("claim", id)),
        })
    }

    /// Writes the outcome; the first one stands.
    ///
    /// # Errors
    /// [`LedgerError`] if JetStream did not answer; the entry may stand.
    pub async fn commit(&self, id: &PaymentId, entry: &Entry) -> Result<Commit, LedgerError> {
        if self.write(LEDGER_PREFIX, "commit", id, entry).await? {
            return Ok(Commit::Done);
        }
        match Box::pin(self.entry(id)).await? {
            Some(entry) => Ok(Commit::Exists(Box::new(entry))),
            None => Err(LedgerError::refused_and_nothing_there("commit", id)),
        }
    }

    /// The outcome of an id, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn entry(&self, id: &PaymentId) -> Result<Option<Entry>, LedgerError> {
        self.read(LEDGER, LEDGER_PREFIX, "read the ledger entry", id, |entry: &Entry| {
            &entry.payment_id
        })
        .await
    }

    /// The claim on an id, if there is one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn intent(&self, id: &PaymentId) -> Result<Option<Intent>, LedgerError> {
        self.read(INTENTS, INTENT_PREFIX, "read the claim", id, |intent: &Intent| {
            &intent.payment_id
        })
        .await
    }

    /// Compare-and-set on an empty subject; `false` if it was not empty.
    async fn write<T: Serialize>(
        &self,
        prefix: &'static str,
        operation: &'static str,
        id: &PaymentId,
        record: &T,
    ) -> Result<bool, LedgerError> {
        let failed = |evidence: String| LedgerError::new(operation, id, evidence);
        let body = serde_json::to_vec(record).map_err(|e| failed(e.to_string()))?;
        let record = Record { subject: format!("{prefix}.{id}"), body: body.into() };
        let gathered = self.gathered.get().and_then(|gathered| gathered.get(prefix));
        let written = match gathered {
            Some(gathered) => gathered.one(record).await,
            None => self.writes(prefix).one(&record).await,
        };
        written.map_err(failed)
    }

    fn writes(&self, prefix: &'static str) -> Writes {
        let (connection, refusals) = (self.connection.clone(), self.refusals.clone());
        Writes { connection, refusals, prefix }
    }

    /// Nobody but services writes there, each about the id of its subject; unless somebody else has the
    /// stream transform subjects.
    async fn read<T: DeserializeOwned>(
        &self,
        stream: &str,
        prefix: &str,
        operation: &'static str,
        id: &PaymentId,
        of: impl Fn(&T) -> &str,
    ) -> Result<Option<T>, LedgerError> {
        let failed = |evidence: String| LedgerError::new(operation, id, evidence);
        let subject = format!("{prefix}.{id}");
        let which = Which::Last { last_by_subj: &subject };
        let asked = message(&self.connection, stream, &which);
        let answer = self.connection.unless_reconnected(asked).await;
        let answer = answer.ok_or_else(|| failed(RECONNECTED.to_owned()))?;
        let Some(Kept { sequence, body }) = answer.map_err(failed)? else { return Ok(None) };
        let unlike = |why: &dyn Display| failed(format!("sequence {sequence}: {why}"));
        let record: T = serde_json::from_slice(&body).map_err(|e| unlike(&e))?;
        match of(&record) {
            it if it == id.as_str() => Ok(Some(record)),
            other => Err(unlike(&format!("it is about `{other}`"))),
        }
    }
}
