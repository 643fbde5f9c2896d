//! What a subject alone tells of its message.

use crate::process::clean;

/// What belongs to the library, the harness or the server, and not to the conversation.
const NOISE: [&str; 3] = ["$JS.", "$SYS.", "_E2E."];
/// Acknowledgements: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…` (ADR-15).
const ACK: &str = "$JS.ACK.";

/// Whether it is of no interest to whoever reads the conversation.
pub(in crate::e2e) fn is_noise(subject: &str) -> bool {
    NOISE.iter().any(|noise| subject.starts_with(noise))
}

/// Stream, how often delivered, and sequence; with or without a domain and an account's hash.
pub(in crate::e2e) fn acknowledgement(subject: &str) -> Option<(String, u64, u64)> {
    let tokens: Vec<&str> = subject.strip_prefix(ACK)?.split('.').collect();
    let own = if tokens.len() > 7 { tokens.get(2..)? } else { &tokens };
    let [stream, _consumer, delivered, sequence, ..] = own else { return None };
    Some((clean(stream), delivered.parse().ok()?, sequence.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_may_name_a_domain_and_an_account() {
        let told = Some(("s".to_owned(), 3, 4));
        assert_eq!(acknowledgement("$JS.ACK.s.c.3.4.5.17.0"), told);
        assert_eq!(acknowledgement("$JS.ACK.hub.ACCHASH.s.c.3.4.5.17.0.rand"), told);
        assert_eq!(acknowledgement("$JS.ACK.s"), None);
        assert_eq!(acknowledgement("a.b"), None);
    }
}
