//! The AsyncAPI 3.0 document: servers, channels, operations, messages.
//!
//! <https://www.asyncapi.com/docs/reference/specification/v3.0.0>; its schemas are JSON Schema
//! draft 7.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::messages::{definitions, messages};
use crate::modules::notification::WORKERS;
use crate::modules::payment::{CONSUMER, DEAD_LETTERS, FAILURES, INTENTS, LEDGER, REQUESTS};
use crate::wire::subjects::{
    DEAD_LETTER_PREFIX, EMAIL_REJECTED, EMAIL_SEND, EVENT_PREFIX, FAILURE_PREFIX, INTENT_PREFIX,
    LEDGER_PREFIX, MATH_CALCULATE, PAYMENT_PROCESS, PAYMENT_STATUS,
};

/// The whole document.
pub fn asyncapi() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "mono-demo",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Three services over NATS, one a messaging pattern: request-reply, \
                queue group, and a stream whose messages are each charged once.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "serve": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "`mono-demo serve`, or any nats-server with JetStream",
            },
        },
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": message_objects(),
            "schemas": definitions(SchemaSettings::draft07(), "/components/schemas"),
        },
    })
}

/// A subject and what goes over it.
fn channel(address: &str, description: &str, carries: &[&str]) -> Value {
    let messages: Map<String, Value> = carries
        .iter()
        .map(|name| {
            ((*name).to_owned(), json!({ "$ref": format!("#/components/messages/{name}") }))
        })
        .collect();
    json!({ "address": address, "description": description, "messages": messages })
}

/// One subject a payment, or a dead letter.
fn family(prefix: &str, of: &str, what: &str, description: &str, carries: &[&str]) -> Value {
    let mut channel = channel(&format!("{prefix}.{{{of}}}"), description, carries);
    channel["parameters"] = json!({ of: { "description": what } });
    channel
}

fn channels() -> Value {
    let id = "1 to 64 characters of `A-Z a-z 0-9 _ -`";
    let stored = |stream: &str| format!("Stored in the stream `{stream}`.");
    json!({
        "calculate": channel(MATH_CALCULATE, "Request-reply.", &["MathRequest"]),
        "emailSend": channel(
            EMAIL_SEND,
            "Queue group: each message to one worker; nothing is kept while no worker runs.",
            &["Email"],
        ),
        "emailRejected": channel(EMAIL_REJECTED, "What no worker could accept.", &["RejectedEmail"]),
        "paymentProcess": channel(PAYMENT_PROCESS, &stored(REQUESTS), &["PaymentRequest"]),
        "paymentStatus": channel(PAYMENT_STATUS, "Request-reply.", &["StatusRequest"]),
        "paymentClaims":
            family(INTENT_PREFIX, "payment_id", id, &stored(INTENTS), &["Claim"]),
        "paymentLedger":
            family(LEDGER_PREFIX, "payment_id", id, &stored(LEDGER), &["LedgerEntry"]),
        "paymentEvents": family(
            EVENT_PREFIX,
            "payment_id",
            id,
            "The broker republishes each stored ledger entry here: a hint to ask for the status.",
            &["LedgerEntry"],
        ),
        "paymentDeadLetters": family(
            DEAD_LETTER_PREFIX,
            "letter",
            "One an original message: its sequence, and when it was stored",
            &stored(DEAD_LETTERS),
            &["DeadLetter"],
        ),
        "paymentFailures": family(
            FAILURE_PREFIX,
            "message",
            "One an original message: its sequence, and when it was stored",
            &stored(FAILURES),
            &["FailureRecord"],
        ),
        "inbox": {
            "address": null,
            "description": "The reply subject that the request carries.",
            "messages": {
                "MathReply": { "$ref": "#/components/messages/MathReply" },
                "PaymentStatus": { "$ref": "#/components/messages/PaymentStatus" },
                "PublishAck": { "$ref": "#/components/messages/PublishAck" },
                "ErrorReply": { "$ref": "#/components/messages/ErrorReply" },
            },
        },
    })
}

/// What the services do on a channel.
fn operation(action: &str, on: &str, summary: &str) -> Value {
    json!({ "action": action, "channel": { "$ref": format!("#/channels/{on}") }, "summary": summary })
}

/// What the services take, in this queue group, and what they answer.
fn takes(on: &str, queue_group: &str, summary: &str, answers: &[&str]) -> Value {
    let mut operation = operation("receive", on, summary);
    operation["bindings"] = json!({ "nats": { "queue": queue_group, "bindingVersion": "0.1.0" } });
    if !answers.is_empty() {
        let messages: Vec<Value> = answers
            .iter()
            .map(|name| json!({ "$ref": format!("#/channels/inbox/messages/{name}") }))
            .collect();
        operation["reply"] =
            json!({ "channel": { "$ref": "#/channels/inbox" }, "messages": messages });
    }
    operation
}

fn operations() -> Value {
    let consumed = format!("Charges each payment once; the durable consumer is `{CONSUMER}`");
    json!({
        "calculate":
            takes("calculate", "math-calculate", "Calculates", &["MathReply", "ErrorReply"]),
        "emailSend": takes("emailSend", WORKERS, "Sends an email", &[]),
        "emailRejected": operation("send", "emailRejected", "Tells what could not be accepted"),
        "paymentProcess": takes("paymentProcess", CONSUMER, &consumed, &["PublishAck"]),
        "paymentStatus": takes(
            "paymentStatus",
            "payment-status",
            "Tells where a payment stands",
            &["PaymentStatus", "ErrorReply"],
        ),
        "paymentClaim": operation("send", "paymentClaims", "Claims an id for a content"),
        "paymentCommit": operation("send", "paymentLedger", "Writes an outcome, once"),
        "paymentEvent": operation("send", "paymentEvents", "Hints at an outcome"),
        "paymentDeadLetter": operation("send", "paymentDeadLetters", "Files what was given up"),
        "paymentFailure": operation("send", "paymentFailures", "Counts a message's own failures"),
    })
}

fn message_objects() -> Value {
    let object = |message: &super::Message| {
        let mut object = json!({ "name": message.name, "summary": message.summary });
        if message.has_schema() {
            let schema = format!("#/components/schemas/{}", message.name);
            object["payload"] = json!({ "$ref": schema });
        } else {
            object["contentType"] = json!("application/octet-stream");
        }
        if let Some(headers) = message.header_schema() {
            object["headers"] = headers;
        }
        if let Some(example) = &message.example {
            object["examples"] = json!([{ "payload": example }]);
        }
        object
    };
    let objects: Map<String, Value> =
        messages().iter().map(|message| (message.name.to_owned(), object(message))).collect();
    Value::Object(objects)
}
