//! What a proxy has done.

use super::direction::Direction;

/// What a proxy has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Connections that were ended at once because the server could not be reached.
    pub unreachable: u64,
    /// Connections that the proxy cut: by order, after their bytes, or when a fault that had
    /// swallowed some of theirs was over.
    pub cut: u64,
    /// Connections on which messages could not be told apart: they are encrypted, or speak no NATS.
    pub unreadable: u64,
    /// Bytes of clients that the server was given.
    pub bytes_to_server: u64,
    /// Bytes of the server that clients were given.
    pub bytes_to_client: u64,
    /// Bytes, of either, that took longer.
    pub bytes_delayed: u64,
    /// Bytes, of either, that were given on in pieces.
    pub bytes_chopped: u64,
    /// Bytes, of either, that were swallowed, or lost as messages.
    pub bytes_swallowed: u64,
}

impl Counts {
    pub(super) fn passed(&mut self, direction: Direction, bytes: usize) {
        match direction {
            Direction::ToServer => self.bytes_to_server += bytes as u64,
            Direction::ToClient => self.bytes_to_client += bytes as u64,
        }
    }
}
