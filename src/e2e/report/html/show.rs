//! How things are shown: texts that are safe, times, verdicts as word, sign and colour.

use crate::e2e::record::run::RunId;
use crate::e2e::verdict::event::Verdict;
use crate::process::clean;

/// Many lines, without what could act on a page or mislead whoever reads it: control characters and
/// direction overrides. Tags are no danger; the markup escapes them.
pub(in crate::e2e) fn text(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// Milliseconds of nanoseconds, with as many digits as matter.
pub(in crate::e2e) fn ms(ns: u64) -> String {
    format!("{}.{}", ns / 1_000_000, ns % 1_000_000 / 100_000)
}

/// Seconds of milliseconds.
pub(in crate::e2e) fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

/// At most so many characters.
pub(in crate::e2e) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// A verdict for people: never by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::e2e) struct Sign {
    /// Also its class and its filter.
    pub(in crate::e2e) word: &'static str,
    /// For the eye only.
    pub(in crate::e2e) mark: &'static str,
}

/// All signs, in the order of the filter.
pub(in crate::e2e) const SIGNS: [Sign; 6] = [
    Sign { word: "failed", mark: "✗" },
    Sign { word: "broken", mark: "!" },
    Sign { word: "flaky", mark: "~" },
    Sign { word: "skipped", mark: "–" },
    Sign { word: "written", mark: "+" },
    Sign { word: "passed", mark: "✓" },
];

/// The sign of a verdict.
pub(in crate::e2e) fn sign(verdict: &Verdict) -> Sign {
    let at = match verdict {
        Verdict::Failed(_) => 0,
        Verdict::Broken { .. } => 1,
        Verdict::Flaky { .. } => 2,
        Verdict::Skipped { .. } => 3,
        Verdict::Updated { .. } => 4,
        Verdict::Passed => 5,
    };
    SIGNS[at]
}

/// The fragment of a run, which stays the same from report to report.
pub(in crate::e2e) fn anchor(run: &RunId) -> String {
    let mut anchor = format!("{}/{}", run.scenario, run.client);
    if let Some(round) = run.round {
        anchor.push_str(&format!("/{round}"));
    }
    anchor.replace(|c: char| !c.is_ascii_alphanumeric() && !"/-_.".contains(c), "-")
}
