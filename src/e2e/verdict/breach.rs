//! Which promises a run has broken, and how, in words that are the same in every such run.

use std::fmt;

use serde::Serialize;

use super::finding::Verdict;
use super::report::Report;
use crate::counted::counted;

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

/// All that a report finds broken, in one line: each promise, how, one place with its key, and how many
/// places there are beside that. `None` where nothing is.
pub fn headline(report: &Report) -> Option<String> {
    let places = report.findings.iter().filter_map(|finding| match finding.verdict {
        Verdict::Invalid { violations, .. } => Some(violations),
        _ => None,
    });
    let told = breaches(report).into_iter().zip(places).map(|(breach, places)| {
        let more = match places {
            0 | 1 => String::new(),
            many => format!(" (and {} more)", counted(many - 1, "place")),
        };
        format!("{breach}: {}{more}", breach.message)
    });
    Some(told.collect::<Vec<_>>().join("; ")).filter(|told| !told.is_empty())
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
