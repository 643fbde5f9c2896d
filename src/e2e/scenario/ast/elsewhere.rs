//! A broker that somebody else runs.

use std::fmt;

/// Where it is, and what is shown there.
#[derive(Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Where it is; with the token that is shown there, if one is, as a URL has it.
    pub url: String,
    /// The user and password that are shown there.
    pub login: Option<(String, String)>,
    /// The token in the URL.
    pub token: Option<String>,
    /// Where it is, for people.
    pub shown: String,
}

/// Without what is secret.
impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elsewhere({}, …)", self.shown)
    }
}

impl Elsewhere {
    /// What nobody is to be told.
    pub(in crate::e2e) fn secrets(&self) -> impl Iterator<Item = String> {
        let password = self.login.as_ref().map(|(_, password)| password.clone());
        password.into_iter().chain(self.token.clone())
    }
}
