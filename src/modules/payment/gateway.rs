//! The simulated payment gateway: idempotent by key, failing by rule, with a journal of its own.
//!
//! The journal is outside NATS and is shared by every process that opens the same file. Like the
//! records of a real gateway, it is the oracle for "charged once".

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Deserialize;

use accounts::{Accounts, Found};

use super::amount::Money;
use super::names::LEDGER;
use crate::modules::bounded;
use crate::modules::journal::{Damaged, Follow, Journal, JournalError};
use crate::wire::journal::{ChargeOutcome, ChargeRecord};

mod accounts;

/// What happens to the charges that a rule matches; every given condition must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayRule {
    /// This payment id.
    pub id: Option<String>,
    /// This amount, as `"13.13"`.
    pub amount: Option<Decimal>,
    /// What the gateway says; default approve.
    pub outcome: RuleOutcome,
    /// Why, for a decline.
    pub reason: Option<String>,
    /// This many calls fail as unavailable first.
    pub fail_times: u32,
    /// How long each call takes.
    #[serde(with = "crate::modules::duration")]
    pub delay: Duration,
}

/// What a rule makes the gateway say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleOutcome {
    /// Money moves.
    #[default]
    Approve,
    /// Final refusal.
    Decline,
    /// No answer, ever.
    Hang,
}

/// Chance by seed, for payments that no rule matches: same seed and ids, same outcomes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chance {
    /// Any number; it is mixed with the payment id and the attempt.
    pub seed: u64,
    /// Of a hundred payments, how many are declined.
    #[serde(deserialize_with = "bounded::percent")]
    pub decline_percent: u8,
    /// Of a hundred calls, how many fail as unavailable.
    #[serde(deserialize_with = "bounded::percent")]
    pub unavailable_percent: u8,
}

/// What the gateway answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Charged, now or on an earlier call with the same key.
    Approved,
    /// Refused for good, with the reason.
    Declined(String),
    /// Given up earlier; never charged.
    Cancelled(String),
    /// Transient: nothing was charged, call again.
    Unavailable(String),
    /// The key belongs to other content; nothing was charged for this one.
    KeyReused,
}

/// One charge.
#[derive(Debug, Clone)]
pub struct Charge<'a> {
    /// The idempotency key: the payment id.
    pub key: &'a str,
    /// SHA-256 of the content.
    pub content: &'a str,
    /// How much.
    pub money: Money,
    /// Who asks.
    pub worker: &'a str,
}

/// The simulated gateway.
#[derive(Debug)]
pub struct Gateway {
    rules: Vec<GatewayRule>,
    chance: Chance,
    journal: Journal,
    /// Touched by the journal's thread only.
    books: Arc<Mutex<Books>>,
}

/// What the journal says so far.
#[derive(Debug, Default)]
struct Books {
    offset: u64,
    generation: u64,
    /// Keys of damaged lines, which may hide a charge.
    doubtful: HashSet<String>,
    accounts: Accounts,
}

impl Gateway {
    /// A gateway with these rules; the first that matches counts.
    pub fn new(rules: Vec<GatewayRule>, chance: Chance, journal: Journal) -> Self {
        Self { rules, chance, journal, books: Arc::default() }
    }

    /// Looks through the journal as [`Journal::examine`] does; one without records beside this many
    /// outcomes is told.
    pub async fn examine(&self, outcomes: u64) {
        let beside = (outcomes > 0).then(|| {
            let outcomes = match outcomes {
                1 => "an outcome".to_owned(),
                n => format!("{n} outcomes"),
            };
            format!(
                "stream `{LEDGER}` has {outcomes}: unless nothing of that was charged, it was emptied \
                 or removed, or is another system's; `mono-demo audit` names what is missing"
            )
        });
        self.journal.examine::<ChargeRecord>(beside).await;
    }

    /// Charges, or repeats the answer that this key got before; unavailable where the simulated bank
    /// takes longer than `limit`. The journal's own delays are not the bank's.
    ///
    /// # Errors
    /// [`JournalError`]: nothing was answered; the same key may be charged again.
    pub async fn charge(
        &self,
        charge: &Charge<'_>,
        limit: Duration,
    ) -> Result<Outcome, JournalError> {
        let rule = self.rules.iter().find(|rule| rule.matches(charge)).cloned();
        if let Some(rule) = &rule
            && tokio::time::timeout(limit, rule.take_time()).await.is_err()
        {
            let late = format!("the gateway did not answer within {limit:?}");
            return Ok(Outcome::Unavailable(late));
        }
        let (chance, key) = (self.chance, charge.key.to_owned());
        self.settle(charge, move |failures| match rule {
            Some(rule) => rule.outcome(failures),
            None => chance.outcome(&key, failures),
        })
        .await
    }

    /// Charges without looking whether the key was settled: for sabotage only.
    pub(super) async fn charge_again(&self, charge: &Charge<'_>) -> Result<Outcome, JournalError> {
        self.journal.append(&record(charge, ChargeOutcome::Approved, None)).await?;
        Ok(Outcome::Approved)
    }

    /// Closes the key: what was settled stands, and what was not is never charged any more.
    ///
    /// # Errors
    /// [`JournalError`]: the key may still be open.
    pub async fn cancel(&self, charge: &Charge<'_>, reason: &str) -> Result<Outcome, JournalError> {
        let reason = reason.to_owned();
        self.settle(charge, |_| (ChargeOutcome::Cancelled, Some(reason))).await
    }

    /// Reads the books up to their end and, if the key is open, writes what `decide` says of so many
    /// failures, all under the journal's lock.
    async fn settle(
        &self,
        charge: &Charge<'_>,
        decide: impl FnOnce(u32) -> (ChargeOutcome, Option<String>) + Send + 'static,
    ) -> Result<Outcome, JournalError> {
        let books = Arc::clone(&self.books);
        // What is said of it is decided under the lock.
        let mut charge = record(charge, ChargeOutcome::Unavailable, None);
        let work = move |follow: &mut Follow<'_>| {
            let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
            books.read_on(follow)?;
            let failures = match books.accounts.find(&charge.key, &charge.content) {
                Found::Open { failures } => failures,
                Found::Settled(outcome, reason) => {
                    return Ok(told(outcome, reason.map(str::to_owned)));
                }
                Found::Other => return Ok(Outcome::KeyReused),
            };
            if books.doubtful.contains(&charge.key) {
                let why = format!("a damaged line may hide what key `{}` was answered", charge.key);
                return Err(follow.error("read", why));
            }
            (charge.outcome, charge.reason) = decide(failures);
            // Known from here on, and not read back: the file may be gone before.
            books.offset += follow.append(&charge)?;
            let outcome = told(charge.outcome, charge.reason.clone());
            books.accounts.enter(charge);
            Ok(outcome)
        };
        self.journal.transact(work).await
    }
}

impl Books {
    /// Enters what has been appended since.
    fn read_on(&mut self, follow: &mut Follow<'_>) -> Result<(), JournalError> {
        if self.generation != follow.generation() {
            // Another file, or a shorter one: it is counted from its beginning. What is known to be
            // settled is not forgotten.
            (self.generation, self.offset) = (follow.generation(), 0);
            self.accounts.forget_failures();
            self.doubtful.clear();
        }
        let (records, damaged, offset) = follow.since::<ChargeRecord>(self.offset)?;
        self.offset = offset;
        for record in records {
            self.accounts.enter(record);
        }
        self.doubtful.extend(damaged.iter().flat_map(Damaged::keys).cloned());
        Ok(())
    }
}

fn record(charge: &Charge<'_>, outcome: ChargeOutcome, reason: Option<String>) -> ChargeRecord {
    ChargeRecord {
        at: jiff::Timestamp::now().to_string(),
        key: charge.key.to_owned(),
        content: charge.content.to_owned(),
        outcome,
        amount: charge.money.amount_text(),
        currency: charge.money.currency().to_owned(),
        reason,
        worker: charge.worker.to_owned(),
    }
}

fn told(outcome: ChargeOutcome, reason: Option<String>) -> Outcome {
    let reason = reason.unwrap_or_default();
    match outcome {
        ChargeOutcome::Approved => Outcome::Approved,
        ChargeOutcome::Declined => Outcome::Declined(reason),
        ChargeOutcome::Cancelled => Outcome::Cancelled(reason),
        ChargeOutcome::Unavailable => Outcome::Unavailable(reason),
    }
}

impl GatewayRule {
    /// The simulated network and bank.
    async fn take_time(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.outcome == RuleOutcome::Hang {
            std::future::pending::<()>().await;
        }
    }

    fn matches(&self, charge: &Charge<'_>) -> bool {
        self.id.as_deref().is_none_or(|id| id == charge.key)
            && self.amount.is_none_or(|amount| amount == charge.money.amount())
    }

    fn outcome(&self, failures: u32) -> (ChargeOutcome, Option<String>) {
        if failures < self.fail_times {
            return (ChargeOutcome::Unavailable, Some("gateway unavailable".to_owned()));
        }
        match self.outcome {
            RuleOutcome::Decline => {
                let reason =
                    self.reason.clone().unwrap_or_else(|| "declined by the issuer".to_owned());
                (ChargeOutcome::Declined, Some(reason))
            }
            RuleOutcome::Approve | RuleOutcome::Hang => (ChargeOutcome::Approved, None),
        }
    }
}

impl Chance {
    fn outcome(self, key: &str, failures: u32) -> (ChargeOutcome, Option<String>) {
        if self.draw(&format!("{key}/call/{failures}")) < self.unavailable_percent {
            return (ChargeOutcome::Unavailable, Some("gateway unavailable".to_owned()));
        }
        if self.draw(&format!("{key}/payment")) < self.decline_percent {
            return (ChargeOutcome::Declined, Some("declined by the issuer".to_owned()));
        }
        (ChargeOutcome::Approved, None)
    }

    /// 0 to 99, the same for the same seed and text.
    fn draw(self, text: &str) -> u8 {
        use sha2::{Digest, Sha256};
        let hash = Sha256::digest(format!("{}/{text}", self.seed));
        (u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 100) as u8
    }
}

#[cfg(test)]
mod tests;
