//! How a stream is consumed.

use std::time::Duration;

use async_nats::jetstream::stream;

use super::failures::Failures;

/// How a stream is consumed.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// The stream, made if it does not exist.
    pub stream: stream::Config,
    /// The durable consumer's name; all workers of all instances share it.
    pub durable: String,
    /// How long a delivery may take before another worker gets it. Handlers that take longer keep
    /// their message: progress is reported while they run.
    pub ack_wait: Duration,
    /// How long a handler may work on one delivery. Then it is dropped, and the message delivered
    /// again, perhaps to another worker.
    pub handle_limit: Duration,
    /// How often a message may fail by its own fault before it is given up (at least 1). What a
    /// broker, a disk or a killed process costs is not counted.
    pub max_deliver: u64,
    /// The wait after the first, second, … failure; the last one repeats.
    pub backoff: Vec<Duration>,
    /// The stream of dead letters, made if it does not exist.
    pub dead_letters: stream::Config,
    /// Dead letters are stored on `<prefix>.<sequence>-<time>`, one subject an original message.
    pub dead_letter_prefix: String,
    /// Where its failures are counted.
    pub failures: Failures,
}

impl StreamSettings {
    pub(crate) fn backoff_after(&self, times: u64) -> Duration {
        let last = self.backoff.len().saturating_sub(1);
        let index = usize::try_from(times.saturating_sub(1)).unwrap_or(last).min(last);
        self.backoff.get(index).copied().unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_backoff_repeats() {
        let settings = StreamSettings {
            stream: stream::Config::default(),
            durable: "d".into(),
            ack_wait: Duration::from_secs(1),
            handle_limit: Duration::from_secs(60),
            max_deliver: 5,
            backoff: vec![Duration::from_millis(1), Duration::from_millis(5)],
            dead_letters: stream::Config::default(),
            dead_letter_prefix: "x".into(),
            failures: Failures::new("f", "f", 1),
        };
        assert_eq!(settings.backoff_after(1), Duration::from_millis(1));
        assert_eq!(settings.backoff_after(2), Duration::from_millis(5));
        assert_eq!(settings.backoff_after(9), Duration::from_millis(5));
    }
}
