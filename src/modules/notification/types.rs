//! What is sent: CONTRACT.md, "notification.email-send".

use serde::{Deserialize, Serialize};

/// `{"to": "user@example.com", "subject": "Hello", "body": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// Recipient; required.
    pub to: String,
    /// Subject line; required.
    pub subject: String,
    /// Text; may be left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}
