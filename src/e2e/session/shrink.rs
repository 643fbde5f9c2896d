//! Makes a failing scenario smaller, until nothing can go: each candidate has to fail as it did.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use toml_edit::DocumentMut;

use super::discover::read;
use super::points::once;
use super::runner::usual_jobs;
use super::settings::{ClientUnderTest, E2eError, Settings};
use crate::e2e::record::run::RunId;
use crate::e2e::run::oracle;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::format;
use crate::e2e::scenario::shrink::amount::Amount;
use crate::e2e::scenario::shrink::coarse::coarse;
use crate::e2e::scenario::shrink::edit::{Edit, edited, only_row};
use crate::e2e::scenario::shrink::fine::fine;
use crate::e2e::text::name::Name;
use crate::e2e::text::source::Source;
use crate::e2e::verdict::evidence::Evidence;
use crate::e2e::verdict::outcome::End;

/// A failure that is missed with at most this chance does not hold a candidate back.
const MISSED: f64 = 0.05;
/// The most runs of one candidate.
const MOST: u32 = 20;
/// What always failed is not to become what fails now and then: so often a smaller one is run once more, and
/// most of these runs have to fail.
const ONCE_MORE: u32 = 3;

/// How much may be done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrinking {
    /// How often the scenario is run at first, to see how often it fails.
    pub tries: u32,
    /// At most so many runs, all together.
    pub runs: u32,
}

/// How often it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// So often,
    pub failed: u32,
    /// of so many.
    pub of: u32,
}

/// A smaller scenario that fails in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shrunk {
    /// As a fixture, in its one form.
    pub text: String,
    /// What shows the failure, before and after.
    pub evidence: String,
    /// A sentence from a run of the whole.
    pub said_before: String,
    /// And from one of the smaller.
    pub said_after: String,
    /// How often the whole fails.
    pub failed_before: Rate,
    /// And the smaller; `None` where it was stopped, and not run again.
    pub failed_after: Option<Rate>,
    /// How much the whole does.
    pub before: Amount,
    /// And the smaller.
    pub after: Amount,
    /// How many runs it took.
    pub runs: u32,
    /// Nothing more can go; else the bound on runs was reached, or it was stopped.
    pub is_smallest: bool,
    /// It was stopped.
    pub is_stopped: bool,
}

impl Shrunk {
    /// How often the smaller one fails, beside the whole; `None` where that was not looked at.
    pub fn compared(&self) -> Option<&'static str> {
        let (before, after) = (self.failed_before, self.failed_after?);
        let (smaller, whole) = (after.failed * before.of, before.failed * after.of);
        Some(match smaller.cmp(&whole) {
            Ordering::Less => "more rarely than the whole",
            Ordering::Equal => "as often as the whole",
            Ordering::Greater => "more often than the whole",
        })
    }
}

/// What is told meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// How often the whole fails, and with what.
    Measured(Rate, String),
    /// What of it is gone now.
    Smaller(Vec<String>),
}

/// Why nothing was shrunk.
#[derive(Debug, thiserror::Error)]
pub enum ShrinkError {
    /// It does not fail.
    #[error(
        "the scenario does not fail: it passed {of} of {of} runs (golden files are not compared)"
    )]
    Passes {
        /// How often it was run.
        of: u32,
    },
    /// It was stopped, and nothing was gone yet.
    #[error("stopped before anything of the scenario could go: nothing is written")]
    Stopped,
    /// It cannot be run.
    #[error("the scenario cannot be run: {0}")]
    CannotRun(String),
    /// Its own text cannot be read again.
    #[error(transparent)]
    Read(#[from] E2eError),
}

/// Makes a scenario smaller with one client, several runs at a time, until nothing can go or `stop` is
/// there: then what is left so far is the result.
///
/// # Errors
/// [`ShrinkError`].
pub async fn shrink(
    settings: &Settings,
    fixture: &Fixture,
    client: &ClientUnderTest,
    shrinking: Shrinking,
    stop: impl Future<Output = ()>,
    told: &mut dyn FnMut(Progress),
) -> Result<Shrunk, ShrinkError> {
    let mut stop = pin!(stop);
    let whole = match &fixture.row {
        Some(row) => only_row(&fixture.source.text, row),
        None => None,
    };
    let whole = whole.unwrap_or_else(|| fixture.source.text.to_string());
    let mut shrinker = Shrinker {
        settings,
        fixture,
        client,
        jobs: match settings.jobs {
            _ if fixture.exclusive => 1,
            0 => usual_jobs(),
            jobs => jobs,
        },
        evidence: None,
        times: 1,
        left: shrinking.runs,
        is_cut_short: false,
        known: HashSet::new(),
    };
    let (failed_before, said_before) = tokio::select! {
        biased;
        () = &mut stop => return Err(ShrinkError::Stopped),
        measured = shrinker.measure(&whole, shrinking.tries) => measured?,
    };
    let evidence = shrinker.evidence.as_ref().map(|evidence| evidence.told(&said_before));
    let evidence = evidence.unwrap_or_default();
    told(Progress::Measured(failed_before, evidence.clone()));
    shrinker.times = times(failed_before);
    let mut text = whole.clone();
    let rounds = async {
        // The whole is dear to run: only what takes much away is worth it.
        if let Some(smaller) = shrinker.round(&text, coarse, told).await {
            text = smaller;
        }
        let all = |document: &DocumentMut| [coarse(document), fine(document)].concat();
        while let Some(smaller) = shrinker.round(&text, all, told).await {
            text = smaller;
        }
    };
    let mut is_stopped = tokio::select! {
        biased;
        () = &mut stop => true,
        () = rounds => false,
    };
    let runs = shrinking.runs - shrinker.left;
    let is_smallest = !shrinker.is_cut_short && !is_stopped;
    if is_stopped && text == whole {
        return Err(ShrinkError::Stopped);
    }
    let mut measured = None;
    if !is_stopped {
        tokio::select! {
            biased;
            () = &mut stop => is_stopped = true,
            again = shrinker.measure(&text, shrinking.tries) => measured = Some(again?),
        }
    }
    let (failed_after, said_after) = match measured {
        Some((rate, said)) => (Some(rate), said),
        None => (None, "it was stopped before this was run again".to_owned()),
    };
    let added = oracle::checks(&settings.machine.oracles);
    let in_form = format::format(&Source::new(&fixture.source.path, &text), &added);
    Ok(Shrunk {
        before: Amount::of(&whole),
        after: Amount::of(&text),
        text: in_form.unwrap_or(text),
        evidence,
        said_before,
        said_after,
        failed_before,
        failed_after,
        runs: runs + failed_after.map_or(0, |rate| rate.of),
        is_smallest,
        is_stopped,
    })
}

/// So often a candidate is run that fails as often as the whole does, so that its failure is seen.
fn times(rate: Rate) -> u32 {
    if rate.failed >= rate.of {
        return 1;
    }
    let holds = 1.0 - f64::from(rate.failed) / f64::from(rate.of);
    let needed = (MISSED.ln() / holds.ln()).ceil();
    // It is between 1 and a few hundred.
    (1..=MOST).find(|times| f64::from(*times) >= needed).unwrap_or(MOST)
}

struct Shrinker<'a> {
    settings: &'a Settings,
    fixture: &'a Fixture,
    client: &'a ClientUnderTest,
    jobs: usize,
    /// How it has to fail; `None` until it is known.
    evidence: Option<Evidence>,
    /// How often each candidate is run, at most.
    times: u32,
    /// How many runs are left.
    left: u32,
    /// There were too few of them for all that the last round was to try.
    is_cut_short: bool,
    /// Candidates that were not accepted.
    known: HashSet<String>,
}

/// What runs of one text came to.
#[derive(Default)]
struct Ran {
    runs: u32,
    /// A sentence of one that fails as it has to.
    said: Option<String>,
}

impl Shrinker<'_> {
    /// How often a text fails; the first time, how is what it has to fail with from then on.
    async fn measure(&mut self, text: &str, tries: u32) -> Result<(Rate, String), ShrinkError> {
        let Some(fixture) = self.read(text)? else {
            return Err(ShrinkError::CannotRun("it is no scenario any more".to_owned()));
        };
        let mut rate = Rate { failed: 0, of: 0 };
        let mut said = None;
        // What fails now and then wants a better measure.
        while rate.of < tries || (rate.failed < rate.of && rate.of < 3 * tries) {
            let many = tries.min(u32::try_from(self.jobs).unwrap_or(u32::MAX)).max(1);
            let runs = (0..many).map(|_| self.run(&fixture));
            let ended: Vec<_> = stream::iter(runs).buffered(self.jobs).collect().await;
            self.left = self.left.saturating_sub(many);
            for shown in ended {
                let shown = shown.map_err(ShrinkError::CannotRun)?;
                rate.of += 1;
                if self.evidence.is_none() {
                    self.evidence = shown.first().map(|(evidence, _)| evidence.clone());
                }
                let alike = shown.into_iter().find(|(how, _)| Some(how) == self.evidence.as_ref());
                if let Some((_, sentence)) = alike {
                    rate.failed += 1;
                    said.get_or_insert(sentence);
                }
            }
        }
        match said {
            Some(said) => Ok((rate, said)),
            None if self.evidence.is_none() => Err(ShrinkError::Passes { of: rate.of }),
            None => Ok((rate, "it did not fail when it was run again".to_owned())),
        }
    }

    /// Tries all edits of a kind, several at a time, and does together what can be done together;
    /// `None` where nothing can.
    async fn round(
        &mut self,
        text: &str,
        edits: impl Fn(&DocumentMut) -> Vec<Edit>,
        told: &mut dyn FnMut(Progress),
    ) -> Option<String> {
        let document: DocumentMut = text.parse().ok()?;
        let mut candidates = Vec::new();
        let mut new = HashSet::new();
        for edit in edits(&document) {
            let Some(smaller) = edited(text, &[&edit]) else { continue };
            if self.known.contains(&smaller) || !new.insert(smaller.clone()) {
                continue;
            }
            // What makes no sense costs no run.
            match self.read(&smaller) {
                Ok(Some(fixture)) => candidates.push((edit, smaller, fixture)),
                _ => _ = self.known.insert(smaller),
            }
        }
        let most = usize::try_from(self.spare()).unwrap_or(usize::MAX);
        self.is_cut_short = candidates.len() > most;
        candidates.truncate(most);
        let runs = candidates.iter().map(|(.., fixture)| self.fails(fixture));
        let ran: Vec<Ran> = stream::iter(runs).buffered(self.jobs).collect().await;
        let mut can: Vec<(Edit, String, Arc<Fixture>)> = Vec::new();
        for ((edit, smaller, fixture), ran) in candidates.into_iter().zip(ran) {
            self.left = self.left.saturating_sub(ran.runs);
            match ran.said {
                Some(_) if !can.iter().any(|(other, ..)| other.covers(&edit)) => {
                    can.push((edit, smaller, fixture));
                }
                Some(_) => {}
                None => _ = self.known.insert(smaller),
            }
        }
        // All of them, or half, and so on; each alone is known to fail.
        let mut many = can.len();
        while many > 1 && self.spare() > 0 {
            let edits: Vec<&Edit> = can[..many].iter().map(|(edit, ..)| edit).collect();
            if let Some(smaller) = edited(text, &edits)
                && let Ok(Some(fixture)) = self.read(&smaller)
            {
                let ran = self.fails(&fixture).await;
                self.left = self.left.saturating_sub(ran.runs);
                if ran.said.is_some() && self.fails_mostly(&fixture).await {
                    let done = edits.iter().map(|edit| edit.told.clone()).collect();
                    told(Progress::Smaller(done));
                    return Some(smaller);
                }
            }
            many /= 2;
        }
        for (edit, smaller, fixture) in can {
            if self.fails_mostly(&fixture).await {
                told(Progress::Smaller(vec![edit.told]));
                return Some(smaller);
            }
            self.known.insert(smaller);
        }
        None
    }

    /// How many candidates can be tried, so that it can be seen how often one of them fails.
    fn spare(&self) -> u32 {
        let kept = if self.times == 1 { ONCE_MORE } else { 0 };
        self.left.saturating_sub(kept) / self.times
    }

    /// Whether it fails about as often as the whole.
    async fn fails_mostly(&mut self, fixture: &Arc<Fixture>) -> bool {
        if self.times > 1 {
            return true;
        }
        let many = ONCE_MORE.min(self.left);
        self.is_cut_short |= many < ONCE_MORE;
        let runs = (0..many).map(|_| self.fails(fixture));
        let ran: Vec<Ran> = stream::iter(runs).buffered(self.jobs).collect().await;
        self.left -= many;
        let failed = ran.iter().filter(|ran| ran.said.is_some()).count();
        2 * failed > many as usize
    }

    /// A text as a scenario; `None` where it is none for this client.
    fn read(&self, text: &str) -> Result<Option<Arc<Fixture>>, E2eError> {
        let name = match &self.fixture.row {
            Some(row) => {
                let name = self.fixture.name.as_str();
                let name = name.strip_suffix(&format!("/{row}")).unwrap_or(name);
                Name::new(name).unwrap_or_else(|_| self.fixture.name.clone())
            }
            None => self.fixture.name.clone(),
        };
        let source = Source::new(&self.fixture.source.path, text);
        let fixtures = read(self.settings, name, source);
        let fixtures = fixtures.map_err(|error| E2eError::Fixtures(vec![error]))?;
        let fixture = fixtures.into_iter().next();
        Ok(fixture.map(|fixture| Arc::new(Fixture { is_always_judged: true, ..fixture })))
    }

    /// Runs it until it fails as it has to, or often enough.
    async fn fails(&self, fixture: &Arc<Fixture>) -> Ran {
        let mut ran = Ran::default();
        while ran.runs < self.times && ran.said.is_none() {
            ran.runs += 1;
            let shown = self.run(fixture).await.unwrap_or_default();
            let mut alike =
                shown.into_iter().filter(|(how, _)| Some(how) == self.evidence.as_ref());
            ran.said = alike.next().map(|(_, said)| said);
        }
        ran
    }

    /// What one run shows; or why it could not be done.
    async fn run(&self, fixture: &Arc<Fixture>) -> Result<Vec<(Evidence, String)>, String> {
        let run =
            RunId { scenario: fixture.name.clone(), client: self.client.name.clone(), round: None };
        let machine = &self.settings.machine;
        let outcome = once(machine, fixture.clone(), &run, &self.client.client).await;
        match &outcome.end {
            End::Skipped(reason) | End::Broken(reason) => Err(reason.clone()),
            End::Held | End::Failed(_) => Ok(Evidence::of(fixture, &outcome)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, times};

    #[test]
    fn what_fails_seldom_is_run_more_often() {
        assert_eq!(times(Rate { failed: 3, of: 3 }), 1);
        assert_eq!(times(Rate { failed: 5, of: 10 }), 5);
        assert_eq!(times(Rate { failed: 1, of: 30 }), 20);
    }
}
