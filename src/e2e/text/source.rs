//! The text of a fixture and of what it includes, and where a place in them is.

use std::sync::Arc;

use super::span::Span;

/// A fixture's text and what it is called in messages.
#[derive(Debug, Clone)]
pub struct Source {
    /// As shown to people, relative where possible.
    pub path: Arc<str>,
    /// The whole file.
    pub text: Arc<str>,
    /// Files of shared steps that it includes, in the order of their places.
    included: Vec<Included>,
}

/// A text that is included. Its places follow those of the text before it.
#[derive(Debug, Clone)]
struct Included {
    /// The place of its first byte.
    start: usize,
    path: Arc<str>,
    text: Arc<str>,
    /// Where it is included.
    at: Span,
}

/// A place, in the text that it is in.
pub(in crate::e2e) struct Place<'a> {
    pub path: &'a str,
    pub text: &'a str,
    pub span: Span,
    /// Path and line of the include, where the text is an included one.
    pub included: Option<(&'a str, usize)>,
}

impl Source {
    /// A text and its name.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), included: Vec::new() }
    }

    /// Its own path and those of what it includes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        [&*self.path].into_iter().chain(self.included.iter().map(|included| &*included.path))
    }

    /// Line of a place in the text, counted from 1; of a place in an included text, the line of its
    /// include.
    pub fn line(&self, span: &Span) -> usize {
        match self.included_at(span) {
            Some(included) => self.line(&included.at),
            None => line(&self.text, span.start),
        }
    }

    /// Column of a place in the text, in characters, counted from 1.
    pub fn column(&self, span: &Span) -> usize {
        // Of a place in an included text, as the line, that of its include.
        if let Some(included) = self.included_at(span) {
            return self.column(&included.at);
        }
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let begin = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        1 + String::from_utf8_lossy(&before[begin..]).chars().count()
    }

    /// Adds a text that is included at a place, and says where its own places begin. `path` is as
    /// shown to people.
    pub(in crate::e2e) fn include(&mut self, path: &str, text: &str, at: Span) -> usize {
        let end = self.included.last().map_or(self.text.len(), |last| last.start + last.text.len());
        let start = end + 1;
        self.included.push(Included { start, path: path.into(), text: text.into(), at });
        start
    }

    fn included_at(&self, span: &Span) -> Option<&Included> {
        self.included.iter().rev().find(|included| included.start <= span.start)
    }

    /// True if a place is in the text itself, and not in an included one.
    pub fn is_own(&self, span: &Span) -> bool {
        self.included_at(span).is_none()
    }

    /// The text that a place is in, and where in it.
    pub(in crate::e2e) fn place(&self, span: &Span) -> Place<'_> {
        let (path, text, start, included) = match self.included_at(span) {
            None => (&*self.path, &*self.text, 0, None),
            Some(Included { start, path, text, at }) => {
                let by = self.place(at);
                (&**path, &**text, *start, Some((by.path, line(by.text, by.span.start))))
            }
        };
        let from = span.start.saturating_sub(start).min(text.len());
        let to = span.end.saturating_sub(start).clamp(from, text.len());
        Place { path, text, span: from..to, included }
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count()
}
