//! All checks, one after the other.

use serde::Serialize;

use super::bench::{self, Bench, CheckError};
use super::list;
use super::talk::Talk;
use crate::broker::{Auth, Broker};
use crate::process::{Reaper, Spawn};
use crate::provision::NatsServer;

/// One check, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// `subscribe-barrier`.
    pub name: &'static str,
    /// What the driver promises, in a sentence.
    pub promise: &'static str,
    /// How it went.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The driver keeps it.
    Passed,
    /// It does not.
    Failed {
        /// What it did instead.
        complaint: String,
        /// The last lines that went each way: `→` to the driver, `←` from it, `!` its log.
        exchange: Vec<String>,
    },
    /// Not asked: the driver does not claim the operation, or a check before it failed.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// Checks the driver that `spawn` starts, and tells each result as it is known.
///
/// # Errors
/// [`CheckError`] where our own side cannot be set up, or the driver cannot be started; what else is wrong with the driver is a verdict.
pub async fn check(
    server: NatsServer,
    reaper: &Reaper,
    spawn: &Spawn,
    only: &[String],
    mut told: impl FnMut(&Checked),
) -> Result<Vec<Checked>, CheckError> {
    let mut settings = crate::broker::Settings::new(server, reaper.clone());
    settings.max_payload = Some(bench::MAX_PAYLOAD);
    settings.auth = Some(Auth::Roles(bench::roles()));
    let mut bench = Bench::new(Broker::start(settings).await?).await?;
    let mut results: Vec<Checked> = Vec::new();
    let mut capabilities: Option<Vec<String>> = None;
    for check in list::CHECKS {
        let greets = check.name == list::GREETING;
        if !greets && !only.is_empty() && !only.iter().any(|name| name == check.name) {
            continue;
        }
        let missing = |known: &Vec<String>| {
            check.needs.iter().find(|op| !known.iter().any(|other| other == *op)).copied()
        };
        let verdict = match &capabilities {
            None if !greets => Verdict::Skipped { reason: format!("`{}` failed", list::GREETING) },
            Some(known) if missing(known).is_some() => Verdict::Skipped {
                reason: format!("the driver does not claim `{}`", missing(known).unwrap_or("")),
            },
            _ => match Talk::start(reaper, spawn.clone(), bench.login()).await {
                Ok(talk) => one(&mut bench, talk, check, &mut capabilities).await,
                // Nothing else would come of the other checks.
                Err(why) if greets => {
                    bench.close().await;
                    return Err(CheckError::Driver(why));
                }
                Err(complaint) => Verdict::Failed { complaint, exchange: Vec::new() },
            },
        };
        let checked = Checked { name: check.name, promise: check.promise, verdict };
        told(&checked);
        results.push(checked);
    }
    bench.close().await;
    Ok(results)
}

/// The names of all checks.
pub fn names() -> impl Iterator<Item = &'static str> {
    list::CHECKS.iter().map(|check| check.name)
}

async fn one(
    bench: &mut Bench,
    mut talk: Talk,
    check: &list::Check,
    capabilities: &mut Option<Vec<String>>,
) -> Verdict {
    let result = (check.run)(bench, &mut talk).await;
    if check.name == list::GREETING && result.is_ok() {
        *capabilities = Some(talk.capabilities.clone());
    }
    let verdict = match result {
        Ok(()) => Verdict::Passed,
        Err(complaint) => Verdict::Failed { complaint, exchange: talk.exchange() },
    };
    talk.end().await;
    verdict
}
