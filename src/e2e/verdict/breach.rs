//! Which promises a run has broken, and how, in words that are the same in every such run.

use std::fmt;

use serde::Serialize;

use super::finding::Verdict;
use super::report::Report;

/// A promise that is broken: `promise kept: lost`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Breach {
    /// Which, as a report has it.
    pub promise: String,
    /// How, a word each: `lost`.
    pub how: Vec<&'static str>,
    /// One place, in a sentence.
    pub message: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.how.join(", "))
    }
}

/// Those that a report finds.
pub fn breaches(report: &Report) -> Vec<Breach> {
    let broken = report.findings.iter().filter_map(|finding| {
        let Verdict::Invalid { shown, .. } = &finding.verdict else { return None };
        let promise = match &finding.name {
            Some(name) => format!("{} {name}", finding.property),
            None => finding.property.to_string(),
        };
        let mut how: Vec<&'static str> = shown.iter().map(|violation| violation.breach).collect();
        how.sort_unstable();
        how.dedup();
        let message = shown.first().map(|first| first.message.clone()).unwrap_or_default();
        Some(Breach { promise, how, message })
    });
    broken.collect()
}
