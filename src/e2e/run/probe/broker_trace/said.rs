//! What a connection did or got.

use jiff::Timestamp;

use super::line::{Connection, Way};

/// Something that a connection did or got.
pub(in crate::e2e) struct Heard<'a> {
    /// When it began.
    pub(in crate::e2e) at: Timestamp,
    pub(in crate::e2e) connection: &'a Connection,
    pub(in crate::e2e) what: Said<'a>,
}

pub(in crate::e2e) enum Said<'a> {
    Message {
        way: Way,
        subject: &'a str,
        reply: &'a str,
        head: &'a [u8],
        /// As much of it as was traced.
        body: &'a [u8],
        /// False where the server does not trace what it delivers: head and body are empty then.
        is_shown: bool,
    },
    /// It listens, as one of a group or not.
    Subscribe { queue: bool },
}
