//! What a scenario itself sends, as far as its steps tell: their `{{name}}` may become any text.

use std::collections::BTreeSet;

use super::ast::promise::Verb;
use super::ast::scenario::Fixture;
use super::ast::step::{Action, Step};
use crate::broker::subject_matches as matches;

/// Whether a scenario itself sends to this subject.
pub(in crate::e2e) fn sends(fixture: &Fixture, subject: &str) -> bool {
    let sent = fixture.all_steps().filter_map(operation);
    let mut sent = sent.filter(|(verb, _)| *verb != Verb::Call);
    sent.any(|(_, of)| may_be(subject, of))
}

/// The methods that it calls.
pub(in crate::e2e) fn methods(fixture: &Fixture) -> BTreeSet<String> {
    let calls = fixture.all_steps().filter_map(operation);
    let calls = calls.filter(|(verb, _)| *verb == Verb::Call);
    calls.map(|(_, method)| method.to_owned()).collect()
}

/// The entries of buckets that it writes, by their subjects.
pub(in crate::e2e) fn entries(fixture: &Fixture) -> BTreeSet<String> {
    let written = fixture.all_steps().filter_map(|step| match &step.action {
        Action::Kv(kv) if kv.does.writes() => Some(format!("$KV.{}.{}", kv.bucket, kv.key)),
        _ => None,
    });
    written.collect()
}

/// What a promise can be about.
pub(in crate::e2e) fn operation(step: &Step) -> Option<(Verb, &str)> {
    match &step.action {
        Action::Submit(out) => Some((Verb::Submit, &out.subject)),
        Action::Request(out) => Some((Verb::Request, &out.subject)),
        Action::Publish(out) => Some((Verb::Publish, &out.subject)),
        Action::Call { method, .. } => Some((Verb::Call, method)),
        _ => None,
    }
}

/// Whether a subject, or a method, may be one of these once its `{{name}}` are filled in.
pub(in crate::e2e) fn may_be(pattern: &str, subject: &str) -> bool {
    if !subject.contains("{{") {
        return matches(pattern, subject);
    }
    let mut wanted = Vec::new();
    for (n, token) in pattern.split('.').enumerate() {
        wanted.extend((n > 0).then_some(Piece::Is('.')));
        match token {
            "*" => wanted.extend([Piece::One { dot: false }, Piece::More { dot: false }]),
            ">" => wanted.extend([Piece::One { dot: true }, Piece::More { dot: true }]),
            word => wanted.extend(word.chars().map(Piece::Is)),
        }
    }
    let (mut done, mut rest) = (Vec::new(), subject);
    while let Some((known, value)) = rest.split_once("{{") {
        done.extend(known.chars().map(Piece::Is));
        // A value may have several tokens.
        done.extend([Piece::One { dot: true }, Piece::More { dot: true }]);
        rest = value.split_once("}}").map_or("", |(_, rest)| rest);
    }
    done.extend(rest.chars().map(Piece::Is));
    meet(&wanted, &done)
}

/// A piece of a subject that is not all known.
#[derive(Clone, Copy)]
enum Piece {
    Is(char),
    /// Any character, a dot among them or not.
    One {
        dot: bool,
    },
    /// None or more of those.
    More {
        dot: bool,
    },
}

impl Piece {
    /// Whether one character can be both.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Is(a), Self::Is(b)) => a == b,
            (Self::Is(c), Self::One { dot } | Self::More { dot })
            | (Self::One { dot } | Self::More { dot }, Self::Is(c)) => dot || c != '.',
            _ => true,
        }
    }
}

/// Whether there is a text that both describe.
fn meet(a: &[Piece], b: &[Piece]) -> bool {
    let (first, second) = (a.first().copied(), b.first().copied());
    match (first, second) {
        (None, None) => true,
        (Some(Piece::More { .. }), _) if meet(&a[1..], b) => true,
        (_, Some(Piece::More { .. })) if meet(a, &b[1..]) => true,
        (Some(x), Some(y)) if x.meets(y) => match (x, y) {
            // Both could go on for ever; each was left out above.
            (Piece::More { .. }, Piece::More { .. }) => false,
            (Piece::More { .. }, _) => meet(a, &b[1..]),
            (_, Piece::More { .. }) => meet(&a[1..], b),
            _ => meet(&a[1..], &b[1..]),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be;

    #[test]
    fn a_value_may_become_any_token() {
        for (pattern, subject) in [
            ("orders.new", "orders.new"),
            ("orders.*", "orders.{{n}}"),
            ("orders.eu.new", "orders.{{region}}.new"),
            ("orders.eu.new", "{{subject}}"),
            ("orders.>", "orders.eu.{{n}}"),
            ("shop.order", "shop.order"),
            ("orders.*.new", "orders.{{n}}.new"),
            ("orders.>", "{{subject}}"),
            ("*.*", "{{a}}.{{b}}"),
        ] {
            assert!(may_be(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in [
            ("orders.nwe", "orders.new"),
            ("orders.eu.new", "orders.us.{{n}}"),
            ("orders", "orders.new.{{n}}"),
            ("orders", "orders.{{n}}"),
            ("orders.eu.nwe", "orders.{{n}}.new"),
            ("orders.x1", "orders.new{{n}}"),
            ("orders.*", "orders.new.{{n}}"),
            ("order.>", "orders.{{n}}"),
        ] {
            assert!(!may_be(pattern, subject), "{pattern} {subject}");
        }
    }
}
