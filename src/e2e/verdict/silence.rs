//! A judge that looked at nothing says so: it does not know.

use super::finding::{Finding, Findings, Property};
use super::index::{Ended, Index, Operation};
use super::replies::REPLIES;
use crate::counted::counted;

/// That there is something to judge. Only what breaks it is told.
pub const SILENCE: Property = Property { word: "silence", says: "something was looked at" };

/// `None` where one promise at least was held against something: for messages that were sent, that
/// each operation ended is not enough.
pub(in crate::e2e) fn check(index: &Index<'_>, findings: &[Finding]) -> Option<Finding> {
    let looked = |finding: &Finding| finding.looked_at > 0 && finding.property != REPLIES;
    let sent = |operation: &&Operation<'_>| operation.is_write() && operation.ended() == Ended::Ok;
    let sent = index.operations.iter().filter(sent).count();
    if findings.iter().any(|finding| looked(finding) || finding.verdict.is_invalid()) {
        return None;
    }
    let why = match (index.operations.len(), sent) {
        (0, _) => "nothing was done: there is no operation in this history".to_owned(),
        (_, 0) => return None,
        (_, sent) => format!(
            "{} sent, and no promise here is about any of it: nobody looked what became of it",
            counted(sent, "message")
        ),
    };
    let mut silent = Findings::default();
    silent.unknown(why);
    Some(silent.finish(SILENCE))
}
