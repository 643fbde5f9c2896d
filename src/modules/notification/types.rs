//! What is sent: CONTRACT.md, "notification.email-send".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `{"to": "user@example.com", "subject": "Hello", "body": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Email {
    /// Recipient; required.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Subject line; required.
    pub subject: String,
    /// Text; may be left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}
