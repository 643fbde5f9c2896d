//! A NATS context: a file that says where a server is and what to show it, as natscli writes and
//! reads it (ADR-21).

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A context. Fields that are not used here are left alone; empty is the same as missing. Its `Debug`
/// shows no secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NatsContext {
    /// For whoever lists contexts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Servers, comma separated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// User name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Its password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// A token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Path of a credentials file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub creds: String,
    /// Path of a file with an nkey's seed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nkey: String,
    /// Path of the client's certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert: String,
    /// Path of the client's key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Path of a root certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca: String,
    /// Replies come on `<prefix>.…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub inbox_prefix: String,
}

impl fmt::Debug for NatsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may carry a secret too.
        write!(f, "NatsContext({}, …)", self.description)
    }
}

impl NatsContext {
    /// Writes it whole, for this user only (0600): a reader sees all of it or what was there before.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        // Made with 0600, so that nobody else can read it at any time.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(format!("{:#}\n", serde_json::json!(self)).as_bytes())?;
        file.persist(path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_kept_for_its_user_and_read_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.json");
        // Whoever made it readable before: the new one is not.
        std::fs::write(&path, "{}").unwrap();
        let context = NatsContext {
            user: "client".into(),
            password: "secret".into(),
            ..NatsContext::default()
        };
        context.save(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<NatsContext>(&text).unwrap(), context);
        assert!(!format!("{context:?}").contains("secret"));
        let natscli: NatsContext = serde_json::from_str(r#"{"user_jwt": "", "url": "u"}"#).unwrap();
        assert_eq!(natscli.url, "u");
    }
}
