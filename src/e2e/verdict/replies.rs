//! One reply a request: every operation ends exactly once, nothing ends that did not begin, no request
//! is answered by two, and no two acknowledgements are of one message.

use super::finding::{Finding, Findings, Property, copies};
use super::index::{Index, Operation};
use super::places;
use crate::counted::counted;
use crate::e2e::record::history::event::{Answers, Event, Kind};

/// The promise.
pub const REPLIES: Property = Property { word: "replies", says: "one reply a request" };
/// An operation never ended.
pub const NO_REPLY: &str = "no_reply";
/// An operation ended twice.
pub const SECOND_REPLY: &str = "second_reply";
/// A reply to nothing.
pub const STRAY_REPLY: &str = "stray_reply";
/// More than one reply came to the inbox of a request.
pub const ANSWERED_AGAIN: &str = "answered_again";
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
    // What was doubled on purpose may be answered twice.
    let doubled = index.faults.iter().any(|(_, fault)| fault.name.starts_with(DOUBLED));
    for (event, answers) in index.answers.iter().filter(|_| !doubled) {
        answered_again(index, event, answers, &mut findings);
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

/// How the fault begins that doubles messages: `duplicate publish on orders.new`.
const DOUBLED: &str = "duplicate ";

/// How much later than the client the harness may hear a reply.
const HEARD_WITHIN: u64 = 1_000_000_000;

/// How many requests are named where the reply may be for any of them.
const NAMED: usize = 3;

/// The reply does not say which request it is for: all that were under way are named.
fn answered_again(index: &Index<'_>, event: &Event, answers: &Answers, findings: &mut Findings) {
    let under_way = |operation: &&Operation<'_>| {
        let returned = operation.returned.map_or(u64::MAX, |returned| returned.at_ns);
        let asks = operation.invoke.kind != Kind::Publish;
        asks && (operation.begun.at_ns..=returned.saturating_add(HEARD_WITHIN))
            .contains(&event.at_ns)
    };
    let asked: Vec<&Operation<'_>> = index.operations.iter().filter(under_way).collect();
    let mut names: Vec<String> = asked
        .iter()
        .map(|Operation { invoke, .. }| {
            format!("operation {} of {} (`{}`)", invoke.op, invoke.process, invoke.subject)
        })
        .take(NAMED)
        .collect();
    match asked.len().saturating_sub(NAMED) {
        0 if asked.is_empty() => names.push("a request".to_owned()),
        0 => {}
        more => names.push(counted(more, "other")),
    }
    let what = names.join(" or ");
    let message = format!(
        "{what} was answered {} times, not once: by `{}`, and then by `{}`; of several services a queue \
         group has one answer",
        answers.in_all, answers.first, answers.second
    );
    let context = asked.into_iter().map(|operation| operation.begun);
    findings.broken(ANSWERED_AGAIN, message, copies([event]), copies(context));
}
