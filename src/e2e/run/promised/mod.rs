//! The promises that a suite declares, seen kept or broken: which operations they are about, where
//! their effects are, and what was found there.
//!
//! | file | idea |
//! | --- | --- |
//! | `pick` | values out of messages, as promises name their places |
//! | `eyes`, `ear` | looks at one place of effects, listens to one |

mod ear;
mod eyes;
mod pick;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

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
use crate::e2e::scenario::sent;
use crate::e2e::text::template::{Variables, fill_text};
use crate::e2e::verdict::index::Index;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::promised::facts::{self, Effect, Gap};
use crate::e2e::verdict::promised::{self, Open};
use crate::e2e::verdict::promises::{Judged, Promises, Unreadable};
use crate::wire::driver::Op;
use eyes::Eye;
pub(in crate::e2e) use eyes::Surroundings;

/// Nobody says when an effect is there: it is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The same where a program has to be run for it.
const RUN_AGAIN: Duration = Duration::from_millis(250);

/// The promises of one run.
pub(in crate::e2e) struct Declared {
    promises: Vec<Promise>,
    /// What the scenario calls, and which entries it writes.
    methods: BTreeSet<String>,
    entries: BTreeSet<String>,
    history: PathBuf,
    around: Surroundings,
    /// One an effect, in the order of promises and effects.
    eyes: Mutex<Vec<(usize, usize, Eye)>>,
}

/// The services whose lines a promise or a check is about.
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
    services.chain(checked).collect()
}

impl Declared {
    /// Writes down what is promised, and begins to listen.
    ///
    /// # Errors
    /// It cannot listen.
    pub(in crate::e2e) async fn begin(
        fixture: &Fixture,
        around: Surroundings,
        recorder: &Recorder,
        history: &Path,
        variables: &Variables,
    ) -> Result<Self, String> {
        let promises = fixture.promises.clone();
        let mut eyes = Vec::new();
        for (n, promise) in promises.iter().enumerate() {
            let told = recorder.fact(around.clock.now_ns(), facts::PROMISE, promise);
            told.map_err(|error| error.to_string())?;
            for (at, effect) in promise.effects.iter().enumerate() {
                let place = filled(&effect.at, variables);
                eyes.push((n, at, Eye::open(promise, at, &place, &around).await?));
            }
        }
        let (methods, entries) = (sent::methods(fixture), sent::entries(fixture));
        let (history, eyes) = (history.to_owned(), Mutex::new(eyes));
        Ok(Self { promises, methods, entries, history, around, eyes })
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
        let open = promised::open(&Index::new(&history.events));
        let mut open: HashSet<Open> =
            open.map_err(|error| error.to_string())?.into_iter().collect();
        if open.is_empty() {
            return Ok(());
        }
        let within = self.promises.iter().map(|promise| promise.within).max().unwrap_or_default();
        let deadline = Instant::now() + within;
        let mut eyes = self.eyes.lock().await;
        let dear = eyes.iter().any(|(.., eye)| eye.is_dear());
        loop {
            for (promise, effect, eye) in &mut *eyes {
                let known = eye.found.len();
                // A broker that is away may be back in time; what stays so is told at the end.
                let _ = eye.look(&self.around).await;
                let promise = &self.promises[*promise];
                for found in &eye.found[known.min(eye.found.len())..] {
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
        // What comes again would come now. What is still in flight then is told by its effects.
        let left = deadline.saturating_duration_since(Instant::now());
        let _ = settle::settle(&self.around.harness, left).await;
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
            What::Invoke(invoke) if !self.methods.contains(&invoke.subject) => {
                Some(&invoke.subject)
            }
            _ => None,
        });
        Ok(subjects.chain(&self.entries).cloned().collect())
    }

    async fn write_down(&self, recorder: &Recorder) -> Result<&'static [&'static str], String> {
        let mut eyes = self.eyes.lock().await;
        let heard_all = self.around.hearing.whole().await;
        let sent = self.sent(recorder)?;
        for (promise, effect, eye) in &mut *eyes {
            let of = self.promises[*promise].name.clone();
            eye.afresh();
            if let Err(why) = eye.look(&self.around).await {
                eye.gap.get_or_insert(why);
            }
            eye.know_senders(&sent);
            let place = &self.promises[*promise].effects[*effect].at;
            if matches!(place, Place::Log(_)) && !heard_all {
                eye.gap.get_or_insert(format!("not every line of the {place} could be read"));
            }
            for found in std::mem::take(&mut eye.found) {
                let eyes::Found { at_ns, key, value, place } = found;
                let effect = Effect { promise: of.clone(), effect: *effect, key, value, place };
                recorder.fact(at_ns, facts::EFFECT, &effect).map_err(|error| error.to_string())?;
            }
            if let Some(why) = eye.gap.take() {
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
