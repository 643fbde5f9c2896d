//! A stream of jobs, its dead letters and what is on record about failures: what a consumer in a test
//! has.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use mono_demo::mono::{Failures, StreamSettings};

/// Of the service `job` of this module; each test changes what it is about.
pub fn jobs(module: &str) -> StreamSettings {
    StreamSettings {
        stream: Config {
            name: "jobs".into(),
            subjects: vec![format!("services.{module}.job")],
            retention: RetentionPolicy::WorkQueue,
            ..Default::default()
        },
        durable: format!("{module}-job"),
        ack_wait: Duration::from_secs(30),
        handle_limit: Duration::from_secs(60),
        max_deliver: 5,
        backoff: vec![Duration::from_millis(10)],
        dead_letters: Config {
            name: "dead".into(),
            subjects: vec!["dead.*".into()],
            max_messages_per_subject: 1,
            ..Default::default()
        },
        dead_letter_prefix: "dead".into(),
        failures: Failures::new("failures", "failures", 1),
    }
}
