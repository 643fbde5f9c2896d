//! What all sessions of a process share.

use std::fmt;
use std::path::PathBuf;

use tokio::sync::OnceCell;

use super::refused::failed;
use crate::broker::Settings;
use crate::process::Reaper;
use crate::provision::{self, NatsServer};
use crate::wire::control::ControlError;

/// What all sessions of a process share: the server's program, the reaper, who hears of an installation.
pub struct Machine {
    search: provision::Settings,
    reaper: Reaper,
    /// The version of this program.
    pub(super) version: &'static str,
    /// Where relative paths begin.
    pub(super) cwd: PathBuf,
    note: fn(&str),
    server: OnceCell<NatsServer>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Machine({})", self.version)
    }
}

impl Machine {
    /// The server is looked for with the first broker; `note` hears what is installed then.
    pub fn new(
        search: provision::Settings,
        reaper: Reaper,
        version: &'static str,
        cwd: PathBuf,
        note: fn(&str),
    ) -> Self {
        Self { search, reaper, version, cwd, note, server: OnceCell::new() }
    }

    /// The settings of a broker of which nothing special is wanted.
    pub(super) async fn broker(&self) -> Result<Settings, ControlError> {
        let look = async || provision::nats_server(&self.search, &self.note).await;
        let server = self.server.get_or_try_init(look).await.map_err(|error| {
            let hint = error.hint();
            ControlError { hint, ..failed(error) }
        })?;
        Ok(Settings::new(server.clone(), self.reaper.clone()))
    }

    /// What ends programs with us.
    pub(super) fn reaper(&self) -> &Reaper {
        &self.reaper
    }
}
