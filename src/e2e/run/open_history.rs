//! A history that is kept without a scenario: whoever does operations says so, and asks for the verdict.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::oracle::{self, Oracle};
use super::probe::evidence::Probe;
use super::probe::hazards::configured;
use super::promised::{Declared, Sends, Surroundings};
use super::stage::brokers::Access;
use super::stage::harness::Harness;
use super::stage::hearing::Hearing;
use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::history::event::{OPERATIONS, Phase, What};
use crate::e2e::record::history::operation::Operation;
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::scenario::ast::elsewhere::Elsewhere;
use crate::e2e::scenario::ast::promise::{Place, Promise};
use crate::e2e::text::template::Variables;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::report::{self, Report};
use crate::process::Reaper;
use crate::wire::driver::Op;

/// How long a look at configurations may take: a broker that has lost its quorum says nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Operations, faults and effects of services that no scenario runs.
pub struct OpenHistory {
    declared: Declared,
    recorder: Recorder,
    harness: Harness,
    path: PathBuf,
    under_way: Mutex<HashMap<u64, Operation>>,
    /// Faults that have not ended: of what, and as which.
    standing: Mutex<Vec<(String, String)>>,
}

/// The verdict, with what else was seen.
pub struct Proved {
    /// One a promise, with figures and evidence.
    pub report: Report,
    /// What did no harm and will, from the configurations of streams; why they could not be read.
    pub hazards: Result<Vec<Hazard>, String>,
}

impl OpenHistory {
    /// Begins one that is written to `path`: looks at what is there already, and listens from here on.
    /// Effects in files are looked for below `dir`, and commands run there.
    ///
    /// # Errors
    /// Why it cannot look, in words.
    pub async fn begin(
        promises: Vec<Promise>,
        broker: &Elsewhere,
        dir: &Path,
        path: PathBuf,
        reaper: Reaper,
    ) -> Result<Self, String> {
        let effects = promises.iter().flat_map(|promise| &promise.effects);
        if let Some(place) = effects.map(|effect| &effect.at).find(|at| matches!(at, Place::Log(_)))
        {
            return Err(format!("{place}: only a scenario of `e2e` looks at what services print"));
        }
        let written = |error| format!("write {}: {error}", path.display());
        let recorder = Recorder::new(std::fs::File::create_new(&path).map_err(written)?);
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
        let declared = declared.new_ones_only();
        let (under_way, standing) = (Mutex::default(), Mutex::default());
        Ok(Self { declared, recorder, harness, path, under_way, standing })
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
    pub fn ends(&self, number: u64) -> Option<Operation> {
        lock(&self.under_way).remove(&number)
    }

    /// Something is broken from here on.
    pub fn breaks(&self, of: &str, fault: &str) {
        self.recorder.fault(fault, Phase::Begin);
        lock(&self.standing).push((of.to_owned(), fault.to_owned()));
    }

    /// Whether something of it is broken.
    pub fn is_broken(&self, of: &str) -> bool {
        lock(&self.standing).iter().any(|(whose, _)| whose == of)
    }

    /// These faults have ended: `ended` is told of what each is, and as which it began.
    pub fn mended(&self, ended: impl Fn(&str, &str) -> bool) {
        lock(&self.standing).retain(|(of, fault)| {
            let stays = !ended(of, fault);
            if !stays {
                self.recorder.fault(fault, Phase::End);
            }
            stays
        });
    }

    /// Waits until what was promised is there or too late, ends the history, and judges it. An operation
    /// that was not said to have ended may have happened.
    ///
    /// # Errors
    /// Why it cannot be judged, in words.
    pub async fn judge(self) -> Result<Proved, String> {
        lock(&self.under_way).clear();
        self.declared.settled(&self.recorder).await?;
        let probe = Probe::new(Path::new(""), &self.harness, &self.recorder, &self.path);
        let mut whole = self.declared.gather(&probe, &self.recorder).await?.to_vec();
        whole.push(OPERATIONS);
        self.recorder.noted();
        self.recorder.finish(whole).map_err(|error| error.to_string())?;
        let history = History::open(&self.path).map_err(|error| error.to_string())?;
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
        let hazards = looked.map_or_else(late, |found| found.map_err(|error| error.to_string()));
        let report = report::check(&history, Policy::default(), &[Arc::new(self.declared)]);
        Ok(Proved { report: report.map_err(|error| error.to_string())?, hazards })
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
