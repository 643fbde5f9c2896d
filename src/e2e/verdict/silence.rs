//! A judge that looked at nothing says so: it does not know.

use super::finding::{Finding, Findings, Property, Verdict};
use super::index::{Ended, Index, Operation};
use super::promises::FINAL;
use super::replies::REPLIES;
use crate::counted::counted;

/// That there is something to judge. Only what breaks it is told.
pub const SILENCE: Property = Property { word: "silence", says: "something was looked at" };

/// `None` where all that was asked for was held against something.
pub(in crate::e2e) fn check(index: &Index<'_>, findings: &[Finding]) -> Option<Finding> {
    let mut silent = Findings::default();
    for why in [nothing_looked_at(index, findings), nothing_ended(findings)].into_iter().flatten() {
        silent.unknown(why);
    }
    Some(silent.finish(SILENCE)).filter(|finding| finding.verdict != Verdict::Valid)
}

/// One promise at least was held against something: for messages that were sent, that each operation
/// ended is not enough.
fn nothing_looked_at(index: &Index<'_>, findings: &[Finding]) -> Option<String> {
    let looked = |finding: &Finding| finding.looked_at > 0 && finding.property != REPLIES;
    let sent = |operation: &&Operation<'_>| operation.is_write() && operation.ended() == Ended::Ok;
    let sent = index.operations.iter().filter(sent).count();
    if findings.iter().any(|finding| looked(finding) || finding.verdict.is_invalid()) {
        return None;
    }
    match (index.operations.len(), sent) {
        (0, _) => Some("nothing was done: there is no operation in this history".to_owned()),
        (_, 0) => None,
        (_, sent) => Some(format!(
            "{} sent, and no promise here is about any of it: nobody looked what became of it",
            counted(sent, "message")
        )),
    }
}

/// A bound on ends was held against one at least.
fn nothing_ended(findings: &[Finding]) -> Option<String> {
    let mut bounds = findings.iter().filter(|finding| finding.property == FINAL).peekable();
    bounds.peek()?;
    let of_nothing = |one: &Finding| one.looked_at == 0 && one.verdict == Verdict::Valid;
    bounds.all(of_nothing).then(|| "nothing came to an end that could have been late".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_on_ends_that_nothing_came_to_is_not_known() {
        let of =
            |looked_at| Finding { property: FINAL, name: None, looked_at, verdict: Verdict::Valid };
        assert_eq!(nothing_ended(&[]), None);
        assert_eq!(nothing_ended(&[of(0), of(1)]), None);
        assert!(nothing_ended(&[of(0), of(0)]).unwrap().starts_with("nothing came to an end"));
    }
}
