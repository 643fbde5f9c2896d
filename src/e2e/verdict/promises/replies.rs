//! One reply a request: every operation ends exactly once, and nothing ends that did not begin.

use crate::counted::counted;
use crate::e2e::verdict::finding::{Breach, Finding, Findings, Property, copies};
use crate::e2e::verdict::index::Index;

pub(in crate::e2e) fn check(index: &Index<'_>) -> Finding {
    let mut findings = Findings::default();
    findings.looked_at = index.operations.len();
    // An invoke is recorded before its reply, so that a history that was cut off has it too.
    for event in &index.strays {
        let message = "a reply to an operation that never began".to_owned();
        findings.broken(Breach::StrayReply, message, copies([*event]), []);
    }
    for (first, second) in &index.begun_twice {
        let message = "two operations have the same number".to_owned();
        findings.broken(Breach::SecondInvoke, message, copies([*first, *second]), []);
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
                findings.broken(Breach::SecondReply, message, evidence, []);
            }
            (Some(_), None, _) => {}
            (None, _, Some(end)) => {
                let message = format!("operation {op} of {process} never ended");
                findings.broken(Breach::NoReply, message, copies([operation.begun, end]), []);
            }
            (None, _, None) => open += 1,
        }
    }
    if open > 0 {
        findings.unknown(format!(
            "the history was cut off with {} under way",
            counted(open, "operation")
        ));
    }
    findings.finish(Property::Replies)
}
