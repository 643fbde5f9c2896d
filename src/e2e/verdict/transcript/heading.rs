//! What is done: the first line of a step's part, and the headers of what it sends.

use std::fmt::Write as _;

use serde_json::Value;

use super::outcome::header_text;
use crate::counted::counted;
use crate::e2e::record::seen;
use crate::e2e::scenario::ast::step::{Action, Outgoing, Payload, Step};
use crate::e2e::text::bounded::bounded;
use crate::e2e::text::data::Data;
use crate::e2e::text::matcher::canonical;

/// The line that says what is done.
pub fn heading(step: &Step, sent: &Action) -> String {
    let mut line = match sent {
        Action::Call { method, args, kwargs } => {
            let args = args.iter().map(canonical);
            let kwargs = kwargs.iter().map(|(name, value)| format!("{name}={}", canonical(value)));
            let all: Vec<String> = args.chain(kwargs).map(|text| bounded(&text)).collect();
            format!("call {method}({})", all.join(", "))
        }
        Action::Request(out) | Action::Publish(out) | Action::Submit(out) => {
            format!("{} {}", sent.verb(), outgoing(out))
        }
        Action::Run(program) => format!("run {}", program.words.join(" ")),
        Action::Fault(fault) => format!("fault {fault}"),
        Action::Settle => "settle".to_owned(),
        Action::ExpectMessage { subject, none: true } => format!("expect no message on {subject}"),
        Action::ExpectMessage { subject, none: false } => format!("expect a message on {subject}"),
        Action::ExpectMessages { subject, count } => {
            format!("expect {} on {subject}, in any order", counted(*count, "message"))
        }
    };
    if let Some(repeat) = step.repeat {
        let _ = write!(line, " × {repeat}");
        if step.concurrency > 1 {
            let _ = write!(line, ", {} at a time", step.concurrency);
        }
    }
    line
}

fn outgoing(out: &Outgoing) -> String {
    let body = match &out.payload {
        Payload::Json(value) => bounded(&canonical(value)),
        Payload::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Payload::Text(text) => format!("text {}", bounded(&Value::from(text.as_str()).to_string())),
        Payload::Bytes(bytes) => format!("base64 {}", bounded(&seen::base64(bytes))),
        Payload::File(path) => format!("from {path}"),
        Payload::Filler(size) => format!("{} of filler", counted(*size, "byte")),
    };
    let mut text = format!("{} {body}", out.subject);
    for (name, values) in &out.headers {
        for value in values {
            let value = header_text(&Data::String(value.clone()));
            let _ = write!(text, "\n    {name}: {value}");
        }
    }
    text
}
