//! What a client's operation is about: from its subject and body, or its typed method.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::amount::Amount;
use super::facts::{self, Payment, Reading};
use crate::e2e::record::history::{About, Kind};
use crate::e2e::run::oracle::Operation;
use crate::wire::driver::Op;
use crate::wire::journal::email_id;
use crate::wire::subjects::{
    EMAIL_SEND, MATH_CALCULATE, PAYMENT_PROCESS, PAYMENT_STATUS, is_payment_id,
};

/// What an operation is; `None` for one that has nothing to do with the built-in services.
pub(super) fn operation(op: &Op, content: impl Fn(&[u8]) -> Option<String>) -> Option<Operation> {
    let (kind, subject, about) = match op {
        Op::Submit { subject, payload_base64, .. } if subject == PAYMENT_PROCESS => {
            let payment = bytes(payload_base64).and_then(|body| submission(&body, content));
            (Kind::Submit, PAYMENT_PROCESS, target(payment))
        }
        Op::Publish { subject, payload_base64, .. } if subject == EMAIL_SEND => {
            (Kind::Publish, EMAIL_SEND, message(email_in(payload_base64)))
        }
        Op::Request { subject, payload_base64, .. } if subject == EMAIL_SEND => {
            (Kind::Request, EMAIL_SEND, message(email_in(payload_base64)))
        }
        Op::Request { subject, payload_base64, .. } if subject == PAYMENT_STATUS => {
            let body = json(payload_base64);
            let fields = body.as_ref().and_then(Value::as_object);
            (Kind::Status, PAYMENT_STATUS, target(fields.and_then(payment)))
        }
        Op::Call { method, args, kwargs, .. } => call(method, args, kwargs, content)?,
        _ => return None,
    };
    Some(Operation { kind, subject: subject.to_owned(), about })
}

/// What a status reply says: a typed call's, or a raw message.
pub(super) fn reading(reply: &Value) -> Option<Reading> {
    match reply.get("payload_base64") {
        Some(payload) => reading_of(json(payload.as_str()?)?.as_object()?),
        None => reading_of(reply.as_object()?),
    }
}

/// The typed client's methods, by what they do on the wire.
fn call(
    method: &str,
    args: &[Value],
    kwargs: &Map<String, Value>,
    content: impl Fn(&[u8]) -> Option<String>,
) -> Option<(Kind, &'static str, Option<About>)> {
    let named = |names: &[&str]| {
        let mut fields = kwargs.clone();
        for (name, value) in names.iter().zip(args) {
            fields.insert((*name).to_owned(), value.clone());
        }
        fields
    };
    let submit = ["payment_id", "user_id", "subscription_id", "amount", "currency"];
    Some(match method.split_once('.')? {
        ("payment", "submit_payment") => {
            let body = Value::Object(named(&submit)).to_string();
            (Kind::Submit, PAYMENT_PROCESS, target(submission(body.as_bytes(), content)))
        }
        ("payment", _) => (Kind::Status, PAYMENT_STATUS, target(payment(&named(&submit[..1])))),
        ("math", _) => (Kind::Request, MATH_CALCULATE, None),
        ("email", "send_email") => {
            (Kind::Publish, EMAIL_SEND, message(email(&named(&["to", "subject"]))))
        }
        ("email", _) => (Kind::Publish, EMAIL_SEND, None),
        _ => return None,
    })
}

fn target(payment: Option<Payment>) -> Option<About> {
    payment.map(|payment| payment.about())
}

fn message(id: Option<String>) -> Option<About> {
    id.map(facts::message)
}

fn email_in(payload_base64: &str) -> Option<String> {
    email(json(payload_base64)?.as_object()?)
}

/// Who an email is told from another by; one without is refused, and no email.
fn email(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str)?;
        (!text.trim().is_empty()).then_some(text)
    };
    Some(email_id(text("to")?, text("subject")?))
}

/// A payment as its submission says it, with the content by which ledger and gateway know it.
fn submission(body: &[u8], content: impl Fn(&[u8]) -> Option<String>) -> Option<Payment> {
    let fields: Value = serde_json::from_slice(body).ok()?;
    Some(Payment { content: content(body), ..payment(fields.as_object()?)? })
}

fn payment(fields: &Map<String, Value>) -> Option<Payment> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Payment {
        // A message with another id is a dead letter and no payment.
        id: text("payment_id").filter(|id| is_payment_id(id))?,
        content: None,
        amount: amount(fields),
        currency: Some(text("currency").unwrap_or_else(|| "USD".to_owned())),
    })
}

/// A number by its shortest form, which is what a client was given, or a text.
fn amount(fields: &Map<String, Value>) -> Option<Amount> {
    match fields.get("amount")? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// What a status reply or a ledger entry says.
pub(super) fn reading_of(fields: &Map<String, Value>) -> Option<Reading> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = serde_json::from_value(fields.get("status")?.clone()).ok()?;
    let content = text("content");
    Some(Reading { status, content, amount: amount(fields), currency: text("currency") })
}

fn bytes(payload_base64: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(payload_base64).ok()
}

fn json(payload_base64: &str) -> Option<Value> {
    serde_json::from_slice(&bytes(payload_base64)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::seen::base64;
    use serde_json::json;

    /// What an operation's payment is recorded as.
    fn recorded(op: &Op) -> Option<Payment> {
        let content = |body: &[u8]| {
            let body: Value = serde_json::from_slice(body).ok()?;
            Some(format!("{} for {}", body["amount"], body["user_id"]))
        };
        Payment::of(&operation(op, content).unwrap().about?).unwrap()
    }

    #[test]
    fn a_submission_is_recorded_with_its_content_typed_or_raw() {
        let raw = Op::Submit {
            subject: PAYMENT_PROCESS.to_owned(),
            payload_base64: base64(br#"{"payment_id": "p", "amount": 9.990, "user_id": "u"}"#),
            headers: Default::default(),
            timeout_ms: 1,
        };
        let seen = recorded(&raw).unwrap();
        assert_eq!((seen.id.as_str(), seen.content.as_deref()), ("p", Some("9.99 for \"u\"")));
        let typed = Op::Call {
            method: "payment.submit_payment".to_owned(),
            args: vec![json!("p"), json!("u")],
            kwargs: json!({ "amount": "9.99" }).as_object().cloned().unwrap(),
            timeout_ms: 1,
        };
        let seen = recorded(&typed).unwrap();
        assert_eq!(seen.content.as_deref(), Some("\"9.99\" for \"u\""));
        let asked = Op::Call {
            method: "payment.get_status".to_owned(),
            args: vec![json!("p")],
            kwargs: Map::new(),
            timeout_ms: 1,
        };
        assert_eq!(recorded(&asked).unwrap().content, None);
        let poison = Op::Submit {
            subject: PAYMENT_PROCESS.to_owned(),
            payload_base64: base64(b"{"),
            headers: Default::default(),
            timeout_ms: 1,
        };
        assert_eq!(recorded(&poison), None);
    }
}
