//! What tests of outcomes begin with.

use serde_json::Value;

use super::Seen;
use crate::e2e::scenario::ast::step::Expect;
use crate::wire::driver::{DriverError, ErrorKind};

/// A step expects this of one part.
pub(super) fn expect(key: &'static str, pattern: Value) -> Expect {
    Expect { key, span: 0..0, pattern, exact: false }
}

/// Nobody answered in time.
pub(super) fn timeout() -> Seen {
    Seen::Err(DriverError {
        kind: ErrorKind::Timeout,
        definite: false,
        message: "no answer".to_owned(),
        code: None,
    })
}
