//! A load under faults: submits until all is acknowledged, or publishes once, while things break as
//! the seed says.
//!
//! Faults come by progress and not by time: a fault is due once so many submissions are
//! acknowledged, so that the same seed breaks at the same places on any machine. A load that is
//! faster than its faults waits for them: each begins while submissions are on their way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::{
    sync::Notify,
    time::{Interval, MissedTickBehavior},
};

use super::attempt::millis;
use super::dying::Dying;
use crate::broker::Fault;
use crate::e2e::driver::Driver;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::seen;
use crate::e2e::run::oracle::Oracles;
use crate::e2e::run::probe::evidence;
use crate::e2e::run::record;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::run::stage::world::World;
use crate::e2e::run::steps::dying;
use crate::e2e::scenario::ast::payload::Payload;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Load, Step};
use crate::e2e::scenario::fill::{fault_filled, filled};
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::outcome::Stop;
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

/// Submits, breaks and submits again; what held, a line each.
pub(in crate::e2e) async fn run(
    world: &mut World,
    fixture: &Fixture,
    step: &Step,
    load: &Load,
    variables: &Variables,
) -> Result<Vec<String>, Stop> {
    let times = step.repeat.unwrap_or(1) * load.copies;
    let mut chance = Chance(world.machine().seed);
    let plan = plan(load, times, &mut chance);
    let again: Vec<bool> = (0..times).map(|_| chance.percent(load.again_percent)).collect();
    let dying = match load.client_dies {
        false => None,
        true => Some(Dying::of(world).ok_or_else(|| {
            Stop::Skipped("there is no client here that dies when it is told to".to_owned())
        })?),
    };
    let submitter = Submitter {
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
    };
    let submitter = &submitter;
    // Up to the next fault, and as many more as are on their way when it begins.
    let until = |next: usize| match plan.get(next) {
        Some((due, _)) => due + step.concurrency,
        None => times,
    };
    submitter.allow(until(0));
    let submitting = async {
        let all = stream::iter(1..=times).map(|n| {
            let mut variables = variables.clone();
            variables.insert("n".to_owned(), Value::from((n - 1) / load.copies + 1));
            variables.insert("k".to_owned(), Value::from((n - 1) % load.copies + 1));
            let (action, twice) = (filled(&step.action, &variables), again[n as usize - 1]);
            async move {
                submitter.reached(&submitter.allowed, n).await;
                if submitter.has_given_up() {
                    return Ok(false);
                }
                if let Some(pace) = &submitter.pace {
                    pace.lock().await.tick().await;
                }
                let process = format!("client-{}", n % step.concurrency.max(1));
                let op = message(&action, submitter.attempt)?;
                if let Some(dying) = &submitter.dying {
                    submitter.once_by_one_that_dies(dying, &op).await?;
                }
                if matches!(action, Action::Publish(_)) {
                    return submitter.once(&process, op).await.map(|()| true);
                }
                let once = submitter.until_acknowledged(&process, &op).await?;
                let again = !twice || submitter.until_acknowledged(&process, &op).await?;
                Ok::<_, String>(once && again)
            }
        });
        let mut all = all.buffer_unordered(step.concurrency as usize);
        let mut failed = None;
        while let Some(result) = all.next().await {
            match result {
                Ok(done) => submitter.has_done(done),
                Err(message) if failed.is_none() => {
                    failed = Some(message + &submitter.meanwhile());
                    submitter.give_up();
                }
                Err(_) => {} // it has been said why
            }
        }
        let done = submitter.done.load(Ordering::SeqCst);
        failed.map_or(Ok(()), |message| {
            let message = format!("{done} of {times} {}, then: {message}", past(&step.action));
            Err(Stop::failed(fixture, &step.span, message))
        })
    };
    let breaking = async {
        for (n, (due, fault)) in plan.iter().enumerate() {
            tokio::select! {
                biased;
                () = submitter.reached(&submitter.done, *due) => {}
                stop = world.services.supervise(fixture, &step.span) => return Err(stop),
            }
            if submitter.has_given_up() {
                return Ok(());
            }
            submitter.allow(until(n + 1));
            let fault = fault_filled(fault, variables);
            submitter.breaks(Some(fault.to_string()));
            let broken = world.fault(fixture, &fault, Some(*due), &step.span).await;
            submitter.breaks(None);
            broken?;
        }
        tokio::select! {
            biased;
            () = submitter.reached(&submitter.done, times) => Ok(()),
            stop = world.services.supervise(fixture, &step.span) => Err(stop),
        }
    };
    let breaking = async {
        let broken = breaking.await;
        submitter.allow(times); // also where a fault could not be made
        broken
    };
    let (submitted, broken) = tokio::join!(submitting, breaking);
    submitted.and(broken)?;
    let mut lines = vec![format!("{times} {}", past(&step.action))];
    if load.client_dies {
        lines.push(format!("client aborted after the publish × {times}"));
    }
    lines.extend(load.under.iter().map(|(fault, count)| format!("{fault} × {count}")));
    Ok(lines)
}

/// What has become of one that is done.
fn past(action: &Action) -> &'static str {
    match action {
        Action::Publish(_) => "published",
        _ => "acknowledged",
    }
}

/// When each fault is due, counted in submissions; none in the last tenth.
fn plan(load: &Load, times: u32, chance: &mut Chance) -> Vec<(u32, Fault)> {
    let last = (times - times / 10).max(1);
    let mut plan: Vec<(u32, Fault)> = load
        .under
        .iter()
        .flat_map(|(fault, count)| std::iter::repeat_n(fault.clone(), *count as usize))
        .map(|fault| (chance.below(last), fault))
        .collect();
    plan.sort_by_key(|(due, _)| *due);
    plan
}

struct Submitter {
    driver: Arc<dyn Driver>,
    recorder: Recorder,
    oracles: Oracles,
    dying: Option<Dying>,
    attempt: Duration,
    patience: Duration,
    harness: Harness,
    /// One has failed for good: no other is begun.
    given_up: AtomicBool,
    /// The fault under way.
    breaking: Mutex<Option<String>>,
    /// How many have succeeded.
    done: AtomicU32,
    /// How many may be begun.
    allowed: AtomicU32,
    /// When the next may be begun.
    pace: Option<tokio::sync::Mutex<Interval>>,
    /// One of the two has changed.
    progress: Notify,
}

impl Submitter {
    /// Sends the same again until a stream has it, and says whether one has: after anything but an
    /// acknowledgement it is unknown, or certain, that it was not stored. What will be refused whenever
    /// it is sent is sent once.
    async fn until_acknowledged(&self, process: &str, op: &Op) -> Result<bool, String> {
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

    fn breaks(&self, fault: Option<String>) {
        *self.breaking.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What is broken just now, for whoever fails.
    fn meanwhile(&self) -> String {
        let breaking = self.breaking.lock().unwrap_or_else(PoisonError::into_inner);
        breaking.as_ref().map(|fault| format!("; it failed during `{fault}`")).unwrap_or_default()
    }

    fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    fn has_done(&self, done: bool) {
        self.done.fetch_add(u32::from(done), Ordering::SeqCst);
        self.progress.notify_waiters();
    }

    /// Those that wait for their turn, or for others, are let go: they see it, and do nothing.
    fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        self.allow(u32::MAX);
    }

    /// What nothing acknowledges is sent once: sent again, it would be another message.
    async fn once(&self, process: &str, op: Op) -> Result<(), String> {
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
    async fn once_by_one_that_dies(&self, dying: &Dying, op: &Op) -> Result<(), String> {
        let begun = record::begin(&self.recorder, &self.oracles, dying::NAME, op);
        let key = record::key(&self.oracles, op).unwrap_or_default();
        dying.perform(op.clone(), key).await?;
        if let Some(begun) = begun {
            begun.unknown("the client died before it read the answer");
        }
        Ok(())
    }

    fn allow(&self, many: u32) {
        self.allowed.store(many, Ordering::SeqCst);
        self.progress.notify_waiters();
    }

    /// Returns when the counter is so far, or never will be.
    async fn reached(&self, counter: &AtomicU32, due: u32) {
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

fn message(action: &Action, timeout: Duration) -> Result<Op, String> {
    let (Action::Submit(out) | Action::Publish(out)) = action else {
        return Err("only `submit` and `publish` can be a load under faults".to_owned());
    };
    let body = match &out.payload {
        Payload::Json(value) => value.to_string().into_bytes(),
        Payload::Text(text) => text.clone().into_bytes(),
        Payload::Bytes(bytes) => bytes.clone(),
        Payload::Filler(size) => vec![b'x'; *size],
        Payload::File(_) => {
            return Err("a load has a `body`, `text`, `bytes_base64` or `body_size`".to_owned());
        }
    };
    let (subject, headers) = (out.subject.clone(), out.headers.clone());
    let payload_base64 = seen::base64(&body);
    Ok(match action {
        Action::Publish(_) => Op::Publish { subject, payload_base64, headers },
        _ => Op::Submit { subject, payload_base64, headers, timeout_ms: millis(timeout) },
    })
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed, the same draws.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }

    fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::What;

    #[test]
    fn what_a_stream_would_refuse_again_is_not_sent_again() {
        let said = |code| format!("wrong last sequence: 0 (code 400, error code {code})");
        for code in [10054, 10060, 10071] {
            assert!(is_never_stored(&said(code)));
        }
        assert!(!is_never_stored(&said(10_077)), "a full stream may be emptied");
        assert!(!is_never_stored("no answer within 110071ms"));
    }

    #[test]
    fn the_same_seed_breaks_at_the_same_places() {
        let load = Load {
            copies: 1,
            again_percent: 5,
            under: vec![(Fault::new(What::KillBroker), 20), (Fault::new(What::KillServices), 20)],
            rate: None,
            client_dies: false,
        };
        let drawn = |seed| plan(&load, 1000, &mut Chance(seed));
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7).len(), 40);
        assert!(drawn(7).iter().all(|(due, _)| *due < 900));
    }
}
