//! Every subject of the contract, built and checked in one place.

use std::fmt;

/// Prefix of every service subject: `services.<module>.<service>`.
pub const SERVICES: &str = "services";
/// Where a payment is submitted (JetStream, stream `payment-requests`).
pub const PAYMENT_PROCESS: &str = "services.payment.payment-process";
/// Where a payment's status is asked (request-reply).
pub const PAYMENT_STATUS: &str = "services.payment.status";
/// Where a calculation is asked (request-reply).
pub const MATH_CALCULATE: &str = "services.math.calculate";
/// Where an email is queued (queue group `email-workers`).
pub const EMAIL_SEND: &str = "services.notification.email-send";
/// Where emails that no worker could accept are published, with the reason in headers.
pub const EMAIL_REJECTED: &str = "services.notification.email-rejected";
/// Prefix of the ledger: one subject a payment. See PAYMENTS.md, "The ledger message is the commit".
pub const LEDGER_PREFIX: &str = "payments.ledger";
/// Prefix of the claims that say which content of a payment id is being processed.
pub const INTENT_PREFIX: &str = "payments.intent";
/// Prefix on which the broker republishes each stored ledger entry; a hint to ask for the status.
pub const EVENT_PREFIX: &str = "payments.events";
/// Prefix of the dead letters, one subject a message.
pub const DEAD_LETTER_PREFIX: &str = "payments.dead-letters";
/// Prefix of the records of failed messages, with the same names as their dead letters.
pub const FAILURE_PREFIX: &str = "payments.failures";

/// Why a name cannot be part of a service subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{token:?} is not a subject token: expected lower-case letters, digits and single hyphens, as in `email-send`"
)]
pub struct TokenError {
    token: String,
}

/// One token of a service subject: `[a-z0-9]+(-[a-z0-9]+)*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(String);

impl Token {
    /// Checks `text` against the contract's grammar for tokens.
    ///
    /// # Errors
    /// [`TokenError`] quotes a text that is empty or has any other character.
    ///
    /// ```
    /// use mono_demo::wire::subjects::Token;
    /// assert!(Token::new("email-send").is_ok());
    /// assert!(Token::new("Email.send").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let word = |w: &str| {
            !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.split('-').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError { token: text.chars().take(80).collect() })
        }
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `services.<module>.<service>`.
pub fn service(module: &Token, service: &Token) -> String {
    format!("{SERVICES}.{module}.{service}")
}

/// True for a payment id: 1 to 64 characters of `A-Z a-z 0-9 _ -`, so that it is safe as a token
/// of the ledger's subjects.
pub fn is_payment_id(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

/// Why a text cannot be published to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The subject has no characters.
    #[error("a subject must not be empty")]
    Empty,
    /// A token between two dots is empty.
    #[error(
        "subject {0:?} has an empty token: dots separate tokens and cannot lead, trail or repeat"
    )]
    EmptyToken(String),
    /// `*` and `>` are for subscribing only.
    #[error("subject {0:?} has a wildcard: one publishes to a literal subject")]
    Wildcard(String),
    /// `>` stands for all tokens from there on.
    #[error("subject {0:?} has a `>` that is not its last token")]
    NotLast(String),
    /// As of a subject; the server takes it as a word of the protocol line.
    #[error(
        "queue group {0:?} is longer than 1024 bytes, or has white space or a control character"
    )]
    QueueGroup(String),
    /// White space and control characters break the protocol line.
    #[error("subject {0:?} has white space or a control character")]
    Character(String),
    /// The server refuses protocol lines over 4 KiB; subjects stay well below.
    #[error("a subject of {0} bytes is longer than the 1024 that are accepted here")]
    TooLong(usize),
}

/// Checks a subject that a person typed before anything is published to it.
///
/// The broker itself accepts wildcards and control characters in a published subject and stores
/// the message under that name, so the check must come first.
///
/// # Errors
/// [`SubjectError`] names what is wrong.
pub fn check_publish_subject(subject: &str) -> Result<(), SubjectError> {
    check_tokens(subject)?;
    match subject.split('.').any(|t| t == "*" || t == ">") {
        true => Err(SubjectError::Wildcard(shown(subject))),
        false => Ok(()),
    }
}

/// Checks what is to be subscribed to, wildcards among it, and the queue group.
///
/// # Errors
/// [`SubjectError`] names what is wrong.
pub fn check_subscription(subject: &str, queue_group: Option<&str>) -> Result<(), SubjectError> {
    check_tokens(subject)?;
    if subject.split('.').rev().skip(1).any(|t| t == ">") {
        return Err(SubjectError::NotLast(shown(subject)));
    }
    match queue_group {
        Some(group) if group.len() > LONGEST || breaks_a_line(group) => {
            Err(SubjectError::QueueGroup(shown(group)))
        }
        _ => Ok(()),
    }
}

/// In bytes.
const LONGEST: usize = 1024;

fn check_tokens(subject: &str) -> Result<(), SubjectError> {
    if subject.is_empty() {
        return Err(SubjectError::Empty);
    }
    if subject.len() > LONGEST {
        return Err(SubjectError::TooLong(subject.len()));
    }
    if breaks_a_line(subject) {
        return Err(SubjectError::Character(shown(subject)));
    }
    if subject.split('.').any(str::is_empty) {
        return Err(SubjectError::EmptyToken(shown(subject)));
    }
    Ok(())
}

fn breaks_a_line(word: &str) -> bool {
    word.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn shown(word: &str) -> String {
    word.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_follow_the_contract() {
        for good in ["math", "email-send", "a1-2b", "7"] {
            assert!(Token::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-", "a-", "-a", "a--b", "A", "a.b", "a b", "é", "a\n", "*", ">"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_subject_is_checked_before_it_is_published_to() {
        assert_eq!(check_publish_subject("services.math.calculate"), Ok(()));
        assert_eq!(check_publish_subject("A.b_c"), Ok(()));
        assert_eq!(check_publish_subject(""), Err(SubjectError::Empty));
        assert!(matches!(check_publish_subject("a..b"), Err(SubjectError::EmptyToken(_))));
        assert!(matches!(check_publish_subject("a.*"), Err(SubjectError::Wildcard(_))));
        assert!(matches!(check_publish_subject("a.>"), Err(SubjectError::Wildcard(_))));
        assert!(matches!(check_publish_subject("a b"), Err(SubjectError::Character(_))));
        assert!(matches!(check_publish_subject("a\r\nPUB x"), Err(SubjectError::Character(_))));
        assert!(matches!(
            check_publish_subject(&"a".repeat(2000)),
            Err(SubjectError::TooLong(2000))
        ));
    }
}
