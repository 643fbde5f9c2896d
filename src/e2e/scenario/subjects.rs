//! Subjects as they are written: what cannot be one is told before anything runs.

use super::ast::step::{Action, Step};
use super::findings::Findings;
use super::reader::Fields;
use crate::e2e::text::template;
use crate::wire::subjects::{check_publish_subject, check_subscription};

/// Whether there is a subject that both match; each may have wildcards.
pub(in crate::e2e) fn meet(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == ">" || b == ">" => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Refuses a subject that no server takes, unless the step is about that: it expects an error.
pub(in crate::e2e) fn check(step: &Step, fields: &Fields<'_, '_>, findings: &mut Findings) {
    if step.expects.iter().any(|expect| expect.key == "error") {
        return;
    }
    let (sent, heard) = match &step.action {
        Action::Request(out) | Action::Publish(out) | Action::Submit(out) => {
            (Some(&out.subject).into_iter().chain(&out.reply_to).collect(), None)
        }
        Action::ExpectMessage { subject, .. } | Action::ExpectMessages { subject, .. } => {
            (Vec::new(), Some(subject))
        }
        _ => return,
    };
    let known = |subject: &&String| template::names(subject).is_empty() && !subject.contains("{{");
    let sent = sent.into_iter().filter(known).map(|subject| check_publish_subject(subject));
    let heard = heard.into_iter().filter(known).map(|subject| check_subscription(subject, None));
    for error in sent.chain(heard).filter_map(Result::err) {
        let help = "a subject is words between dots, without blanks";
        findings.add_with_help(fields.span_of(step.action.verb()), error.to_string(), help);
    }
}

#[cfg(test)]
mod tests {
    use super::meet;

    #[test]
    fn subjects_with_wildcards_meet_where_one_subject_is_both() {
        for (one, other) in
            [("a.b", "a.b"), ("a.*", "*.b"), ("a.>", "a.b.c"), (">", "a"), ("a.*.c", "a.>")]
        {
            assert!(meet(one, other) && meet(other, one), "{one} {other}");
        }
        for (one, other) in
            [("a.b", "a.c"), ("a.>", "a"), ("a.*", "a.b.c"), ("receipts.>", "receipt.*")]
        {
            assert!(!meet(one, other) && !meet(other, one), "{one} {other}");
        }
    }
}
