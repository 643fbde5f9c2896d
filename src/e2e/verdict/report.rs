//! Every promise held against a history.

use std::fmt;

use serde::Serialize;

use super::figures::{Figures, Sums, figures};
use super::finding::{Finding, Property, Verdict};
use super::index::Index;
use super::policy::Policy;
use super::promises::{acknowledged, finality, once, order, queue, replies, status};
use crate::e2e::record::history::reader::History;
use crate::wire::headers::bounded;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// One a promise.
    pub findings: Vec<Finding>,
    /// The run in numbers.
    pub figures: Figures,
}

impl Report {
    /// `invalid` where a promise is broken, else `unknown` where one cannot be told, else `valid`.
    pub fn word(&self) -> &'static str {
        let any = |word| self.findings.iter().any(|finding| finding.verdict.word() == word);
        ["invalid", "unknown"].into_iter().find(|word| any(*word)).unwrap_or("valid")
    }

    /// True where every promise is known to hold.
    pub fn is_valid(&self) -> bool {
        self.word() == "valid"
    }

    /// What came of one promise.
    pub fn verdict(&self, property: Property) -> Option<&Verdict> {
        let finding = self.findings.iter().find(|finding| finding.property == property);
        finding.map(|finding| &finding.verdict)
    }
}

/// Holds every promise against a history.
pub fn check(history: &History, policy: Policy) -> Report {
    let index = Index::new(&history.events);
    let mut findings = vec![
        acknowledged::check(&index),
        once::check(&index),
        replies::check(&index),
        queue::check(&index, policy.queue_loss),
        order::check(&index),
        status::check(&index),
    ];
    findings.extend(policy.final_within.map(|within| finality::check(&index, within)));
    let figures = figures(&index);
    sums(&figures, &mut findings);
    Report { findings, figures }
}

/// The sums follow from the payments one by one, unless an entry has no amount.
fn sums(figures: &Figures, findings: &mut [Finding]) {
    let once = findings.iter_mut().find(|finding| finding.property == Property::Once);
    if let Some(Finding { verdict: verdict @ Verdict::Valid, .. }) = once
        && figures.charged != figures.paid
    {
        let why = format!(
            "charged {}, completed {}: an outcome is on record without its amount",
            Sums(&figures.charged),
            Sums(&figures.paid)
        );
        *verdict = Verdict::Unknown { why: vec![why] };
    }
}

/// A line a promise, then the figures; what is broken is shown with its evidence.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let word = finding.verdict.word();
            writeln!(f, "{word:<8} {} ({} looked at)", finding.property, finding.looked_at)?;
            match &finding.verdict {
                Verdict::Valid => {}
                Verdict::Unknown { why } => {
                    for why in why {
                        writeln!(f, "         {why}")?;
                    }
                }
                Verdict::Invalid { violations, shown } => {
                    for violation in shown {
                        writeln!(f, "         {}", violation.message)?;
                        for event in &violation.evidence {
                            let line = serde_json::to_string(event).map_err(|_| fmt::Error)?;
                            writeln!(f, "           {}", bounded(&line, 2000))?;
                        }
                    }
                    if *violations > shown.len() {
                        writeln!(f, "         and {} more", violations - shown.len())?;
                    }
                }
            }
        }
        self.figures.fmt(f)
    }
}
