//! The audit: compares the streams with each other and with the gateway's journal.
//!
//! It repairs nothing and creates nothing: it names what is missing, unreadable or contradictory.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::Stream;
use serde::Serialize;
use tokio::task::spawn_blocking;
use write_once::{WriteOnce, ended, runs, unreadable, write_once};

use super::books::{Books, Seen};
use super::dead_letters::DeadLetter;
use super::letters::Letters;
use super::names::DEAD_LETTERS;
use super::names::{CONSUMER, INTENTS, LEDGER, REQUESTS};
use super::salvage::usable_id;
use super::service::became;
use super::store::{self, StoreError};
use super::types::{Entry, Intent, Status};
use crate::modules::journal::{self, JournalError};
use crate::mono::{Connection, ModuleError};
use crate::wire::Unreadable;
use crate::wire::journal::{ChargeOutcome, ChargeRecord};
use crate::wire::subjects::{INTENT_PREFIX, LEDGER_PREFIX, PAYMENT_PROCESS};

mod write_once;

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
    /// Claimed, without an outcome yet.
    pub open: Vec<String>,
    /// Messages that were sent with bytes which cannot be read, waiting or dead letters by now, and
    /// half a line at the journal's end.
    pub unreadable: Vec<String>,
    /// What the broker left behind, and nobody waits for: numbers of claims and outcomes without a
    /// message, where nothing else misses one (a write that failed, as on a full disk, takes a number
    /// and is never acknowledged), and requests that are settled and still stored.
    pub unused: Vec<String>,
    /// Everything that must not be; empty is good.
    pub problems: Vec<String>,
    /// Those in whose text a number stands that may be another at the next look.
    #[serde(skip)]
    counted: Vec<String>,
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
    /// What the streams held when they were last seen could not be read.
    #[error(transparent)]
    Books(#[from] ModuleError),
}

impl AuditError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint.clone(),
            Self::Books(error) => error.hint.clone(),
            Self::Journal(_) => None,
        }
    }
}

/// The evidence outside NATS.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// The gateway's journal.
    pub journal: Option<PathBuf>,
    /// The numbers of messages in the streams when they were last seen.
    pub books: Option<Books>,
}

impl Outside {
    /// What is in a folder of journals.
    pub fn in_folder(journals: &Path) -> Self {
        Self { journal: Some(journals.join("gateway.jsonl")), books: Some(Books::beside(journals)) }
    }
}

/// Reads streams and journal, and compares.
///
/// Payments may move from one stream to the next while they are read, so what does not agree must
/// not agree a second time either.
///
/// # Errors
/// [`AuditError`]; a damaged message is a finding, not an error.
pub async fn audit(connection: &Connection, outside: &Outside) -> Result<Audit, AuditError> {
    let first = once(connection, outside).await?;
    if first.problems.is_empty() && first.counted.is_empty() {
        return Ok(first);
    }
    let mut second = once(connection, outside).await?;
    second.problems.retain(|problem| first.problems.contains(problem));
    second
        .counted
        .retain(|problem| first.counted.iter().any(|it| up_to_count(it) == up_to_count(problem)));
    let counted = std::mem::take(&mut second.counted);
    second.problems.extend(counted);
    Ok(second)
}

/// A problem without its first number and what follows.
fn up_to_count(problem: &str) -> &str {
    problem.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default()
}

async fn once(connection: &Connection, outside: &Outside) -> Result<Audit, AuditError> {
    let mut audit = Audit::default();
    let now = Seen::now(connection).await?;
    audit.counted.extend(now.made_anew());
    if let Some(books) = &outside.books
        && let Some(before) = books.read().await?
    {
        audit.counted.extend(before.lost(&now));
    }
    // What is found first has less: each outcome has its claim, and its charge, by the time that those
    // are looked at. All three are read side by side.
    let ledger = store::find(connection, LEDGER).await?;
    let intents = store::find(connection, INTENTS).await?;
    let charges = outside.journal.clone().map(|path| spawn_blocking(move || journal::read(&path)));
    let (ledger, intents) = tokio::join!(
        write_once(LEDGER, LEDGER_PREFIX, ledger, |e: &Entry| &e.payment_id),
        write_once(INTENTS, INTENT_PREFIX, intents, |i: &Intent| &i.payment_id),
    );
    let (ledger, intents) = (ledger?, intents?);
    let mut gaps = Vec::new();
    let WriteOnce { records: entries, problems, gaps: missing } = ledger;
    audit.problems.extend(problems);
    gaps.extend(missing);
    let WriteOnce { records: claims, problems, gaps: missing } = intents;
    audit.problems.extend(problems);
    gaps.extend(missing);
    let handled = entries.values().map(|entry| entry.request_sequence).max().unwrap_or(0);
    // Before the requests: a message is settled after its letter is filed.
    let letters = match store::find(connection, DEAD_LETTERS).await? {
        Some(stream) => Some(Letters::read(connection, &stream).await?),
        None => None,
    };
    let waiting = waiting(connection, &entries, letters.as_ref(), handled, &mut audit).await?;
    match &letters {
        Some(letters) => {
            audit.name_unreadable(&letters.there);
            audit.problems.extend(letters.compare(&entries, &waiting));
        }
        None => audit.problems.push(format!("stream `{DEAD_LETTERS}` does not exist")),
    }
    audit.claims = claims.len();
    audit.completed = entries.values().filter(|e| e.status == Status::Completed).count();
    audit.failed = entries.len() - audit.completed;
    compare_claims(&entries, &claims, &waiting, &mut audit);
    if let (Some(path), Some(charges)) = (&outside.journal, charges) {
        let charges = ended(charges).await?;
        let charges = told_of(path, charges, &mut audit);
        compare_charges(&entries, &charges, &waiting, &mut audit);
    }
    audit.judge(gaps);
    Ok(audit)
}

/// The payment ids of the requests that wait; `handled` is the latest one that has an outcome.
async fn waiting(
    connection: &Connection,
    entries: &BTreeMap<String, Entry>,
    letters: Option<&Letters>,
    handled: u64,
    audit: &mut Audit,
) -> Result<HashSet<String>, StoreError> {
    let Some(stream) = store::find(connection, REQUESTS).await? else {
        audit.problems.push(format!("stream `{REQUESTS}` does not exist"));
        return Ok(HashSet::new());
    };
    let Given { settled_to, left } = given(&stream).await?;
    let mut contents = store::read_waiting(&stream).await?;
    // It became an outcome, or a dead letter.
    let is_open = |message: &store::Stored| {
        let outcome = usable_id(&message.body).and_then(|id| entries.get(id.as_str()));
        let became_it = outcome.is_some_and(|outcome| became(&message.body, outcome));
        let is_settled =
            became_it || letters.is_some_and(|letters| letters.are_of(message.sequence));
        message.subject == PAYMENT_PROCESS && !is_settled
    };
    let open = contents.messages.iter().filter(|message| is_open(message));
    let (passed, ahead): (Vec<_>, Vec<_>) = open.partition(|it| it.sequence <= settled_to);
    audit.problems.extend(passed.iter().map(|message| {
        let number = message.sequence;
        format!(
            "stream `{REQUESTS}`: message `{number}` has neither an outcome nor a dead letter, and is \
             given to no worker any more, {STUCK}"
        )
    }));
    // Without their numbers, which are others at each look.
    if ahead.len() as u64 > left {
        let problem = format!(
            "stream `{REQUESTS}`: some messages with neither an outcome nor a dead letter are given to \
             no worker any more, {STUCK}"
        );
        audit.problems.push(problem);
    }
    let is_settled =
        |message: &mut store::Stored| message.sequence <= settled_to && !is_open(message);
    let settled: Vec<u64> =
        contents.messages.extract_if(.., is_settled).map(|message| message.sequence).collect();
    audit.unused.extend(settled.iter().map(|number| {
        format!("stream `{REQUESTS}`: message `{number}` is settled and still stored")
    }));
    audit.waiting = contents.stated - settled.len() as u64;
    audit.problems.extend(unreadable(REQUESTS, &runs(contents.missing.iter().copied())));
    audit.unreadable.extend(contents.unreadable(REQUESTS));
    let astray = contents.messages.iter().filter(|message| message.subject != PAYMENT_PROCESS);
    audit.problems.extend(astray.map(|message| {
        format!(
            "stream `{REQUESTS}`: message `{}` on `{}` is given to no worker: they take `{PAYMENT_PROCESS}`",
            message.sequence, message.subject
        )
    }));
    let last = contents.last;
    if last < handled {
        audit.counted.push(format!(
            "stream `{REQUESTS}` ends with message {last}, and the ledger has the outcome of message {handled}"
        ));
    }
    let ids = contents.messages.iter().filter_map(|message| usable_id(&message.body));
    Ok(ids.map(|id| id.to_string()).collect())
}

/// Why a message is given to no worker, and what to do about it.
const STUCK: &str = "as where somebody else has set `max_deliver` on the consumer; a `serve` that runs \
                     has it given again";

/// What the consumer still gives to workers.
struct Given {
    /// It redelivers nothing up to this number. A broker that is killed at a bad moment may have stored
    /// this number, and not the removal of a message.
    settled_to: u64,
    /// So many messages it gives yet, or again.
    left: u64,
}

async fn given(stream: &Stream) -> Result<Given, StoreError> {
    match stream.consumer_info(CONSUMER).await {
        Ok(info) => Ok(Given {
            settled_to: info.ack_floor.stream_sequence,
            left: info.num_pending.saturating_add(info.num_ack_pending as u64),
        }),
        // It is made anew, and then gives all.
        Err(e) if e.kind() == ConsumerInfoErrorKind::NotFound => {
            Ok(Given { settled_to: 0, left: u64::MAX })
        }
        Err(e) => Err(store::failed("look at the consumer of", REQUESTS, e)),
    }
}

impl Audit {
    /// A gap is a loss, unless claims, outcomes, charges and what waits agree without it.
    fn judge(&mut self, gaps: Vec<String>) {
        let agree = self.problems.is_empty() && self.counted.is_empty() && self.charges.is_some();
        if agree {
            let why = "no claim, outcome or charge lacks its counterpart";
            self.unused.extend(gaps.into_iter().map(|gap| format!("{gap}; {why}")));
        } else {
            self.problems.extend(gaps);
        }
    }

    /// Names the dead letters whose originals could not be read; a letter that cannot be read itself
    /// is none that a service filed.
    fn name_unreadable(&mut self, letters: &[DeadLetter]) {
        for letter in letters {
            let number = letter.sequence;
            if let Some(unreadable) = Unreadable::of(Some(&letter.stored.headers)) {
                self.problems
                    .push(format!("stream `{DEAD_LETTERS}`: message `{number}`: `{unreadable}`"));
            } else if letter.raw_headers().is_some() {
                let line = format!("dead letter `{number}`: `{}`", letter.reason);
                self.unreadable.push(line);
            }
        }
    }
}

fn compare_claims(
    entries: &BTreeMap<String, Entry>,
    claims: &BTreeMap<String, Intent>,
    waiting: &HashSet<String>,
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
    let stuck = audit.open.iter().filter(|id| !waiting.contains(*id));
    audit.problems.extend(stuck.map(|id| {
        format!("payment `{id}` is claimed, has no outcome, and its request is not waiting")
    }));
}

fn compare_charges(
    entries: &BTreeMap<String, Entry>,
    charges: &[ChargeRecord],
    waiting: &HashSet<String>,
    audit: &mut Audit,
) {
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
            None if waiting.contains(*id) => {}
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
            Some(entry) if entry.currency.as_ref() != Some(&charge.currency) => {
                let recorded = entry.currency.as_deref().unwrap_or("no currency");
                audit.problems.push(format!(
                    "payment `{id}` was charged in {} and recorded in {recorded}",
                    charge.currency
                ));
            }
            Some(entry) if entry.content != charge.content => {
                audit
                    .problems
                    .push(format!("payment `{id}`: outcome and charge differ in content"));
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

/// The charges of the gateway's journal; a line that cannot be read is a finding.
fn told_of(
    path: &Path,
    contents: journal::Contents<ChargeRecord>,
    audit: &mut Audit,
) -> Vec<ChargeRecord> {
    let journal::Contents { records, damaged, torn } = contents;
    let name = path.display();
    audit.problems.extend(damaged.iter().map(|line| format!("journal `{name}`: `{line}`")));
    // No caller ever got an answer for it, and the next writer cuts it off.
    audit
        .unreadable
        .extend(torn.map(|line| format!("journal `{name}` ends in half a line: `{line}`")));
    records
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use serde_json::json;

    use super::{Audit, compare_charges};

    #[test]
    fn a_charge_of_other_money_or_content_than_the_outcome_is_a_problem() {
        // An amount is the number as it stands on the wire.
        let entry = r#"{"payment_id":"p","status":"completed","message":"","content":"aa","amount":5.00,
            "currency":"USD","request_sequence":1,"worker":"w","at":""}"#;
        let entries = BTreeMap::from([("p".to_owned(), serde_json::from_str(entry).unwrap())]);
        for (amount, currency, content, told) in [
            ("5.00", "USD", "aa", None),
            ("5.01", "USD", "aa", Some("recorded with 5.00")),
            ("5.00", "EUR", "aa", Some("charged in EUR and recorded in USD")),
            ("5.00", "USD", "00", Some("outcome and charge differ in content")),
        ] {
            let charge = json!({
                "at": "", "key": "p", "content": content, "outcome": "approved", "amount": amount,
                "currency": currency, "worker": "w",
            });
            let charge = serde_json::from_value(charge).unwrap();
            let mut audit = Audit::default();
            compare_charges(&entries, &[charge], &HashSet::new(), &mut audit);
            match told {
                None => assert!(audit.problems.is_empty(), "{:?}", audit.problems),
                Some(told) => assert!(
                    audit.problems.len() == 1 && audit.problems[0].contains(told),
                    "{told}: {:?}",
                    audit.problems
                ),
            }
        }
    }

    #[test]
    fn a_problem_with_another_count_is_the_same_problem() {
        let told = |last: u64| format!("stream `payment-requests` ends with message {last}, and …");
        assert_eq!(super::up_to_count(&told(5)), super::up_to_count(&told(17)));
        assert_ne!(
            super::up_to_count(&told(5)),
            super::up_to_count("stream `payment-ledger` ends")
        );
    }

    #[test]
    fn a_gap_is_a_loss_where_something_else_misses_a_message_or_charges_are_unknown() {
        let gap = || vec!["gap".to_owned()];
        let judged = |charges: Option<usize>, problems: Vec<String>| {
            let mut audit = Audit { charges, problems, ..Audit::default() };
            audit.judge(gap());
            (audit.problems.len(), audit.unused.len())
        };
        assert_eq!(judged(Some(1), Vec::new()), (0, 1));
        assert_eq!(judged(Some(1), vec!["payment `p` is open".to_owned()]), (2, 0));
        assert_eq!(judged(None, Vec::new()), (1, 0));
    }
}
