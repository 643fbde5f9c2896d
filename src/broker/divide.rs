//! The handle to one broker: accounts are added while it runs.

use super::divided::{AccountError, reloaded};
use super::error::StopError;
use super::launch::write_config;
use super::lifecycle::Broker;
use super::logins::Credentials;
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
        let added = self.read_config_again().await;
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

    async fn read_config_again(&self) -> Result<(), AccountError> {
        write_config(&self.place, self.asked)?;
        let lines = self.child.new_stderr_lines();
        self.child.signal(Signal::Hup).await.map_err(StopError::from)?;
        reloaded(lines, self.place.settings.ready_timeout).await
    }
}
