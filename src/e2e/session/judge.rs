//! Compares each transcript with its golden file, or writes it as the golden file.

use std::{collections::BTreeMap, time::Duration};

use super::golden::{Comparison, Golden, HEADING_LINES, SnapshotError};
use super::settings::Mode;
use crate::e2e::record::run::{Failure, Place, RunId};
use crate::e2e::text::name::Name;
use crate::e2e::verdict::event::Verdict;
use crate::e2e::verdict::outcome::{End, Outcome};

/// A run with its verdict.
pub(in crate::e2e) type Judged = (RunId, Verdict, Outcome, Duration);

/// What is known of each scenario's golden file.
pub(in crate::e2e) struct Judge {
    mode: Mode,
    files: BTreeMap<Name, File>,
}

struct File {
    golden: Golden,
    /// With [`Mode::Update`], the client that writes it.
    first: String,
    /// Whether the first client has written it, once it has run; `Err` where it did not hold.
    written: Option<Result<(), ()>>,
    /// Runs of others that came before the first client's.
    waiting: Vec<(RunId, Outcome, Duration)>,
}

impl Judge {
    /// Golden files with the client that writes each.
    pub(in crate::e2e) fn new(mode: Mode, goldens: BTreeMap<Name, (Golden, String)>) -> Self {
        let file = |(name, (golden, first))| {
            (name, File { golden, first, written: None, waiting: Vec::new() })
        };
        Self { mode, files: goldens.into_iter().map(file).collect() }
    }

    /// The verdicts that this run makes possible: none yet, its own, or others' with it. Only the
    /// `last` attempt at a run leaves a transcript for review.
    pub(in crate::e2e) fn judge(
        &mut self,
        run: RunId,
        outcome: Outcome,
        elapsed: Duration,
        last: bool,
    ) -> Vec<Judged> {
        let Some(file) = self.files.get_mut(&run.scenario) else {
            return vec![plain(run, outcome, elapsed)];
        };
        if self.mode != Mode::Update {
            let mode = if last { self.mode } else { Mode::Ci };
            let verdict = compared(mode, file, &run, &outcome);
            return vec![(run, verdict, outcome, elapsed)];
        }
        if run.client != file.first && file.written.is_none() {
            file.waiting.push((run, outcome, elapsed));
            return Vec::new();
        }
        if run.client != file.first {
            let verdict = updated(file, &run, &outcome);
            return vec![(run, verdict, outcome, elapsed)];
        }
        let verdict = write(file, &run, &outcome);
        let held = matches!(verdict, Verdict::Passed | Verdict::Updated { .. });
        file.written = Some(if held { Ok(()) } else { Err(()) });
        let waiting = std::mem::take(&mut file.waiting);
        let mut judged = vec![(run, verdict, outcome, elapsed)];
        judged.extend(waiting.into_iter().map(|(run, outcome, elapsed)| {
            let verdict = updated(file, &run, &outcome);
            (run, verdict, outcome, elapsed)
        }));
        judged
    }

    /// Runs whose first client never came, as after `fail_fast`.
    pub(in crate::e2e) fn rest(&mut self) -> Vec<Judged> {
        let waiting = |file: &mut File| std::mem::take(&mut file.waiting);
        let rest = self.files.values_mut().flat_map(waiting);
        rest.map(|(run, outcome, elapsed)| plain(run, outcome, elapsed)).collect()
    }
}

/// Without a golden file only the fixture's own expectations count.
fn plain(run: RunId, outcome: Outcome, elapsed: Duration) -> Judged {
    let verdict = unless_held(&outcome).unwrap_or(Verdict::Passed);
    (run, verdict, outcome, elapsed)
}

/// The verdict of a run that did not get to its end.
fn unless_held(outcome: &Outcome) -> Option<Verdict> {
    match &outcome.end {
        End::Held => None,
        End::Failed(failure) => Some(Verdict::Failed(failure.clone())),
        End::Skipped(reason) => Some(Verdict::Skipped { reason: reason.clone() }),
        End::Broken(reason) => Some(Verdict::Broken { reason: reason.clone() }),
    }
}

fn compared(mode: Mode, file: &File, run: &RunId, outcome: &Outcome) -> Verdict {
    if let Some(verdict) = unless_held(outcome) {
        return verdict;
    }
    let comparison = match file.golden.compare(&outcome.transcript) {
        Ok(Comparison::Same) => return Verdict::Passed,
        Ok(comparison) => comparison,
        Err(error) => return bad_file(&error),
    };
    let pending = match mode {
        Mode::Compare => file.golden.write_pending(&outcome.transcript, &comparison),
        _ => Ok(()),
    };
    // What differs is worth more than the file for its review.
    let trouble = pending.err().map(|error| format!("; it is not kept for review: {error}"));
    not_as_golden(file, run, outcome, comparison, &trouble.unwrap_or_default())
}

/// Another transcript than the golden file's, or one without such a file.
fn not_as_golden(
    file: &File,
    run: &RunId,
    outcome: &Outcome,
    comparison: Comparison,
    trouble: &str,
) -> Verdict {
    let path = file.golden.shown();
    let (message, golden, seen, place) = match comparison {
        Comparison::Differs { golden, seen } => {
            let message = format!("with client {}, the transcript differs from {path}", run.client);
            let place = first_difference(file, &golden, &seen);
            (message, golden, seen, place)
        }
        Comparison::Same | Comparison::New => {
            let place = Place { file: file.golden.fixture().to_owned(), line: 1, column: None };
            let helps = if trouble.is_empty() { ": `--update` writes it" } else { "" };
            let message = format!("there is no golden file {path} yet{helps}");
            (message, String::new(), outcome.transcript.clone(), place)
        }
    };
    let names = ("golden", run.client.as_str());
    differs(message + trouble, &golden, &seen, names, Some(place))
}

fn write(file: &File, run: &RunId, outcome: &Outcome) -> Verdict {
    if let Some(verdict) = unless_held(outcome) {
        return verdict;
    }
    let before = file.golden.compare(&outcome.transcript);
    let written = file.golden.update(&outcome.transcript, before.as_ref().ok());
    match (before, written) {
        // What differs is worth more than why it could not be written.
        (Ok(comparison @ (Comparison::New | Comparison::Differs { .. })), Err(error)) => {
            let trouble = format!("; it is not written: {error}");
            not_as_golden(file, run, outcome, comparison, &trouble)
        }
        (_, Err(error)) => bad_file(&error),
        (Ok(Comparison::Same), Ok(())) => Verdict::Passed,
        (Ok(Comparison::New), Ok(())) => Verdict::Updated { changed: false },
        (_, Ok(())) => Verdict::Updated { changed: true },
    }
}

/// Every further client must give the same transcript as the first.
fn updated(file: &File, run: &RunId, outcome: &Outcome) -> Verdict {
    if let Some(verdict) = unless_held(outcome) {
        return verdict;
    }
    match (&file.written, file.golden.compare(&outcome.transcript)) {
        (Some(Ok(())), Ok(Comparison::Same)) => Verdict::Passed,
        (Some(Ok(())), Ok(Comparison::Differs { golden, seen })) => {
            let message =
                format!("client {} does otherwise than client {}", run.client, file.first);
            let place = first_difference(file, &golden, &seen);
            let names = (file.first.as_str(), run.client.as_str());
            differs(message, &golden, &seen, names, Some(place))
        }
        (_, Err(error)) => bad_file(&error),
        _ => Verdict::Failed(Failure {
            message: format!("client {} did not get to write the golden file", file.first),
            ..Failure::default()
        }),
    }
}

fn differs(
    message: String,
    old: &str,
    new: &str,
    names: (&str, &str),
    place: Option<Place>,
) -> Verdict {
    let (old, new) = (format!("{}\n", old.trim_end()), format!("{}\n", new.trim_end()));
    let diff = similar::TextDiff::from_lines(&old, &new);
    let diff = diff.unified_diff().context_radius(3).header(names.0, names.1).to_string();
    Verdict::Failed(Failure { message, excerpt: None, diff: Some(diff), place })
}

/// The first line of the golden file that differs.
fn first_difference(file: &File, old: &str, new: &str) -> Place {
    let same = old.lines().zip(new.lines()).take_while(|(old, new)| old == new).count();
    let line = same.min(old.lines().count().saturating_sub(1)) + 1;
    Place { file: file.golden.shown(), line: line + HEADING_LINES, column: None }
}

fn bad_file(error: &SnapshotError) -> Verdict {
    Verdict::Broken { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(mode: Mode, folder: &tempfile::TempDir) -> Judge {
        let golden = Golden::new(folder.path().join("a.snap"), "a.toml", "a.toml", "d");
        Judge::new(mode, [(Name::new("a").unwrap(), (golden, "rust".to_owned()))].into())
    }

    fn run(client: &str) -> RunId {
        RunId { scenario: Name::new("a").unwrap(), client: client.to_owned(), round: None }
    }

    fn held(transcript: &str) -> Outcome {
        Outcome { transcript: transcript.to_owned(), ..Outcome::unstarted(End::Held) }
    }

    fn verdicts(judged: Vec<Judged>) -> Vec<(String, Verdict)> {
        judged.into_iter().map(|(run, verdict, ..)| (run.client, verdict)).collect()
    }

    #[test]
    fn the_first_client_writes_and_the_others_must_equal_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut judge = judge(Mode::Update, &folder);
        assert!(judge.judge(run("python"), held("x\n= 2\n"), Duration::ZERO, true).is_empty());
        let judged = verdicts(judge.judge(run("rust"), held("x\n= 1\n"), Duration::ZERO, true));
        assert_eq!(judged[0], ("rust".to_owned(), Verdict::Updated { changed: false }));
        let (client, Verdict::Failed(failure)) = &judged[1] else { panic!("{judged:?}") };
        assert_eq!(client, "python");
        assert_eq!(
            failure.diff.as_deref(),
            Some("--- rust\n+++ python\n@@ -1,2 +1,2 @@\n x\n-= 1\n+= 2\n")
        );
        let judged = verdicts(judge.judge(run("go"), held("x\n= 1\n"), Duration::ZERO, true));
        assert_eq!(judged, [("go".to_owned(), Verdict::Passed)]);
    }

    #[test]
    fn a_run_that_did_not_hold_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut judge = judge(Mode::Update, &folder);
        let failed = Outcome {
            end: End::Failed(Failure { message: "m".to_owned(), ..Failure::default() }),
            ..held("x")
        };
        judge.judge(run("rust"), failed, Duration::ZERO, true);
        let judged = verdicts(judge.judge(run("python"), held("x"), Duration::ZERO, true));
        assert!(matches!(judged[0].1, Verdict::Failed(_)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_shown_and_then_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut judge = judge(Mode::Update, &folder);
        // Nothing is written into a folder that has gone.
        folder.close().unwrap();
        let judged = verdicts(judge.judge(run("rust"), held("x"), Duration::ZERO, true));
        let Verdict::Failed(failure) = &judged[0].1 else { panic!("{judged:?}") };
        let start = "there is no golden file a.snap yet; it is not written: cannot write ";
        assert!(failure.message.starts_with(start), "{failure:?}");
        assert!(failure.diff.as_ref().is_some_and(|diff| diff.ends_with("\n+x\n")), "{failure:?}");
    }

    #[test]
    fn a_difference_is_left_for_review_except_in_ci() {
        let folder = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let verdict =
            verdicts(judge(Mode::Ci, &folder).judge(run("rust"), held("x"), Duration::ZERO, true));
        assert!(matches!(verdict[0].1, Verdict::Failed(_)));
        assert_eq!(files(), 0);
        let verdict = verdicts(judge(Mode::Compare, &folder).judge(
            run("rust"),
            held("x"),
            Duration::ZERO,
            true,
        ));
        assert!(matches!(verdict[0].1, Verdict::Failed(_)));
        assert_eq!(files(), 1);
        judge(Mode::Update, &folder).judge(run("rust"), held("x"), Duration::ZERO, true);
        assert_eq!(files(), 1);
        let verdict =
            verdicts(judge(Mode::Ci, &folder).judge(run("go"), held("x"), Duration::ZERO, true));
        assert_eq!(verdict[0].1, Verdict::Passed);
    }
}
