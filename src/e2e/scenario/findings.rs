//! What was found wrong with a fixture so far, in words that say what to do about it.

use std::collections::BTreeSet;

use super::item::Item;
use crate::e2e::text::error::{Problem, nearest};
use crate::e2e::text::span::Span;
use crate::e2e::text::template;

/// What was found wrong so far, and which `{{names}}` a string may use.
#[derive(Default)]
pub struct Findings {
    /// In the order found.
    pub problems: Vec<Problem>,
    /// Names known at this place of the fixture.
    pub variables: BTreeSet<String>,
    /// Names that are rows' and parameters': known everywhere, and replaced before anything is read.
    pub replaced: BTreeSet<String>,
    /// Any `{{port:name}}` may be used: whoever asks for one here gets one.
    pub any_port: bool,
    /// Services that a fault may name.
    pub services: BTreeSet<String>,
    /// Whose leader is meant is known where a fault does not say.
    pub leaders: bool,
}

impl Findings {
    /// Notes a problem.
    pub fn add(&mut self, span: Span, message: impl Into<String>) {
        self.problems.push(Problem { span, message: message.into(), help: None });
    }

    /// Notes a problem and what to do about it.
    pub fn add_with_help(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem { span, message: message.into(), help: Some(help.into()) });
    }

    /// Notes a word that is none of the known ones.
    pub fn unknown(&mut self, span: Span, what: &str, word: &str, known: &[&str]) {
        self.unknown_of(span, what, word, known, &format!("known here: {}", known.join(", ")));
    }

    /// As [`Self::unknown`], with what to say where none of them is near.
    pub fn unknown_of(
        &mut self,
        span: Span,
        what: &str,
        word: &str,
        known: &[&str],
        otherwise: &str,
    ) {
        let help = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if word == "sleep" => {
                "time proves nothing: `within` asks again until it holds, `settle` waits until nothing is in flight".to_owned()
            }
            None if known.is_empty() => format!("there is no {what} to name here"),
            None => otherwise.to_owned(),
        };
        let message = match what.strip_prefix("key of ") {
            Some(whole) => format!("{whole} has no key `{word}`"),
            None => format!("unknown {what} `{word}`"),
        };
        self.add_with_help(span, message, help);
    }

    /// Notes a value of the wrong type.
    pub fn wrong_type(&mut self, key: &str, item: &Item<'_>, expected: &str) {
        let seen = item.get_ref().type_str();
        let message = format!("`{key}` must be {expected}, not {} {seen}", article(seen));
        self.add(item.span(), message);
    }

    /// Notes the variables of a text that are not known here.
    pub fn check_variables(&mut self, span: &Span, text: &str) {
        for slip in template::slips(text) {
            let help = format!("without blanks, as in `{{{{{}}}}}`", slip.replace(' ', ""));
            self.add_with_help(span.clone(), format!("`{{{{{slip}}}}}` is no variable"), help);
        }
        for name in template::names(text) {
            // One that is replaced and still here has no value, which has been told.
            let port = self.any_port && name.starts_with(template::PORT);
            if !port && !self.variables.contains(name) && !self.replaced.contains(name) {
                let known: Vec<&str> =
                    self.variables.iter().chain(&self.replaced).map(String::as_str).collect();
                let near = nearest(name, known.iter().copied());
                let help = match near.filter(|_| !["n", "k"].contains(&name)) {
                    Some(near) => format!("did you mean `{{{{{near}}}}}`?"),
                    None if name == "n" => "`{{n}}` counts a step that has `repeat`".to_owned(),
                    None if name == "k" => "`{{k}}` counts a `submit` that has `copies`".to_owned(),
                    None if known.is_empty() => {
                        "a value is given a name by `save` in an earlier step".to_owned()
                    }
                    None => {
                        let known = known.iter().map(|name| format!("{{{{{name}}}}}"));
                        format!("known here: {}", known.collect::<Vec<_>>().join(", "))
                    }
                };
                self.problems.push(Problem {
                    span: span.clone(),
                    message: format!("unknown variable `{{{{{name}}}}}`"),
                    help: Some(help),
                });
            }
        }
    }
}

pub(in crate::e2e) fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
