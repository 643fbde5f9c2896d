//! Writes a history during the run: cheap, from any thread, in one order on one clock.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use serde::Serialize;

use super::clock::Clock;
use super::event::{Delivery, End, Fact, Fault, Hit, Phase, What};
use super::json::Json;
use crate::wire::{headers::one_line, journal::DeliveryRecord};

/// Where a run's events go; clones write to the same history.
///
/// ```
/// use mono_demo::e2e::record::history::{About, Kind, Recorder};
/// let recorder = Recorder::new(Vec::new());
/// let order = About { of: "order".into(), key: "o-7".into(), content: None };
/// let submit = recorder.invoke("client-1", Kind::Submit, "orders.new", Some(order));
/// submit.acknowledged(1, false);
/// recorder.finish(["shipments"]).unwrap();
/// ```
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    next_op: AtomicU64,
    file: Mutex<File>,
}

struct File {
    out: BufWriter<Box<dyn Write + Send>>,
    seq: u64,
    /// The first write that failed; nothing is written after it.
    failed: Option<io::Error>,
    /// Why nobody knows of second replies.
    unheard: Option<String>,
    noted: bool,
    ended: bool,
}

/// Why a history is not complete.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It could not be written.
    #[error("write the history: {0}")]
    Write(#[from] io::Error),
    /// A journal has a line that does not fit.
    #[error("{journal} has {text:?}, which is not {expected}")]
    Journal {
        /// Whose it is, as `workers'`.
        journal: &'static str,
        /// What it has.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Recorder {
    /// A history that begins now and is written to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        let file = File {
            out: BufWriter::new(Box::new(out)),
            seq: 0,
            failed: None,
            unheard: None,
            noted: false,
            ended: false,
        };
        Self {
            shared: Arc::new(Shared {
                clock: Clock::start(),
                next_op: AtomicU64::new(1),
                file: Mutex::new(file),
            }),
        }
    }

    /// The number of an operation that begins.
    pub(in crate::e2e) fn next_operation(&self) -> u64 {
        self.shared.next_op.fetch_add(1, Ordering::Relaxed)
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Records the workers' journal of deliveries, read after the run.
    ///
    /// # Errors
    /// [`RecordError::Journal`] quotes what is not a time.
    pub fn deliveries(&self, journal: &[DeliveryRecord]) -> Result<(), RecordError> {
        for record in journal {
            let at_ns = self.wall_ns("workers'", &record.at)?;
            self.append_at(at_ns, What::Delivery(Delivery::from(record)));
        }
        Ok(())
    }

    /// Records one end of a fault.
    pub fn fault(&self, name: &str, phase: Phase) {
        self.append(What::Fault(Fault { name: name.to_owned(), phase, hit: None }));
    }

    /// Records that a fault hit a message: it begins and ends with it.
    pub fn fault_hit(&self, name: &str, hit: &Hit) {
        for phase in [Phase::Begin, Phase::End] {
            self.append(What::Fault(Fault {
                name: name.to_owned(),
                phase,
                hit: Some(hit.clone()),
            }));
        }
    }

    /// Records a fact that is so since `at`, an RFC 3339 time on a line of the journal that is called
    /// `journal`.
    ///
    /// # Errors
    /// [`RecordError::Journal`] quotes what is not a time.
    pub fn journaled(
        &self,
        journal: &'static str,
        at: &str,
        word: &str,
        record: &impl Serialize,
    ) -> Result<(), RecordError> {
        self.fact(self.wall_ns(journal, at)?, word, record)
    }

    /// Records a fact that is so since `at_ns`.
    ///
    /// # Errors
    /// [`RecordError::Write`]: a record that JSON cannot carry.
    pub fn fact(&self, at_ns: u64, word: &str, record: &impl Serialize) -> Result<(), RecordError> {
        let record = Json::of(record).map_err(io::Error::from)?;
        self.append_at(at_ns, What::Fact(Fact { word: word.to_owned(), record }));
        Ok(())
    }

    /// Records what happens now.
    pub fn append(&self, what: What) {
        self.write(None, what);
    }

    /// Records an event that happened at `at_ns` and becomes known only now.
    pub fn append_at(&self, at_ns: u64, what: What) {
        self.write(Some(at_ns), what);
    }

    /// Second replies were not listened to, and why: the end says so.
    pub(in crate::e2e) fn unheard(&self, why: String) {
        self.lock().unheard = Some(why);
    }

    /// The operations are noted by whoever does them: the end says so.
    pub(in crate::e2e) fn noted(&self) {
        self.lock().noted = true;
    }

    /// Ends the history, and names its complete records. Without this line a history counts as cut
    /// off, and events that are not in it may have happened.
    ///
    /// # Errors
    /// [`RecordError::Write`]: the first write that failed.
    pub fn finish<'a>(&self, whole: impl IntoIterator<Item = &'a str>) -> Result<(), RecordError> {
        let whole = whole.into_iter().map(str::to_owned).collect();
        let clocks_us = Some(self.shared.clock.moved_us());
        let (unheard, noted) = {
            let mut file = self.lock();
            (file.unheard.take(), file.noted)
        };
        self.append(What::End(End { whole, clocks_us, unheard, noted }));
        let mut file = self.lock();
        file.ended = true;
        match file.failed.take() {
            Some(error) => Err(error.into()),
            None => Ok(file.out.flush()?),
        }
    }

    /// Flushes all recorded events to the file.
    ///
    /// # Errors
    /// [`RecordError::Write`]: it cannot be written, now or before.
    pub(in crate::e2e) fn flush(&self) -> Result<(), RecordError> {
        let mut file = self.lock();
        match &file.failed {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string()).into()),
            None => Ok(file.out.flush()?),
        }
    }

    fn wall_ns(&self, journal: &'static str, text: &str) -> Result<u64, RecordError> {
        let wall: Timestamp = text.parse().map_err(|_| RecordError::Journal {
            journal,
            text: one_line(text),
            expected: "a time of RFC 3339",
        })?;
        Ok(self.shared.clock.ns_at(wall))
    }

    /// The text is made before the lock is taken; number and time under it, so that they agree.
    fn write(&self, at_ns: Option<u64>, what: What) {
        let body = serde_json::to_string(&what).map_err(io::Error::from);
        let mut file = self.lock();
        if file.failed.is_some() || file.ended {
            return;
        }
        let at_ns = at_ns.unwrap_or_else(|| self.shared.clock.now_ns());
        file.seq += 1;
        let seq = file.seq;
        let written = body.and_then(|body| {
            let body = body.strip_prefix('{').unwrap_or(&body);
            writeln!(file.out, "{{\"seq\":{seq},\"at_ns\":{at_ns},{body}")
        });
        file.failed = written.err();
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.shared.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{About, Kind};
    use super::*;
    use crate::e2e::record::history::event::Event;
    use crate::e2e::record::history::reader::History;

    /// A file that can still be read when the recorder is gone.
    #[derive(Clone, Default)]
    struct Shelf(Arc<Mutex<Vec<u8>>>);

    impl Write for Shelf {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn about(key: &str) -> Option<About> {
        Some(About { of: "message".to_owned(), key: key.to_owned(), content: None })
    }

    fn read(shelf: &Shelf) -> Vec<Event> {
        History::read(&shelf.0.lock().unwrap()).unwrap().events
    }

    #[test]
    fn threads_share_one_order_and_one_clock() {
        let shelf = Shelf::default();
        let recorder = Recorder::new(shelf.clone());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    for _ in 0..500 {
                        let process = format!("client-{thread}");
                        recorder.invoke(&process, Kind::Request, "s", None).ok();
                    }
                });
            }
        });
        recorder.finish([]).unwrap();
        let events = read(&shelf);
        assert_eq!(events.len(), 4 * 500 * 2 + 1);
        assert!(events.is_sorted_by_key(|event| event.at_ns));
        let ops: std::collections::BTreeSet<u64> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::Invoke(invoke) => Some(invoke.op),
                _ => None,
            })
            .collect();
        assert_eq!(ops.len(), 2000);
    }

    #[test]
    fn an_operation_that_is_dropped_may_have_happened() {
        let shelf = Shelf::default();
        let recorder = Recorder::new(shelf.clone());
        drop(recorder.invoke("c", Kind::Submit, "s", about("m\u{1b}[31m")));
        recorder.invoke("c", Kind::Submit, "s", None).fail("no\r\nresponders");
        recorder.finish(["shipments"]).unwrap();
        recorder.fault("late", Phase::Begin);
        let events = read(&shelf);
        assert!(matches!(&events[1].what, What::Unknown(refusal) if refusal.op == 1));
        assert!(
            matches!(&events[3].what, What::Fail(refusal) if refusal.reason == "no  responders")
        );
        assert!(matches!(&events[4].what, What::End(_)), "nothing follows the end");
    }

    #[test]
    fn journals_are_put_on_the_clock_of_the_run() {
        let shelf = Shelf::default();
        let recorder = Recorder::new(shelf.clone());
        let second = std::time::Duration::from_secs(1);
        let at = recorder.clock().started_at().checked_add(second).unwrap().to_string();
        recorder.journaled("porter's", &at, "shipped", &["o-7"]).unwrap();
        let wrong = recorder.journaled("porter's", "yesterday", "shipped", &()).unwrap_err();
        assert!(wrong.to_string().contains("porter's has \"yesterday\""), "{wrong}");
        recorder.finish([]).unwrap();
        let [event, _] = read(&shelf).try_into().unwrap();
        assert_eq!(event.at_ns, 1_000_000_000);
        let What::Fact(fact) = event.what else { panic!("{event:?}") };
        assert_eq!(
            (fact.word.as_str(), fact.record.read().ok()),
            ("shipped", Some(["o-7".to_owned()]))
        );
    }

    #[test]
    fn a_write_that_fails_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let recorder = Recorder::new(Full);
        recorder.fault("kill-broker", Phase::Begin);
        assert!(matches!(recorder.finish([]), Err(RecordError::Write(_))));
    }
}
