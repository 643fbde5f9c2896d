//! The typed client of the notification service.

use async_nats::Client;

use super::service::check;
use super::types::Email;
use crate::modules::request::{ClientError, encode};
use crate::wire::subjects;

/// Queues emails on `services.notification.email-send`.
#[derive(Debug, Clone)]
pub struct EmailClient {
    client: Client,
}

impl EmailClient {
    /// A client on this connection.
    pub fn new(client: Client) -> Self {
        Self { client }
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
            if body.len() > self.client.max_payload() {
                return Err(ClientError::MaxPayload {
                    bytes: body.len(),
                    limit: self.client.max_payload(),
                });
            }
            bodies.push(body);
        }
        let failed = |evidence: String| ClientError::Other {
            operation: format!("publish to `{}`", subjects::EMAIL_SEND),
            evidence,
        };
        for body in bodies {
            self.client
                .publish(subjects::EMAIL_SEND, body)
                .await
                .map_err(|e| failed(e.to_string()))?;
        }
        self.client.flush().await.map_err(|e| failed(e.to_string()))?;
        Ok(emails.len())
    }
}
