//! What the judge of the run's history says.

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use crate::e2e::text::matcher::{canonical, compare};
use crate::e2e::verdict::finding::{Finding, Verdict};
use crate::e2e::verdict::promises::FINAL;
use crate::e2e::verdict::replies::REPLIES;
use crate::e2e::verdict::report::Report;

/// The verdict and the figures, as far as they are expected; the rest differs from run to run. What is
/// not known is not held, unless a check expects just that.
pub(in crate::e2e) fn history(report: &Report, expected: &Value) -> Answer {
    let mut seen = serde_json::to_value(&report.figures).unwrap_or_default();
    seen["verdict"] = report.word().into();
    if let Err(difference) = compare(expected, &(&seen).into(), false, "history") {
        return Err(format!("{difference}\n{report}"));
    }
    let looked = |finding: &Finding| finding.looked_at > 0 && finding.property != REPLIES;
    let mut keys = expected.as_object().into_iter().flatten().map(|(key, _)| key);
    if keys.any(|key| report.figures.promised.contains_key(key))
        && !report.findings.iter().any(looked)
    {
        return Err(format!("nothing was looked at: no promise is about what was done\n{report}"));
    }
    let expects_unknown = expected.get("verdict").is_some_and(|verdict| verdict == "unknown");
    if report.word() == "unknown" && !expects_unknown {
        return Err(format!("the history does not say enough\n{report}"));
    }
    let keys = expected.as_object().into_iter().flatten();
    Ok(keys.map(|(key, _)| format!("{key} {}", canonical(&seen[key]))).collect())
}

/// What was late is in the verdict on the history already; here is what leaves it open.
pub(in crate::e2e) fn final_within(report: &Report, limit: Duration) -> Answer {
    let late = || format!("not everything was final within {limit:?} of the last fault\n{report}");
    let mut promised =
        report.findings.iter().filter(|finding| finding.property == FINAL).peekable();
    if promised.peek().is_none() {
        return Err("nobody here knows when anything is final".to_owned());
    }
    let mut looked_at = 0;
    for finding in promised {
        looked_at += finding.looked_at;
        match &finding.verdict {
            Verdict::Valid => {}
            Verdict::Unknown { why } => return Err(why.join("; ")),
            Verdict::Invalid { .. } => return Err(late()),
        }
    }
    if looked_at == 0 {
        return Err(format!("nothing was looked at: nothing came to an end\n{report}"));
    }
    Ok(vec![format!("final within {limit:?} of the last fault")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::verdict::figures::Figures;
    use crate::e2e::verdict::finding;

    #[test]
    fn figures_of_promises_that_nothing_was_held_against_are_no_proof() {
        let said = |looked_at| {
            let of = |property, looked_at| finding::Finding {
                property,
                name: None,
                looked_at,
                verdict: Verdict::Valid,
            };
            let findings = vec![of(REPLIES, 3), of(FINAL, looked_at)];
            let mut figures = Figures::default();
            figures.promised.insert("lost".to_owned(), 0.into());
            history(&Report { findings, figures }, &serde_json::json!({ "lost": 0 }))
        };
        assert_eq!(said(1), Ok(vec!["lost 0".to_owned()]));
        assert!(said(0).unwrap_err().starts_with("nothing was looked at"));
    }

    #[test]
    fn another_figure_or_verdict_is_told_and_what_is_not_known_is_not_held() {
        let report = |verdict| {
            let finding = finding::Finding { property: FINAL, name: None, looked_at: 1, verdict };
            let mut figures = Figures::default();
            figures.promised.insert("lost".to_owned(), 3.into());
            Report { findings: vec![finding], figures }
        };
        let said = |verdict, expected| history(&report(verdict), &expected);
        let unknown = || Verdict::Unknown { why: vec!["half of it is missing".to_owned()] };
        let valid = serde_json::json!({ "verdict": "valid", "lost": 3 });
        assert!(said(Verdict::Valid, valid.clone()).is_ok());
        let two = said(Verdict::Valid, serde_json::json!({ "lost": 2 })).unwrap_err();
        assert!(two.contains("lost") && two.contains("3"), "{two}");
        let other = said(unknown(), valid).unwrap_err();
        assert!(other.contains("verdict") && other.contains("half of it is missing"), "{other}");
        let open = said(unknown(), serde_json::json!({ "lost": 3 })).unwrap_err();
        assert!(open.starts_with("the history does not say enough"), "{open}");
        assert!(said(unknown(), serde_json::json!({ "verdict": "unknown" })).is_ok());
    }

    #[test]
    fn final_within_goes_red_for_late_unknown_and_nobody() {
        let limit = Duration::from_secs(10);
        let said = |verdicts: &[Verdict]| {
            let finding = |verdict: &Verdict| finding::Finding {
                property: FINAL,
                name: None,
                looked_at: 1,
                verdict: verdict.clone(),
            };
            let findings = verdicts.iter().map(finding).collect();
            final_within(&Report { findings, figures: Figures::default() }, limit)
        };
        let unknown = Verdict::Unknown { why: vec!["nothing was broken".to_owned()] };
        let late = Verdict::Invalid { violations: 1, shown: Vec::new() };
        assert_eq!(
            said(&[Verdict::Valid, Verdict::Valid]),
            Ok(vec!["final within 10s of the last fault".to_owned()])
        );
        assert!(said(&[Verdict::Valid, unknown]).unwrap_err().contains("nothing was broken"));
        assert!(said(&[Verdict::Valid, late]).unwrap_err().contains("not everything was final"));
        assert!(said(&[]).unwrap_err().contains("nobody here knows"));
        let of_nothing =
            finding::Finding { property: FINAL, name: None, looked_at: 0, verdict: Verdict::Valid };
        let report = Report { findings: vec![of_nothing], figures: Figures::default() };
        assert!(final_within(&report, limit).unwrap_err().starts_with("nothing was looked at"));
    }
}
