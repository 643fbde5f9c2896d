//! The two ways through a proxy.

/// One way through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What clients send.
    ToServer,
    /// What the server sends.
    ToClient,
}

impl Direction {
    /// As a fixture has it: `to-server`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ToServer => "to-server",
            Self::ToClient => "to-client",
        }
    }

    /// As in a sentence: `to the server`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ToServer => "to the server",
            Self::ToClient => "to the client",
        }
    }
}
