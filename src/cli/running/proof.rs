//! A question that only this `serve` can answer: it has the secret of its runtime file.
//!
//! The answer is an HMAC-SHA256 of a question that is drawn anew each time, so that neither shows the
//! secret, and an answer that was overheard is of no use. The name of the server that the question was
//! asked at is part of it, as the broker itself tells that to the answerer: one who stands in the place
//! of a node that is down cannot pass the question on to another node.

use std::fmt;
use std::io;
use std::time::Duration;

use async_nats::Message;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::task::JoinHandle;

use crate::broker::draw_secret;
use crate::modules::{ClientError, ask};
use crate::mono::Connection;

/// How long an answer may take: the process may be stopped.
const LIMIT: Duration = Duration::from_secs(2);
/// How long the servers of a cluster may take to tell each other who listens where.
const SPREADS: Duration = Duration::from_secs(1);
/// No question is longer.
const LONGEST: usize = 64;
/// Where the broker tells who asked, of those who ask as a finder.
const WHO_ASKED: &str = "Nats-Request-Info";

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
        #[expect(clippy::expect_used, reason = "a key of any length is one")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("a key");
        mac.update(question);
        mac.update(server.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The server that it was asked at.
fn asked_at(question: &Message) -> String {
    let told = || -> Option<serde_json::Value> {
        serde_json::from_str(question.headers.as_ref()?.get(WHO_ASKED)?.as_str()).ok()
    };
    let server = |told: serde_json::Value| Some(told.get("server")?.as_str()?.to_owned());
    told().and_then(server).unwrap_or_default()
}

/// Answers for this process until it is dropped.
#[derive(Debug)]
pub struct Prover(JoinHandle<()>);

impl Prover {
    /// Listens; who asks from now on is answered. On a system that does not let us nobody is.
    pub async fn start(connection: &Connection, secret: Secret) -> Self {
        let client = connection.client().clone();
        let listening = client.subscribe(secret.subject()).await;
        // So that the server has it before anybody reads of it.
        let _ = connection.caller().barrier(LIMIT).await;
        Self(tokio::spawn(async move {
            let Ok(mut questions) = listening else { return };
            while let Some(question) = questions.next().await {
                let answer = secret.answer(&question.payload, &asked_at(&question));
                let (Some(reply), true) = (question.reply, question.payload.len() <= LONGEST)
                else {
                    continue;
                };
                let _ = client.publish(reply, answer.into()).await;
            }
        }))
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether whoever is there has the secret, and heard the question at the server of this name; the name
/// is empty for those whom the broker does not tell about.
///
/// # Errors
/// Why that is not known, or not so.
pub async fn proves(connection: &Connection, secret: &Secret, server: &str) -> Result<(), String> {
    let question = Secret::draw().map_err(|e| e.to_string())?.0;
    let asked = tokio::time::Instant::now();
    let reply = loop {
        let body = Bytes::from(question.clone());
        match ask(connection.caller(), &secret.subject(), None, body, LIMIT).await {
            Ok(reply) => break reply,
            // That it has spread cannot be observed.
            Err(ClientError::NoResponders { .. }) if asked.elapsed() < SPREADS => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(ClientError::NoResponders { .. }) => {
                return Err("nobody there answers for it".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    match reply.payload == secret.answer(question.as_bytes(), server) {
        true => Ok(()),
        false => Err("whoever answers there does not know its secret".to_owned()),
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
            secret.answer(b"what do ya want ", "for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::draw().unwrap();
        assert!(!format!("{secret:?}").contains(&secret.0));
        assert!(!secret.subject().contains(&secret.0[..8]));
    }
}
