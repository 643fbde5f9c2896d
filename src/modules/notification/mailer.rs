//! The simulated mailer: writes what it "sent" to a journal; rules, not dice, make it fail.

use std::time::Duration;

use serde::Deserialize;

use super::types::Email;
use crate::modules::journal::{Journal, JournalError};
use crate::wire::journal::EmailRecord;

/// What happens to emails for one recipient.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailerRule {
    /// The recipient it is for, to the letter.
    pub to: String,
    /// `fail = true`: the mailer refuses it.
    #[serde(default)]
    pub fail: bool,
    /// How long it takes.
    #[serde(default, with = "crate::modules::duration")]
    pub delay: Duration,
}

/// The simulated mailer.
#[derive(Debug)]
pub struct Mailer {
    rules: Vec<MailerRule>,
    journal: Journal,
}

/// Why an email was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A rule said so.
    #[error("the mailer refused the recipient")]
    Refused,
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Mailer {
    /// A mailer with these rules that writes this journal.
    pub fn new(rules: Vec<MailerRule>, journal: Journal) -> Self {
        Self { rules, journal }
    }

    /// Hands one email over.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, email: &Email, worker: &str) -> Result<(), MailError> {
        let rule = self.rules.iter().find(|rule| rule.to == email.to);
        if let Some(rule) = rule.filter(|rule| !rule.delay.is_zero()) {
            tokio::time::sleep(rule.delay).await; // simulated work
        }
        let sent = !rule.is_some_and(|rule| rule.fail);
        let record = EmailRecord {
            at: jiff::Timestamp::now().to_string(),
            to: email.to.as_str(),
            subject: &email.subject,
            worker,
            sent,
        };
        self.journal.append(&record).await?;
        if sent { Ok(()) } else { Err(MailError::Refused) }
    }
}
