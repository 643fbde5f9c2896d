//! What is on the wire and on record: CONTRACT.md, "payment.payment-process" and "payment.status".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::amount::{AskedAmount, Exact};

/// A submission, as it came: decoded, not yet checked. Unknown fields are ignored.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct PaymentRequest {
    /// 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub payment_id: String,
    /// A JSON number or a decimal string, kept as text so that no binary float touches it.
    #[schemars(with = "AskedAmount")]
    pub amount: Box<RawValue>,
    /// ISO 4217; default `USD`.
    #[serde(default)]
    pub currency: Option<String>,
    /// Whose payment.
    #[serde(default)]
    pub user_id: Option<String>,
    /// For what.
    #[serde(default)]
    pub subscription_id: Option<String>,
}

/// Where a payment stands. It only ever moves down this list.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Status")]
pub enum Status {
    /// Never seen, or not yet processed.
    Pending,
    /// A worker has it.
    Processing,
    /// Charged; final.
    Completed,
    /// Not charged; final.
    Failed,
}

impl Status {
    /// True for `completed` and `failed`.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// A ledger entry: the outcome of one payment id, written once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LedgerEntry")]
pub struct Entry {
    /// The payment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub payment_id: String,
    /// `completed` or `failed`.
    pub status: Status,
    /// For people: what happened, and why.
    pub message: String,
    /// SHA-256 of the request's content, in hex.
    pub content: String,
    /// The amount, if the request had a good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Exact>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whose payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// For what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
    /// The request's sequence in `payment-requests`.
    pub request_sequence: u64,
    /// Who wrote it.
    pub worker: String,
    /// RFC 3339, UTC.
    pub at: String,
}

/// The claim of one content on a payment id, written once; any worker may take it over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Claim")]
pub struct Intent {
    /// The payment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub payment_id: String,
    /// SHA-256 of the content that has the claim, in hex.
    pub content: String,
    /// The amount, if the request had a good one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Exact>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Who claimed first.
    pub worker: String,
    /// RFC 3339, UTC.
    pub at: String,
}

/// `{"payment_id": "pay-001"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StatusRequest")]
pub struct StatusRequest {
    /// The payment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub payment_id: String,
}

/// `{"payment_id": "pay-001", "status": "completed", "message": "…", "amount": 9.99, …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PaymentStatus")]
pub struct StatusReply {
    /// The payment.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    pub payment_id: String,
    /// Where it stands.
    pub status: Status,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Present once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Exact>,
    /// Present once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// SHA-256 of the content that this status is about, in hex: a submitter compares it with its
    /// own, because a repeated message id with other content is acknowledged as a duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}
