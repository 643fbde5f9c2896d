//! A delivery without its body, because somebody else set `headers_only` on the consumer: the
//! complete message is read from the stream before it is judged.

use async_nats::HeaderMap;

use super::connect::Connection;
use super::delivery::Delivery;
use super::error::Failure;

/// Whether the body may be missing. The server adds a header to such a delivery (`Nats-Msg-Size`),
/// which cannot be read where the others cannot, so that any header will do.
pub(crate) fn may_be(delivery: &Delivery) -> bool {
    delivery.body.is_empty() && delivery.headers.is_some()
}

/// The same delivery with the message that the stream has.
///
/// # Errors
/// [`Failure::Later`] if the broker does not say, or has another message by now.
pub(crate) async fn fetch(
    connection: &Connection,
    delivery: &Delivery,
) -> Result<Delivery, Failure> {
    let failed = |evidence: &dyn std::fmt::Display| {
        let (stream, sequence) = (&delivery.stream, delivery.sequence);
        Failure::Later(format!("fetch message {sequence} of stream `{stream}`: {evidence}"))
    };
    let jetstream = connection.jetstream();
    let stream = jetstream.get_stream_no_info(&delivery.stream).await.map_err(|e| failed(&e))?;
    let asked = connection.unless_reconnected(stream.get_raw_message(delivery.sequence)).await;
    let found = asked.ok_or_else(|| failed(&"the connection was made anew"))?;
    let found = found.map_err(|e| failed(&e))?;
    if found.time.unix_timestamp_nanos() != delivery.stored_ns {
        return Err(failed(&"the stream was made anew meanwhile"));
    }
    let headers = Some(found.headers).filter(|headers: &HeaderMap| !headers.is_empty());
    Ok(Delivery { body: found.payload, headers, ..delivery.clone() })
}
