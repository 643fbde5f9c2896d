//! One attempt at a message: what counts against it, and when it is given up.
//!
//! Only a failure that its handler returns, or a panic, counts. A message that crashes its process
//! each time never records a failure. So a message that was delivered [`WORN`] times is marked
//! before its handler begins, and an orderly end removes the mark. [`MARKS`] marks in a row fail
//! the message: kills from outside hit the same message only by chance, and never that often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::connect::Connection;
use super::delivery::Delivery;
use super::error::Failure;
use super::failures::Record;
use super::shutdown::Shutdown;
use super::stream_settings::StreamSettings;

use crate::counted::counted;

/// After this many deliveries each begin of a handler is marked.
const WORN: u64 = 20;
/// This many marks in a row are not chance: the message is given up.
const MARKS: u64 = 50;
/// How long taking back a mark may take while the service stops.
const LAST: Duration = Duration::from_secs(1);

/// What is to be done with a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its handler may try.
    Try,
    /// Its attempts are used up, for this reason.
    GiveUp(String),
}

/// One delivery, and what is on record about its message.
pub(crate) struct Attempt<'a> {
    connection: &'a Connection,
    settings: &'a StreamSettings,
    delivery: &'a Delivery,
    marked: AtomicBool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        connection: &'a Connection,
        settings: &'a StreamSettings,
        delivery: &'a Delivery,
    ) -> Self {
        Self { connection, settings, delivery, marked: AtomicBool::new(false) }
    }

    /// Whether the handler may try; a first delivery may, without a look at the record.
    pub(crate) async fn begin(&self) -> Result<Verdict, Failure> {
        if self.delivery.deliveries <= 1 {
            return Ok(Verdict::Try);
        }
        Box::pin(self.begin_again()).await
    }

    async fn begin_again(&self) -> Result<Verdict, Failure> {
        let failures = &self.settings.failures;
        let record = failures.read(self.connection, &self.delivery.name()).await?;
        let verdict = self.verdict(&record);
        if verdict == Verdict::Try && self.delivery.deliveries > WORN {
            self.marked.store(true, Ordering::Relaxed);
            self.change(|record| record.begun += 1).await?;
        }
        Ok(verdict)
    }

    /// Counts a failure of the message's own.
    pub(crate) async fn failed(&self, reason: &str) -> Result<Record, Failure> {
        let noted = self.change(|record| {
            record.failures += 1;
            record.begun = 0;
            reason.clone_into(&mut record.reason);
        });
        let record = noted.await?;
        self.marked.store(false, Ordering::Relaxed);
        Ok(record)
    }

    /// Whether a message with this record may be tried again.
    pub(crate) fn verdict(&self, record: &Record) -> Verdict {
        let Record { failures, reason, begun, .. } = record;
        if *failures >= self.settings.max_deliver {
            Verdict::GiveUp(format!("{reason} (after {})", counted(*failures, "attempt")))
        } else if *begun >= MARKS {
            Verdict::GiveUp(format!("{} ended with it in hand", counted(*begun, "process")))
        } else {
            Verdict::Try
        }
    }

    /// Its handler stopped in an orderly way: the mark, if there is one, is taken back, once the
    /// broker is there, however long that takes.
    pub(crate) async fn stopped(&self, shutdown: &Shutdown) {
        while self.marked.load(Ordering::Relaxed) {
            let draining = async {
                shutdown.draining().await;
                tokio::time::sleep(LAST).await;
            };
            let change = tokio::select! {
                change = self.change(|record| record.begun = 0) => change,
                () = draining => return,
            };
            match change {
                Ok(_) => self.marked.store(false, Ordering::Relaxed),
                Err(error) => {
                    tracing::debug!(%error, "a mark is not taken back yet");
                    // The broker is away, and what ends that cannot be observed from here.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn change(&self, change: impl Fn(&mut Record)) -> Result<Record, Failure> {
        let failures = &self.settings.failures;
        Box::pin(failures.change(self.connection, &self.delivery.name(), change)).await
    }
}
