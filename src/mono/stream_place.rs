//! Where a stream consumer works: its streams and its durable consumer.

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream;

use super::connect::Connection;
use super::ensure;
use super::error::ModuleError;
use super::stream_settings::StreamSettings;

/// Makes the streams and the durable consumer, or adopts what is there.
pub(crate) async fn prepare(
    connection: &Connection,
    settings: &StreamSettings,
    subject: &str,
) -> Result<(), ModuleError> {
    let consumer = async {
        let stream = ensure::stream(connection, &settings.stream).await?;
        ensure_consumer(connection, &stream, settings, subject).await
    };
    tokio::try_join!(
        consumer,
        ensure::stream(connection, &settings.dead_letters),
        ensure::stream(connection, &settings.failures.stream)
    )?;
    Ok(())
}

/// Makes the durable consumer, or adopts what is there.
pub(super) async fn ensure_consumer(
    connection: &Connection,
    stream: &stream::Stream,
    settings: &StreamSettings,
    subject: &str,
) -> Result<(), ModuleError> {
    let consumer = pull::Config {
        durable_name: Some(settings.durable.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: settings.ack_wait,
        max_deliver: -1,
        max_ack_pending: 4096,
        filter_subject: subject.to_owned(),
        ..Default::default()
    };
    ensure::pull_consumer(connection, stream, &consumer).await
}
