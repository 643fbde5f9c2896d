//! A question that only this `serve` can answer: it has the secret of its runtime file.
//!
//! The answer is an HMAC-SHA256 of a question that is drawn anew each time, so that neither shows the
//! secret, and an answer that was overheard is of no use. The name of the server that the question was
//! asked at is part of it, as the broker itself tells that to the answerer: one who stands in the place
//! of a node that is down cannot pass the question on to another node. A byte that is in no name stands
//! between the two, so that a longer question, asked where nobody tells a name, is not the same.

use std::fmt;
use std::io;
use std::time::Duration;

use async_nats::{Client, HeaderMap, Subscriber};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::StreamExt as _;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::task::JoinHandle;

use crate::broker::draw_secret;
use crate::modules::{ClientError, ask};
use crate::mono::{Caller, Connection};
use crate::wire::headers::REQUEST_INFO;

/// All questions; only programs of this kind ask them.
pub const QUESTIONS: &str = "services.serve.*";
/// How long an answer may take: the process may be stopped.
const LIMIT: Duration = Duration::from_secs(2);
/// How long the servers of a cluster may take to tell each other who listens where.
pub(super) const SPREADS: Duration = Duration::from_secs(1);
/// No question is longer.
const LONGEST: usize = 64;

/// What nobody can guess. Its `Debug` does not show it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn draw() -> io::Result<Self> {
        draw_secret().map(Self)
    }

    /// Where its holder answers; the secret does not follow from it.
    fn subject(&self) -> String {
        format!("services.serve.proof-{}", &self.answer(b"subject", "")[..16])
    }

    /// To a question that was asked at this server; its name is empty where nobody tells it.
    fn answer(&self, question: &[u8], server: &str) -> String {
        self.code(&[question, b"\0", server.as_bytes()])
    }

    /// The HMAC-SHA256 of all parts, one behind the other.
    fn code(&self, parts: &[&[u8]]) -> String {
        #[expect(clippy::expect_used, reason = "a key of any length is one")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("a key");
        parts.iter().for_each(|part| mac.update(part));
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

/// The server that it was asked at, as the broker tells of those who ask as a finder. One who sends
/// such a header along with the broker's own is asked nowhere.
fn asked_at(headers: Option<&HeaderMap>) -> String {
    let told = || -> Option<serde_json::Value> {
        let mut told = headers?.get_all(REQUEST_INFO);
        let (Some(told), None) = (told.next(), told.next()) else { return None };
        serde_json::from_str(told.as_str()).ok()
    };
    let server = |told: serde_json::Value| Some(told.get("server")?.as_str()?.to_owned());
    told().and_then(server).unwrap_or_default()
}

/// Answers for this process until it is dropped.
#[derive(Debug)]
pub struct Prover {
    caller: Caller,
    subject: String,
    /// How many refusals there were before it listened.
    refused_before: u64,
    /// Ends only if it hears nothing any more.
    answering: JoinHandle<String>,
}

impl Prover {
    /// Listens; who asks from now on is answered. On a system that does not let us nobody is: see
    /// [`lost`](Self::lost).
    pub async fn start(connection: &Connection, secret: Secret) -> Self {
        let caller = connection.caller().clone();
        let (refused_before, subject) = (caller.refusals(), secret.subject());
        let listening = caller.client().subscribe(subject.clone()).await;
        // So that the server has it before anybody reads of it.
        let _ = caller.barrier(LIMIT).await;
        let client = caller.client().clone();
        let answering = tokio::spawn(async move {
            match listening {
                Ok(questions) => answer_all(&client, questions, &secret).await,
                Err(error) => return error.to_string(),
            }
            "its subscription ended".to_owned()
        });
        Self { caller, subject, refused_before, answering }
    }

    /// Returns, once, why nobody is answered any more, or never was. Dropping the wait loses nothing.
    pub async fn lost(&mut self) -> String {
        if self.subject.is_empty() {
            std::future::pending::<()>().await;
        }
        let own = [self.subject.as_str()];
        let why = tokio::select! {
            biased;
            denied = self.caller.refused_since(self.refused_before, &own) => denied.words,
            ended = &mut self.answering => ended.unwrap_or_else(|error| error.to_string()),
        };
        self.subject.clear();
        why
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn answer_all(client: &Client, mut questions: Subscriber, secret: &Secret) {
    while let Some(question) = questions.next().await {
        let answer = secret.answer(&question.payload, &asked_at(question.headers.as_ref()));
        let (Some(reply), true) = (question.reply, question.payload.len() <= LONGEST) else {
            continue;
        };
        let _ = client.publish(reply, answer.into()).await;
    }
}

/// Why nobody has proved to have a secret.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// Whoever has it does not listen there: not in this account, at least.
    #[error("no program there answers for it")]
    Nobody,
    /// Somebody else does.
    #[error("the program that answers there does not know its secret")]
    AnotherSecret,
    /// The question may not be asked there.
    #[error("{0}")]
    Denied(String),
    /// It was asked, and nothing is known: who listens may be paused.
    #[error("{0}")]
    Unknown(String),
}

/// Whether whoever is there has the secret, and heard the question at the server of this name; the name
/// is empty for those whom the broker does not tell about.
///
/// # Errors
/// Why that is not known, or not so.
pub async fn proves(
    connection: &Connection,
    secret: &Secret,
    server: &str,
) -> Result<(), Unproved> {
    proves_within(connection, secret, server, SPREADS).await
}

/// The same of one that listens for longer than it takes to spread.
///
/// # Errors
/// As [`proves`].
pub async fn still_proves(connection: &Connection, secret: &Secret) -> Result<(), Unproved> {
    proves_within(connection, secret, "", Duration::ZERO).await
}

/// Whether somebody hears also a question that nobody has the answer to, as `nats sub '>'`: that nobody answers
/// there proves nothing.
pub(super) async fn is_overheard(connection: &Connection) -> bool {
    let Ok(nobodys) = Secret::draw() else { return false };
    !matches!(still_proves(connection, &nobodys).await, Err(Unproved::Nobody))
}

async fn proves_within(
    connection: &Connection,
    secret: &Secret,
    server: &str,
    spreads: Duration,
) -> Result<(), Unproved> {
    let question = Secret::draw().map_err(|e| Unproved::Unknown(e.to_string()))?.0;
    let asked = tokio::time::Instant::now();
    let reply = loop {
        let body = Bytes::from(question.clone());
        match ask(connection.caller(), &secret.subject(), None, body, LIMIT).await {
            Ok(reply) => break reply,
            // That it has spread cannot be observed.
            Err(ClientError::NoResponders { .. }) if asked.elapsed() < spreads => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(ClientError::NoResponders { .. }) => return Err(Unproved::Nobody),
            Err(error @ ClientError::Permissions { .. }) => {
                return Err(Unproved::Denied(error.to_string()));
            }
            Err(error) => return Err(Unproved::Unknown(error.to_string())),
        }
    };
    match reply.payload == secret.answer(question.as_bytes(), server) {
        true => Ok(()),
        false => Err(Unproved::AnotherSecret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_hmac_sha256() {
        // RFC 4231, test case 2.
        let secret = Secret("Jefe".to_owned());
        assert_eq!(
            secret.code(&[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_answer_at_one_server_is_never_that_at_another() {
        let secret = Secret::draw().unwrap();
        // By a longer question, asked where no name is told.
        assert_ne!(secret.answer(b"question", "node"), secret.answer(b"questionnode", ""));
        assert_ne!(secret.answer(b"question", "node"), secret.answer(b"question\0node", ""));
    }

    #[test]
    fn a_name_that_an_asker_sends_along_is_not_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(asked_at(None), "");
        headers.append(REQUEST_INFO, r#"{"server": "true"}"#);
        assert_eq!(asked_at(Some(&headers)), "true");
        let mut forged = HeaderMap::new();
        forged.append(REQUEST_INFO, r#"{"server": "false"}"#);
        forged.append(REQUEST_INFO, r#"{"server": "true"}"#);
        assert_eq!(asked_at(Some(&forged)), "");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::draw().unwrap();
        assert!(!format!("{secret:?}").contains(&secret.0));
        assert!(!secret.subject().contains(&secret.0[..8]));
    }
}
