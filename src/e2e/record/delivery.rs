//! What the reply subject of a delivery says; whoever has the message acknowledges it there.

/// How such a subject begins: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…` (ADR-15).
pub const ACKNOWLEDGE: &str = "$JS.ACK.";

/// A delivery of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery<'a> {
    pub stream: &'a str,
    pub consumer: &'a str,
    /// How often this message was delivered, from 1.
    pub delivery: u64,
    /// Of the message in its stream.
    pub sequence: u64,
    /// How many messages waited after it.
    pub waiting: u64,
}

impl<'a> Delivery<'a> {
    /// ADR-15: nine tokens, or two more for the domain and the account, and perhaps one at the end.
    #[must_use]
    pub fn of(subject: &'a str) -> Option<Self> {
        let tokens: Vec<&str> = subject.strip_prefix(ACKNOWLEDGE)?.split('.').collect();
        let of_message = match tokens.len() {
            7 => &tokens[..],
            9.. => &tokens[2..],
            _ => return None,
        };
        let [stream, consumer, delivery, sequence, _, _, waiting, ..] = *of_message else {
            return None;
        };
        Some(Self {
            stream,
            consumer,
            delivery: delivery.parse().ok()?,
            sequence: sequence.parse().ok()?,
            waiting: waiting.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_name_a_domain_and_an_account() {
        let told = Delivery { stream: "s", consumer: "c", delivery: 3, sequence: 4, waiting: 9 };
        assert_eq!(Delivery::of("$JS.ACK.s.c.3.4.5.17.9"), Some(told));
        assert_eq!(Delivery::of("$JS.ACK.hub.ACCHASH.s.c.3.4.5.17.9.rand"), Some(told));
    }

    #[test]
    fn other_subjects_are_none() {
        for subject in ["$JS.ACK.s", "a.b", "$JS.ACK.s.c.one.4.5.17.9", "$JS.ACK.s.c.3.4.5.17"] {
            assert_eq!(Delivery::of(subject), None, "{subject}");
        }
    }
}
