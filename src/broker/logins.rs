//! The passwords of the roles: drawn at random, and kept with a store folder.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::StartError;
use super::roles::Role;
use super::secret::draw_secret;
use super::store::private_folders;
use crate::given::read_private;
use crate::whole;

/// In a store folder: the passwords of its roles.
const KEPT: &str = "roles.json";

/// A user and a password. Its `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password; drawn anew for each run or store folder, the same through restarts.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.user)
    }
}

/// A key with which a program proves its identity without sending a secret: the server asks it to
/// sign a nonce. Its `Debug` does not show the seed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// What the server knows.
    pub public: String,
    /// What signs.
    pub seed: String,
}

impl Key {
    fn draw() -> io::Result<Key> {
        let pair = nkeys::KeyPair::new_user();
        let seed = pair.seed().map_err(io::Error::other)?;
        Ok(Key { public: pair.public_key(), seed })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, …)", self.public)
    }
}

/// The passwords of one run, or of one store folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Logins {
    client: Credentials,
    worker: Credentials,
    harness: Credentials,
    /// New for each run: who knows it can ask whether a server is the one that is meant.
    #[serde(skip)]
    finder: Option<Credentials>,
    /// New for each run too.
    #[serde(skip)]
    worker_key: Option<Key>,
    /// Of more clients, by name; a file of an older version has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    clients: BTreeMap<String, String>,
}

impl Logins {
    /// New ones, also for clients of these names.
    pub(super) fn draw(clients: &[String]) -> io::Result<Logins> {
        let draw = |role: Role| {
            let password = draw_secret()?;
            Ok::<_, io::Error>(Credentials { user: role.user().to_owned(), password })
        };
        let mut logins = Logins {
            client: draw(Role::Client)?,
            worker: draw(Role::Worker)?,
            harness: draw(Role::Harness)?,
            finder: Some(draw(Role::Finder)?),
            worker_key: Some(Key::draw()?),
            clients: BTreeMap::new(),
        };
        logins.add(clients)?;
        Ok(logins)
    }

    /// With a variable in the place of each password, as `$CLIENT_PASSWORD`.
    pub(super) fn variables() -> Logins {
        let of = |role: Role| {
            let user = role.user().to_owned();
            Credentials { password: format!("${}_PASSWORD", user.to_ascii_uppercase()), user }
        };
        Logins {
            client: of(Role::Client),
            worker: of(Role::Worker),
            harness: of(Role::Harness),
            finder: None,
            worker_key: None,
            clients: BTreeMap::new(),
        }
    }

    /// Draws for those clients that have none; whether there were any.
    fn add(&mut self, clients: &[String]) -> io::Result<bool> {
        let before = self.clients.len();
        for name in clients {
            if !self.clients.contains_key(name) {
                self.clients.insert(name.clone(), draw_secret()?);
            }
        }
        Ok(self.clients.len() > before)
    }

    /// Those that a store folder was used with; new ones for a new folder.
    ///
    /// The file is for this user only; a file that others could read is refused, because its
    /// secrets may be known.
    pub(super) fn kept_in(folder: &Path, clients: &[String]) -> Result<Logins, StartError> {
        let path = folder.join(KEPT);
        let problem = |source| StartError::Prepare {
            what: "the file of the roles' passwords",
            path: path.clone(),
            source,
        };
        private_folders(folder).map_err(problem)?;
        if !path.exists() {
            let drawn =
                Self::draw(clients).map_err(|source| StartError::NoRandomness { source })?;
            let text = serde_json::json!(drawn).to_string() + "\n";
            whole::write_first(&path, text).map_err(problem)?;
        }
        let text = read_private(&path).map_err(problem)?;
        let mode = path.metadata().map_err(problem)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let why = format!("others may read it (mode {mode:o}); remove it for new passwords");
            return Err(problem(io::Error::other(why)));
        }
        let mut kept: Logins = serde_json::from_slice(&text).map_err(|e| problem(e.into()))?;
        let drawn = Self::draw(&[]).map_err(|source| StartError::NoRandomness { source })?;
        (kept.finder, kept.worker_key) = (drawn.finder, drawn.worker_key);
        // One that is not named this time keeps its password for another, and cannot log in.
        if kept.add(clients).map_err(|source| StartError::NoRandomness { source })? {
            let text = serde_json::json!(kept).to_string() + "\n";
            whole::write(&path, text).map_err(problem)?;
        }
        Ok(kept)
    }

    /// Of one of the further clients.
    pub(super) fn of_client(&self, name: &str) -> Option<Credentials> {
        let password = self.clients.get(name)?.clone();
        Some(Credentials { user: name.to_owned(), password })
    }

    /// The key that a worker shows in place of its password.
    pub(super) fn worker_key(&self) -> Option<&Key> {
        self.worker_key.as_ref()
    }

    /// Of a role; a finder's are only where they were drawn.
    pub(super) fn of(&self, role: Role) -> Option<&Credentials> {
        match role {
            Role::Client => Some(&self.client),
            Role::Worker => Some(&self.worker),
            Role::Harness => Some(&self.harness),
            Role::Finder => self.finder.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let password = draw_secret().unwrap();
        let shown = format!("{:?}", Credentials { user: "u".into(), password: password.clone() });
        assert!(!shown.contains(&password), "{shown}");
    }
}
