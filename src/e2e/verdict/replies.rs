//! One reply a request: every operation ends exactly once, nothing ends that did not begin, no request
//! is answered by two, and no two acknowledgements are of one message.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finding::{Finding, Findings, Property, SHOWN, copies};
use super::index::{Ended, Index, Operation};
use super::places;
use crate::counted::counted;
use crate::e2e::record::history::event::{
    Answers, DUPLICATE, Event, Hit, Kind, LOSE, Phase, REPLY, What,
};

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
/// An operation ended at another client.
pub const REPLY_TO_OTHER: &str = "reply_to_other";
/// An operation ended before it began, on the clock of the run.
pub const REPLY_BEFORE: &str = "reply_before";
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
            (Some(first), None, _) => of_its_own(operation, first, &mut findings),
            (None, _, Some(end)) => {
                let message = format!("operation {op} of {process} never ended");
                findings.broken(NO_REPLY, message, copies([operation.begun, end]), []);
            }
            (None, _, None) => open += 1,
        }
    }
    // What was doubled on purpose may be answered twice: a request, or the reply itself.
    let doubled = doubled(index);
    let mut again = 0;
    for (event, answers) in &index.answers {
        let by_a_fault = |one: &Operation<'_>| {
            let hit = doubled.get(one.invoke.subject.as_str()).or_else(|| doubled.get(""));
            hit.is_some_and(|last_ns| *last_ns >= one.begun.at_ns)
        };
        if doubled.is_empty() || !under_way(index, event).any(by_a_fault) {
            // The first are shown, and have to say what they may be of.
            again += 1;
            let asked = match again <= SHOWN {
                true => under_way(index, event).collect(),
                false => Vec::new(),
            };
            answered_again(event, answers, &asked, &mut findings);
        }
    }
    lost(index, &doubled, &mut findings);
    places::check(index, &mut findings);
    let requests = index.operations.iter().filter(|one| one.invoke.kind == Kind::Request).count();
    if index.noted {
        findings.looked_at -= requests;
    } else if let Some(why) = index.unheard.filter(|_| requests > 0) {
        let many = counted(requests, "request");
        findings.looked_at -= requests;
        findings.unknown(format!("whether {many} had one reply each is not known: {why}"));
    }
    if open > 0 {
        findings.unknown(format!(
            "the history was cut off with {} under way",
            counted(open, "operation")
        ));
    }
    findings.finish(REPLIES)
}

/// A reply is its own client's, and comes after the question.
fn of_its_own(operation: &Operation<'_>, returned: &Event, findings: &mut Findings) {
    let (op, process) = (operation.invoke.op, &operation.invoke.process);
    let other = match &returned.what {
        What::Ok(reply) => &reply.process,
        What::Fail(refusal) | What::Unknown(refusal) => &refusal.process,
        _ => process,
    };
    let evidence = || copies([operation.begun, returned]);
    if other != process {
        let message = format!("operation {op} of {process} ended at {other}");
        findings.broken(REPLY_TO_OTHER, message, evidence(), []);
    }
    if returned.at_ns < operation.begun.at_ns {
        let message = format!("operation {op} of {process} ended before it began");
        findings.broken(REPLY_BEFORE, message, evidence(), []);
    }
}

/// The subjects of the operations that a fault doubled, and when last; what services say to each other
/// stands under the empty subject, since it may be for any of them.
fn doubled<'a>(index: &Index<'a>) -> HashMap<&'a str, u64> {
    let hits = index.faults.iter().filter_map(|(event, fault)| Some((event, fault.hit.as_ref()?)));
    let hits: Vec<_> = hits.filter(|(_, hit)| hit.fate == DUPLICATE).collect();
    if hits.is_empty() {
        return HashMap::new();
    }
    let asked: HashSet<&str> =
        index.operations.iter().map(|operation| operation.invoke.subject.as_str()).collect();
    let target = |hit: &'a Hit| Some(hit.subject.as_str()).filter(|of| asked.contains(of));
    hits.into_iter().map(|(event, hit)| (target(hit).unwrap_or(""), event.at_ns)).collect()
}

/// A reply that a fault took away is the one of a request that had none. Where more were taken away, somebody
/// had another one, or the services ask each other there: that a request had one reply is not known then.
fn lost(index: &Index<'_>, doubled: &HashMap<&str, u64>, findings: &mut Findings) {
    let hits = index.faults.iter().filter(|(_, fault)| fault.phase == Phase::Begin);
    let hits = hits.filter_map(|(_, fault)| fault.hit.as_ref());
    let mut on: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in hits.filter(|hit| (hit.fate.as_str(), hit.kind.as_str()) == (LOSE, REPLY)) {
        *on.entry(&hit.subject).or_default() += 1;
    }
    for (subject, lost) in on {
        let asked = || index.operations.iter().filter(|one| one.invoke.subject == subject);
        let without = asked().filter(|one| one.ended() != Ended::Ok).count();
        if asked().next().is_some() && lost > without && !doubled.contains_key(subject) {
            let replies = counted(lost, "reply");
            let requests = counted(without, "request");
            findings.unknown(format!(
                "a fault took away {replies} on `{subject}`, where {requests} had none: whether one that was \
                 answered had one reply is not known"
            ));
        }
    }
}

/// How much later than the client the harness may hear a reply.
const HEARD_WITHIN: u64 = 1_000_000_000;

/// The requests that a reply at this time may be of.
fn under_way<'i, 'a>(
    index: &'i Index<'a>,
    event: &Event,
) -> impl Iterator<Item = &'i Operation<'a>> {
    let at_ns = event.at_ns;
    index.operations.iter().filter(move |operation| {
        let returned = operation.returned.map_or(u64::MAX, |returned| returned.at_ns);
        let asks = operation.invoke.kind != Kind::Publish;
        asks && (operation.begun.at_ns..=returned.saturating_add(HEARD_WITHIN)).contains(&at_ns)
    })
}

/// How many requests are named where the reply may be for any of them.
const NAMED: usize = 3;

/// The reply does not say which request it is for: all that were under way are named.
fn answered_again(
    event: &Event,
    answers: &Answers,
    asked: &[&Operation<'_>],
    findings: &mut Findings,
) {
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
    let context = asked.iter().map(|operation| operation.begun);
    findings.broken(ANSWERED_AGAIN, message, copies([event]), copies(context));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::{End, Fault, Invoke, Refusal, Reply};
    use crate::e2e::record::history::reader::History;
    use crate::e2e::verdict::finding::Verdict;

    /// A request on `a` that is answered twice, after a fault hit a message.
    fn judged(name: &str, fate: &str, subject: &str, hit_s: u64) -> Verdict {
        let kind = String::new();
        let hit = Some(Hit { fate: fate.to_owned(), kind, subject: subject.to_owned() });
        let invoke = |op, subject: &str| {
            let (process, subject) = ("c".to_owned(), subject.to_owned());
            What::Invoke(Invoke { process, op, kind: Kind::Request, subject, about: None })
        };
        let ok = |op| What::Ok(Reply { process: "c".to_owned(), op, ..Reply::default() });
        let answers = Answers {
            inbox: "_INBOX.1".to_owned(),
            first: "1".to_owned(),
            second: "2".to_owned(),
            in_all: 2,
        };
        let history = History::from_events(
            [
                (1, invoke(1, "b")),
                (2, ok(1)),
                (hit_s, What::Fault(Fault { name: name.to_owned(), phase: Phase::Begin, hit })),
                (20, invoke(2, "a")),
                (30, ok(2)),
                (25, What::Answers(answers)),
            ]
            .map(|(at, what)| (at * 1_000_000_000, what)),
        );
        check(&Index::new(&history.events)).verdict
    }

    #[test]
    fn a_second_reply_is_excused_by_what_was_doubled_and_not_by_a_name() {
        for (fate, subject, hit_s, is_excused) in [
            (DUPLICATE, "a", 21, true),
            (DUPLICATE, "between.services", 21, true),
            (DUPLICATE, "b", 21, false),
            (DUPLICATE, "a", 10, false),
            ("drop", "a", 21, false),
        ] {
            let verdict = judged("duplicate publish on a", fate, subject, hit_s);
            assert_eq!(!verdict.is_invalid(), is_excused, "{fate} {subject} {hit_s}: {verdict:?}");
        }
    }

    #[test]
    fn a_reply_that_was_taken_away_is_the_one_of_a_request_that_had_none() {
        let lost = |subject: &str| {
            let (fate, kind) = (LOSE.to_owned(), REPLY.to_owned());
            let hit = Some(Hit { fate, kind, subject: subject.to_owned() });
            What::Fault(Fault { name: "lose reply".to_owned(), phase: Phase::Begin, hit })
        };
        let invoke = |op| {
            let (process, subject) = ("c".to_owned(), "a".to_owned());
            What::Invoke(Invoke { process, op, kind: Kind::Request, subject, about: None })
        };
        let ok = |op| What::Ok(Reply { process: "c".to_owned(), op, ..Reply::default() });
        let late = |op| {
            What::Unknown(Refusal { process: "c".to_owned(), op, reason: "timeout".to_owned() })
        };
        for (history, is_known) in [
            (vec![invoke(1), lost("a"), late(1)], true),
            (vec![invoke(1), lost("a"), ok(1)], false),
            (vec![invoke(1), ok(1), lost("a"), invoke(2), late(2), lost("a")], false),
            (vec![invoke(1), lost("between.services"), ok(1)], true),
        ] {
            let history = History::from_events((1..).zip(history));
            let finding = check(&Index::new(&history.events));
            assert_eq!(finding.verdict == Verdict::Valid, is_known, "{finding:?}");
        }
    }

    #[test]
    fn what_nobody_listened_to_was_not_looked_at() {
        let end = |unheard: Option<&str>| {
            let unheard = unheard.map(str::to_owned);
            What::End(End { unheard, ..End::default() })
        };
        for (kind, unheard, is_known) in [
            (Kind::Request, None, true),
            (Kind::Request, Some("nobody listened"), false),
            // What a stream acknowledges, its sequence tells apart.
            (Kind::Submit, Some("nobody listened"), true),
        ] {
            let (process, subject) = ("c".to_owned(), "a".to_owned());
            let invoke = Invoke { process: process.clone(), op: 1, kind, subject, about: None };
            let ok = Reply { process, op: 1, ..Reply::default() };
            let history = [What::Invoke(invoke), What::Ok(ok), end(unheard)];
            let history = History::from_events((1..).zip(history));
            let finding = check(&Index::new(&history.events));
            assert_eq!(finding.verdict == Verdict::Valid, is_known, "{finding:?}");
            assert_eq!(finding.looked_at, usize::from(is_known));
        }
    }

    #[test]
    fn many_second_replies_are_all_counted_and_the_first_are_shown() {
        let answers = |n: u64| {
            let (inbox, first, second) = (format!("_INBOX.{n}"), "1".to_owned(), "2".to_owned());
            (n, What::Answers(Answers { inbox, first, second, in_all: 2 }))
        };
        let history = History::from_events((1..=50).map(answers));
        let Verdict::Invalid { violations, shown } = check(&Index::new(&history.events)).verdict
        else {
            panic!("it is invalid")
        };
        assert_eq!((violations, shown.len()), (50, SHOWN));
        assert_eq!(shown[SHOWN - 1].evidence[0].seq, SHOWN as u64);
    }
}
