//! Which values a scenario has of its own, because it sends them, and which it has to keep from what a
//! service said, because it sends them later.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::heard::{Content, Heard};
use super::leaves::{leaves, text_of};
use crate::e2e::scenario::ast::of_run;
use crate::e2e::text::data::Data;
use crate::e2e::text::secret::Redactor;
use crate::e2e::text::template;
use crate::e2e::text::volatile::{is_drawn, is_id};
use crate::e2e::text::words::words;

/// Names that a step cannot give, beside those of the run.
const TAKEN: [&str; 2] = ["n", "k"];

/// What is known of the values in a recording.
#[derive(Debug, Default)]
pub(super) struct Known {
    own: HashSet<String>,
    /// By the value.
    kept: HashMap<String, Kept>,
}

/// A value that a service said first, and that the scenario sends later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// As `{{name}}`.
    pub(super) name: String,
    /// In which message, or the reply to it.
    pub(super) message: usize,
    /// Where in its body.
    pub(super) pointer: String,
    /// Whether it is looked for among other words.
    is_unique: bool,
}

/// Where a value was heard first.
struct Source<'a> {
    message: usize,
    pointer: String,
    key: &'a str,
    is_unique: bool,
}

/// A value that is sent: alone, among others in a text, or with a name that ids have.
struct Sent<'a> {
    text: &'a str,
    is_id: bool,
}

impl Known {
    /// Looks at all messages in their order; those that `is_sent` are the scenario's.
    pub(super) fn of(messages: &[Heard], is_sent: &dyn Fn(usize) -> bool) -> Self {
        let mut known = Self::default();
        let mut heard_first: HashMap<String, Source<'_>> = HashMap::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (number, heard) in messages.iter().enumerate() {
            if !is_sent(number) {
                known.hear(number, &heard.content, &mut heard_first);
                continue;
            }
            for sent in sent_by(heard) {
                known.send(&sent, &heard_first, &mut names);
            }
            // Of several replies no part can be kept, nor of what a stream says.
            if let [reply] = heard.replies.as_slice()
                && reply.ack.is_none()
            {
                known.hear(number, &reply.content, &mut heard_first);
            }
        }
        known
    }

    fn hear<'a>(
        &self,
        message: usize,
        content: &'a Content,
        heard_first: &mut HashMap<String, Source<'a>>,
    ) {
        for leaf in leaves(&content.body) {
            let Some(text) = text_of(leaf.value).filter(|text| !self.own.contains(*text)) else {
                continue;
            };
            let is_unique = is_unique(text);
            let source = Source { message, pointer: leaf.pointer, key: leaf.key, is_unique };
            heard_first.entry(text.to_owned()).or_insert(source);
        }
    }

    fn send(
        &mut self,
        sent: &Sent<'_>,
        heard_first: &HashMap<String, Source<'_>>,
        names: &mut BTreeSet<String>,
    ) {
        if sent.text.is_empty() {
            return;
        }
        let inside = match heard_first.get_key_value(sent.text) {
            Some(found) => Some(found),
            // Only what is never there by chance is looked for among other words.
            None => heard_first
                .iter()
                .filter(|(text, source)| source.is_unique && sent.text.contains(text.as_str()))
                .max_by_key(|(text, _)| text.len()),
        };
        match inside {
            Some((text, source)) if source.is_unique || sent.is_id && is_id(source.key) => {
                if !self.kept.contains_key(text) {
                    let name = name(source.key, names);
                    let Source { message, ref pointer, is_unique, .. } = *source;
                    let kept = Kept { name, message, pointer: pointer.clone(), is_unique };
                    self.kept.insert(text.clone(), kept);
                }
            }
            _ => {
                self.own.insert(sent.text.to_owned());
            }
        }
    }

    /// Whether the scenario has sent this value before anybody said it.
    pub(super) fn is_own(&self, text: &str) -> bool {
        self.own.contains(text)
    }

    /// Whether the scenario sends this value after a service has said it.
    pub(super) fn is_kept(&self, text: &str) -> bool {
        self.kept.contains_key(text)
    }

    /// What is kept of a message, or of the reply to it.
    pub(super) fn kept_of(&self, message: usize) -> Vec<&Kept> {
        let mut kept: Vec<&Kept> =
            self.kept.values().filter(|kept| kept.message == message).collect();
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        kept
    }

    /// The name, as `{{name}}`, of a value that was kept before this message. A short one may be the same
    /// by chance, and is meant only in the place of an id.
    pub(super) fn name_of(&self, text: &str, is_id: bool, message: usize) -> Option<String> {
        let kept = self.kept.get(text).filter(|kept| kept.message < message)?;
        (kept.is_unique || is_id).then(|| named(&kept.name))
    }

    /// A text as it is sent with this message, with the names of values in it that were kept before.
    pub(super) fn filled(&self, text: &str, is_id: bool, message: usize) -> String {
        let name = self.name_of(text, is_id, message);
        name.unwrap_or_else(|| self.filled_inside(text, message))
    }

    fn filled_inside(&self, text: &str, message: usize) -> String {
        let inside = self.kept.iter().filter(|(_, kept)| kept.is_unique && kept.message < message);
        let first = inside
            .filter_map(|(value, kept)| Some((text.find(value.as_str())?, value, kept)))
            .min_by_key(|(at, value, _)| (*at, std::cmp::Reverse(value.len())));
        let Some((at, value, kept)) = first else { return template::escaped(text) };
        let before = template::escaped(&text[..at]);
        // A backslash before a name would make it a text, and two are one.
        let slashes = "\\".repeat(before.len() - before.trim_end_matches('\\').len());
        let after = self.filled_inside(&text[at + value.len()..], message);
        format!("{before}{slashes}{}{after}", named(&kept.name))
    }
}

fn named(name: &str) -> String {
    format!("{{{{{name}}}}}")
}

/// Whether a value is nowhere by chance.
fn is_unique(text: &str) -> bool {
    is_drawn(text) || Redactor::is_in(text)
}

/// All that a message says.
fn sent_by(heard: &Heard) -> Vec<Sent<'_>> {
    let words = heard.subject.split('.').map(|text| Sent { text, is_id: true });
    let headers = heard.content.headers.values().flatten();
    let headers = headers.map(|text| Sent { text, is_id: true });
    let leaves = leaves(&heard.content.body).into_iter();
    let body = leaves.filter_map(|leaf| {
        let is_whole = leaf.pointer.is_empty() && !matches!(leaf.value, Data::Number(_));
        Some(Sent { text: text_of(leaf.value)?, is_id: is_id(leaf.key) || is_whole })
    });
    words.chain(headers).chain(body).collect()
}

/// A name for the value of a key, which no other has.
fn name(key: &str, names: &mut BTreeSet<String>) -> String {
    let plain = |word: &String| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let words: Vec<String> = words(key).into_iter().filter(|word| plain(word)).collect();
    let name = if words.is_empty() { "value".to_owned() } else { words.join("_") };
    let is_free = |name: &String, names: &BTreeSet<String>| {
        !names.contains(name)
            && !TAKEN.contains(&name.as_str())
            && !of_run::NAMES.contains(&name.as_str())
    };
    let mut tried = name.clone();
    let mut number = 1;
    while !is_free(&tried, names) {
        number += 1;
        tried = format!("{name}_{number}");
    }
    names.insert(tried.clone());
    tried
}

#[cfg(test)]
mod tests;
