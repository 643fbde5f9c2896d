//! The promises that a suite declares, seen kept or broken: which operations they are about, where
//! their effects are, and what was found there.
//!
//! | file | idea |
//! | --- | --- |
//! | `pick` | values out of messages, as promises name their places |
//! | `eyes`, `ear` | looks at one place of effects, listens to one |
//! | `stored`, `lines` | how an eye looks at streams and buckets, at files and programs |
//! | `again` | how long it is looked on when all is there |
//! | `known` | what a stream was when it was first seen |
//! | `seen_lines` | since when a line is there, whatever its place |

mod again;
mod ear;
mod eyes;
mod known;
mod lines;
mod pick;
mod seen_lines;
mod stored;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::oracle::{self, Operation, Oracle};
use super::probe::evidence::Probe;
use super::steps::settle;
use crate::e2e::record::history::event::{About, Fact, Kind, What};
use crate::e2e::record::history::json::Json;
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::trace::Party;
use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::promise::{Place, Promise};
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::Action;
use crate::e2e::scenario::sent;
use crate::e2e::text::template::{Variables, fill_text};
use crate::e2e::verdict::index::Index;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::promised::facts::{self, Effect, Gap, InFlight};
use crate::e2e::verdict::promised::{self, Begun, Open};
use crate::e2e::verdict::promises::{Judged, Promises, Unreadable};
use crate::wire::driver::Op;
pub(in crate::e2e) use eyes::Surroundings;
use eyes::{ANSWERS, Eye, Found};

/// Nobody says when an effect is there: it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The same where a program has to be run for it.
const RUN_AGAIN: Duration = Duration::from_millis(250);
/// Whoever looks while steps run takes no more than one part in so many of the time.
const ONE_PART_IN: u32 = 10;

/// The promises of one run.
pub(in crate::e2e) struct Declared {
    promises: Vec<Promise>,
    sends: Sends,
    history: PathBuf,
    around: Arc<Surroundings>,
    eyes: Eyes,
    /// Looks at files while steps run.
    watching: Option<JoinHandle<()>>,
    /// What was delivered and not acknowledged when all had its time.
    in_flight: OnceLock<String>,
    /// Effects until then are of somebody else.
    earlier: Option<u64>,
}

/// What clients do that no subject of an operation tells.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Sends {
    /// The methods that they call.
    methods: BTreeSet<String>,
    /// The entries of buckets that they write, by their subjects.
    entries: BTreeSet<String>,
}

impl Sends {
    /// What the steps of a scenario do.
    pub(in crate::e2e) fn of(fixture: &Fixture) -> Self {
        Self { methods: sent::methods(fixture), entries: sent::entries(fixture) }
    }
}

/// One an effect, in the order of promises and effects.
type Eyes = Arc<Mutex<Vec<(usize, usize, Eye)>>>;

impl Drop for Declared {
    fn drop(&mut self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }
}

/// Looks at the files again and again: their lines have no times of their own.
async fn watch(eyes: Eyes, around: Arc<Surroundings>) {
    loop {
        let begun = Instant::now();
        for (.., eye) in &mut *eyes.lock().await {
            if matches!(eye.at, Place::File(_)) {
                let _ = eye.look(&around).await;
            }
        }
        tokio::time::sleep(LOOK_AGAIN.max(begun.elapsed() * ONE_PART_IN)).await;
    }
}

/// The services whose lines a promise, a check or a step is about.
pub(in crate::e2e) fn services(fixture: &Fixture) -> BTreeSet<String> {
    let effects = fixture.promises.iter().flat_map(|promise| &promise.effects);
    let services = effects.filter_map(|effect| match &effect.at {
        Place::Log(service) => Some(service.clone()),
        _ => None,
    });
    let checked = fixture.checks.iter().filter_map(|check| match &check.kind {
        CheckKind::Log(log) => Some(log.service.clone()),
        _ => None,
    });
    let waited_for = fixture.all_steps().filter_map(|step| match &step.action {
        Action::ExpectLog(log) => Some(log.service.clone()),
        _ => None,
    });
    services.chain(checked).chain(waited_for).collect()
}

impl Declared {
    /// Writes down what is promised, looks at what is there already, and begins to listen.
    ///
    /// # Errors
    /// It cannot listen.
    pub(in crate::e2e) async fn begin(
        promises: Vec<Promise>,
        sends: Sends,
        around: Surroundings,
        recorder: &Recorder,
        history: &Path,
        variables: &Variables,
    ) -> Result<Self, String> {
        let mut eyes = Vec::new();
        for (n, promise) in promises.iter().enumerate() {
            let told = recorder.fact(around.clock.now_ns(), facts::PROMISE, promise);
            told.map_err(|error| error.to_string())?;
            for (at, effect) in promise.effects.iter().enumerate() {
                let place = filled(&effect.at, variables);
                let mut eye = Eye::open(promise, at, &place, &around).await?;
                eye.look_first(&around).await;
                eyes.push((n, at, eye));
            }
        }
        let has_files = eyes.iter().any(|(.., eye)| matches!(eye.at, Place::File(_)));
        let (around, eyes) = (Arc::new(around), Arc::new(Mutex::new(eyes)));
        let watching = has_files.then(|| tokio::spawn(watch(eyes.clone(), around.clone())));
        let (history, in_flight) = (history.to_owned(), OnceLock::new());
        let earlier = None;
        Ok(Self { promises, sends, history, around, eyes, watching, in_flight, earlier })
    }

    /// What was there before now is not looked at: others have used the broker before.
    pub(in crate::e2e) fn new_ones_only(mut self) -> Self {
        self.earlier = Some(self.around.clock.now_ns());
        self
    }

    /// Whether it may be an effect of what is judged here.
    fn is_new(&self, found: &Found) -> bool {
        self.earlier.is_none_or(|earlier| found.at_ns > earlier)
    }

    /// Promises with an operation, and the message that it is.
    fn of<'a>(&'a self, op: &'a Op) -> impl Iterator<Item = (&'a Promise, Picked)> + 'a {
        self.promises.iter().filter_map(move |promise| {
            let picked = pick::of_operation(&promise.operation, op, |message| Picked {
                key: message.pick(&promise.key),
                order: promise.order.as_ref().and_then(|order| message.pick(order)),
            });
            Some((promise, picked?))
        })
    }

    async fn until_done(&self, recorder: &Recorder) -> Result<(), String> {
        let history = self.recorded(recorder)?;
        let index = Index::new(&history.events);
        // Where nothing was asked for, nothing is waited for.
        let open = promised::open(&index).map_err(|error| error.to_string())?;
        let Some(open) = open else { return Ok(()) };
        let begun = promised::begun(&index).map_err(|error| error.to_string())?;
        let mut open: HashSet<Open> = open.into_iter().collect();
        let within = self.promises.iter().map(|promise| promise.within).max().unwrap_or_default();
        let deadline = Instant::now() + within;
        let mut eyes = self.eyes.lock().await;
        let dear = eyes.iter().any(|(.., eye)| eye.is_dear());
        // Some have been seen while the steps ran.
        let mut known = vec![0; eyes.len()];
        while !open.is_empty() {
            for ((promise, effect, eye), known) in eyes.iter_mut().zip(&mut known) {
                // A broker that is away may be back in time; what stays so is told at the end.
                let _ = eye.look_until(&self.around, deadline).await;
                let promise = &self.promises[*promise];
                // What a program printed may be in another order by now.
                let skipped = if eye.is_dear() { 0 } else { *known };
                *known = eye.found.len();
                let new = eye.found.iter().skip(skipped).filter(|found| self.is_new(found));
                for found in new {
                    let (promise, effect, key) = (promise, *effect, found.key.clone());
                    if !promise.counts(effect, found.value.as_deref()) {
                        continue;
                    }
                    let promise = promise.name.clone();
                    open.remove(&Open { promise, effect, key: key.unwrap_or_default() });
                }
            }
            if open.is_empty() || Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(if dear { RUN_AGAIN } else { LOOK_AGAIN }).await;
        }
        drop(eyes);
        // What comes again would come now.
        let left = deadline.saturating_duration_since(Instant::now());
        if let Err(busy) = settle::settle(&self.around.harness, left).await
            && busy.is_unacknowledged
        {
            let _ = self.in_flight.set(busy.to_string());
        }
        if open.is_empty() {
            self.look_on(&begun, within).await;
        }
        // A broker that is away is asked once more at the end.
        let _ = tokio::time::timeout(ANSWERS, self.know_streams()).await;
        Ok(())
    }

    /// Until nothing has come for a while, at places where it matters how often something is there; at
    /// most so long, whoever goes on and on.
    async fn look_on(&self, begun: &Begun, most: Duration) {
        let mut eyes = self.eyes.lock().await;
        if !eyes.iter().any(|(.., eye)| eye.counts) {
            return;
        }
        let dear = eyes.iter().any(|(.., eye)| eye.counts && eye.is_dear());
        let (begun_at, mut last) = (Instant::now(), Instant::now());
        let (mut seen, mut quiet) = (None, Duration::ZERO);
        loop {
            for (.., eye) in eyes.iter_mut() {
                if eye.counts {
                    let _ = eye.look(&self.around).await;
                }
            }
            let found: usize = eyes.iter().map(|(.., eye)| eye.found.len()).sum();
            if seen.replace(found) != Some(found) {
                last = Instant::now();
                let effects = eyes.iter().flat_map(|(promise, _, eye)| {
                    let promise = self.promises[*promise].name.as_str();
                    let found = eye.found.iter();
                    found.filter_map(move |it| Some((promise, it.key.as_deref()?, it.at_ns)))
                });
                quiet = again::looks_on(begun, effects, most);
            }
            if last.elapsed() >= quiet || begun_at.elapsed() >= most {
                return;
            }
            tokio::time::sleep(if dear { RUN_AGAIN } else { LOOK_AGAIN }).await;
        }
    }

    /// Which streams bring what to the places of effects.
    async fn know_streams(&self) -> Result<(), String> {
        let streams = stored::streams(&self.around.harness).await?;
        let streams: Vec<_> = streams.iter().map(|(name, of)| (name.as_str(), of)).collect();
        self.eyes.lock().await.iter_mut().for_each(|(.., eye)| eye.know_streams(&streams));
        Ok(())
    }

    fn recorded(&self, recorder: &Recorder) -> Result<History, String> {
        recorder.flush().map_err(|error| error.to_string())?;
        History::open(&self.history).map_err(|error| error.to_string())
    }

    /// Where the client itself has sent something.
    fn sent(&self, recorder: &Recorder) -> Result<BTreeSet<String>, String> {
        let history = self.recorded(recorder)?;
        let subjects = history.events.iter().filter_map(|event| match &event.what {
            What::Invoke(invoke) if !self.sends.methods.contains(&invoke.subject) => {
                Some(&invoke.subject)
            }
            _ => None,
        });
        Ok(subjects.chain(&self.sends.entries).cloned().collect())
    }

    async fn write_down(&self, recorder: &Recorder) -> Result<&'static [&'static str], String> {
        let unknown_streams = self.know_streams().await.err();
        let mut eyes = self.eyes.lock().await;
        let sent = self.sent(recorder)?;
        if let Some(why) = self.in_flight.get() {
            let (now, why) = (self.around.clock.now_ns(), why.clone());
            let told = recorder.fact(now, facts::IN_FLIGHT, &InFlight { why });
            told.map_err(|error| error.to_string())?;
        }
        for (promise, effect, eye) in &mut *eyes {
            let of = self.promises[*promise].name.clone();
            // A broker that says nothing is not asked by each of them again.
            let looked = match &unknown_streams {
                Some(why) if eye.asks_broker() => Err(format!("{}: {why}", eye.at)),
                _ => eye.look_afresh(&self.around).await,
            };
            if let Err(why) = looked {
                eye.gap.get_or_insert(why);
            }
            eye.know_senders(&sent);
            let place = &self.promises[*promise].effects[*effect].at;
            if let Place::Log(service) = place
                && !self.around.hearing.whole(service).await
            {
                eye.gap.get_or_insert(format!(
                    "not every line of the {place} could be read: they came too fast, or one was longer \
                     than 64 KiB"
                ));
            }
            if let (Place::Stream { .. } | Place::Kv(_) | Place::Subjects(_), Some(why)) =
                (place, &unknown_streams)
            {
                eye.gap.get_or_insert(why.clone());
            }
            let found = std::mem::take(&mut eye.found);
            for found in found.into_iter().filter(|found| self.is_new(found)) {
                let Found { at_ns, absent_ns, key, value, place } = found;
                let (promise, effect) = (of.clone(), *effect);
                let effect = Effect { promise, effect, key, value, absent_ns, place };
                recorder.fact(at_ns, facts::EFFECT, &effect).map_err(|error| error.to_string())?;
            }
            if let Some(why) = eye.lost.take().or(eye.gap.take()) {
                let gap = Gap { promise: of, effect: *effect, why };
                let now = self.around.clock.now_ns();
                recorder.fact(now, facts::GAP, &gap).map_err(|error| error.to_string())?;
            }
        }
        // Nobody listens any more: what a run leaves behind is looked for now.
        eyes.clear();
        Ok(&[facts::EFFECTS])
    }
}

/// What tells an operation from another, and what it keeps its order with.
struct Picked {
    key: Option<String>,
    order: Option<String>,
}

/// A program with its variables.
fn filled(place: &Place, variables: &Variables) -> Place {
    match place {
        Place::Command(words) => {
            Place::Command(words.iter().map(|word| fill_text(word, variables)).collect())
        }
        other => other.clone(),
    }
}

impl Promises for Declared {
    fn facts(&self) -> &'static [&'static str] {
        promised::Declared.facts()
    }

    fn judge(&self, index: &Index<'_>, policy: Policy) -> Result<Judged, Unreadable> {
        promised::Declared.judge(index, policy)
    }

    fn told(&self, fact: &Fact) -> Option<(Party, String)> {
        promised::Declared.told(fact)
    }
}

impl Oracle for Declared {
    fn operation(&self, op: &Op) -> Option<Operation> {
        let (promise, picked) = self.of(op).next()?;
        let (kind, subject) = match op {
            Op::Call { method, .. } => (Kind::Request, method.as_str()),
            _ => oracle::sent(op)?,
        };
        let about = |key| About { of: promise.name.clone(), key, content: None };
        Some(Operation { kind, subject: subject.to_owned(), about: picked.key.map(about) })
    }

    fn asked(&self, op: &Op, number: u64) -> Vec<Fact> {
        let asked = self.of(op).filter_map(|(promise, Picked { key, order })| {
            let promise = promise.name.clone();
            let record = Json::of(&facts::Asked { promise, op: number, key, order }).ok()?;
            Some(Fact { word: facts::ASKED.to_owned(), record })
        });
        asked.collect()
    }

    fn settled<'a>(&'a self, recorder: &'a Recorder) -> BoxFuture<'a, Result<(), String>> {
        self.until_done(recorder).boxed()
    }

    fn gather<'a>(
        &'a self,
        _: &'a Probe<'a>,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<&'static [&'static str], String>> {
        self.write_down(recorder).boxed()
    }
}
