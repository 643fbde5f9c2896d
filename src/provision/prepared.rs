//! A folder in the cache that is made once from its sources, and found again by their hash.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::{
    Locked, check_all_private, problem, read_json, sha256_of, sha256_of_folder, write_json,
};
use super::error::ProvisionError;
use super::settings::{Progress, Settings};
use crate::whole;

/// Written last, into the staging folder: a folder with it is whole.
const MARKER: &str = "mono-demo.json";

/// A folder as text, and how it is called.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `node-client`, `go-client`, `suite`.
    pub name: &'static str,
    /// Paths within the folder, and what the files contain.
    pub files: Vec<(String, &'static str)>,
}

impl Sources {
    /// Every file counts, its name too.
    fn sha256(&self) -> String {
        let all: String = self
            .files
            .iter()
            .map(|(path, text)| format!("{path}\0{}\0{text}\0", text.len()))
            .collect();
        sha256_of(&all)
    }

    /// As it is called in progress and errors.
    pub(super) fn what(&self) -> String {
        format!("the {}", self.name.replace('-', " "))
    }

    fn folder_in(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, &self.sha256()[..16]))
    }

    fn write(&self, folder: &Path) -> Result<(), ProvisionError> {
        for (path, text) in &self.files {
            debug_assert!(Path::new(path).components().all(|c| matches!(c, Component::Normal(_))));
            let path = folder.join(path);
            let parent = path.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).map_err(problem("make the folder", parent))?;
            std::fs::write(&path, text).map_err(problem("write", &path))?;
        }
        Ok(())
    }
}

/// What a prepared folder was made of, and with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    sources_sha256: String,
    /// Of all that was made of them: what is run from here is what was prepared.
    prepared_sha256: String,
    /// The version of the tool that made it.
    pub(super) made_with: String,
}

/// The folder and its marker, if it was prepared; runs nothing.
///
/// # Errors
/// If others could have written there, or if what is there is not what was prepared.
pub(super) async fn find(
    settings: &Settings,
    sources: &Sources,
) -> Result<Option<(PathBuf, Marker)>, ProvisionError> {
    let Ok(folder) = sources.folder_in(&settings.cache_dir).canonicalize() else {
        return Ok(None);
    };
    let Some(marker) = read_json::<Marker>(&folder.join(MARKER)) else { return Ok(None) };
    if marker.sources_sha256 != sources.sha256() {
        return Ok(None);
    }
    check_all_private(&folder).await?;
    let found = sha256_of_folder(&folder, MARKER).await?;
    if found != marker.prepared_sha256 {
        let expected = marker.prepared_sha256;
        return Err(ProvisionError::Tampered { path: folder.join(MARKER), expected, found });
    }
    Ok(Some((folder, marker)))
}

/// Prepares the folder: `build` gets a copy of the sources, in a staging folder, and the marker is
/// written when it has succeeded.
///
/// Another run that prepares the same is waited for, and then there is nothing to do.
pub(super) async fn prepare(
    settings: &Settings,
    sources: &Sources,
    made_with: &str,
    progress: &Progress<'_>,
    build: impl AsyncFnOnce(&Path) -> Result<(), ProvisionError>,
) -> Result<PathBuf, ProvisionError> {
    if settings.offline {
        return Err(ProvisionError::Offline {
            what: format!("prepared {}", sources.name.replace('-', " ")),
            notes: Vec::new(),
        });
    }
    let cache = Locked::take(&settings.cache_dir, progress).await?;
    if let Some((folder, _)) = find(settings, sources).await? {
        return Ok(folder);
    }
    let folder = sources.folder_in(cache.folder());
    progress(&format!("preparing {} in {} (once)", sources.what(), folder.display()));
    let staging = cache.staging()?;
    let made = staging.path().join("made");
    sources.write(&made)?;
    build(&made).await?;
    let marker = Marker {
        sources_sha256: sources.sha256(),
        prepared_sha256: sha256_of_folder(&made, MARKER).await?,
        made_with: made_with.to_owned(),
    };
    write_json(&made.join(MARKER), &marker)?;
    // Here only if it is not whole.
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(problem("replace", &folder)(e));
        }
        _ => {}
    }
    whole::rename(&made, &folder).map_err(problem("rename the staging folder to", &folder))?;
    Ok(folder)
}

/// The folder with the sources as they are; needs no network.
///
/// # Errors
/// If the cache folder cannot be used.
pub async fn unpacked(
    settings: &Settings,
    sources: &Sources,
    progress: &Progress<'_>,
) -> Result<PathBuf, ProvisionError> {
    if let Some((folder, _)) = find(settings, sources).await? {
        return Ok(folder);
    }
    let settings = Settings { offline: false, ..settings.clone() };
    prepare(&settings, sources, env!("CARGO_PKG_VERSION"), progress, async |_| Ok(())).await
}

/// Where a tool is on PATH.
pub(super) fn locate(
    settings: &Settings,
    tool: &'static str,
    hint: &'static str,
) -> Result<PathBuf, ProvisionError> {
    // A relative entry of PATH means another folder to each process: such are passed over.
    which::which_in(tool, settings.path.as_ref(), "/").map_err(|error| ProvisionError::NoTool {
        tool,
        problem: format!("{tool}: {error}"),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(c: &'static str) -> Sources {
        Sources { name: "x", files: vec![("a".to_owned(), "1"), ("b/c".to_owned(), c)] }
    }

    async fn prepared(settings: &Settings, sources: &Sources) -> Result<PathBuf, ProvisionError> {
        prepare(settings, sources, "1.0", &|_| {}, async |folder| {
            std::fs::copy(folder.join("b/c"), folder.join("built")).unwrap();
            Ok(())
        })
        .await
    }

    #[tokio::test]
    async fn other_sources_are_another_folder() {
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings::new(cache.path());
        let one = prepared(&settings, &sources("2")).await.unwrap();
        let other = prepared(&settings, &sources("3")).await.unwrap();
        assert_ne!(one, other);
        assert_eq!(std::fs::read_to_string(one.join("built")).unwrap(), "2");
        assert_eq!(std::fs::read_to_string(other.join("built")).unwrap(), "3");
        let (folder, marker) = find(&settings, &sources("2")).await.unwrap().unwrap();
        assert_eq!(marker.made_with, "1.0");
        // What was changed since is not run.
        std::fs::write(folder.join("built"), "evil").unwrap();
        let error = find(&settings, &sources("2")).await.unwrap_err();
        assert!(matches!(error, ProvisionError::Tampered { .. }), "{error}");
        let error = prepared(&settings, &sources("2")).await.unwrap_err();
        assert!(matches!(error, ProvisionError::Tampered { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_build_that_fails_leaves_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let settings = Settings::new(cache.path());
        let sources = sources("2");
        let failed = prepare(&settings, &sources, "1.0", &|_| {}, async |_| {
            Err(ProvisionError::NoTool { tool: "x", problem: String::new(), hint: "" })
        });
        failed.await.unwrap_err();
        assert!(find(&settings, &sources).await.unwrap().is_none());
        let left: Vec<_> = std::fs::read_dir(cache.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["install.lock"]);
    }

    #[tokio::test]
    async fn what_is_prepared_needs_no_network_and_what_is_not_says_so() {
        let cache = tempfile::tempdir().unwrap();
        let offline = Settings { offline: true, ..Settings::new(cache.path()) };
        let error = prepared(&offline, &sources("2")).await.unwrap_err();
        assert!(matches!(error, ProvisionError::Offline { .. }), "{error}");
        prepared(&Settings::new(cache.path()), &sources("2")).await.unwrap();
        assert!(find(&offline, &sources("2")).await.unwrap().is_some());
    }

    #[test]
    fn a_moved_boundary_between_files_is_another_hash() {
        let a = Sources { name: "x", files: vec![("a".to_owned(), "1b")] };
        let b = Sources { name: "x", files: vec![("a".to_owned(), "1"), ("b".to_owned(), "")] };
        assert_ne!(a.sha256(), b.sha256());
    }
}
