//! The audit: holds what the streams have against each other and against the gateway's books.
//!
//! Nothing is repaired and nothing created: what is missing, unreadable or contradictory is named.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ledger::{INTENTS, LEDGER};
use super::store::{self, Contents, StoreError};
use super::types::{Entry, Intent, Status};
use crate::modules::journal::{Journal, JournalError};
use crate::mono::Connection;
use crate::wire::journal::{ChargeOutcome, ChargeRecord};

/// What the audit found.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// Messages waiting in `payment-requests`.
    pub waiting: u64,
    /// Claims.
    pub claims: usize,
    /// Outcomes: completed.
    pub completed: usize,
    /// Outcomes: failed.
    pub failed: usize,
    /// Approved charges in the gateway's journal, if it was given.
    pub charges: Option<usize>,
    /// Claimed, without an outcome: at work while messages are waiting, stuck where none are.
    pub open: Vec<String>,
    /// Everything that must not be; empty is good.
    pub problems: Vec<String>,
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A stream could not be read at all.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gateway's journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Reads streams and journal, and compares.
///
/// # Errors
/// [`AuditError`]; a damaged message is a finding, not an error.
pub async fn audit(connection: &Connection, journal: Option<&Path>) -> Result<Audit, AuditError> {
    let jetstream = connection.jetstream();
    let mut audit = Audit::default();
    if let Some(stream) = store::find(&jetstream, "payment-requests").await? {
        audit.waiting = stream.cached_info().state.messages;
    } else {
        audit.problems.push("stream `payment-requests` does not exist".to_owned());
    }
    let ledger = contents(connection, LEDGER, &mut audit).await?;
    let intents = contents(connection, INTENTS, &mut audit).await?;
    let entries: BTreeMap<String, Entry> =
        decoded(LEDGER, &ledger, |e: &Entry| e.payment_id.clone(), &mut audit);
    let claims: BTreeMap<String, Intent> =
        decoded(INTENTS, &intents, |i: &Intent| i.payment_id.clone(), &mut audit);
    audit.claims = claims.len();
    audit.completed = entries.values().filter(|e| e.status == Status::Completed).count();
    audit.failed = entries.len() - audit.completed;
    compare_claims(&entries, &claims, &mut audit);
    if let Some(path) = journal {
        compare_charges(&entries, &charges(path)?, &mut audit);
    }
    Ok(audit)
}

async fn contents(
    connection: &Connection,
    name: &'static str,
    audit: &mut Audit,
) -> Result<Contents, StoreError> {
    let Some(stream) = store::find(&connection.jetstream(), name).await? else {
        audit.problems.push(format!("stream `{name}` does not exist"));
        return Ok(Contents::default());
    };
    let contents = store::read(&stream).await?;
    // These streams deny deletes and have no limits: a gap is damage.
    for sequence in &contents.missing {
        audit
            .problems
            .push(format!("stream `{name}`: message {sequence} is missing or unreadable"));
    }
    let read = contents.messages.len() as u64;
    if contents.missing.is_empty() && read != contents.stated {
        let stated = contents.stated;
        audit
            .problems
            .push(format!("stream `{name}` says it has {stated} messages and shows {read}"));
    }
    Ok(contents)
}

fn decoded<T: DeserializeOwned>(
    name: &str,
    contents: &Contents,
    id: impl Fn(&T) -> String,
    audit: &mut Audit,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for message in &contents.messages {
        match serde_json::from_slice::<T>(&message.body) {
            Ok(record) if message.subject.ends_with(&format!(".{}", id(&record))) => {
                found.insert(id(&record), record);
            }
            Ok(record) => audit.problems.push(format!(
                "stream `{name}`: message {} on `{}` is about `{}`",
                message.sequence,
                message.subject,
                id(&record)
            )),
            Err(e) => audit.problems.push(format!(
                "stream `{name}`: message {} on `{}` cannot be read: {e}",
                message.sequence, message.subject
            )),
        }
    }
    found
}

fn compare_claims(
    entries: &BTreeMap<String, Entry>,
    claims: &BTreeMap<String, Intent>,
    audit: &mut Audit,
) {
    for (id, entry) in entries {
        match claims.get(id) {
            None => audit.problems.push(format!("payment `{id}` has an outcome and no claim")),
            Some(claim) if claim.content != entry.content => {
                audit.problems.push(format!("payment `{id}`: outcome and claim differ in content"));
            }
            Some(_) => {}
        }
    }
    audit.open = claims.keys().filter(|id| !entries.contains_key(*id)).cloned().collect();
    if audit.waiting == 0 {
        let stuck = audit.open.iter();
        audit.problems.extend(stuck.map(|id| {
            format!("payment `{id}` is claimed, has no outcome, and nothing is waiting")
        }));
    }
}

fn compare_charges(entries: &BTreeMap<String, Entry>, charges: &[ChargeRecord], audit: &mut Audit) {
    let mut approved: BTreeMap<&str, Vec<&ChargeRecord>> = BTreeMap::new();
    for charge in charges.iter().filter(|c| c.outcome == ChargeOutcome::Approved) {
        approved.entry(&charge.key).or_default().push(charge);
    }
    audit.charges = Some(approved.values().map(Vec::len).sum());
    for (id, charged) in &approved {
        let [charge] = charged.as_slice() else {
            audit.problems.push(format!("payment `{id}` was charged {} times", charged.len()));
            continue;
        };
        match entries.get(*id) {
            None if audit.open.iter().any(|open| open == id) && audit.waiting > 0 => {}
            None => audit.problems.push(format!(
                "payment `{id}` was charged {} {} and has no outcome",
                charge.amount, charge.currency
            )),
            Some(entry) if entry.status != Status::Completed => {
                audit.problems.push(format!("payment `{id}` was charged and is failed"));
            }
            Some(entry) if entry.amount.as_ref().is_none_or(|a| a.0 != charge.amount) => {
                let recorded = entry.amount.as_ref().map_or("no amount", |a| a.0.as_str());
                audit.problems.push(format!(
                    "payment `{id}` was charged {} and recorded with {recorded}",
                    charge.amount
                ));
            }
            Some(_) => {}
        }
    }
    for (id, entry) in entries {
        if entry.status == Status::Completed && !approved.contains_key(id.as_str()) {
            audit.problems.push(format!("payment `{id}` is completed and was never charged"));
        }
    }
}

fn charges(path: &Path) -> Result<Vec<ChargeRecord>, JournalError> {
    let journal = Journal::read_only(path)?;
    let mut records = Vec::new();
    journal.transact(|follow| {
        records = follow.since(0)?.0;
        Ok(None::<()>)
    })?;
    Ok(records)
}
