//! A message that a step sends: subject, body in one of the ways to write it, headers.

use base64::Engine as _;
use serde_json::Value;

use super::ast::payload::Payload;
use super::ast::step::Outgoing;
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::text::inside::stays_below;
use crate::wire::driver::Headers;

/// The ways to write a body.
pub(in crate::e2e) const PAYLOADS: [&str; 5] =
    ["body", "text", "bytes_base64", "body_file", "body_size"];

/// The subject under `verb`, with the body and the headers beside it.
pub(in crate::e2e) fn read(
    verb: &str,
    fields: &Fields<'_, '_>,
    findings: &mut Findings,
) -> Option<Outgoing> {
    let subject = fields.text(verb, findings)?;
    let payload = payload(fields, findings)?;
    let reply_to = fields.text("reply_to", findings);
    Some(Outgoing { subject, payload, headers: headers(fields, findings), reply_to })
}

/// The body beside a verb.
pub(in crate::e2e) fn payload(fields: &Fields<'_, '_>, findings: &mut Findings) -> Option<Payload> {
    let given: Vec<&str> = PAYLOADS.into_iter().filter(|key| fields.get(key).is_some()).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("a message has one body; this one has `{first}` and `{second}`");
        findings.add(fields.key_span(second), message);
    }
    Some(match given.first().copied() {
        None => Payload::Text(String::new()),
        Some("body") => Payload::Json(fields.json("body", findings)?),
        Some("text") => Payload::Text(fields.text("text", findings)?),
        Some("bytes_base64") => {
            let text = fields.text("bytes_base64", findings)?;
            match base64::engine::general_purpose::STANDARD.decode(text) {
                Ok(bytes) => Payload::Bytes(bytes),
                Err(error) => {
                    findings.add(fields.span_of("bytes_base64"), format!("not base64: {error}"));
                    return None;
                }
            }
        }
        Some("body_file") => {
            let path = fields.text("body_file", findings)?;
            if !stays_below(&path) {
                let message = "`body_file` must be a file beside the fixture or below it";
                findings.add(fields.span_of("body_file"), message);
            }
            Payload::File(path)
        }
        Some(_) => Payload::Filler(fields.count("body_size", 0, findings)? as usize),
    })
}

/// Header values: a text, or a list of texts where a name has several.
pub(in crate::e2e) fn headers(fields: &Fields<'_, '_>, findings: &mut Findings) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields.object("headers", findings).unwrap_or_default() {
        let values: Option<Vec<String>> = match &value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        };
        match values {
            Some(values) => drop(headers.insert(name, values)),
            None => findings.add(
                fields.span_of("headers"),
                format!("header `{name}` must be a string or an array of strings"),
            ),
        }
    }
    headers
}
