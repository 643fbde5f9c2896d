//! The handle to one broker: accounts are added while it runs.

use futures_util::future::try_join_all;

use super::divided::{AccountError, reloaded};
use super::error::{StartError, StopError};
use super::launch::write_config;
use super::lifecycle::Broker;
use super::logins::Credentials;
use super::ready::answering;
use crate::process::Signal;

impl Broker {
    /// The login for the broker's own account, where it can have more.
    #[must_use]
    pub fn own_login(&self) -> Option<&Credentials> {
        self.place.divided.as_ref()?.own()
    }

    /// The login for an account, if there is one of this name.
    #[must_use]
    pub fn account_login(&self, name: &str) -> Option<&Credentials> {
        self.place.divided.as_ref()?.of(name)
    }

    /// Adds accounts, with streams of their own, and returns the login for each. They are there after a
    /// restart too. Nobody who is connected loses the connection, but a question to JetStream that is
    /// under way just then, in any account, may have no answer.
    ///
    /// # Errors
    /// If the broker was started without [`accounts`](super::Settings::accounts), is down or does not
    /// answer, has such an account, or refuses it; then it has none of them.
    pub async fn add_accounts(
        &mut self,
        names: &[String],
    ) -> Result<Vec<Credentials>, AccountError> {
        let divided = self.place.divided.as_mut().ok_or(AccountError::Off)?;
        if let Some(name) = names.iter().find(|name| divided.of(name).is_some()) {
            return Err(AccountError::Twice { name: name.clone() });
        }
        let mut logins = Vec::new();
        for name in names {
            logins.push(divided.add(name)?);
        }
        let added = self.has_accounts(&logins).await;
        if added.is_err() {
            names.iter().for_each(|name| self.forget_account(name));
        }
        added.map(|()| logins)
    }

    /// The account is gone with the next that is added, or with the next restart; its streams stay on
    /// disk.
    pub fn forget_account(&mut self, name: &str) {
        self.place.divided.iter_mut().for_each(|divided| divided.forget(name));
    }

    /// Has the server read its configuration again, and waits until JetStream answers there: it is made
    /// for an account after the server has said that it has read.
    async fn has_accounts(&self, logins: &[Credentials]) -> Result<(), AccountError> {
        write_config(&self.place, self.asked)?;
        let lines = self.child.new_stderr_lines();
        self.child.signal(Signal::Hup).await.map_err(StopError::from)?;
        let limit = self.place.settings.ready_timeout;
        reloaded(lines, limit).await?;
        let all = logins.iter().map(async |login| {
            let mut waiting_for = String::new();
            let answers = answering(&self.place, self.port(), Some(login), &mut waiting_for);
            match tokio::time::timeout(limit, answers).await {
                Ok(answers) => answers
                    .map_err(|trouble| AccountError::Prepare(StartError::Certificate { trouble })),
                Err(_) => Err(AccountError::NotReady { after: limit, waiting_for }),
            }
        });
        try_join_all(all).await.map(drop)
    }
}
