//! Headers as async-nats takes them.

use async_nats::HeaderMap;

use crate::wire::headers::one_line;

/// Sets a header; async-nats panics on CR or LF, so the value becomes one line first.
pub(crate) fn set_header(headers: &mut HeaderMap, name: &str, value: &str) {
    headers.insert(name, one_line(value).as_str());
}
