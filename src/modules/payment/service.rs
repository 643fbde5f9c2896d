//! The rules: which requests are acceptable, and what the records say. Pure: no NATS, no clock.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::amount::{Exact, Money};
use super::id::PaymentId;
use super::salvage::usable_id;
use super::types::{Entry, Intent, PaymentRequest, Status, StatusReply};
use crate::mono::Object;

/// A checked payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// How much.
    pub money: Money,
    /// Whose.
    pub user_id: Option<String>,
    /// For what.
    pub subscription_id: Option<String>,
}

/// `user_id` and `subscription_id` are data, but not without bound.
const MAX_FIELD_BYTES: usize = 256;

impl Payment {
    /// Checks a decoded request.
    ///
    /// # Errors
    /// A text that names the field.
    pub fn check(request: &PaymentRequest) -> Result<Self, String> {
        let raw = request.amount.get();
        let text = if raw.starts_with('"') {
            serde_json::from_str::<String>(raw).map_err(|e| format!("field `amount`: {e}"))?
        } else {
            raw.to_owned()
        };
        let currency = request.currency.as_deref().unwrap_or("USD");
        Self::new(
            &request.payment_id,
            &text,
            currency,
            request.user_id.as_deref(),
            request.subscription_id.as_deref(),
        )
    }

    /// Checks a payment given field by field.
    ///
    /// # Errors
    /// A text that names the field.
    pub fn new(
        payment_id: &str,
        amount: &str,
        currency: &str,
        user_id: Option<&str>,
        subscription_id: Option<&str>,
    ) -> Result<Self, String> {
        for (name, value) in [("user_id", user_id), ("subscription_id", subscription_id)] {
            if value.is_some_and(|v| v.len() > MAX_FIELD_BYTES) {
                return Err(format!("field `{name}` is longer than {MAX_FIELD_BYTES} bytes"));
            }
        }
        Ok(Self {
            id: super::id::PaymentId::new(payment_id)?,
            money: Money::parse(amount, currency).map_err(|e| e.to_string())?,
            user_id: user_id.map(str::to_owned),
            subscription_id: subscription_id.map(str::to_owned),
        })
    }

    /// What tells one content from another: equal for 9.99, "9.99" and 9.990.
    pub fn content(&self) -> String {
        let (amount, currency) = (self.money.amount_text(), self.money.currency());
        let parts = (self.id.as_str(), amount, currency, &self.user_id, &self.subscription_id);
        let parts = serde_json::to_vec(&parts).expect("texts are encoded");
        HEXLOWER.encode(&Sha256::digest(parts))
    }

    /// The claim of its content.
    pub fn intent(&self, content: String, worker: &str, at: String) -> Intent {
        Intent {
            payment_id: self.id.to_string(),
            content,
            amount: Some(Exact(self.money.amount_text())),
            currency: Some(self.money.currency().to_owned()),
            worker: worker.to_owned(),
            at,
        }
    }

    /// The outcome of this payment, which has this content.
    pub fn entry(
        &self,
        content: String,
        (status, message): (Status, String),
        sequence: u64,
        worker: &str,
        at: String,
    ) -> Entry {
        Entry {
            payment_id: self.id.to_string(),
            status,
            message,
            content,
            amount: Some(Exact(self.money.amount_text())),
            currency: Some(self.money.currency().to_owned()),
            user_id: self.user_id.clone(),
            subscription_id: self.subscription_id.clone(),
            request_sequence: sequence,
            worker: worker.to_owned(),
            at,
        }
    }
}

/// The content of a body that is not an acceptable payment.
pub(crate) fn raw_content(body: &[u8]) -> String {
    format!("raw-{}", HEXLOWER.encode(&Sha256::digest(body)))
}

/// Whose a body is, acceptable or not, and what tells its content from another.
pub(crate) fn identify(body: &[u8]) -> Option<(PaymentId, String)> {
    let request = serde_json::from_slice::<Object<PaymentRequest>>(body);
    match request.map(|Object(request)| Payment::check(&request)) {
        Ok(Ok(payment)) => Some((payment.id.clone(), payment.content())),
        _ => Some((usable_id(body)?, raw_content(body))),
    }
}

/// Whether a submission with this body became this outcome; another one of its id ends as a dead letter.
pub(crate) fn became(body: &[u8], outcome: &Entry) -> bool {
    outcome.content == content_of(body)
}

/// What tells a body from another one of its id.
pub(crate) fn content_of(body: &[u8]) -> String {
    identify(body).map_or_else(|| raw_content(body), |(_, content)| content)
}

/// What the records say of an id.
pub fn status(id: &PaymentId, entry: Option<Entry>, intent: Option<Intent>) -> StatusReply {
    let payment_id = id.to_string();
    match (entry, intent) {
        (Some(entry), _) => StatusReply {
            payment_id,
            status: entry.status,
            message: Some(entry.message),
            amount: entry.amount,
            currency: entry.currency,
            content: Some(entry.content),
        },
        (None, Some(intent)) => StatusReply {
            payment_id,
            status: Status::Processing,
            message: Some("Payment is being processed".to_owned()),
            amount: intent.amount,
            currency: intent.currency,
            content: Some(intent.content),
        },
        (None, None) => StatusReply {
            payment_id,
            status: Status::Pending,
            message: Some("Payment not found or not yet processed".to_owned()),
            amount: None,
            currency: None,
            content: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Payment, String> {
        let request = serde_json::from_str(body).map_err(|e| e.to_string())?;
        Payment::check(&request)
    }

    #[test]
    fn the_same_money_is_the_same_content() {
        let contents: std::collections::HashSet<_> = ["9.99", "\"9.99\"", "9.990", "999e-2"]
            .iter()
            .map(|a| check(&format!(r#"{{"payment_id":"p","amount":{a}}}"#)).unwrap().content())
            .collect();
        assert_eq!(contents.len(), 1);
        let other = check(r#"{"payment_id":"p","amount":9.98}"#).unwrap().content();
        assert!(!contents.contains(&other));
        let user = check(r#"{"payment_id":"p","amount":9.99,"user_id":"u"}"#).unwrap().content();
        assert!(!contents.contains(&user));
    }

    #[test]
    fn a_bad_request_names_the_field() {
        for (body, field) in [
            (r#"{"amount":1}"#, "payment_id"),
            (r#"{"payment_id":"p"}"#, "amount"),
            (r#"{"payment_id":"a b","amount":1}"#, "payment_id"),
            (r#"{"payment_id":"","amount":1}"#, "payment_id"),
            (r#"{"payment_id":"p","amount":null}"#, "amount"),
            (r#"{"payment_id":"p","amount":true}"#, "amount"),
            (r#"{"payment_id":"p","amount":[1]}"#, "amount"),
            (r#"{"payment_id":"p","amount":1,"currency":"zzz"}"#, "currency"),
        ] {
            let error = check(body).unwrap_err();
            assert!(error.contains(&format!("`{field}`")), "{body}: {error}");
        }
    }

    #[test]
    fn a_body_is_identified_whether_it_is_acceptable_or_not() {
        let good = br#"{"payment_id":"p","amount":"9.990"}"#;
        let same = br#"{"payment_id":"p","amount":9.99}"#;
        assert_eq!(identify(good), identify(same));
        let (id, content) = identify(br#"{"payment_id":"p","amount":1e400}"#).unwrap();
        assert_eq!(id.as_str(), "p");
        assert!(content.starts_with("raw-"), "{content}");
        assert_eq!(identify(b"{}"), None);
    }
}
