//! `--last-failed`: which runs of a suite did not pass when they were last run. It is kept a file a suite,
//! in this user's state folder.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cli::context::Context;
use crate::cli::exit::CliError;
use crate::e2e::report::Reporter;
use crate::e2e::session::Runs;
use crate::e2e::verdict::event::{Event, Verdict};
use crate::private;
use crate::whole;

/// The largest file that is read.
const LONGEST: u64 = 16 << 20;

/// What is kept of a suite.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The folder of its scenarios, for people who look.
    suite: PathBuf,
    /// Each scenario and client.
    failed: Runs,
}

/// Remembers how each run ends, and writes it down at the end.
pub(super) struct LastFailed {
    path: PathBuf,
    suite: PathBuf,
    passed: Runs,
    failed: Runs,
}

/// Where it is kept of the suite with this folder of scenarios.
fn path(suite: &Path, context: &Context) -> PathBuf {
    let digest = Sha256::digest(suite.as_os_str().as_encoded_bytes());
    let name = HEXLOWER.encode(&digest[..8]);
    context.state_dir().join("last-failed").join(format!("{name}.json"))
}

fn read(path: &Path) -> io::Result<Runs> {
    use std::io::Read as _;
    let mut text = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => _ = file.take(LONGEST).read_to_end(&mut text)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Runs::new()),
        Err(e) => return Err(e),
    }
    Ok(serde_json::from_slice::<Kept>(&text)?.failed)
}

/// The runs of the suite that did not pass when they were last run.
///
/// # Errors
/// The file cannot be read.
pub(super) fn of_suite(suite: &Path, context: &Context) -> Result<Runs, CliError> {
    let path = path(suite, context);
    read(&path).map_err(|error| {
        CliError::infrastructure(&format!("--last-failed: read {}", path.display()), error)
            .hint("remove that file: the next run of the suite writes it again")
    })
}

impl LastFailed {
    pub(super) fn of(suite: &Path, context: &Context) -> Self {
        let path = path(suite, context);
        Self { path, suite: suite.to_owned(), passed: Runs::new(), failed: Runs::new() }
    }

    /// Writes what is known now; of what was not run, what was known before, unless its scenario is none
    /// of these names any more. A suite in which nothing ever failed leaves no file.
    ///
    /// # Errors
    /// It cannot be written, in words for people.
    pub(super) fn write(
        self,
        names: impl FnOnce() -> Option<BTreeSet<String>>,
    ) -> Result<(), String> {
        let failed = |e: io::Error| {
            format!("which runs failed is not kept for --last-failed: {}: {e}", self.path.display())
        };
        // What is no such file is written anew.
        let before = read(&self.path).unwrap_or_default();
        let mut now: Runs = before.difference(&self.passed).cloned().collect();
        if let Some(names) = (!now.is_empty()).then(names).flatten() {
            now.retain(|(scenario, _)| names.contains(scenario));
        }
        now.extend(self.failed.iter().cloned());
        if now.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(e)),
                _ => Ok(()),
            };
        }
        private::folder(self.path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let kept = Kept { suite: self.suite.clone(), failed: now };
        let text = serde_json::to_string_pretty(&kept).map_err(|e| failed(e.into()))?;
        whole::write_for_now(&self.path, text + "\n").map_err(failed)
    }
}

impl Reporter for LastFailed {
    fn name(&self) -> String {
        "the runs that failed".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let Event::RunFinished(report) = event else { return Ok(()) };
        let run = (report.run.scenario.to_string(), report.run.client.clone());
        match report.verdict {
            Verdict::Failed(_) | Verdict::Flaky { .. } | Verdict::Broken { .. } => {
                self.passed.remove(&run);
                self.failed.insert(run);
            }
            // Of several rounds one that failed counts.
            Verdict::Passed | Verdict::Updated { .. } if !self.failed.contains(&run) => {
                self.passed.insert(run);
            }
            Verdict::Passed | Verdict::Updated { .. } | Verdict::Skipped { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(names: &[&str]) -> Runs {
        names.iter().map(|name| ((*name).to_owned(), "rust".to_owned())).collect()
    }

    #[test]
    fn what_was_not_run_stays_and_what_passed_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/x.json");
        let suite = || ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        let write = |passed: &[&str], failed: &[&str]| {
            let (passed, failed) = (runs(passed), runs(failed));
            LastFailed { path: path.clone(), suite: "s".into(), passed, failed }
                .write(|| Some(suite()))
                .unwrap();
        };
        write(&["a"], &[]);
        assert!(!path.exists(), "a suite in which nothing failed leaves nothing");
        write(&["a"], &["b", "c"]);
        write(&["b"], &["d"]);
        assert_eq!(read(&path).unwrap(), runs(&["c", "d"]));
        write(&[], &["gone"]);
        assert_eq!(read(&path).unwrap(), runs(&["c", "d", "gone"]));
        write(&[], &[]);
        assert_eq!(read(&path).unwrap(), runs(&["c", "d"]), "the suite has it no more");
        write(&["c", "d"], &[]);
        assert!(!path.exists());
        std::fs::write(&path, "nonsense").unwrap();
        assert!(read(&path).is_err());
        write(&[], &["e"]);
        assert_eq!(read(&path).unwrap(), runs(&["e"]));
    }
}
