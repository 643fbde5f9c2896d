//! What to do where a server refuses because there is no more, by the server's words.
//!
//! The words and codes are those of nats-server's `errors.json` and `-ERR` lines.

/// A limit: how a refusal names it, by code or words, and what to do about it.
const LIMITS: [(&[&str], &str); 5] = [
    (
        &["maximum subscriptions exceeded"],
        "raise `max_subscriptions` of the server, or `subs` of the account",
    ),
    (
        &["10113", "account requires a stream config to have max bytes set"],
        "the account requires `max_bytes` on every stream, and these streams set none: turn its \
         `max_bytes_required` off",
    ),
    (
        &["10121"],
        "the account lets fewer messages be unacknowledged at once than the service takes: raise its \
         `max_ack_pending`, or lower `concurrency` in the settings",
    ),
    (
        &[
            "10002",
            "10023",
            "10026",
            "10027",
            "10028",
            "10047",
            "resource limits exceeded",
            "insufficient resources",
            "insufficient memory resources",
            "insufficient storage resources",
        ],
        "it is a limit of the account, or of the server, on JetStream: `nats account info` shows what \
         there is, and what is used of it",
    ),
    (
        &[
            "maximum messages exceeded",
            "maximum bytes exceeded",
            "maximum messages per subject exceeded",
        ],
        "the stream is full, and refuses what is new: `nats stream info` shows its limits, and `nats \
         stream edit` raises them",
    ),
];

/// What to do about a refusal, where it is for a limit.
pub fn remedy(words: &str) -> Option<&'static str> {
    let named = |names: &[&str]| names.iter().any(|name| words.contains(name));
    LIMITS.iter().find(|(names, _)| named(names)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::remedy;

    #[test]
    fn a_limit_is_known_by_the_words_of_the_server() {
        for (words, says) in [
            ("maximum subscriptions exceeded", "max_subscriptions"),
            ("resource limits exceeded for account (503)", "nats account info"),
            ("insufficient storage resources available, error code: 10047", "nats account info"),
            ("maximum bytes exceeded (503)", "nats stream edit"),
        ] {
            assert!(remedy(words).is_some_and(|it| it.contains(says)), "{words}");
        }
        assert_eq!(remedy("permissions violation for publish to \"a\""), None);
    }
}
