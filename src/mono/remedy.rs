//! What to do where a server refuses because there is no more, or something else is in the way, by the
//! server's words.
//!
//! The words and codes are those of nats-server's `errors.json` and `-ERR` lines.

/// A refusal by its codes and its words, and what to do about it.
type Known = (&'static [u64], &'static [&'static str], &'static str);

const REFUSALS: [Known; 11] = [
    (
        &[],
        &["maximum subscriptions exceeded"],
        "raise `max_subscriptions` of the server, or `subs` of the account",
    ),
    (
        &[10113],
        &["account requires a stream config to have max bytes set"],
        "the account requires `max_bytes` on every stream, and these streams set none: turn its \
         `max_bytes_required` off",
    ),
    (
        &[10121],
        &[],
        "the account lets fewer messages be unacknowledged at once than the service takes: raise its \
         `max_ack_pending`, or lower `concurrency` in the settings",
    ),
    (
        &[10002, 10023, 10026, 10027, 10028, 10047],
        &[
            "resource limits exceeded",
            "insufficient resources",
            "insufficient memory resources",
            "insufficient storage resources",
        ],
        "it is a limit of the account, or of the server, on JetStream: `nats account info` shows what \
         there is, and what is used of it",
    ),
    (
        &[],
        &[
            "maximum messages exceeded",
            "maximum bytes exceeded",
            "maximum messages per subject exceeded",
        ],
        "the stream is full, and refuses what is new: `nats stream info` shows its limits, and `nats \
         stream edit` raises them",
    ),
    (
        &[10054],
        &["message size exceeds maximum allowed"],
        "the stream takes smaller messages only: `nats stream edit` raises its `max_msg_size`",
    ),
    (
        &[10060],
        &["expected stream does not match"],
        "another stream than the one that is meant has this subject, and no worker reads it there: `nats \
         stream ls --subject SUBJECT` names it; take the subject from it with `nats stream edit`, or \
         delete it",
    ),
    (
        &[10099, 10100],
        &[
            "multiple non-filtered consumers not allowed on workqueue stream",
            "filtered consumer not unique on workqueue stream",
        ],
        "a work queue gives each message to one consumer, and another one takes these: `nats consumer ls \
         STREAM` names it, and `nats consumer rm` removes it",
    ),
    (
        &[10012, 10013, 10148],
        &["can not update push consumer to pull based"],
        "a consumer of this name has settings that cannot be changed to these: `nats consumer rm` removes \
         it, and it is made anew",
    ),
    (
        &[10109],
        &["invalid operation on sealed stream"],
        "somebody has sealed the stream, for good: what it holds can be read, and to go on it has to be \
         deleted and made anew",
    ),
    (
        &[10005, 10074],
        &["no suitable peers for placement", "replicas > 1 not supported"],
        "there are fewer servers with JetStream than copies of a stream: lower `replicas` in the settings",
    ),
];

/// What to do about a refusal, where it is known: by JetStream's code, where it has one, else by its words.
pub fn remedy(words: &str, code: Option<u64>) -> Option<&'static str> {
    let by_code = |(codes, _, _): &&Known| code.is_some_and(|code| codes.contains(&code));
    let by_words = |(_, names, _): &&Known| names.iter().any(|name| words.contains(name));
    let known = REFUSALS.iter().find(by_code).or_else(|| REFUSALS.iter().find(by_words));
    known.map(|(_, _, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::remedy;

    #[test]
    fn a_limit_is_known_by_the_words_of_the_server() {
        for (words, says) in [
            ("maximum subscriptions exceeded", "max_subscriptions"),
            ("resource limits exceeded for account (503)", "nats account info"),
            ("insufficient storage resources available", "nats account info"),
            ("maximum bytes exceeded (503)", "nats stream edit"),
            ("expected stream does not match (400)", "nats stream ls --subject"),
            ("filtered consumer not unique on workqueue stream", "nats consumer ls"),
            ("can not update push consumer to pull based", "nats consumer rm"),
            ("invalid operation on sealed stream", "sealed"),
            ("replicas > 1 not supported in non-clustered mode", "lower `replicas`"),
        ] {
            assert!(remedy(words, None).is_some_and(|it| it.contains(says)), "{words}");
        }
        assert_eq!(remedy("permissions violation for publish to \"a\"", None), None);
    }

    #[test]
    fn a_code_is_a_number_and_no_part_of_other_words() {
        for (code, says) in [(10113, "max_bytes"), (10121, "max_ack_pending"), (10005, "replicas")]
        {
            assert!(remedy("any words", Some(code)).is_some_and(|it| it.contains(says)), "{code}");
            let words = format!("connect to 127.0.0.1:{code}: no answer for stream `s{code}`");
            assert_eq!(remedy(&words, None), None, "a port, a name");
        }
        // The code is more certain than words, which may quote a name.
        let quoted = remedy("stream `maximum bytes exceeded`", Some(10109));
        assert!(quoted.is_some_and(|it| it.contains("sealed")));
    }
}
