//! A history that is kept without a scenario: whoever does operations says so, and asks for the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::{NamedTempFile, TempPath};

use super::oracle::{self, Oracle};
use super::probe::evidence::Probe;
use super::probe::hazards::configured;
use super::promised::{Declared, Sends, Surroundings};
use super::record;
use super::stage::brokers::Access;
use super::stage::harness::Harness;
use super::stage::hearing::Hearing;
use crate::broker;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::history::event::{Fault, OPERATIONS, Phase, What};
use crate::e2e::record::history::operation::Operation;
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::scenario::ast::elsewhere::Elsewhere;
use crate::e2e::scenario::ast::promise::{Place, Promise, Verb};
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::report::{self, Report};
use crate::process::Reaper;
use crate::wire::driver::Op;

/// How long a look at configurations may take: a broker that has lost its quorum says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Operations, faults and effects of services that no scenario runs.
pub struct OpenHistory {
    declared: Arc<Declared>,
    recorder: Recorder,
    harness: Harness,
    path: TempPath,
    /// By number: what is left of them at the end ends in this order.
    under_way: Mutex<BTreeMap<u64, Operation>>,
    /// Faults that have not ended, by the number that their session gives them.
    faults: Mutex<BTreeMap<u64, OpenFault>>,
}

/// One that is being injected, or stands.
struct OpenFault {
    name: String,
    since_ns: u64,
    stands: bool,
}

/// The verdict, with what else was seen.
pub struct Proved {
    /// One a promise, with figures and evidence.
    pub report: Report,
    /// What did no harm and will, from the configurations of streams; why they could not be read.
    pub hazards: Result<Vec<Hazard>, String>,
}

impl OpenHistory {
    /// Why such a promise can never be judged here, if that is so.
    #[must_use]
    pub fn cannot_judge(promise: &Promise) -> Option<String> {
        if promise.operation.verb == Verb::Call {
            let on = &promise.operation.on;
            let why = "only the clients of a scenario call methods; name what goes over the wire, as a \
                       `submit`, `request` or `publish` on its subject";
            return Some(format!("`call {on}`: {why}"));
        }
        let places = promise.effects.iter().map(|effect| &effect.at);
        let mut logs = places.filter(|at| matches!(at, Place::Log(_)));
        logs.next().map(|at| format!("{at}: only a scenario of `e2e` looks at what services print"))
    }

    /// Begins one that is written to `file`, which goes with it: looks at what is there already, and
    /// listens from here on. Effects in files are looked for below `dir`, and commands run there.
    ///
    /// # Errors
    /// Why it cannot look, in words.
    pub async fn begin(
        promises: Vec<Promise>,
        broker: &Elsewhere,
        dir: &Path,
        file: NamedTempFile,
        reaper: Reaper,
    ) -> Result<Self, String> {
        if let Some(why) = promises.iter().find_map(Self::cannot_judge) {
            return Err(why);
        }
        let (file, path) = file.into_parts();
        let recorder = Recorder::new(file);
        let access = Access::elsewhere(broker);
        let harness = Harness::new(access.clone());
        harness.client().await.map_err(|error| format!("connect to the broker: {error}"))?;
        let around = Surroundings {
            harness: harness.clone(),
            hearing: Hearing::default(),
            clock: recorder.clock(),
            dir: dir.to_owned(),
            root: dir.to_owned(),
            reaper,
            access,
        };
        let (sends, variables) = (Sends::default(), Variables::default());
        let declared =
            Declared::begin(promises, sends, around, &recorder, &path, &variables).await?;
        let declared = Arc::new(declared.new_ones_only());
        let (under_way, faults) = (Mutex::default(), Mutex::default());
        Ok(Self { declared, recorder, harness, path, under_way, faults })
    }

    /// A client begins an operation; its number. `None` where `op` sends nothing.
    pub fn invoke(&self, process: &str, op: &Op) -> Option<u64> {
        let (kind, subject) = oracle::sent(op)?;
        let about = self.declared.operation(op).and_then(|known| known.about);
        let operation = self.recorder.invoke(process, kind, subject, about);
        let number = operation.number();
        for fact in self.declared.asked(op, number) {
            self.recorder.append(What::Fact(fact));
        }
        lock(&self.under_way).insert(number, operation);
        Some(number)
    }

    /// An operation that has begun and not ended, for whoever says how it ends.
    pub fn under_way(&self, number: u64) -> Option<Operation> {
        lock(&self.under_way).remove(&number)
    }

    /// A fault is about to be injected, or stands already. It is there from here on, and on record once
    /// it [stands](Self::stands).
    pub fn begins(&self, fault: u64, name: &str) {
        let since_ns = self.recorder.clock().now_ns();
        let begun = OpenFault { name: name.to_owned(), since_ns, stands: false };
        lock(&self.faults).insert(fault, begun);
    }

    /// It was injected.
    pub fn stands(&self, fault: u64) {
        if let Some(open) = lock(&self.faults).get_mut(&fault) {
            self.put_on_record(open);
        }
    }

    /// It has ended.
    pub fn ends(&self, fault: u64) {
        if let Some(ended) = lock(&self.faults).remove(&fault) {
            self.recorder.fault(&ended.name, Phase::End);
        }
    }

    /// It was refused: nothing has happened.
    pub fn never_was(&self, fault: u64) {
        lock(&self.faults).remove(&fault);
    }

    /// A fault has hit a message.
    pub fn hits(&self, hit: &broker::Hit) {
        record::hit(&self.recorder, hit);
    }

    fn put_on_record(&self, open: &mut OpenFault) {
        if !std::mem::replace(&mut open.stands, true) {
            let begun = Fault { name: open.name.clone(), phase: Phase::Begin, hit: None };
            self.recorder.append_at(open.since_ns, What::Fault(begun));
        }
    }

    /// Waits until what was promised is there or too late, ends the history, and judges it, once. An operation
    /// that was not said to have ended may have happened.
    ///
    /// # Errors
    /// Why it cannot be judged, in words.
    pub async fn judge(&self) -> Result<Proved, String> {
        lock(&self.under_way).clear();
        self.declared.settled(&self.recorder).await?;
        let probe = Probe::new(Path::new(""), &self.harness, &self.recorder, &self.path);
        let mut whole = self.declared.gather(&probe, &self.recorder).await?.to_vec();
        whole.push(OPERATIONS);
        // What is being injected may have an effect already.
        lock(&self.faults).values_mut().for_each(|open| self.put_on_record(open));
        self.recorder.noted();
        self.recorder.finish(whole).map_err(|error| error.to_string())?;
        let path = self.path.to_path_buf();
        let history = blocking(move || History::open(&path)).await?;
        let history = history.map_err(|error| error.to_string())?;
        let sent: BTreeSet<&str> = history
            .events
            .iter()
            .filter_map(|event| match &event.what {
                What::Invoke(invoke) => Some(invoke.subject.as_str()),
                _ => None,
            })
            .collect();
        let looked = tokio::time::timeout(PATIENCE, configured(&self.harness, &sent)).await;
        let late = |_| Err(format!("JetStream did not say within {PATIENCE:?} what there is"));
        let unseen = |error| format!("ask JetStream for its streams: {error}");
        let hazards = looked.map_or_else(late, |found| found.map_err(unseen));
        let declared = self.declared.clone();
        let check = move || report::check(&history, Policy::default(), &[declared]);
        let report = blocking(check).await?;
        Ok(Proved { report: report.map_err(|error| error.to_string())?, hazards })
    }

    /// Copies what was recorded to a file that is there, once it is judged.
    ///
    /// # Errors
    /// The system's reason.
    pub async fn copy_to(&self, file: &Path) -> std::io::Result<()> {
        tokio::fs::copy(&self.path, file).await.map(drop)
    }
}

/// Long histories take their time: other work of this process goes on.
async fn blocking<T: Send + 'static>(
    works: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(works).await.map_err(|error| error.to_string())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
