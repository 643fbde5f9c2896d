//! Reads a TOML table key by key; every surprise becomes a problem with its place.

use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::data::{as_integer, as_text, check_pattern, to_json};
use super::findings::Findings;
use super::item::Item;
use crate::e2e::text::span::Span;

/// One table that is being read.
pub struct Fields<'a, 'i> {
    pub(in crate::e2e) table: &'a DeTable<'i>,
    /// Of the table.
    pub span: Span,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// Starts on a table; a key that is not in `known` is a problem at once.
    pub fn new(
        table: &'a DeTable<'i>,
        span: Span,
        what: &str,
        known: &[&str],
        findings: &mut Findings,
    ) -> Self {
        let fields = Self { table, span };
        for (word, span) in fields.keys().filter(|(word, _)| !known.contains(word)) {
            findings.unknown(span, what, word, known);
        }
        fields
    }

    /// Starts on a table of which somebody else says what it may have.
    pub fn unchecked(table: &'a DeTable<'i>) -> Self {
        Self { table, span: 0..0 }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Item<'i>> {
        self.entry(key).map(|(_, item)| item)
    }

    /// The span from a key to the end of its value.
    pub fn span_of(&self, key: &str) -> Span {
        self.entry(key).map_or(self.span.clone(), |(span, item)| span.start..item.span().end)
    }

    /// The span of a key alone.
    pub fn key_span(&self, key: &str) -> Span {
        self.entry(key).map_or(self.span.clone(), |(span, _)| span)
    }

    fn entry(&self, key: &str) -> Option<(Span, &'a Item<'i>)> {
        self.table
            .iter()
            .find(|(name, _)| name.get_ref() == key)
            .map(|(name, item)| (name.span(), item))
    }

    /// The keys, with their places.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, Span)> + use<'a, 'i> {
        self.table.keys().map(|key| (key.get_ref().as_ref(), key.span()))
    }

    /// A text.
    pub fn text(&self, key: &str, findings: &mut Findings) -> Option<String> {
        let item = self.get(key)?;
        let text = as_text(item);
        match text {
            Some(text) => findings.check_variables(&item.span(), text),
            None => findings.wrong_type(key, item, "a string"),
        }
        text.map(str::to_owned)
    }

    /// A list of texts.
    pub fn texts(&self, key: &str, findings: &mut Findings) -> Option<Vec<String>> {
        let item = self.get(key)?;
        let DeValue::Array(items) = item.get_ref() else {
            findings.wrong_type(key, item, "an array of strings");
            return None;
        };
        let mut out = Vec::new();
        for item in items {
            match as_text(item) {
                Some(text) => {
                    findings.check_variables(&item.span(), text);
                    out.push(text.to_owned());
                }
                None => findings.wrong_type(key, item, "an array of strings"),
            }
        }
        Some(out)
    }

    /// One text, or a list of them.
    pub fn one_or_texts(&self, key: &str, findings: &mut Findings) -> Option<Vec<String>> {
        match self.get(key).and_then(as_text) {
            Some(_) => self.text(key, findings).map(|text| vec![text]),
            None => self.texts(key, findings),
        }
    }

    /// A whole number from `least` up.
    pub fn count(&self, key: &str, least: u32, findings: &mut Findings) -> Option<u32> {
        let item = self.get(key)?;
        match as_integer(item) {
            Some(number) => match u32::try_from(number).ok().filter(|n| *n >= least) {
                Some(number) => Some(number),
                None => {
                    let message =
                        format!("`{key}` must be a whole number from {least} up, not {number}");
                    findings.add(item.span(), message);
                    None
                }
            },
            None => {
                findings.wrong_type(key, item, "a whole number");
                None
            }
        }
    }

    /// A port.
    pub fn port(&self, key: &str, findings: &mut Findings) -> Option<u16> {
        let item = self.get(key)?;
        let Some(number) = as_integer(item) else {
            findings.wrong_type(key, item, "a port, as 4222");
            return None;
        };
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        if port.is_none() {
            let message = format!("`{key}` must be a port from 1 to 65535, not {number}");
            findings.add(item.span(), message);
        }
        port
    }

    /// `true` or `false`.
    pub fn truth(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        let item = self.get(key)?;
        match item.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            _ => {
                findings.wrong_type(key, item, "true or false");
                None
            }
        }
    }

    /// A duration as `"5s"` or `"250ms"`.
    pub fn duration(&self, key: &str, findings: &mut Findings) -> Option<Duration> {
        let item = self.get(key)?;
        match as_text(item) {
            None => {
                findings.wrong_type(key, item, "a duration as \"5s\" or \"250ms\"");
                None
            }
            Some(text) => match duration(text) {
                Some(duration) => Some(duration),
                None => {
                    let message = format!(
                        "`{text}` is not a duration: expected a number and a unit, as in \"5s\" or \"250ms\" (units: ms, s, m, h, d)"
                    );
                    findings.add(item.span(), message);
                    None
                }
            },
        }
    }

    /// Where a key's value stands.
    pub fn value_span(&self, key: &str) -> Span {
        self.get(key).map_or(0..0, |item| item.span())
    }

    /// One of some words; `what` is what they are.
    pub fn one_of<T: Copy>(
        &self,
        key: &str,
        what: &str,
        known: &[(&str, T)],
        findings: &mut Findings,
    ) -> Option<T> {
        let word = self.text(key, findings)?;
        let found = known.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            findings.unknown(self.value_span(key), what, &word, &words);
        }
        found.map(|(_, value)| *value)
    }

    /// A table, not looked into.
    pub fn table(&self, key: &str, findings: &mut Findings) -> Option<(&'a DeTable<'i>, Span)> {
        let item = self.get(key)?;
        match item.get_ref() {
            DeValue::Table(table) => Some((table, item.span())),
            _ => {
                findings.wrong_type(key, item, "a table");
                None
            }
        }
    }

    /// An array of tables.
    pub fn tables(&self, key: &str, findings: &mut Findings) -> Vec<(&'a DeTable<'i>, Span)> {
        let Some(item) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = item.get_ref() else {
            findings.wrong_type(key, item, "an array of tables");
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => out.push((table, item.span())),
                _ => findings.wrong_type(key, item, "an array of tables"),
            }
        }
        out
    }

    /// Data, as JSON.
    pub fn json(&self, key: &str, findings: &mut Findings) -> Option<Value> {
        self.get(key).map(|item| to_json(item, findings))
    }

    /// A JSON object.
    pub fn object(&self, key: &str, findings: &mut Findings) -> Option<Map<String, Value>> {
        let item = self.get(key)?;
        match to_json(item, findings) {
            Value::Object(object) => Some(object),
            _ => {
                findings.wrong_type(key, item, "a table");
                None
            }
        }
    }

    /// A pattern: data in which strings may be matchers.
    pub fn pattern(&self, key: &str, findings: &mut Findings) -> Option<Value> {
        let item = self.get(key)?;
        check_pattern(item, findings);
        Some(to_json(item, findings))
    }
}

/// `5s`, `250ms`, `24h`; whole numbers only, so that there is one way to write each.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(60 * 60)?)),
        "d" => Some(Duration::from_secs(number.checked_mul(24 * 60 * 60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(604_800)));
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "1.5s",
            "-1s",
            "5w",
            "9999999999999999999d",
            "99999999999999999999s",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
