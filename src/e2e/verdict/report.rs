//! Every promise held against a history.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::figures::{Figures, figures};
use super::finding::{Finding, Property, Verdict};
use super::index::Index;
use super::policy::Policy;
use super::promises::{Promises, Unreadable};
use super::{order, replies, silence};
use crate::e2e::record::history::event::What;
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

    /// The promises that are broken, by name.
    pub fn broken(&self) -> Vec<String> {
        let broken = self.findings.iter().filter(|finding| finding.verdict.word() == "invalid");
        let name = |finding: &Finding| match &finding.name {
            None => finding.property.to_string(),
            Some(name) => format!("{} {}", finding.property, bounded(name, 200)),
        };
        broken.map(name).collect()
    }

    /// True where every promise is known to hold.
    pub fn is_valid(&self) -> bool {
        self.word() == "valid"
    }

    /// Whether of a promise that a suite declares it cannot be told if it holds.
    pub(in crate::e2e) fn leaves_a_promise_open(&self) -> bool {
        let declared = |finding: &&Finding| finding.name.is_some();
        let unknown = |finding: &Finding| matches!(finding.verdict, Verdict::Unknown { .. });
        self.findings.iter().filter(declared).any(unknown)
    }

    /// What came of one promise.
    pub fn verdict(&self, property: Property) -> Option<&Verdict> {
        let finding = self.findings.iter().find(|finding| finding.property == property);
        finding.map(|finding| &finding.verdict)
    }
}

/// Holds every promise against a history: those of the oracles, then that each request has one reply
/// and that order is kept.
///
/// # Errors
/// [`Unreadable`]: a fact that no oracle knows, or that has another shape.
pub fn check<P: Promises + ?Sized>(
    history: &History,
    policy: Policy,
    oracles: &[Arc<P>],
) -> Result<Report, Unreadable> {
    known(history, oracles)?;
    let index = Index::new(&history.events);
    // The oracles beside the engine's own: each reads the index, and neither the other.
    let (judged, own) = std::thread::scope(|scope| {
        let own = scope.spawn(|| [replies::check(&index), order::check(&index)]);
        let judged = oracles.iter().map(|oracle| oracle.judge(&index, policy));
        let judged = judged.collect::<Result<Vec<_>, _>>();
        // A thread that panicked goes on panicking here.
        (judged, own.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let mut judged = judged?;
    let findings = judged.iter_mut().flat_map(|judged| std::mem::take(&mut judged.findings));
    let mut findings: Vec<Finding> = findings.chain(own).collect();
    findings.extend(silence::check(&index, &findings));
    Ok(Report { findings, figures: figures(&index, &mut judged) })
}

/// A fact of a word that is misspelt, or of an oracle that is not here, would not be looked at.
fn known<P: Promises + ?Sized>(history: &History, oracles: &[Arc<P>]) -> Result<(), Unreadable> {
    for event in &history.events {
        let What::Fact(fact) = &event.what else { continue };
        if !oracles.iter().any(|oracle| oracle.facts().contains(&fact.word.as_str())) {
            let what = format!("`{}`", bounded(&fact.word, 40));
            let reason = "nobody here knows such an event".to_owned();
            return Err(Unreadable { line: event.seq, what, reason });
        }
    }
    Ok(())
}

/// A line a promise, then the figures; what is broken is shown with its evidence.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let word = finding.verdict.word();
            let property = finding.property;
            match &finding.name {
                None => writeln!(f, "{word:<8} {property} ({} looked at)", finding.looked_at)?,
                Some(name) => {
                    let name = bounded(name, 200);
                    writeln!(f, "{word:<8} {property} {name} ({} looked at)", finding.looked_at)?;
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::Fact;
    use crate::e2e::record::history::json::Json;
    use crate::e2e::verdict::promised::Declared;

    #[test]
    fn a_fact_of_a_word_that_nobody_knows_is_not_passed_over() {
        let said = |word: &str| {
            let fact = Fact { word: word.to_owned(), record: Json::of(&0).unwrap() };
            let history = History::from_events([(1, What::Fact(fact))]);
            check(&history, Policy::default(), &[Arc::new(Declared)]).map(|report| report.word())
        };
        let error = said("efect").unwrap_err().to_string();
        assert_eq!(error, "history line 1: `efect`: nobody here knows such an event");
        assert!(said("effect").unwrap_err().to_string().starts_with("history line 1: effect: "));
    }
}
