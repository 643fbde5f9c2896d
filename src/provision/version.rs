//! Reads the output of `nats-server --version`, and knows the oldest usable version.

use std::fmt;
use std::str::FromStr;

/// A version of nats-server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
    /// The third number.
    pub patch: u64,
    /// What follows a dash, `RC.1`.
    pub pre: Option<String>,
}

impl Version {
    /// The oldest usable nats-server: earlier ones have security holes that the services rely on
    /// being closed.
    pub const OLDEST: Version = Version { major: 2, minor: 14, patch: 0, pre: None };

    /// The oldest one on which scenarios run, for services that are still to work with it.
    pub const OLDEST_UNDER_TEST: Version = Version { major: 2, minor: 11, patch: 0, pre: None };

    /// Whether this is of that line of releases, or newer.
    #[must_use]
    pub fn is_at_least(&self, oldest: &Version) -> bool {
        (self.major, self.minor) >= (oldest.major, oldest.minor)
    }

    /// Reads the output of `nats-server --version`: `nats-server: v2.15.1`.
    pub(super) fn from_output(output: &str) -> Option<Version> {
        let line = output.trim();
        let version = line.strip_prefix("nats-server:")?.trim();
        version.strip_prefix('v').unwrap_or(version).parse().ok()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match &self.pre {
            Some(pre) => write!(f, "-{pre}"),
            None => Ok(()),
        }
    }
}

/// The text is not `MAJOR.MINOR.PATCH` with an optional `-PRE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (text, None),
        };
        let numbers: Vec<u64> = numbers
            .split('.')
            .map(|number| number.parse().map_err(|_| NotAVersion))
            .collect::<Result<_, _>>()?;
        let [major, minor, patch] = numbers[..] else {
            return Err(NotAVersion);
        };
        Ok(Version { major, minor, patch, pre })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_the_real_server_is_read() {
        let version = Version::from_output("nats-server: v2.15.1\n").unwrap();
        assert_eq!(version.to_string(), "2.15.1");
        let version = Version::from_output("nats-server: v2.14.0-RC.1").unwrap();
        assert_eq!(version.to_string(), "2.14.0-RC.1");
        assert!(version.is_at_least(&Version::OLDEST));
    }

    #[test]
    fn other_output_is_not_a_version() {
        for output in
            ["", "nats-server: ", "nats-server: v2", "nats-server: v2.x.1", "nats: v2.15.1"]
        {
            assert_eq!(Version::from_output(output), None, "{output}");
        }
    }

    #[test]
    fn versions_before_2_14_will_not_do() {
        for (text, will_do) in [
            ("2.13.9", false),
            ("1.99.0", false),
            ("2.9.0", false),
            ("2.14.0", true),
            ("3.0.0", true),
        ] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version.is_at_least(&Version::OLDEST), will_do, "{text}");
        }
    }
}
