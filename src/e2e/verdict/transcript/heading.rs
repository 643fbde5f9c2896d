//! What is done: the first line of a step's part, and the headers of what it sends.

use std::fmt::Write as _;

use serde_json::Value;

use super::outcome::header_text;
use crate::counted::counted;
use crate::e2e::record::seen;
use crate::e2e::scenario::ast::beside::Object;
use crate::e2e::scenario::ast::held::LogCheck;
use crate::e2e::scenario::ast::payload::Payload;
use crate::e2e::scenario::ast::step::{Action, Outgoing, Step};
use crate::e2e::text::bounded::bounded;
use crate::e2e::text::data::Data;
use crate::e2e::text::matcher::canonical;
use crate::wire::driver::Headers;

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
        Action::Kv(kv) => {
            let value = kv.does.writes().then(|| format!(" {}", sent_body(&kv.value)));
            let of = kv.revision.as_ref().map(|revision| {
                format!(
                    " of revision {}",
                    revision.as_str().map_or(revision.to_string(), str::to_owned)
                )
            });
            let (does, of, value) =
                (kv.does.word(), of.unwrap_or_default(), value.unwrap_or_default());
            format!("kv {} {does} {}{of}{value}", kv.bucket, kv.key)
        }
        Action::Object(Object { store, name, put: Some(body) }) => {
            format!("object {store} put {name} {}", sent_body(body))
        }
        Action::Object(Object { store, name, put: None }) => format!("object {store} get {name}"),
        Action::Http(http) => {
            let has_body = !matches!(&http.body, Payload::Text(text) if text.is_empty());
            let body = match has_body {
                true => format!(" {}", sent_body(&http.body)),
                false => String::new(),
            };
            let mut text = format!("http {} {}{body}", http.method, http.url);
            sent_headers(&http.headers, &mut text);
            text
        }
        Action::Run(program) => format!("run {}", program.words.join(" ")),
        Action::Fault(fault) => format!("fault {fault}"),
        Action::Settle => "settle".to_owned(),
        Action::ExpectMessage { subject, none: true } => format!("expect no message on {subject}"),
        Action::ExpectMessage { subject, none: false } => format!("expect a message on {subject}"),
        Action::ExpectMessages { subject, count } => {
            format!("expect {} on {subject}, in any order", counted(*count, "message"))
        }
        Action::ExpectLog(LogCheck { service, matches, count }) => {
            let lines = match count {
                None => "a line".to_owned(),
                Some(many) => counted(*many, "line"),
            };
            format!("expect {lines} of {service} with /{matches}/")
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
    let mut text = format!("{} {}", out.subject, sent_body(&out.payload));
    if let Some(reply_to) = &out.reply_to {
        let _ = write!(text, ", reply to {reply_to}");
    }
    sent_headers(&out.headers, &mut text);
    text
}

fn sent_body(payload: &Payload) -> String {
    match payload {
        Payload::Json(value) => bounded(&canonical(value)),
        Payload::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Payload::Text(text) => format!("text {}", bounded(&Value::from(text.as_str()).to_string())),
        Payload::Bytes(bytes) => format!("base64 {}", bounded(&seen::base64(bytes))),
        Payload::File(path) => format!("from {path}"),
        Payload::Filler(size) => format!("{} of filler", counted(*size, "byte")),
    }
}

fn sent_headers(headers: &Headers, text: &mut String) {
    for (name, values) in headers {
        for value in values {
            let value = header_text(&Data::String(value.clone()));
            let _ = write!(text, "\n    {name}: {value}");
        }
    }
}
