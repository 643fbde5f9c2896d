//! Transcripts that wait for review: found, shown against their golden files, accepted or rejected.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::golden::{SnapshotError, transcript_in};
use crate::whole;

/// A transcript that waits beside its golden file, as `NAME.snap.new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    path: PathBuf,
}

/// All below a folder, in order; hidden folders and links to folders are left out.
///
/// # Errors
/// A folder cannot be read.
pub fn pending(folder: &Path) -> io::Result<Vec<Pending>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(".snap.new") {
                found.push(Pending { path: entry.path() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Pending {
    /// The golden file, there or not yet.
    pub fn golden(&self) -> PathBuf {
        self.path.with_extension("")
    }

    /// What would change in the golden file, as a unified diff.
    ///
    /// # Errors
    /// [`SnapshotError`] where one of the two cannot be read.
    pub fn diff(&self) -> Result<String, SnapshotError> {
        let golden = self.golden();
        let old = match golden.exists() {
            true => transcript_in(&golden)? + "\n",
            false => String::new(),
        };
        let new = transcript_in(&self.path)? + "\n";
        let diff = similar::TextDiff::from_lines(&old, &new);
        Ok(diff.unified_diff().context_radius(3).header("golden", "new").to_string())
    }

    /// Makes it the golden file, all at once.
    ///
    /// # Errors
    /// [`SnapshotError`] where it is no transcript, or cannot be moved.
    pub fn accept(&self) -> Result<(), SnapshotError> {
        transcript_in(&self.path)?;
        let failed =
            |source| SnapshotError::Io { doing: "accept", path: self.path.clone(), source };
        whole::rename(&self.path, &self.golden()).map_err(failed)
    }

    /// Removes it; the golden file stays as it is.
    ///
    /// # Errors
    /// [`SnapshotError`] where it cannot be removed.
    pub fn reject(&self) -> Result<(), SnapshotError> {
        let failed =
            |source| SnapshotError::Io { doing: "remove", path: self.path.clone(), source };
        fs::remove_file(&self.path).map_err(failed)
    }
}
