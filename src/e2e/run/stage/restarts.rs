//! How often services are started again that ended by themselves.

use std::collections::BTreeMap;

use crate::counted::counted;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::text::telling::telling_line;

/// Of each service.
pub(in crate::e2e) struct Restarts {
    /// Whether what ends unasked is started again at all.
    pub(in crate::e2e) wanted: bool,
    /// How often each may be.
    most: Option<u32>,
    /// How often each was.
    times: BTreeMap<String, u32>,
}

impl Restarts {
    pub(in crate::e2e) fn new(fixture: &Fixture) -> Self {
        let processes = &fixture.processes;
        Self { wanted: processes.restart, most: processes.restarts, times: BTreeMap::new() }
    }

    /// So many processes of a service are about to be started again, whose last one said this. Why that
    /// is too often, if it is.
    pub(in crate::e2e) fn count(
        &mut self,
        service: &str,
        processes: usize,
        last_words: &[String],
    ) -> Option<String> {
        if processes == 0 {
            return None;
        }
        let times = self.times.entry(service.to_owned()).or_default();
        *times = times.saturating_add(u32::try_from(processes).unwrap_or(u32::MAX));
        let most = self.most.filter(|most| *times > *most)?;
        let said = telling_line(last_words).map(|line| format!("; its log says `{line}`"));
        let ended = counted(*times, "time");
        Some(format!(
            "{service} ended by itself {ended}, more than `restarts = {most}`{}",
            said.unwrap_or_default()
        ))
    }

    /// How often each was.
    pub(in crate::e2e) fn times(&self) -> &BTreeMap<String, u32> {
        &self.times
    }
}
