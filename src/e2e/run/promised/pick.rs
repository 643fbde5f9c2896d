//! Values out of messages and lines, as promises name their places.

use serde_json::json;

use crate::broker::subject_matches as matches;
use crate::e2e::record::seen::from_base64;
use crate::e2e::scenario::ast::promise::{Operation, Pick, Verb};
use crate::e2e::text::data::Data;
use crate::wire::driver::{Headers, Op};

/// What a value is picked out of.
pub(super) struct Message<'a> {
    pub(super) subject: &'a str,
    pub(super) headers: &'a Headers,
    pub(super) body: &'a Data,
}

impl Message<'_> {
    /// The value at a place; `None` where there is none, or none that can tell one from another.
    pub(super) fn pick(&self, pick: &Pick) -> Option<String> {
        match pick {
            Pick::Pointer(pointer) => text(self.body.pointer(pointer)?),
            Pick::Header(name) => {
                let same = |(known, _): &(&String, _)| known.eq_ignore_ascii_case(name);
                self.headers.iter().find(same)?.1.first().cloned()
            }
            Pick::Token(n) => self.subject.split('.').nth(n.checked_sub(1)?).map(str::to_owned),
            Pick::Key => Some(self.subject.to_owned()),
            Pick::Captured(_) => None,
        }
    }
}

/// Strings, numbers with all their digits, and truth values; the rest is no name of anything.
fn text(value: &Data) -> Option<String> {
    match value {
        Data::String(text) | Data::Number(text) => Some(text.clone()),
        Data::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Reads an operation where a promise is about it.
pub(super) fn of_operation<T>(
    operation: &Operation,
    op: &Op,
    read: impl FnOnce(&Message<'_>) -> T,
) -> Option<T> {
    let (verb, subject, payload, headers) = match op {
        Op::Submit { subject, payload_base64, headers, .. } => {
            (Verb::Submit, subject, payload_base64, headers)
        }
        Op::Request { subject, payload_base64, headers, .. } => {
            (Verb::Request, subject, payload_base64, headers)
        }
        Op::Publish { subject, payload_base64, headers } => {
            (Verb::Publish, subject, payload_base64, headers)
        }
        Op::Call { method, args, kwargs, .. } => {
            let is_this = operation.verb == Verb::Call && operation.on == *method;
            let body = Data::from(json!({ "args": args, "kwargs": kwargs }));
            let message = Message { subject: method, headers: &Headers::new(), body: &body };
            return is_this.then(|| read(&message));
        }
        _ => return None,
    };
    if operation.verb != verb || !matches(&operation.on, subject) {
        return None;
    }
    let body = Data::read(&from_base64(payload));
    Some(read(&Message { subject, headers, body: &body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_body_a_header_or_the_subject() {
        let headers = Headers::from([("Nats-Msg-Id".to_owned(), vec!["m-1".to_owned()])]);
        let body = br#"{ "id": "o-7", "n": 12345678901234567890123, "deep": [{ "x": true }], "none": null }"#;
        let body = Data::read(body);
        let message = Message { subject: "orders.eu.7", headers: &headers, body: &body };
        for (pick, found) in [
            (Pick::Pointer("/id".to_owned()), Some("o-7")),
            (Pick::Pointer("/n".to_owned()), Some("12345678901234567890123")),
            (Pick::Pointer("/deep/0/x".to_owned()), Some("true")),
            (Pick::Pointer("/none".to_owned()), None),
            (Pick::Pointer("/deep".to_owned()), None),
            (Pick::Pointer("/gone".to_owned()), None),
            (Pick::Header("nats-msg-id".to_owned()), Some("m-1")),
            (Pick::Header("Other".to_owned()), None),
            (Pick::Token(2), Some("eu")),
            (Pick::Token(4), None),
            (Pick::Token(0), None),
            (Pick::Key, Some("orders.eu.7")),
        ] {
            assert_eq!(message.pick(&pick).as_deref(), found, "{pick:?}");
        }
    }

    #[test]
    fn an_operation_is_one_of_a_promise_by_verb_and_subject() {
        let op = Op::Publish {
            subject: "orders.new".to_owned(),
            payload_base64: crate::e2e::record::seen::base64(b"{\"id\":1}"),
            headers: Headers::new(),
        };
        let of = |verb, on: &str| {
            let operation = Operation { verb, on: on.to_owned() };
            of_operation(&operation, &op, |message| message.pick(&Pick::Pointer("/id".to_owned())))
        };
        assert_eq!(of(Verb::Publish, "orders.*"), Some(Some("1".to_owned())));
        assert_eq!(of(Verb::Submit, "orders.*"), None);
        assert_eq!(of(Verb::Publish, "order.*"), None);
    }
}
