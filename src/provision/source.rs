//! Where a program comes from.

use std::fmt;

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Named by `--nats-server`.
    Explicit,
    /// Named by `MONO_DEMO_NATS_SERVER`.
    Env,
    /// Installed with this program, beside it.
    Beside,
    /// Found on `PATH`.
    Path,
    /// The managed copy in the cache folder.
    Managed,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Explicit => "--nats-server",
            Source::Env => "MONO_DEMO_NATS_SERVER",
            Source::Beside => "installed with mono-demo",
            Source::Path => "PATH",
            Source::Managed => "managed copy",
        })
    }
}
