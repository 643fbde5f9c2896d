//! Filter expressions: `tag(fault) and not (name(cluster/) or client(go))`.

use std::{fmt, str::FromStr};

use crate::e2e::session::choose::name_matches;
use crate::e2e::text::error::nearest;

/// What can be asked of a run.
const QUESTIONS: [&str; 3] = ["tag", "name", "client"];

/// What an expression is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The scenario's name.
    pub name: &'a str,
    /// Its tags.
    pub tags: &'a [String],
    /// The client that it would run with.
    pub client: &'a str,
}

/// A condition on runs, as text:
///
/// ```text
/// or     = and ("or" and)*            `|` is `or`
/// and    = not ("and" not)*           `&` is `and`
/// not    = "not" not | "(" or ")" | question        `!` is `not`
/// question = ("tag" | "name" | "client") "(" text ")"
/// ```
/// `tag` and `client` ask for a whole word; `name` for part of a name, a folder where it ends with
/// `/`, or a pattern where it has a `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Both.
    And(Box<Self>, Box<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// It has this tag.
    Tag(String),
    /// It has this name, or part of it.
    Name(String),
    /// It runs with this client.
    Client(String),
}

impl Expression {
    /// Whether it is true of a run.
    pub fn holds(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::And(a, b) => a.holds(subject) && b.holds(subject),
            Self::Or(a, b) => a.holds(subject) || b.holds(subject),
            Self::Not(inner) => !inner.holds(subject),
            Self::Tag(tag) => subject.tags.contains(tag),
            Self::Name(wanted) => name_matches(wanted, subject.name),
            Self::Client(client) => subject.client == client,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(a, b) => write!(f, "({a} and {b})"),
            Self::Or(a, b) => write!(f, "({a} or {b})"),
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Tag(tag) => write!(f, "tag({tag})"),
            Self::Name(name) => write!(f, "name({name})"),
            Self::Client(client) => write!(f, "client({client})"),
        }
    }
}

/// What cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    text: String,
    at: usize,
    message: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text[..self.at].chars().count();
        write!(f, "{}\n  {}\n  {:before$}^", self.message, self.text, "")
    }
}

impl std::error::Error for ExpressionError {}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut reader = Reader { text, at: 0 };
        let expression = reader.or(0)?;
        match reader.peek() {
            None => Ok(expression),
            Some(_) => Err(reader.error("expected `and`, `or`, or the end")),
        }
    }
}

/// The deepest nesting of parentheses and negations; a filter that a person writes has a few
/// levels.
const DEEPEST: usize = 50;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn or(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut left = self.and(depth)?;
        while self.takes("or") || self.takes("|") {
            left = Expression::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut left = self.not(depth)?;
        while self.takes("and") || self.takes("&") {
            left = Expression::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Ok(left)
    }

    fn not(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        if depth > DEEPEST {
            return Err(self.error("nested too deeply"));
        }
        if self.takes("not") || self.takes("!") {
            return Ok(Expression::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.takes("(") {
            let inner = self.or(depth + 1)?;
            return if self.takes(")") { Ok(inner) } else { Err(self.error("expected `)`")) };
        }
        self.question()
    }

    fn question(&mut self) -> Result<Expression, ExpressionError> {
        self.peek();
        let word = self.word().to_owned();
        if word.is_empty() {
            return Err(self.error("expected `tag(…)`, `name(…)` or `client(…)`"));
        }
        if !QUESTIONS.contains(&word.as_str()) {
            let near = nearest(&word, QUESTIONS).map(|near| format!("; did you mean `{near}(…)`?"));
            let message = format!("`{word}` is none of tag(…), name(…), client(…)");
            return Err(self.error(&(message + &near.unwrap_or_default())));
        }
        self.at += word.len();
        if !self.takes("(") {
            return Err(self.error(&format!("expected `(` after `{word}`")));
        }
        let Some(length) = self.text[self.at..].find(')') else {
            return Err(self.error("expected `)`"));
        };
        let value = self.text[self.at..self.at + length].trim().to_owned();
        if value.is_empty() {
            return Err(self.error(&format!("`{word}(…)` needs a word")));
        }
        self.at += length + 1;
        Ok(match word.as_str() {
            "tag" => Expression::Tag(value),
            "name" => Expression::Name(value),
            _ => Expression::Client(value),
        })
    }

    /// The next character that is no white space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    /// Letters up to something else.
    fn word(&self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
        &rest[..end.unwrap_or(rest.len())]
    }

    fn takes(&mut self, token: &str) -> bool {
        self.peek();
        let found = match token.chars().all(char::is_alphabetic) {
            true => self.word() == token,
            false => self.text[self.at..].starts_with(token),
        };
        if found {
            self.at += token.len();
        }
        found
    }

    fn error(&self, message: &str) -> ExpressionError {
        ExpressionError { text: self.text.to_owned(), at: self.at, message: message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let tags = ["orders".to_owned(), "fault".to_owned()];
        let subject = Subject { name: "orders/broker-killed", tags: &tags, client: "go" };
        text.parse::<Expression>().unwrap().holds(subject)
    }

    #[test]
    fn an_expression_holds_or_does_not() {
        for yes in [
            "tag(fault)",
            "name(broker) and client(go)",
            "not tag(slow)",
            "tag(slow) or tag(fault)",
            "tag(slow) | tag(fault) & name(orders/)",
            "!(tag(slow)|client(rust))",
            "name(orders/*) and name( *killed )",
            // `and` binds closer than `or`.
            "tag(fault) or tag(slow) and tag(slow)",
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "tag(faul)",
            "client(g)",
            "name(sums/)",
            "name(*broker)",
            "not not tag(slow)",
            "(tag(fault) or tag(slow)) and tag(slow)",
        ] {
            assert!(!holds(no), "{no}");
        }
    }

    #[test]
    fn what_is_shown_of_an_expression_is_read_back_as_the_same() {
        for text in ["tag(a)", "not name(b/) and client(go)", "(tag(a) or not tag(b)) and name(*x)"]
        {
            let expression: Expression = text.parse().unwrap();
            assert_eq!(expression.to_string().parse(), Ok(expression), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_with_its_place() {
        let shown = |text: &str| text.parse::<Expression>().unwrap_err().to_string();
        insta::assert_snapshot!(
            ["", "tags(a)", "tag(a) name(b)", "tag a", "(tag(a)", "tag(a", "tag()", "tag(a) and"]
                .map(shown)
                .join("\n"),
            @r"
        expected `tag(…)`, `name(…)` or `client(…)`
          
          ^
        `tags` is none of tag(…), name(…), client(…); did you mean `tag(…)`?
          tags(a)
          ^
        expected `and`, `or`, or the end
          tag(a) name(b)
                 ^
        expected `(` after `tag`
          tag a
              ^
        expected `)`
          (tag(a)
                 ^
        expected `)`
          tag(a
              ^
        `tag(…)` needs a word
          tag()
              ^
        expected `tag(…)`, `name(…)` or `client(…)`
          tag(a) and
                    ^
        "
        );
        let deep = format!("{}tag(a)", "not ".repeat(10_000));
        assert!(shown(&deep).starts_with("nested too deeply"));
    }
}
