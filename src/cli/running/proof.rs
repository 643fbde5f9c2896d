//! A question that only this `serve` can answer: it has the secret of its runtime file.
//!
//! The answer is HMAC-SHA256 (RFC 2104) of a question that is drawn anew each time, so that neither
//! shows the secret, and an answer that was overheard is of no use.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read as _};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use crate::modules::{ClientError, ask};
use crate::mono::Connection;

/// How long an answer may take: the process may be stopped.
const LIMIT: Duration = Duration::from_secs(2);
/// How long the servers of a cluster may take to tell each other who listens where.
const SPREADS: Duration = Duration::from_secs(1);
/// No question is longer.
const LONGEST: usize = 64;

/// 256 bits that nobody can guess. Its `Debug` does not show them.
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
        let mut bytes = [0; 32];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// Where its holder answers; the secret does not follow from it.
    fn subject(&self) -> String {
        format!("services.serve.proof-{}", &self.answer(b"subject")[..16])
    }

    fn answer(&self, question: &[u8]) -> String {
        let mut key = [0; 64];
        let secret = self.0.as_bytes();
        // One from a damaged file may have any length.
        let length = secret.len().min(key.len());
        key[..length].copy_from_slice(&secret[..length]);
        let inner = Sha256::new().chain_update(key.map(|b| b ^ 0x36)).chain_update(question);
        let outer =
            Sha256::new().chain_update(key.map(|b| b ^ 0x5c)).chain_update(inner.finalize());
        hex(&outer.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
                let (Some(reply), true) = (question.reply, question.payload.len() <= LONGEST)
                else {
                    continue;
                };
                let _ = client.publish(reply, secret.answer(&question.payload).into()).await;
            }
        }))
    }
}

impl Drop for Prover {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether whoever is there has the secret.
///
/// # Errors
/// Why that is not known, or not so.
pub async fn proves(connection: &Connection, secret: &Secret) -> Result<(), String> {
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
    match reply.payload == secret.answer(question.as_bytes()) {
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
            secret.answer(b"what do ya want for nothing?"),
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
