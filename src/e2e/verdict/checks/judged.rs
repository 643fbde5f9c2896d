//! What the judge of the run's history says.

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use crate::e2e::text::matcher::{canonical, compare};
use crate::e2e::verdict::finding::{Property, Verdict};
use crate::e2e::verdict::report::Report;

/// The verdict and the figures, as far as they are expected; the rest differs from run to run.
pub(in crate::e2e) fn history(report: &Report, expected: &Value) -> Answer {
    let mut seen = serde_json::to_value(&report.figures).unwrap_or_default();
    seen["verdict"] = report.word().into();
    if let Err(difference) = compare(expected, &seen, false, "history") {
        return Err(format!("{difference}\n{report}"));
    }
    let keys = expected.as_object().into_iter().flatten();
    Ok(keys.map(|(key, _)| format!("{key} {}", canonical(&seen[key]))).collect())
}

/// What was late is in the verdict on the history already; here is what leaves it open.
pub(in crate::e2e) fn final_within(report: &Report, limit: Duration) -> Answer {
    match report.verdict(Property::Final) {
        Some(Verdict::Valid) => Ok(vec![format!("final within {limit:?} of the last fault")]),
        Some(Verdict::Unknown { why }) => Err(why.join("; ")),
        _ => Err(format!("not everything was final within {limit:?} of the last fault\n{report}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_within_goes_red_for_late_open_and_unbroken() {
        use crate::e2e::record::history::reader::History;
        use crate::e2e::verdict::policy::Policy;
        use crate::e2e::verdict::report::check;
        let limit = Duration::from_secs(10);
        let judged = |lines: &[&str]| {
            let numbered = lines
                .iter()
                .zip(1..)
                .map(|(line, n)| format!("{{\"seq\":{n},\"at_ns\":{n}000000000,\"{line}}}\n"));
            let history = History::read(numbered.collect::<String>().as_bytes()).unwrap();
            check(&history, Policy { final_within: Some(limit), ..Policy::default() })
        };
        let fault = r#"fault":{"name":"kill-broker","phase":"end"}"#;
        let done = r#"outcome":{"payment_id":"p","reading":{"status":"completed"}}"#;
        let end = r#"end":{"whole":["outcomes"]}"#;
        let good = judged(&[fault, done, end]);
        assert_eq!(
            final_within(&good, limit),
            Ok(vec!["final within 10s of the last fault".to_owned()])
        );
        let between = r#"fault":{"name":"other","phase":"begin"}"#;
        assert!(final_within(&judged(&[fault, between, done, end]), limit).is_ok());
        let mut late = vec![r#"invoke":{"process":"c","op":1,"kind":"request","subject":"s"}"#; 11];
        late.insert(0, fault);
        late.extend([done, end]);
        assert!(
            final_within(&judged(&late), limit).unwrap_err().contains("p was final 12.0s after")
        );
        assert!(
            final_within(&judged(&[done, end]), limit).unwrap_err().contains("nothing was broken")
        );
        let open = [
            fault,
            r#"invoke":{"process":"c","op":1,"kind":"submit","subject":"s","payment":{"id":"p"}}"#,
            r#"ok":{"process":"c","op":1,"sequence":1}"#,
            r#"end":{"whole":[]}"#,
        ];
        assert!(final_within(&judged(&open), limit).unwrap_err().contains("no final outcome"));
    }
}
