//! The handle to one broker: accounts are added while it runs.

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

    /// Adds an account, with streams of its own, and returns the login for it. Nobody who is connected
    /// notices; it is there after a restart too.
    ///
    /// # Errors
    /// If the broker was started without [`accounts`](super::Settings::accounts), is down or does not answer,
    /// has such an account, or refuses it.
    pub async fn add_account(&mut self, name: &str) -> Result<Credentials, AccountError> {
        let divided = self.place.divided.as_mut().ok_or(AccountError::Off)?;
        let login = divided.add(name)?;
        let added = self.has_account(&login).await;
        if added.is_err() {
            self.forget_account(name);
        }
        added.map(|()| login)
    }

    /// The account is gone with the next that is added, or with the next restart; its streams stay on
    /// disk.
    pub fn forget_account(&mut self, name: &str) {
        self.place.divided.iter_mut().for_each(|divided| divided.forget(name));
    }

    /// Has the server read its configuration again, and waits until JetStream answers there: it is made
    /// for an account after the server has said that it has read.
    async fn has_account(&self, login: &Credentials) -> Result<(), AccountError> {
        write_config(&self.place, self.asked)?;
        let lines = self.child.new_stderr_lines();
        self.child.signal(Signal::Hup).await.map_err(StopError::from)?;
        let limit = self.place.settings.ready_timeout;
        reloaded(lines, limit).await?;
        let mut waiting_for = String::new();
        let answers = answering(&self.place, self.port(), Some(login), &mut waiting_for);
        match tokio::time::timeout(limit, answers).await {
            Ok(answers) => answers
                .map_err(|trouble| AccountError::Prepare(StartError::Certificate { trouble })),
            Err(_) => Err(AccountError::NotReady { after: limit, waiting_for }),
        }
    }
}
