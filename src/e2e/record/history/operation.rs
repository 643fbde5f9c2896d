//! An operation of a client: its begin and its end are recorded, whatever its outcome.

use super::event::{About, Invoke, Kind, Refusal, Reply, What};
use super::json::Json;
use super::recorder::Recorder;
use crate::wire::headers::one_line;

impl Recorder {
    /// Records that `process` begins an operation: call it before the first byte goes out.
    pub fn invoke(
        &self,
        process: &str,
        kind: Kind,
        subject: &str,
        about: Option<About>,
    ) -> Operation {
        let op = self.next_operation();
        let process = process.to_owned();
        let subject = subject.to_owned();
        self.append(What::Invoke(Invoke { process: process.clone(), op, kind, subject, about }));
        Operation::new(self.clone(), process, op)
    }
}

/// An operation in progress. If it is dropped, it is recorded as one that may have happened.
#[must_use = "an operation ends as ok, fail or unknown"]
pub struct Operation {
    recorder: Recorder,
    process: String,
    op: u64,
    settled: bool,
}

impl Operation {
    pub(in crate::e2e) fn new(recorder: Recorder, process: String, op: u64) -> Self {
        Self { recorder, process, op, settled: false }
    }

    /// Its number in the history.
    pub fn number(&self) -> u64 {
        self.op
    }

    /// It happened.
    pub fn ok(self) {
        self.replied(Reply::default());
    }

    /// A stream has it, under this sequence.
    pub fn acknowledged(self, sequence: u64, duplicate: bool) {
        self.replied(Reply { sequence: Some(sequence), duplicate, ..Reply::default() });
    }

    /// A status was read.
    pub fn read(self, reading: Json) {
        self.replied(Reply { reading: Some(reading), ..Reply::default() });
    }

    /// It certainly did not happen.
    pub fn fail(mut self, reason: &str) {
        let refusal = self.refusal(reason);
        self.settle(What::Fail(refusal));
    }

    /// It may have happened.
    pub fn unknown(mut self, reason: &str) {
        let refusal = self.refusal(reason);
        self.settle(What::Unknown(refusal));
    }

    fn replied(mut self, reply: Reply) {
        let process = self.process.clone();
        self.settle(What::Ok(Reply { process, op: self.op, ..reply }));
    }

    fn refusal(&self, reason: &str) -> Refusal {
        Refusal { process: self.process.clone(), op: self.op, reason: one_line(reason) }
    }

    fn settle(&mut self, what: What) {
        self.settled = true;
        self.recorder.append(what);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.settled {
            let refusal = self.refusal("abandoned before an answer came");
            self.settle(What::Unknown(refusal));
        }
    }
}
