//! `e2e --watch`: which files changed, and which scenarios that affects.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Changes within this time count as one: an editor writes a file in several steps.
const TOGETHER: Duration = Duration::from_millis(100);
/// Folders of build results and downloads, which nobody edits.
const BUILT: [&str; 5] = ["node_modules", "target", "__pycache__", "venv", "dist"];

/// The scenarios that a change affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Fixtures, shared steps and golden files alone, as they are shown.
    Files(BTreeSet<PathBuf>),
    /// A service, a client, the suite file: every chosen scenario.
    All,
}

/// Follows a suite's folder.
pub struct Watch {
    root: PathBuf,
    fixtures: PathBuf,
    shown_from: PathBuf,
    changes: mpsc::UnboundedReceiver<notify::Result<Event>>,
    /// Ends with the watch.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Follows everything below `root` but what was built or fetched, and `fixtures`; tells paths as
    /// they are seen from `shown_from`.
    ///
    /// # Errors
    /// The system's words where a folder cannot be followed.
    pub fn start(root: &Path, fixtures: &Path, shown_from: &Path) -> Result<Self, String> {
        let (send, changes) = mpsc::unbounded_channel();
        let words = |error: notify::Error| error.to_string();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // We read the files ourselves: that is no change.
            if !event.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                // Nobody listens any more: the watch is about to end.
                let _ = send.send(event);
            }
        })
        .map_err(words)?;
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(words)?;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::from([fixtures.to_owned()]);
        for entry in std::fs::read_dir(root).map_err(|error| error.to_string())?.flatten() {
            if entry.path().is_dir() && !is_built(&entry.file_name()) {
                folders.insert(entry.path());
            }
        }
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::Recursive).map_err(words)?;
        }
        let [root, fixtures, shown_from] = [root, fixtures, shown_from].map(Path::to_owned);
        Ok(Self { root, fixtures, shown_from, changes, _watcher: watcher })
    }

    /// The scenarios that the next change affects; changes while scenarios ran count too.
    ///
    /// # Errors
    /// The system's words where it follows no longer.
    pub async fn next(&mut self) -> Result<Touched, String> {
        loop {
            let ended = || "the watch has ended".to_owned();
            let mut event = Some(self.changes.recv().await.ok_or_else(ended)?);
            let mut paths: Vec<PathBuf> = Vec::new();
            while let Some(one) = event {
                paths.extend(one.map_err(|error| error.to_string())?.paths);
                event = timeout(TOGETHER, self.changes.recv()).await.ok().flatten();
            }
            if let Some(touched) = touched(&paths, &self.root, &self.fixtures, &self.shown_from) {
                return Ok(touched);
            }
        }
    }
}

/// The scenarios that these files affect; `None` if the files do not matter.
fn touched(paths: &[PathBuf], root: &Path, fixtures: &Path, shown_from: &Path) -> Option<Touched> {
    let mut files = BTreeSet::new();
    for path in paths.iter().filter(|path| !is_noise(path, root)) {
        let inside = path.strip_prefix(fixtures).ok();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match (inside, extension) {
            (Some(_), Some("toml" | "snap")) => {
                files.insert(path.strip_prefix(shown_from).unwrap_or(path).to_owned());
            }
            // A folder is told of along with what changed in it, and what is gone was most likely
            // a step of an editor.
            _ if !path.is_file() => {}
            _ => return Some(Touched::All),
        }
    }
    (!files.is_empty()).then_some(Touched::Files(files))
}

/// Whether the file was written by ourselves, temporarily by an editor, or by a build.
fn is_noise(path: &Path, root: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let inside = path.strip_prefix(root).unwrap_or(path);
    name.ends_with(".snap.new") || name.ends_with('~') || inside.iter().any(is_built)
}

fn is_built(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || BUILT.contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_scenarios_are_told_and_anything_else_touches_all() {
        let folder = tempfile::Builder::new().prefix(".hidden").tempdir().unwrap();
        let root = folder.path();
        let of = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            for path in &paths {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            touched(&paths, root, &root.join("fixtures"), root)
        };
        let files =
            |paths: &[&str]| Some(Touched::Files(paths.iter().map(PathBuf::from).collect()));
        for paths in [&["fixtures/a/b.toml"][..], &["fixtures/a.row.snap", "fixtures/c.toml"]] {
            assert_eq!(of(paths), files(paths));
        }
        assert_eq!(of(&["worker.py"]), Some(Touched::All));
        assert_eq!(of(&["fixtures/a.toml", "suite.toml"]), Some(Touched::All));
        assert_eq!(of(&["fixtures/body.json"]), Some(Touched::All));
        for noise in [
            "fixtures/a.snap.new",
            "worker.py~",
            ".git/index",
            "node_modules/x/index.js",
            "__pycache__/worker.pyc",
            "fixtures/.a.toml.swp",
        ] {
            assert_eq!(of(&[noise]), None, "{noise}");
        }
        let gone = [root.join("sedXYZ"), root.join("fixtures")];
        assert_eq!(touched(&gone, root, &root.join("fixtures"), root), None);
    }
}
