//! Places in messages, as promises name them: a JSON pointer, a header, a token of the subject; and
//! whether what they are picked out of can have them.

use regex_lite::Regex;

use crate::counted::counted;
use crate::e2e::scenario::ast::promise::{Operation, Pick, Place, Verb};
use crate::e2e::scenario::findings::Findings;
use crate::e2e::scenario::pointer;
use crate::e2e::text::span::Span;

pub(super) const HELP: &str =
    "a JSON pointer as \"/order_id\", \"header:Nats-Msg-Id\" or \"subject:2\" (the second token)";

/// What something is picked out of, as far as tables say.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// A message on this subject, which may have wildcards.
    On(&'a str),
    /// A message on some subject, or an entry of a bucket.
    Anywhere,
    /// `{"args": […], "kwargs": {…}}`.
    Call,
    /// JSON without a subject and headers.
    Line,
    /// A line that is no JSON.
    Text,
}

impl<'a> From<&'a Operation> for Origin<'a> {
    fn from(Operation { verb, on }: &'a Operation) -> Self {
        if *verb == Verb::Call { Self::Call } else { Self::On(on) }
    }
}

impl<'a> Origin<'a> {
    /// What is found at a place: on each of its subjects, where it has some.
    pub(super) fn of(place: &'a Place) -> Vec<Self> {
        match place {
            Place::Stream { subjects, .. } if subjects.is_empty() => vec![Self::Anywhere],
            Place::Stream { subjects, .. } | Place::Subjects(subjects) => {
                subjects.iter().map(|subject| Self::On(subject)).collect()
            }
            Place::Kv(_) => vec![Self::Anywhere],
            Place::File(_) | Place::Command(_) => vec![Self::Line],
            Place::Log(_) => vec![Self::Text],
        }
    }
}

/// A place as it is written.
pub(super) fn pick(text: &str, span: Span, findings: &mut Findings) -> Option<Pick> {
    let token = |text: &str| text.parse().ok().filter(|n| *n > 0).map(Pick::Token);
    let is_name = |name: &str| !name.is_empty() && !name.contains([' ', ':']) && is_printed(name);
    let found = match text.split_once(':') {
        Some(("header", name)) if is_name(name) => Some(Pick::Header(name.to_owned())),
        Some(("subject", n)) => token(n),
        _ if text.starts_with('/') => {
            pointer::check(text, span.clone(), findings);
            return Some(Pick::Pointer(text.to_owned()));
        }
        _ => None,
    };
    if found.is_none() {
        findings.add_with_help(span, format!("`{text}` is no place in a message"), HELP);
    }
    found
}

fn is_printed(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The key of a line that is no JSON.
pub(super) fn captured(text: &str, span: Span, findings: &mut Findings) -> Option<Pick> {
    match Regex::new(text) {
        Ok(regex) if regex.captures_len() > 1 => Some(Pick::Captured(text.to_owned())),
        Ok(_) => {
            let message = format!("`{text}` has no group that is the key, as in 'shipped (\\S+)'");
            findings.add(span, message);
            None
        }
        Err(error) => {
            findings.add(span, format!("`{text}` is no regular expression: {error}"));
            None
        }
    }
}

/// Notes a place that is in nothing of this origin.
pub(super) fn is_there(pick: &Pick, origin: Origin<'_>, span: Span, findings: &mut Findings) {
    let (message, help) = match (pick, origin) {
        (Pick::Token(n), Origin::On(subject)) => {
            let tokens: Vec<&str> = subject.split('.').collect();
            if *n <= tokens.len() || tokens.last() == Some(&">") {
                return;
            }
            let many = counted(tokens.len(), "token");
            (format!("there is no token {n}: `{subject}` has {many}"), HELP)
        }
        (Pick::Header(_) | Pick::Token(_), Origin::Line) => (
            "a line of JSON has no header and no subject".to_owned(),
            "what is in it is told by a JSON pointer, as \"/order_id\"",
        ),
        (Pick::Header(_) | Pick::Token(_), Origin::Call) => {
            ("a call has no header and no subject".to_owned(), IN_A_CALL)
        }
        (Pick::Pointer(pointer), Origin::Call) if !is_argument(pointer) => {
            (format!("`{pointer}` is not in `{{\"args\": […], \"kwargs\": {{…}}}}`"), IN_A_CALL)
        }
        _ => return,
    };
    findings.add_with_help(span, message, help);
}

const IN_A_CALL: &str = "a JSON pointer to an argument, as \"/args/0\" or \"/kwargs/order_id\"";

fn is_argument(pointer: &str) -> bool {
    ["/args/", "/kwargs/"].iter().any(|of| pointer.starts_with(of))
}

/// Notes a key that is the same for all of this origin.
pub(super) fn tells_apart(pick: &Pick, origin: Origin<'_>, span: Span, findings: &mut Findings) {
    let (Pick::Token(n), Origin::On(subject)) = (pick, origin) else { return };
    let token = subject.split('.').nth(n.saturating_sub(1));
    if let Some(token) = token.filter(|token| !["*", ">"].contains(token)) {
        let message = format!("token {n} of `{subject}` is always `{token}`: it is no key");
        findings.add_with_help(span, message, "what tells one from another, and differs");
    }
}
