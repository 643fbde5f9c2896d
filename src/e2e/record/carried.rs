//! A message that crossed the broker, with who sent it.

/// A message that a client sent, or that the server sent itself: a reply of a stream, or a message
/// that a stream republishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) struct Carried {
    pub(in crate::e2e) subject: String,
    pub(in crate::e2e) reply: String,
    pub(in crate::e2e) body: Vec<u8>,
    /// Library, version and name of the client that sent it; `None` is the server.
    pub(in crate::e2e) sender: Option<String>,
}
