//! What service processes printed before they ended.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::process::Child;

/// A line that a process printed: when it came, whose it is, and the line.
pub(in crate::e2e) type Printed = (Instant, String, String);

/// The ends of their logs.
#[derive(Default)]
pub(in crate::e2e) struct LastWords {
    /// Of the last that ended, of each service.
    last: BTreeMap<String, Vec<String>>,
    /// Of all that have ended.
    all: Vec<Printed>,
}

impl LastWords {
    /// This process has ended.
    pub(in crate::e2e) fn keep(&mut self, process: &Child) {
        self.last.insert(process.name().to_owned(), process.tail());
        self.all.extend(printed(process));
    }

    /// One of this service has ended before it was ready.
    pub(in crate::e2e) fn never_ready(&mut self, service: &str, log: &[String]) {
        self.last.insert(service.to_owned(), log.to_vec());
    }

    /// Of the last of this service that has ended.
    pub(in crate::e2e) fn of(&self, service: &str) -> &[String] {
        self.last.get(service).map_or(&[], Vec::as_slice)
    }

    /// Of all that have ended.
    pub(in crate::e2e) fn all(&self) -> &[Printed] {
        &self.all
    }
}

/// The last lines of a process.
pub(in crate::e2e) fn printed(process: &Child) -> impl Iterator<Item = Printed> {
    let name = process.name();
    process.timed_tail().into_iter().map(move |(at, line)| (at, name.to_owned(), line))
}
