//! Replaces values that differ in each run, by one table, with stable numbers.
//!
//! Two ids that are equal stay equal: the first UUID of a transcript is `<uuid:1>` wherever it is.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::matcher::{TIMESTAMP, UUID, is_a_time};

/// The table: a word, the text it stands for, and whether equal texts get a number.
const TABLE: [(&str, &str, bool); 6] = [
    ("uuid", UUID, true),
    ("time", TIMESTAMP, true),
    ("sha256", r"\b[0-9a-f]{64}\b", true),
    ("url", r"(nats|tls|ws)://(127\.0\.0\.1|localhost|\[::1\]):\d+", false),
    ("address", r"(127\.0\.0\.1|localhost|\[::1\]):\d+", false),
    ("duration", r"\b\d+(\.\d+)? ?(ms|µs|s|seconds)\b", false),
];

/// How many rows of the table are for all texts; durations are only for output of programs.
const FOR_ALL: usize = 5;

/// A row that a suite or a fixture adds to the table, with numbers: `("order", "ord_[0-9a-z]{12}")`.
#[derive(Debug, Clone)]
pub struct Row {
    word: String,
    rule: Regex,
}

impl Row {
    /// # Errors
    /// Why a pattern is none, in words.
    pub fn new(word: &str, pattern: &str) -> Result<Self, String> {
        let rule = Regex::new(pattern).map_err(|error| format!("not a pattern: {error}"))?;
        if rule.is_match("") {
            return Err("it matches an empty text, which is everywhere".to_owned());
        }
        Ok(Self { word: word.to_owned(), rule })
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        (&self.word, self.rule.as_str()) == (&other.word, other.rule.as_str())
    }
}

impl Eq for Row {}

static RULES: LazyLock<Vec<(&str, Regex, bool)>> = LazyLock::new(|| {
    let rule = |(word, pattern, numbered): (&'static str, &str, bool)| {
        Some((word, Regex::new(pattern).ok()?, numbered))
    };
    TABLE.into_iter().filter_map(rule).collect()
});

/// Replaces through one whole transcript; it remembers the numbers.
#[derive(Debug, Clone, Default)]
pub struct Redactions {
    /// Text and word, as (`/tmp/run-xyz`, `run`); the longest first.
    literals: Vec<(String, &'static str)>,
    /// Rows of the suite and of the fixture: they come before the table.
    own: Vec<(Row, Vec<String>)>,
    /// The values seen so far, for each row of the table.
    seen: Vec<Vec<String>>,
}

impl Redactions {
    /// Known texts of this run, as its folder.
    pub fn new(literals: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let mut literals: Vec<_> =
            literals.into_iter().filter(|(text, _)| text.len() > 3).collect();
        literals.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { literals, own: Vec::new(), seen: vec![Vec::new(); TABLE.len()] }
    }

    /// With further rows, which come before the table's.
    #[must_use]
    pub fn with(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.own.extend(rows.into_iter().map(|row| (row, Vec::new())));
        self
    }

    /// The text with all values replaced that differ in each run.
    pub fn apply(&mut self, text: &str) -> String {
        self.apply_rows(text, FOR_ALL)
    }

    /// As [`Self::apply`], for the output of a program: durations too.
    pub fn apply_to_output(&mut self, text: &str) -> String {
        self.apply_rows(text, TABLE.len())
    }

    fn apply_rows(&mut self, text: &str, rows: usize) -> String {
        let mut text = text.to_owned();
        for (literal, word) in &self.literals {
            text = text.replace(literal, &format!("<{word}>"));
        }
        for (Row { word, rule }, seen) in &mut self.own {
            let numbered =
                |found: &regex_lite::Captures<'_>| format!("<{word}:{}>", number(seen, &found[0]));
            text = rule.replace_all(&text, numbered).into_owned();
        }
        for ((word, rule, numbered), seen) in RULES.iter().zip(&mut self.seen).take(rows) {
            text = rule
                .replace_all(&text, |found: &regex_lite::Captures<'_>| {
                    // Of 64 digits, none a letter, is a number.
                    let is_number = || found[0].bytes().all(|byte| byte.is_ascii_digit());
                    if (*word == "time" && !is_a_time(&found[0]))
                        || (*word == "sha256" && is_number())
                    {
                        found[0].to_owned()
                    } else if *numbered {
                        format!("<{word}:{}>", number(seen, &found[0]))
                    } else {
                        format!("<{word}>")
                    }
                })
                .into_owned();
        }
        text
    }
}

/// The position of a text among those seen, from 1.
fn number(seen: &mut Vec<String>, text: &str) -> usize {
    let known = seen.iter().position(|other| other == text);
    1 + known.unwrap_or_else(|| {
        seen.push(text.to_owned());
        seen.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_number_is_no_digest() {
        let mut redactions = Redactions::new([]);
        let (number, digest) = ("1".repeat(64), "a1".repeat(32));
        assert_eq!(redactions.apply(&number), number);
        assert_eq!(redactions.apply(&digest), "<sha256:1>");
    }

    #[test]
    fn equal_ids_stay_equal() {
        let (a, b) =
            ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", "7f9619ff-8b86-d011-b42d-00cf4fc964ff");
        let mut redactions = Redactions::new([]);
        assert_eq!(redactions.apply(&format!("pay-{a} {b} {a}")), "pay-<uuid:1> <uuid:2> <uuid:1>");
        assert_eq!(redactions.apply(b), "<uuid:2>");
    }

    #[test]
    fn rows_of_a_suite_come_first() {
        let row = |word, pattern| Row::new(word, pattern);
        let rows =
            [row("order", "ord_[0-9a-f-]+").unwrap(), row("ms", "\\b1[0-9]{12}\\b").unwrap()];
        let mut redactions = Redactions::new([]).with(rows);
        let id = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
        let text = format!("ord_{id} {id} 1732567890123 ord_1 ord_{id}");
        assert_eq!(redactions.apply(&text), "<order:1> <uuid:1> <ms:1> <order:2> <order:1>");
        assert!(row("a", "(").is_err() && row("a", "x*").is_err());
    }

    #[test]
    fn places_times_and_ports_are_replaced() {
        let mut redactions = Redactions::new([
            ("/tmp/run".to_owned(), "run"),
            ("/tmp/run/store".to_owned(), "store"),
        ]);
        assert_eq!(
            redactions.apply("nats://127.0.0.1:4222 127.0.0.1:53211 /tmp/run/store/x /tmp/run/y"),
            "<url> <address> <store>/x <run>/y"
        );
        assert_eq!(redactions.apply("at 2026-07-01T10:00:00.123Z"), "at <time:1>");
        let never = "at 2026-13-01T10:00:00Z";
        assert_eq!(redactions.apply(never), never, "there is no such month");
        assert_eq!(redactions.apply("within 5s"), "within 5s");
        assert_eq!(redactions.apply_to_output("took 1.25 s, 3ms"), "took <duration>, <duration>");
    }
}
