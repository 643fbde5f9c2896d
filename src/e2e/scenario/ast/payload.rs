//! The body of what a step sends.

use serde_json::Value;

/// A body, in one of the ways to write it.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// `body`: data, sent as JSON with sorted keys.
    Json(Value),
    /// `text`: sent as it is.
    Text(String),
    /// `bytes_base64`: any bytes.
    Bytes(Vec<u8>),
    /// `body_file`: a file beside the fixture.
    File(String),
    /// `body_size`: so many bytes of filler.
    Filler(usize),
}
