//! The other `serve` processes of this user: which of them serve the same system, and what that proves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use futures_util::future::join_all;

use super::heard::{Unheard, heard};
use super::journals::Journals;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::running::{self, Runtime, Serves, Standing};
use crate::cli::services;
use crate::cli::shell::word;
use crate::mono::{ConnectError, Connection, Target};

/// Those that live, found before the streams are looked at: each has had all of them.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// They serve this system.
    here: Vec<Runtime>,
    /// They are at its server, and do not say so: they may be in another account.
    perhaps: Vec<Runtime>,
    /// They have proved to serve another one.
    elsewhere: Vec<Runtime>,
    /// Why they were not asked, a sentence.
    pub(super) unasked: Option<String>,
}

impl Others {
    /// Looks where each that lives says that it is, and asks those that may be here on a connection of
    /// its own: a server that does not let us ask says so there.
    ///
    /// # Errors
    /// They cannot be looked for.
    pub(super) async fn find(
        joined: &Connection,
        target: &Target,
        context: &Context,
    ) -> Result<Self, CliError> {
        let context = context.clone();
        // Files are read: not on the runtime's thread.
        let living = tokio::task::spawn_blocking(move || running::living(&context)).await;
        let living = living.map_err(|e| CliError::infrastructure("look for other `serve`", e))?;
        let info = joined.client().server_info();
        let standings =
            join_all(living.iter().map(|other| Standing::find(other, &info, target))).await;
        let is_decided = standings.iter().all(|standing| standing.decided().is_some());
        let mut others = Self::default();
        let connection = match is_decided {
            true => None,
            false => match Connection::open(&running::quiet(target.clone()), "mono-demo").await {
                Ok(connection) => Some(connection),
                Err(error) => {
                    others.unasked = Some(format!(
                        "your other `serve` processes were not asked whether they serve this system, for \
                         that needs a second connection: {error}"
                    ));
                    None
                }
            },
        };
        let serve =
            join_all(living.iter().zip(standings).map(
                async |(other, standing)| match &connection {
                    Some(connection) => standing.ask(other, connection).await,
                    None => (standing.unasked(), None),
                },
            ))
            .await;
        if let Some(connection) = connection {
            connection.close(running::CLOSES).await;
        }
        for (other, (serves, denied)) in living.into_iter().zip(serve) {
            if let Some(words) = denied {
                others.unasked = Some(format!(
                    "your other `serve` processes may not be asked whether they serve this system: {words}"
                ));
            }
            match serves {
                Serves::Here => others.here.push(other),
                Serves::Perhaps => others.perhaps.push(other),
                Serves::Apart => {}
                Serves::Elsewhere => others.elsewhere.push(other),
            }
        }
        Ok(others)
    }

    /// The folders of the journals of those whose system has lost nothing: it is served here, or was proved to
    /// be elsewhere.
    pub(super) fn journals(&self) -> BTreeSet<PathBuf> {
        let served = self.here.iter().chain(&self.elsewhere);
        served.map(|other| other.journals.clone()).collect()
    }

    /// Makes sure that streams which another `serve` has had are there: made anew, they would hide what
    /// was lost, and what its gateway has charged would be charged again. `again` names the server. A sentence
    /// where that is not known.
    ///
    /// # Errors
    /// They are not there, or the server does not say.
    pub(super) async fn refuse_lost(
        &self,
        connection: &Connection,
        target: &Target,
        again: &str,
    ) -> Result<Option<String>, CliError> {
        let Some(missing) = missing(connection).await? else { return Ok(None) };
        // One that runs the broker knows its journals best.
        let here = self.here.iter().min_by_key(|other| !other.runs_broker);
        let Some(other) = here.or(self.perhaps.first()) else {
            return match heard_at(target).await {
                // One that has begun meanwhile has made them.
                Ok(Some(who)) => match self::missing(connection).await? {
                    Some(missing) => Err(refused_beside(&who, &missing, again)),
                    None => Ok(None),
                },
                Ok(None) => Ok(None),
                Err(why) => Ok(Some(format!(
                    "streams that do not exist are made anew, though another `serve` may use this system: {why}"
                ))),
            };
        };
        let Missing { names, does } = missing;
        let pid = other.process.pid;
        let command = format!("mono-demo serve {again} --recreate --journal-dir");
        let goes_on = format!(
            "`{command} {}` makes lost streams anew, and goes on with what its gateway has charged",
            word(other.journals.display())
        );
        let (message, hint) = match here {
            Some(_) => (
                format!(
                    "serve: your `serve` with pid {pid} serves this system, and {names} {does} not exist \
                     any more: somebody deleted what it relies on, and nothing was made anew"
                ),
                goes_on,
            ),
            None => (
                format!(
                    "serve: your `serve` with pid {pid} is at this server and does not say whether it serves \
                     this system, where {names} {does} not exist: somebody may have deleted what it relies \
                     on, so nothing was made anew"
                ),
                format!(
                    "if it serves another account, name a new folder: `{command} NEW`; if it serves this \
                     system, {goes_on}"
                ),
            ),
        };
        Err(CliError::new(Exit::Infrastructure, message).hint(hint))
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

/// Streams of payments that are not there.
struct Missing {
    names: String,
    /// The verb that goes with them.
    does: &'static str,
}

async fn missing(connection: &Connection) -> Result<Option<Missing>, CliError> {
    let missing = services::streams(connection).await?.missing();
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let does = if missing.len() == 1 { "does" } else { "do" };
    Ok((!missing.is_empty()).then(|| Missing { names: names.join(", "), does }))
}

/// Why it is not known who serves payments there.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("it was not asked, for that needs a second connection: {0}")]
    Unconnected(#[from] ConnectError),
    #[error(transparent)]
    Unheard(#[from] Unheard),
}

/// Who serves payments there, by a connection of its own: what is refused on it ends nothing.
async fn heard_at(target: &Target) -> Result<Option<String>, Unknown> {
    let connection = Connection::open(&running::quiet(target.clone()), "mono-demo").await?;
    let who = heard(&connection).await;
    connection.close(running::CLOSES).await;
    Ok(who?)
}

fn refused_beside(who: &str, Missing { names, does }: &Missing, again: &str) -> CliError {
    let message = format!(
        "serve: {who}, and {names} {does} not exist: somebody may have deleted what it relies on, so nothing \
         was made anew"
    );
    CliError::new(Exit::Infrastructure, message).hint(format!(
        "`mono-demo serve {again} --recreate --journal-dir DIR` makes lost streams anew; what its gateway has \
         charged is charged once only where DIR has its journals"
    ))
}
