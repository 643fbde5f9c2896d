//! What the built-in payments and emails promise, as an oracle that `cli` hands to the scenario engine,
//! which knows no service by name.
//!
//! | file | idea |
//! | --- | --- |
//! | `facts`, `amount` | what a history says of payments and emails |
//! | `operations` | what a client's operation is about |
//! | `gather` | journals and streams, written down at the end of a run |
//! | `lives` | a history by payment and by queue message |
//! | `promises`, `breach`, `figures` | what that proves, a promise a file; in numbers |
//! | `words`, `checks` | what `[[check]]` may ask, and the answers |

pub mod amount;
pub mod breach;
mod checks;
pub mod facts;
mod figures;
mod gather;
mod lives;
mod operations;
mod promises;
mod words;

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

pub use figures::Figures;
pub use promises::acknowledged::ACKNOWLEDGED;
pub use promises::asked::ASKED;
pub use promises::first::FIRST;
pub use promises::letters::LETTERS;
pub use promises::once::ONCE;
pub use promises::queue::QUEUE;
pub use promises::settled::SETTLED;
pub use promises::status::STATUS;
pub use words::CHECKS;

use crate::e2e::record::history::{Fact, Json, Recorder};
use crate::e2e::record::trace::{Lane, Party};
use crate::e2e::run::Probe;
use crate::e2e::run::oracle::{Operation, Oracle};
use crate::e2e::scenario::{Asked, CheckWord};
use crate::e2e::verdict::index::Index;
use crate::e2e::verdict::promises::{Endings, Judged, Promises, Unreadable};
use crate::e2e::verdict::{Answer, Finding, Policy, Verdict};
use crate::wire::driver::Op;
use crate::wire::subjects::LEDGER_PREFIX;
use facts::Known;
use figures::Sums;
use lives::Lives;

/// The hash of a payment's content, from the body of its submission; `None` for a body that is
/// no acceptable payment.
pub type ContentOf = Arc<dyn Fn(&[u8]) -> Option<String> + Send + Sync>;

const LEDGER: Party = Party::Stream("ledger");
const GATEWAY: Party = Party::Outside("gateway");
const MAILER: Party = Party::Outside("mailer");

/// The oracle of payments and emails.
#[derive(Clone, Default)]
pub struct Proof {
    /// What tells one content of a payment from another, as the services write it; where it is not
    /// known, amounts do.
    pub content_of: Option<ContentOf>,
}

impl Promises for Proof {
    fn facts(&self) -> &'static [&'static str] {
        facts::WORDS
    }

    fn judge(&self, index: &Index<'_>, policy: Policy) -> Result<Judged, Unreadable> {
        let lives = Lives::new(index)?;
        let figures = figures::figures(&lives);
        let mut findings = vec![
            promises::acknowledged::check(&lives),
            once(&figures, promises::once::check(&lives)),
            promises::settled::check(&lives),
            promises::first::check(&lives),
            promises::letters::check(&lives),
            promises::queue::check(&lives, policy.queue_loss),
            promises::status::check(&lives),
        ];
        findings.extend(promises::asked::check(&lives));
        let within = policy.final_within;
        findings.extend(within.map(|within| promises::finality::check(&lives, within)));
        let endings = promises::finality::endings(&lives).map(|endings| Endings {
            open: endings.open,
            longest_ns: endings.all.iter().map(|ending| ending.after.as_nanos() as u64).max(),
        });
        Ok(Judged { findings, figures: figures.named(), lines: figures.lines(), endings })
    }

    fn told(&self, fact: &Fact) -> Option<(Party, String)> {
        Some(match Known::<String>::of(fact).ok()?? {
            Known::Charge(charge) => {
                let outcome = serde_json::to_value(charge.outcome).ok()?;
                let (id, outcome) = (charge.payment_id, outcome.as_str()?);
                (
                    GATEWAY,
                    format!("charge of {id}: {outcome}, {} {}", charge.amount, charge.currency),
                )
            }
            Known::Email(email) => {
                let word = if email.sent { "sent" } else { "refused" };
                (MAILER, format!("{word}: {}", email.message))
            }
            Known::Outcome(outcome) => {
                (LEDGER, format!("{} is {}", outcome.payment_id, outcome.reading.status))
            }
            Known::DeadLetter(letter) => {
                let id = letter.payment_id.as_deref().unwrap_or("a message without a usable id");
                (Party::Broker, format!("dead letter, {}: {id}", letter.kind))
            }
        })
    }
}

/// The sums follow from the payments one by one, unless an entry has no amount.
fn once(figures: &Figures, mut once: Finding) -> Finding {
    if once.verdict == Verdict::Valid && figures.charged != figures.paid {
        let why = format!(
            "charged {}, completed {}: an outcome is on record without its amount",
            Sums(&figures.charged),
            Sums(&figures.paid)
        );
        once.verdict = Verdict::Unknown { why: vec![why] };
    }
    once
}

impl Oracle for Proof {
    fn operation(&self, op: &Op) -> Option<Operation> {
        operations::operation(op, |body| self.content_of.as_ref()?(body))
    }

    fn reading(&self, reply: &Value) -> Option<Json> {
        operations::reading(reply).and_then(|reading| Json::of(&reading).ok())
    }

    fn gather<'a>(
        &'a self,
        probe: &'a Probe<'a>,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<&'static [&'static str], String>> {
        gather::all(probe, recorder, |body| self.content_of.as_ref()?(body)).boxed()
    }

    fn glimpse(&self, probe: &Probe<'_>, recorder: &Recorder) {
        gather::journals(probe, recorder);
    }

    fn checks(&self) -> &'static [CheckWord] {
        words::CHECKS
    }

    fn look<'a>(
        &'a self,
        probe: &'a Probe<'a>,
        asked: &'a Asked,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        words::look(probe, asked).boxed()
    }

    fn lanes(&self) -> &'static [Lane] {
        &[
            Lane { party: LEDGER, subjects: Some(LEDGER_PREFIX) },
            Lane { party: GATEWAY, subjects: None },
            Lane { party: MAILER, subjects: None },
        ]
    }
}
