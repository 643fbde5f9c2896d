//! A folder that keeps the histories of runs: a file a run, named after scenario and client.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::e2e::record::run::RunId;

/// Where histories stay after their runs.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    /// How often each run was begun.
    begun: Mutex<BTreeMap<RunId, u32>>,
}

impl Kept {
    /// Makes the folder where it is missing, and writes to it once, so that a bad one costs no run.
    ///
    /// # Errors
    /// The system's reason why nothing can be kept there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        File::create_new(&probe)?;
        fs::remove_file(&probe)?;
        Ok(Self { folder: folder.to_owned(), begun: Mutex::default() })
    }

    /// The file of a run that begins, as `orders/happy-path.python.jsonl`. Rounds are numbered, as
    /// `orders/happy-path.python.round-2.jsonl`, and so are further attempts, as
    /// `orders/happy-path.python.again-1.jsonl`. Its folder is there.
    ///
    /// # Errors
    /// The system's reason.
    pub(in crate::e2e) fn file(&self, run: &RunId) -> io::Result<PathBuf> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let times = begun.entry(run.clone()).or_default();
        let again = if *times > 0 { format!(".again-{times}") } else { String::new() };
        *times += 1;
        let round = run.round.map(|round| format!(".round-{round}")).unwrap_or_default();
        let name = format!("{}.{}{round}{again}.jsonl", run.scenario, run.client);
        let file = self.folder.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::text::name::Name;

    #[test]
    fn each_run_has_a_file_and_each_round_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(&folder.path().join("new/histories")).unwrap();
        let scenario = Name::new("sums/total").unwrap();
        let run = RunId { scenario, client: "go".to_owned(), round: None };
        let name =
            |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        assert_eq!(name(kept.file(&run).unwrap()), "new/histories/sums/total.go.jsonl");
        assert_eq!(name(kept.file(&run).unwrap()), "new/histories/sums/total.go.again-1.jsonl");
        let second = RunId { round: Some(2), ..run };
        assert_eq!(name(kept.file(&second).unwrap()), "new/histories/sums/total.go.round-2.jsonl");
        assert!(folder.path().join("new/histories/sums").is_dir());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_refused_before_any_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Kept::open(&file).is_err());
        assert!(Kept::open(&file.join("below")).is_err());
    }
}
