//! Where to look and what is allowed.

use std::ffi::OsString;
use std::path::PathBuf;

use super::source::Source;
use super::version::Version;

/// Where to look for nats-server and Python, and whether they may be installed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--nats-server`.
    pub explicit: Option<PathBuf>,
    /// `MONO_DEMO_NATS_SERVER`.
    pub env: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// The folder of this program: what was installed with it lies there, or in `../lib/mono-demo`.
    pub beside: Option<PathBuf>,
    /// Where managed copies live: `…/mono-demo` in the user's cache folder.
    pub cache_dir: PathBuf,
    /// Forbids installing.
    pub offline: bool,
    /// A server that was named may be as old as [`Version::OLDEST_UNDER_TEST`].
    pub under_test: bool,
    /// `MONO_DEMO_PYTHON`: the interpreter to build from; `python3` on `PATH` if `None`.
    pub python: Option<PathBuf>,
}

impl Settings {
    /// Looks only in `cache_dir`; installing is allowed.
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Settings {
            explicit: None,
            env: None,
            path: None,
            beside: None,
            cache_dir: cache_dir.into(),
            offline: false,
            under_test: false,
            python: None,
        }
    }
}

impl Settings {
    /// The oldest server that will do, by who named it.
    pub(super) fn oldest(&self, source: Source) -> Version {
        match (source, self.under_test) {
            (Source::Explicit | Source::Env, true) => Version::OLDEST_UNDER_TEST,
            _ => Version::OLDEST,
        }
    }
}

/// Where progress goes: one human line each.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;
