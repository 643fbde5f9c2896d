//! A client process that publishes and dies before it reads the answer.

use std::{io::Write as _, path::PathBuf};

use crate::e2e::driver;
use crate::e2e::driver::pipe::PipeDriver;
use crate::e2e::driver::{Driver as _, DriverFault};
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::run::stage::world::World;
use crate::process::{ExitStatus, Reaper, Spawn};
use crate::wire::driver::{Op, Outcome};
use crate::wire::journal::CrashRecord;

/// Its name in a history.
pub(in crate::e2e) const NAME: &str = "client-that-dies";
/// The first step of a submission, as the services call theirs that follow.
const STEP: &str = "A";
/// SIGABRT, which `abort` raises.
const ABORTED: ExitStatus = ExitStatus::Signal(6);

/// Starts such clients.
pub(in crate::e2e) struct Dying {
    spawn: Spawn,
    reaper: Reaper,
    access: Access,
    seed: u64,
    journal_dir: PathBuf,
}

impl Dying {
    /// `None` where the machine has no such client.
    pub(in crate::e2e) fn of(world: &World) -> Option<Self> {
        let machine = world.machine();
        Some(Self {
            spawn: machine.dying_client.clone()?,
            reaper: machine.reaper.clone(),
            access: world.client_access(),
            seed: machine.seed,
            journal_dir: world.journal_dir().to_owned(),
        })
    }

    /// Does what `op` says in a process of its own, which must abort before it answers.
    ///
    /// # Errors
    /// It did not abort, and what it did instead.
    pub(in crate::e2e) async fn perform(&self, op: Op, key: String) -> Result<(), String> {
        let driver = PipeDriver::start(NAME, &self.reaper, self.spawn.clone())
            .await
            .map_err(|fault| fault.to_string())?;
        let Access { url, credentials, .. } = &self.access;
        driver::hello(&driver, url, credentials.as_ref(), self.seed)
            .await
            .map_err(|fault| fault.to_string())?;
        match driver.perform(op).await {
            Err(DriverFault::Exited { status: ABORTED, .. }) => {
                self.note(key).map_err(|error| format!("note the abort: {error}"))
            }
            Err(fault) => Err(fault.to_string()),
            Ok(Outcome::Ok(value)) => Err(format!("{NAME} lived to answer {value}")),
            Ok(Outcome::Err(error)) => Err(format!("{NAME} lived to answer {error}")),
            Ok(Outcome::Skip(reason)) => Err(format!("{NAME} cannot: {reason}")),
        }
    }

    /// Beside the aborts of the services, which note their own.
    fn note(&self, key: String) -> std::io::Result<()> {
        let record = CrashRecord { step: STEP.to_owned(), key };
        let line = format!("{}\n", serde_json::to_string(&record)?);
        let path = self.journal_dir.join("crashes.jsonl");
        let mut journal = std::fs::File::options().create(true).append(true).open(path)?;
        journal.write_all(line.as_bytes())
    }
}
