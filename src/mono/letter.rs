//! Files the dead letter of a message that is given up, once.

use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::jetstream::context::PublishErrorKind;

use super::connect::Connection;
use super::dead_letter::{DeadKind, DeadLetter, Origin, cut_to_fit};
use super::delivery::Delivery;
use super::error::Failure;
use super::headers::set_header;
use super::stream_settings::StreamSettings;
use crate::wire::headers as h;

/// The dead letter of one delivery, not yet filed.
///
/// A handler that records an outcome elsewhere files it first: a process that ends in between
/// leaves a letter whose outcome the next delivery records, never an outcome without its letter.
pub struct Letter<'a> {
    connection: &'a Connection,
    settings: &'a StreamSettings,
    delivery: &'a Delivery,
    kind: DeadKind,
    reason: &'a str,
    filed: AtomicBool,
}

impl<'a> Letter<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        settings: &'a StreamSettings,
        delivery: &'a Delivery,
        kind: DeadKind,
        reason: &'a str,
    ) -> Self {
        Self { connection, settings, delivery, kind, reason, filed: AtomicBool::new(false) }
    }

    /// Stores the letter and waits for the acknowledgement; the server refuses a second one for the
    /// same original, and a second call does nothing.
    ///
    /// # Errors
    /// [`Failure::Later`] if the broker did not acknowledge it; the letter may be stored.
    pub async fn file(&self) -> Result<(), Failure> {
        if self.filed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Self { connection, settings, delivery, kind, reason, .. } = self;
        let name = delivery.name();
        // A letter that was sent again or purged meanwhile does not come back.
        if delivery.deliveries > 1
            && settings.failures.read(connection, &name).await?.letter.is_some()
        {
            return Ok(());
        }
        let origin = Origin {
            stream: &delivery.stream,
            subject: &delivery.subject,
            sequence: delivery.sequence,
            deliveries: delivery.deliveries,
        };
        let (original, body) = (delivery.headers.as_ref(), delivery.body.clone());
        let mut letter = DeadLetter::new(original, body, &origin, *kind, reason);
        set_header(&mut letter.headers, h::EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
        cut_to_fit(&mut letter.headers, &mut letter.body, connection.client().max_payload());
        let prefix = &settings.dead_letter_prefix;
        let subject = format!("{prefix}.{name}");
        let jetstream = connection.jetstream();
        let acknowledged = async {
            jetstream.publish_with_headers(subject, letter.headers, letter.body).await?.await
        };
        let failed = |evidence: &str| Failure::Later(format!("file a dead letter: {evidence}"));
        match connection.unless_reconnected(acknowledged).await {
            Some(Ok(_)) => {}
            // It is there. That somebody else has it in hand at this moment (10164) is another
            // refusal: that one may yet be lost.
            Some(Err(e)) if e.kind() == PublishErrorKind::WrongLastSequence => {}
            Some(Err(e)) => return Err(failed(&e.to_string())),
            None => return Err(failed("the connection was made anew")),
        }
        self.filed.store(true, Ordering::Relaxed);
        Ok(())
    }
}
