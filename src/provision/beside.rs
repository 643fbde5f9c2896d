//! What a package brought with this program, in places that follow from where it lies: nothing is
//! downloaded where it is installed as a wheel, from npm, a `.deb` or a tarball.
//!
//! | lies in | brought by |
//! | --- | --- |
//! | `bin/nats-server` | the wheel of nats-server, beside ours |
//! | `lib/mono-demo/nats-server` | npm, `.deb`, tarball |
//! | `bin/python3`, `lib/python3.*/site-packages/nats_py-*` | the wheel of nats-py, which ours wants |
//! | `lib/mono-demo/wheels` | npm, `.deb`, tarball: an environment is made of them without a network |

use std::path::{Path, PathBuf};

use super::settings::Settings;
use super::version::Version;

/// The package of which every environment of ours has at least this version.
const NATS_PY: &str = "nats-py==";

/// A Python with nats-py.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) program: PathBuf,
    /// `3.12`: the folder of its packages says no more.
    pub(super) version: String,
    pub(super) nats_py: String,
}

/// Those that are there, the nearest first.
pub(super) fn nats_servers(settings: &Settings) -> Vec<PathBuf> {
    let name = format!("nats-server{}", std::env::consts::EXE_SUFFIX);
    let Some(folder) = &settings.beside else { return Vec::new() };
    let places = [folder.join(&name), brought(folder).join(&name)];
    places.into_iter().filter(|path| path.is_file()).collect()
}

/// The environment that this program was installed into, if it has a nats-py that will do: as new as
/// the one that is pinned, and of the same major version. Nothing is run.
pub(super) fn python(settings: &Settings, requirements: &str) -> Option<Python> {
    // A Python that was named is the one that is meant.
    let folder = settings.beside.as_ref().filter(|_| settings.python.is_none())?;
    let program = folder.join("python3");
    if !program.is_file() {
        return None;
    }
    let pinned = pinned(requirements)?;
    let mut found = names_in(&folder.parent()?.join("lib")).filter_map(|name| {
        let version = name.strip_prefix("python")?;
        let packages = folder.parent()?.join("lib").join(&name).join("site-packages");
        let nats_py = names_in(&packages).find_map(|name| {
            let version = name.strip_prefix("nats_py-")?.strip_suffix(".dist-info")?.to_owned();
            will_do(&version, pinned).then_some(version)
        })?;
        Some((version.to_owned(), nats_py))
    });
    let (version, nats_py) = found.next()?;
    Some(Python { program, version, nats_py })
}

/// The folder of wheels, if it has all that the requirements name for every system.
pub(super) fn wheels(settings: &Settings, requirements: &str) -> Option<PathBuf> {
    let folder = brought(settings.beside.as_ref()?).join("wheels");
    let there: Vec<String> = names_in(&folder).collect();
    let has = |pin: &str| {
        let (name, version) = pin.split_once("==")?;
        let beginning = format!("{}-{version}-", name.replace('-', "_"));
        Some(there.iter().any(|file| file.starts_with(&beginning)))
    };
    let mut pins = requirements.lines().filter_map(|line| {
        let first = line.split_whitespace().next()?;
        first.contains("==").then_some(first)
    });
    pins.all(|pin| has(pin).unwrap_or(false)).then_some(folder).filter(|_| !there.is_empty())
}

/// Where packages put what only this program uses.
fn brought(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(folder).join("lib/mono-demo")
}

fn names_in(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = folder.read_dir().into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

fn pinned(requirements: &str) -> Option<&str> {
    requirements.lines().find_map(|line| line.strip_prefix(NATS_PY)?.split_whitespace().next())
}

fn will_do(version: &str, pinned: &str) -> bool {
    match (version.parse::<Version>(), pinned.parse::<Version>()) {
        (Ok(it), Ok(pinned)) => {
            it.major == pinned.major && (it.minor, it.patch) >= (pinned.minor, pinned.patch)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIREMENTS: &str = "nats-py==2.16.0 \\\n    --hash=sha256:1d13\n";

    /// `bin` of an installation with these files.
    fn installed(files: &[&str]) -> (tempfile::TempDir, Settings) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let mut settings = Settings::new(root.path().join("cache"));
        settings.beside = Some(root.path().join("bin"));
        (root, settings)
    }

    #[test]
    fn a_python_beside_will_do_with_a_nats_py_that_is_new_enough() {
        let in_packages = |name: &str| format!("lib/python3.12/site-packages/{name}/METADATA");
        let found = |name: &str| {
            let (_root, settings) = installed(&["bin/python3", &in_packages(name)]);
            python(&settings, REQUIREMENTS).map(|python| (python.version, python.nats_py))
        };
        let told = |version: &str| Some(("3.12".to_owned(), version.to_owned()));
        assert_eq!(found("nats_py-2.16.0.dist-info"), told("2.16.0"));
        assert_eq!(found("nats_py-2.17.1.dist-info"), told("2.17.1"));
        assert_eq!(found("nats_py-2.15.9.dist-info"), None, "too old");
        assert_eq!(found("nats_py-3.0.0.dist-info"), None, "another major version");
        assert_eq!(found("nats_pyx-2.16.0.dist-info"), None, "another package");
    }

    #[test]
    fn a_python_that_was_named_is_the_one_that_is_meant() {
        let packages = "lib/python3.12/site-packages/nats_py-2.16.0.dist-info/METADATA";
        let (_root, mut settings) = installed(&["bin/python3", packages]);
        assert!(python(&settings, REQUIREMENTS).is_some());
        settings.python = Some(PathBuf::from("/usr/bin/python3"));
        assert!(python(&settings, REQUIREMENTS).is_none());
    }

    #[test]
    fn wheels_are_used_where_none_is_missing() {
        let brought = "lib/mono-demo/wheels/nats_py-2.16.0-py3-none-any.whl";
        let (_root, settings) = installed(&[brought]);
        assert!(wheels(&settings, REQUIREMENTS).is_some());
        let more = format!("{REQUIREMENTS}pytest==9.2.0 \\\n    --hash=sha256:ab\n");
        assert!(wheels(&settings, &more).is_none());
        let (_root, settings) =
            installed(&["lib/mono-demo/wheels/nats_py-2.16.1-py3-none-any.whl"]);
        assert!(wheels(&settings, REQUIREMENTS).is_none());
    }

    #[test]
    fn servers_are_found_near_and_in_the_folder_of_the_package() {
        let (root, settings) = installed(&["bin/nats-server", "lib/mono-demo/nats-server"]);
        let expected = ["bin/nats-server", "lib/mono-demo/nats-server"];
        assert_eq!(nats_servers(&settings), expected.map(|path| root.path().join(path)));
        assert!(nats_servers(&Settings::new(root.path())).is_empty());
    }
}
