//! The other `serve` processes of this user: which of them serve the same system, and what that proves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::future::join_all;

use super::journals::Journals;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::running::{self, Runtime, Serves};
use crate::cli::services;
use crate::cli::shell::word;
use crate::mono::{Connection, Target};

/// Those that live, found before the streams are looked at: each has had all of them.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// They serve this system.
    here: Vec<Runtime>,
    /// They are at its server, and cannot be asked: they may be in another account.
    perhaps: Vec<Runtime>,
    /// The folders of the journals of all that live.
    pub(super) journals: BTreeSet<PathBuf>,
}

impl Others {
    /// Asks each that lives, on a connection of its own: a server that does not let us ask says so there.
    ///
    /// # Errors
    /// There is one, and the server does not let another connection in to ask it; or they cannot be looked for.
    pub(super) async fn find(target: &Target, context: &Context) -> Result<Self, CliError> {
        let context = context.clone();
        // Files are read: not on the runtime's thread.
        let living = tokio::task::spawn_blocking(move || running::living(&context)).await;
        let living = living.map_err(|e| CliError::infrastructure("look for other `serve`", e))?;
        if living.is_empty() {
            return Ok(Self::default());
        }
        let connection = Connection::open(target, "mono-demo").await?;
        let serve =
            join_all(living.iter().map(|other| running::serves(other, &connection, &target.url)))
                .await;
        connection.close(std::time::Duration::from_secs(1)).await;
        let journals = living.iter().map(|other| other.journals.clone()).collect();
        let mut others = Self { journals, ..Self::default() };
        for (other, serves) in living.into_iter().zip(serve) {
            match serves {
                Serves::Here => others.here.push(other),
                Serves::Perhaps => others.perhaps.push(other),
                Serves::Apart | Serves::Elsewhere => {}
            }
        }
        Ok(others)
    }

    /// Makes sure that streams which another `serve` has had are there: made anew, they would hide what
    /// was lost, and what its gateway has charged would be charged again.
    ///
    /// # Errors
    /// They are not there, or the server does not say.
    pub(super) async fn refuse_lost(&self, connection: &Connection) -> Result<(), CliError> {
        // One that runs the broker knows its journals best.
        let here = self.here.iter().min_by_key(|other| !other.runs_broker);
        let Some(other) = here.or(self.perhaps.first()) else { return Ok(()) };
        let missing = services::streams(connection).await?.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let does = if names.len() == 1 { "does" } else { "do" };
        let (serves, unless) = match here {
            Some(_) => ("serves this system", ""),
            None => (
                "serves at this server, and this user may not ask whether it serves this system",
                "; where it serves another account, name a new folder",
            ),
        };
        Err(CliError::new(
            Exit::Infrastructure,
            format!(
                "serve: your `serve` with pid {} {serves}, and {} {does} not exist any more: somebody \
                 deleted what it relies on, and nothing was made anew",
                other.process.pid,
                names.join(", ")
            ),
        )
        .hint(format!(
            "`serve --recreate --journal-dir {}` makes lost streams anew, and goes on with what its \
             gateway has charged{unless}",
            word(other.journals.display())
        )))
    }

    /// A sentence for each that serves this system with other journals than a folder named after it.
    pub(super) fn with_other_journals(&self, journals: &Journals) -> Vec<String> {
        let Some(ours) = journals.named_after_system() else { return Vec::new() };
        let apart = self.here.iter().filter(|other| other.journals != ours);
        apart
            .map(|other| {
                format!(
                    "your `serve` with pid {} serves this system too, and has journals of its own, in {}: \
                     what its gateway has charged, this one does not know; `--journal-dir` lets both use \
                     the same",
                    other.process.pid,
                    other.journals.display()
                )
            })
            .collect()
    }
}
