//! Where to look and what is allowed.

use std::ffi::OsString;
use std::path::PathBuf;

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
            python: None,
        }
    }
}

/// Where progress goes: one human line each.
pub type Progress<'a> = dyn Fn(&str) + Send + Sync + 'a;
