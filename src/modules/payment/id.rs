//! Payment ids.

use std::borrow::Borrow;

use crate::wire::subjects::is_payment_id;

/// A payment id: 1 to 64 characters of `A-Z a-z 0-9 _ -`, so that it is safe in a subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentId(String);

impl PaymentId {
    /// Checks an id.
    ///
    /// # Errors
    /// A text that names the field and quotes a bounded excerpt.
    ///
    /// ```
    /// use mono_demo::modules::payment::PaymentId;
    /// assert!(PaymentId::new("pay-001").is_ok());
    /// assert!(PaymentId::new("pay.001").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, String> {
        if is_payment_id(text) {
            return Ok(Self(text.to_owned()));
        }
        let shown = crate::wire::headers::bounded(text, 80);
        Err(format!("field `payment_id`: {shown:?} is not 1 to 64 characters of A-Z a-z 0-9 _ -"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PaymentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PaymentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
