//! Every message of the contract: its schema, its headers, an example.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::modules::payment::{Entry, Intent, PaymentRequest, StatusReply, StatusRequest};
use crate::modules::{math, notification};
use crate::mono::Record;
use crate::wire::headers as h;

/// A message that crosses the wire.
pub struct Message {
    /// Its name in both documents, as `MathRequest`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Headers that it has, with what they hold.
    pub headers: &'static [(&'static str, &'static str)],
    /// Headers that it may have.
    pub optional_headers: &'static [(&'static str, &'static str)],
    /// A body that is valid; `None` where any bytes may come.
    pub example: Option<Value>,
    schema: Option<fn(&mut SchemaGenerator) -> Schema>,
}

/// The body of an error reply; the headers carry code and kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReply {
    /// What is wrong, one line.
    pub error: String,
}

/// JetStream's acknowledgement of a submission: from here on it is not lost.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PublishAck {
    /// The stream that stored it.
    pub stream: String,
    /// Its sequence there.
    pub seq: u64,
    /// True where the message id was already known: nothing was stored.
    #[serde(default)]
    pub duplicate: bool,
}

const ERROR_HEADERS: &[(&str, &str)] = &[
    (h::ERROR, "true"),
    (h::ERROR_TYPE, "bad-request, internal or unavailable"),
    (h::ERROR_MESSAGE, "what is wrong, one line"),
    (h::SERVICE_ERROR, "the same, by the NATS service API"),
    (h::SERVICE_ERROR_CODE, "400, 500 or 503"),
];

const DEAD_HEADERS: &[(&str, &str)] = &[
    (h::DEAD_KIND, "malformed, rejected, conflict or exhausted"),
    (h::DEAD_REASON, "why, one line"),
    (h::DEAD_STREAM, "the stream it came from"),
    (h::DEAD_SUBJECT, "the subject it came from"),
    (h::DEAD_SEQUENCE, "its sequence in that stream"),
    (h::DEAD_DELIVERIES, "how often it was delivered"),
];

/// All of them.
pub fn messages() -> Vec<Message> {
    fn of<T: JsonSchema>(name: &'static str, summary: &'static str, example: Value) -> Message {
        Message {
            name,
            summary,
            headers: &[],
            optional_headers: &[],
            example: Some(example),
            schema: Some(SchemaGenerator::subschema_for::<T>),
        }
    }
    fn any(name: &'static str, summary: &'static str, headers: Headers) -> Message {
        Message { name, summary, headers, optional_headers: &[], example: None, schema: None }
    }
    let content = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let (worker, at) = ("payment-process-1@xEaIVg", "2026-01-31T12:00:00Z");
    vec![
        of::<math::Request>(
            "MathRequest",
            "A calculation",
            json!({ "operation": "add", "a": 10, "b": 5 }),
        ),
        of::<math::Reply>(
            "MathReply",
            "Its result, or a domain error in its place",
            json!({ "result": 15, "operation": "add" }),
        ),
        Message {
            headers: ERROR_HEADERS,
            ..of::<ErrorReply>(
                "ErrorReply",
                "The answer to a request that cannot be handled",
                json!({ "error": "field `a`: missing" }),
            )
        },
        of::<notification::Email>(
            "Email",
            "An email to send; fire-and-forget",
            json!({ "to": "user@example.com", "subject": "Hello", "body": "Text" }),
        ),
        any("RejectedEmail", "What no worker could accept, as it came", ERROR_HEADERS),
        Message {
            optional_headers: &[(h::MSG_ID, "the payment id; JetStream deduplicates by it")],
            ..of::<PaymentRequest>(
                "PaymentRequest",
                "A payment to charge once, however often it is submitted",
                json!({
                    "payment_id": "pay-001", "user_id": "user-123",
                    "subscription_id": "sub-monthly", "amount": 9.99, "currency": "USD",
                }),
            )
        },
        of::<PublishAck>(
            "PublishAck",
            "The stream has it",
            json!({ "stream": "payment-requests", "seq": 1 }),
        ),
        of::<StatusRequest>(
            "StatusRequest",
            "Where does this payment stand?",
            json!({ "payment_id": "pay-001" }),
        ),
        of::<StatusReply>(
            "PaymentStatus",
            "Where it stands; completed and failed never change",
            json!({
                "payment_id": "pay-001", "status": "completed",
                "message": "Payment processed successfully",
                "amount": 9.99, "currency": "USD", "content": content,
            }),
        ),
        of::<Entry>(
            "LedgerEntry",
            "The outcome of a payment, written once",
            json!({
                "payment_id": "pay-001", "status": "completed",
                "message": "Payment processed successfully", "content": content,
                "amount": 9.99, "currency": "USD", "user_id": "user-123",
                "subscription_id": "sub-monthly", "request_sequence": 1,
                "worker": worker, "at": at,
            }),
        ),
        of::<Intent>(
            "Claim",
            "Which content owns a payment id, written once",
            json!({
                "payment_id": "pay-001", "content": content, "amount": 9.99, "currency": "USD",
                "worker": worker, "at": at,
            }),
        ),
        any("DeadLetter", "A payment request that was given up, as it came", DEAD_HEADERS),
        of::<Record>(
            "FailureRecord",
            "How often a payment request failed by its own fault, the latest state",
            json!({ "failures": 1, "reason": "the gateway is unavailable", "begun": 0 }),
        ),
    ]
}

type Headers = &'static [(&'static str, &'static str)];

impl Message {
    /// The schema of its headers, if it has any.
    pub fn header_schema(&self) -> Option<Value> {
        let all = || self.headers.iter().chain(self.optional_headers);
        let properties: serde_json::Map<String, Value> = all()
            .map(|(name, holds)| {
                ((*name).to_owned(), json!({ "type": "string", "description": holds }))
            })
            .collect();
        let required: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        all().next().is_some().then_some(schema)
    }

    /// True where its body has a schema.
    pub fn has_schema(&self) -> bool {
        self.schema.is_some()
    }
}

/// The schemas of all bodies by name, with references below `path`, as `/$defs`.
pub(super) fn definitions(settings: SchemaSettings, path: &'static str) -> Value {
    let mut generator =
        SchemaGenerator::new(settings.with(|settings| settings.definitions_path = path.into()));
    for schema in messages().iter().filter_map(|message| message.schema) {
        schema(&mut generator);
    }
    Value::Object(generator.take_definitions(true))
}

/// Every body in one document (JSON Schema 2020-12): `#/$defs/NAME`.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    let bodies: Vec<Value> = messages()
        .iter()
        .filter(|message| message.has_schema())
        .map(|message| json!({ "$ref": format!("#/$defs/{}", message.name) }))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A message of the services of mono-demo",
        "anyOf": bodies,
        "$defs": definitions(settings, "/$defs"),
    })
}
