//! One submission of a load, or one publish: what is sent again, until when, and who waits for whom.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use std::time::{Duration, Instant};

use tokio::{
    sync::Notify,
    time::{Interval, MissedTickBehavior},
};

use super::dying::{self, Dying};
use crate::e2e::driver::Driver;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::run::oracle::Oracles;
use crate::e2e::run::probe::evidence;
use crate::e2e::run::record;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::run::stage::world::World;
use crate::e2e::scenario::ast::step::{Load, Step};
use crate::wire::driver::{ErrorKind, Op, Outcome};

/// Bound on one attempt where the step does not say.
const ATTEMPT: Duration = Duration::from_millis(500);
/// How long one submission may take to be acknowledged where the step does not say.
const PATIENCE: Duration = Duration::from_secs(60);
/// A broker that is away does not say when it is back to a client without a connection.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// How long a subject may be in no stream before JetStream is asked whether it is in one: a service may
/// make its stream late, and a cluster without a leader says the same.
const WITHOUT_STREAM: Duration = Duration::from_secs(3);

/// Sends what a load consists of, through the client under test.
pub(super) struct Submitter {
    driver: Arc<dyn Driver>,
    recorder: Recorder,
    oracles: Oracles,
    pub(super) dying: Option<Dying>,
    pub(super) attempt: Duration,
    patience: Duration,
    harness: Harness,
    /// One has failed for good: no other is begun.
    given_up: AtomicBool,
    /// The fault under way.
    breaking: Mutex<Option<String>>,
    /// How many have succeeded.
    pub(super) done: AtomicU32,
    /// How many may be begun.
    pub(super) allowed: AtomicU32,
    /// When the next may be begun.
    pub(super) pace: Option<tokio::sync::Mutex<Interval>>,
    /// One of the two has changed.
    progress: Notify,
}

impl Submitter {
    pub(super) fn new(world: &World, step: &Step, load: &Load, dying: Option<Dying>) -> Self {
        Self {
            driver: world.driver.clone(),
            recorder: world.recorder.clone(),
            oracles: world.oracles().clone(),
            dying,
            attempt: step.timeout.unwrap_or(ATTEMPT),
            patience: step.within.unwrap_or(PATIENCE),
            harness: world.harness().clone(),
            given_up: AtomicBool::new(false),
            breaking: Mutex::default(),
            done: AtomicU32::new(0),
            allowed: AtomicU32::new(0),
            pace: load.rate.map(|rate| {
                let each = (Duration::from_secs(1) / rate).max(Duration::from_nanos(1));
                let mut pace = tokio::time::interval(each);
                // After a pause the load goes on as before; it does not catch up.
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                tokio::sync::Mutex::new(pace)
            }),
            progress: Notify::new(),
        }
    }

    /// Sends the same again until a stream has it, and says whether one has: after anything but an
    /// acknowledgement it is unknown, or certain, that it was not stored. What will be refused whenever
    /// it is sent is sent once.
    pub(super) async fn until_acknowledged(&self, process: &str, op: &Op) -> Result<bool, String> {
        let deadline = Instant::now() + self.patience;
        let mut without_stream = Instant::now();
        loop {
            let Outcome::Err(error) = self.attempt(process, op.clone()).await? else {
                return Ok(true);
            };
            if error.definite && (is_for_good(error.kind) || is_never_stored(&error.message)) {
                return Err(error.to_string());
            }
            if Instant::now() >= deadline {
                return Err(format!("not acknowledged within {:?}: {error}", self.patience));
            }
            if self.has_given_up() {
                return Ok(false); // it has been said why
            }
            if error.kind != ErrorKind::NoStream {
                without_stream = Instant::now();
            } else if without_stream.elapsed() >= WITHOUT_STREAM {
                self.in_a_stream(op).await?;
                without_stream = Instant::now();
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Fails where JetStream says that no stream has the subject; where it does not say, nobody knows.
    async fn in_a_stream(&self, op: &Op) -> Result<(), String> {
        let Op::Submit { subject, .. } = op else { return Ok(()) };
        let asked = evidence::stream_of(&self.harness, subject);
        match tokio::time::timeout(WITHOUT_STREAM, asked).await {
            Ok(Ok(None)) => Err(format!(
                "no stream has the subject `{subject}`, so nothing is ever acknowledged there: let a \
                 service make the stream before it is ready, or `publish` where nothing is to be stored"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn breaks(&self, fault: Option<String>) {
        *self.breaking.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What is broken just now, for whoever fails.
    pub(super) fn meanwhile(&self) -> String {
        let breaking = self.breaking.lock().unwrap_or_else(PoisonError::into_inner);
        breaking.as_ref().map(|fault| format!("; it failed during `{fault}`")).unwrap_or_default()
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    pub(super) fn has_done(&self, done: bool) {
        self.done.fetch_add(u32::from(done), Ordering::SeqCst);
        self.progress.notify_waiters();
    }

    /// Those that wait for their turn, or for others, are let go: they see it, and do nothing.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        self.allow(u32::MAX);
    }

    /// What nothing acknowledges is sent once: sent again, it would be another message.
    pub(super) async fn once(&self, process: &str, op: Op) -> Result<(), String> {
        match self.attempt(process, op).await? {
            Outcome::Err(error) => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    async fn attempt(&self, process: &str, op: Op) -> Result<Outcome, String> {
        let begun = record::begin(&self.recorder, &self.oracles, process, &op);
        let outcome = self.driver.perform(op).await.map_err(|e| e.to_string())?;
        if let Some(begun) = begun {
            begun.end(&outcome);
        }
        match outcome {
            Outcome::Skip(reason) => Err(reason),
            outcome => Ok(outcome),
        }
    }

    /// Nobody is left who knows whether it was stored.
    pub(super) async fn once_by_one_that_dies(&self, dying: &Dying, op: &Op) -> Result<(), String> {
        let begun = record::begin(&self.recorder, &self.oracles, dying::NAME, op);
        let key = record::key(&self.oracles, op).unwrap_or_default();
        dying.perform(op.clone(), key).await?;
        if let Some(begun) = begun {
            begun.unknown("the client died before it read the answer");
        }
        Ok(())
    }

    pub(super) fn allow(&self, many: u32) {
        self.allowed.store(many, Ordering::SeqCst);
        self.progress.notify_waiters();
    }

    /// Returns when the counter is so far, or never will be.
    pub(super) async fn reached(&self, counter: &AtomicU32, due: u32) {
        loop {
            let changed = self.progress.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if counter.load(Ordering::SeqCst) >= due || self.has_given_up() {
                return;
            }
            changed.await;
        }
    }
}

/// Whether the same would be refused again, however the broker and the services are by then.
fn is_for_good(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BadInput | ErrorKind::MaxPayload | ErrorKind::Permissions)
}

/// Whether a stream would refuse the same message again, by its server's words: over `max_msg_size`
/// (10054), or with another stream (10060) or another last sequence (10071) than the header expects.
fn is_never_stored(said: &str) -> bool {
    ["10054", "10060", "10071"]
        .iter()
        .any(|code| said.split(|c: char| !c.is_ascii_digit()).any(|number| number == *code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_would_refuse_again_is_not_sent_again() {
        let said = |code| format!("wrong last sequence: 0 (code 400, error code {code})");
        for code in [10054, 10060, 10071] {
            assert!(is_never_stored(&said(code)));
        }
        assert!(!is_never_stored(&said(10_077)), "a full stream may be emptied");
        assert!(!is_never_stored("no answer within 110071ms"));
    }
}
