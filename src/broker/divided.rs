//! Accounts that are added while a broker runs: each has subjects and streams of its own.

use std::fmt::Write as _;
use std::time::Duration;

use super::accounts::SERVICES;
use super::error::{StartError, StopError};
use super::logins::Credentials;
use super::quoted::quoted;
use super::secret::draw_secret;
use super::settings::{Auth, Settings};
use crate::process::Lines;

/// Why an account was not added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The broker was not started for it.
    #[error("the broker was started without accounts")]
    Off,
    /// There is one of this name.
    #[error("the broker has an account `{name}` already")]
    Twice {
        /// The name.
        name: String,
    },
    /// Its password or its place in the configuration could not be made.
    #[error(transparent)]
    Prepare(#[from] StartError),
    /// The server could not be told.
    #[error(transparent)]
    Signal(#[from] StopError),
    /// The server does not accept the configuration.
    #[error("nats-server did not take its new configuration: `{line}`")]
    Refused {
        /// What it logged.
        line: String,
    },
    /// The account does not answer.
    #[error("the account did not answer within {after:?}: still {waiting_for}")]
    NotReady {
        /// How long was waited.
        after: Duration,
        /// What was still missing.
        waiting_for: String,
    },
    /// The server ended, or said nothing in time.
    #[error("nats-server did not read its new configuration within {after:?}")]
    Silent {
        /// How long was waited.
        after: Duration,
    },
}

/// The accounts of one broker, each with its login; the first is the broker's own.
#[derive(Debug)]
pub(super) struct Divided(Vec<(String, Credentials)>);

impl Divided {
    /// With the broker's own account: its user is that of the settings, or one that is drawn. Nobody is
    /// let in without a login: a client that shows none by mistake would meet others there.
    /// `None` where the settings want no accounts.
    pub(super) fn begin(settings: &Settings) -> Result<Option<Self>, StartError> {
        let Some(names) = &settings.accounts else { return Ok(None) };
        let own = match &settings.auth {
            Some(Auth::User { user, password }) => {
                Credentials { user: user.clone(), password: password.clone() }
            }
            _ => drawn(SERVICES)?,
        };
        let own = Ok((SERVICES.to_owned(), own));
        let others = names.iter().map(|name| Ok((name.clone(), drawn(name)?)));
        Ok(Some(Self(std::iter::once(own).chain(others).collect::<Result<_, StartError>>()?)))
    }

    /// An account with a new password. Its user has its name.
    pub(super) fn add(&mut self, name: &str) -> Result<Credentials, AccountError> {
        if self.0.iter().any(|(other, login)| other == name || login.user == name) {
            return Err(AccountError::Twice { name: name.to_owned() });
        }
        let login = drawn(name)?;
        self.0.push((name.to_owned(), login.clone()));
        Ok(login)
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name || other == SERVICES);
    }

    /// In nats-server's own language.
    pub(super) fn config(&self, settings: &Settings) -> String {
        let jetstream = if settings.stores() { "jetstream: enabled, " } else { "" };
        let mut text = "accounts {\n".to_owned();
        for (name, Credentials { user, password }) in &self.0 {
            let (name, user, password) = (quoted(name), quoted(user), quoted(password));
            let login = format!("user: {user}, password: {password}");
            let _ = writeln!(text, "  {name} {{ {jetstream}users: [ {{ {login} }} ] }}");
        }
        text + "}\n"
    }

    /// The login for an account.
    pub(super) fn of(&self, name: &str) -> Option<&Credentials> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, login)| login)
    }

    /// The login for the broker's own account.
    pub(super) fn own(&self) -> Option<&Credentials> {
        self.0.first().map(|(_, login)| login)
    }
}

fn drawn(user: &str) -> Result<Credentials, StartError> {
    let password = draw_secret().map_err(|source| StartError::NoRandomness { source })?;
    Ok(Credentials { user: user.to_owned(), password })
}

/// Follows the log until the server says that it has read its configuration again.
pub(super) async fn reloaded(mut lines: Lines, limit: Duration) -> Result<(), AccountError> {
    let said = async {
        while let Some(line) = lines.next().await {
            if line.contains("[INF] Reloaded server configuration") {
                return Ok(());
            }
            if line.contains("[ERR] Failed to reload server configuration") {
                return Err(AccountError::Refused { line });
            }
        }
        Err(AccountError::Silent { after: Duration::ZERO })
    };
    match tokio::time::timeout(limit, said).await {
        Ok(said) => said,
        Err(_) => Err(AccountError::Silent { after: limit }),
    }
}
