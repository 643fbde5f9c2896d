//! One reply a request: every operation ends exactly once, nothing ends that did not begin, and no
//! two acknowledgements are of one message.

use super::finding::{Finding, Findings, Property, copies};
use super::index::Index;
use super::places;
use crate::counted::counted;

/// The promise.
pub const REPLIES: Property = Property { word: "replies", says: "one reply a request" };
/// An operation never ended.
pub const NO_REPLY: &str = "no_reply";
/// An operation ended twice.
pub const SECOND_REPLY: &str = "second_reply";
/// A reply to nothing.
pub const STRAY_REPLY: &str = "stray_reply";
/// Two operations with one number.
pub const SECOND_INVOKE: &str = "second_invoke";

pub(in crate::e2e) fn check(index: &Index<'_>) -> Finding {
    let mut findings = Findings::default();
    findings.looked_at = index.operations.len();
    // An invoke is recorded before its reply, so that a history that was cut off has it too.
    for event in &index.strays {
        let message = "a reply to an operation that never began".to_owned();
        findings.broken(STRAY_REPLY, message, copies([*event]), []);
    }
    for (first, second) in &index.begun_twice {
        let message = "two operations have the same number".to_owned();
        findings.broken(SECOND_INVOKE, message, copies([*first, *second]), []);
    }
    let mut open = 0;
    for operation in &index.operations {
        let (op, process) = (operation.invoke.op, &operation.invoke.process);
        match (operation.returned, operation.again.first(), index.end) {
            (Some(first), Some(second), _) => {
                let message = format!(
                    "operation {op} of {process} ended {} times, not once",
                    operation.again.len() + 1
                );
                let evidence = copies([operation.begun, first, second]);
                findings.broken(SECOND_REPLY, message, evidence, []);
            }
            (Some(_), None, _) => {}
            (None, _, Some(end)) => {
                let message = format!("operation {op} of {process} never ended");
                findings.broken(NO_REPLY, message, copies([operation.begun, end]), []);
            }
            (None, _, None) => open += 1,
        }
    }
    places::check(index, &mut findings);
    if open > 0 {
        findings.unknown(format!(
            "the history was cut off with {} under way",
            counted(open, "operation")
        ));
    }
    findings.finish(REPLIES)
}
