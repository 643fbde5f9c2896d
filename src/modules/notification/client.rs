//! The typed client of the notification service.

use std::time::Duration;

use super::service::check;
use super::types::Email;
use crate::modules::client_error::ClientError;
use crate::modules::request::{encode, publish_all, publish_confirmed};
use crate::mono::Caller;
use crate::wire::subjects;

/// How long the broker may take to have them all.
const LIMIT: Duration = Duration::from_secs(10);

/// Queues emails on `services.notification.email-send`.
#[derive(Debug, Clone)]
pub struct EmailClient {
    caller: Caller,
}

impl EmailClient {
    /// A client on this connection.
    pub fn new(caller: impl Into<Caller>) -> Self {
        Self { caller: caller.into() }
    }

    /// Queues emails and returns how many: all are checked before the first is published, and all
    /// have reached the broker when this returns. With no worker running they are gone: core NATS
    /// keeps nothing.
    ///
    /// # Errors
    /// [`ClientError::BadInput`] names the email; nothing was published then.
    pub async fn send(&self, emails: &[Email]) -> Result<usize, ClientError> {
        let mut bodies = Vec::with_capacity(emails.len());
        for (n, email) in emails.iter().enumerate() {
            check(email).map_err(|e| ClientError::BadInput(format!("email {}: {e}", n + 1)))?;
            let body = encode(email)?;
            bodies.push(body);
        }
        publish_all(&self.caller, subjects::EMAIL_SEND, bodies, LIMIT).await?;
        Ok(emails.len())
    }

    /// Queues an email that somebody is there to take: a worker, of ours or another one's.
    ///
    /// # Errors
    /// [`ClientError::BadInput`], and [`ClientError::NoResponders`] where nobody listens; the email is
    /// gone then.
    pub async fn send_confirmed(&self, email: &Email, limit: Duration) -> Result<(), ClientError> {
        check(email).map_err(ClientError::BadInput)?;
        publish_confirmed(&self.caller, subjects::EMAIL_SEND, None, encode(email)?, limit).await
    }
}
