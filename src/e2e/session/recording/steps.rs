//! Writes the parts of a scenario as its steps.

use std::collections::HashMap;

use serde_json::Value as Json;
use toml_edit::{InlineTable, Table, Value, value};

use super::expected;
use super::heard::{Ack, Content, Heard, Recording, Reply};
use super::known::Known;
use super::parts::Part;
use super::sent::{self, File};
use crate::broker::subject_matches;
use crate::e2e::text::pattern::{both, to_toml};

/// What becomes of a request that nobody answers: it depends on whether somebody listens.
const UNANSWERED: &str = "#re:^(no_responders|timeout)$";
/// How long that is waited for.
const ANSWERED: &str = "1s";

/// Writes steps of a recording.
pub(super) struct Writer<'a> {
    recording: &'a Recording,
    known: &'a Known,
    /// What replies to the same message have in common, by its first one.
    replies: HashMap<usize, Json>,
    /// The name that files beside the scenario begin with, if there can be any.
    files: Option<&'a str>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(recording: &'a Recording, known: &'a Known, files: Option<&'a str>) -> Self {
        let mut writer = Self { recording, known, replies: HashMap::new(), files };
        writer.replies = writer.common_replies();
        writer
    }

    /// The step, and the file that it needs.
    pub(super) fn step(&self, part: &Part) -> (Table, Option<File>) {
        match part {
            Part::Send(number) => self.send(*number),
            Part::Expect { subject, message } => (self.expect(subject, *message), None),
            Part::ExpectAll { subject, messages } => (self.expect_all(subject, messages), None),
        }
    }

    fn send(&self, number: usize) -> (Table, Option<File>) {
        let heard = &self.recording.messages[number];
        let words = heard.subject.split('.').map(|word| self.known.filled(word, true, number));
        let subject = value(words.collect::<Vec<_>>().join("."));
        let mut step = Table::new();
        match (heard.reply_to.is_some(), heard.replies.as_slice()) {
            (false, []) => step["publish"] = subject,
            (_, [Reply { ack: Some(ack), .. }]) => {
                step["submit"] = subject;
                of_stream(ack, &mut step);
            }
            (_, []) => self.unanswered(heard, subject, &mut step),
            (_, [reply]) => {
                step["request"] = subject;
                put(&mut step, "reply", self.replies.get(&number));
                let headers = expected::headers(&reply.content.headers, self.known, number);
                put(&mut step, "reply_headers", headers.as_ref());
                self.save(number, &mut step);
            }
            (_, several) => {
                step["request"] = subject;
                let body = |reply: &Reply| expected::body(&reply.content.body, self.known, number);
                put(&mut step, "unordered", Some(&several.iter().map(body).collect()));
            }
        }
        let file = self.files.map(|stem| format!("{stem}.{}.bin", number + 1));
        let file = sent::message(heard, self.known, number, file, &mut step);
        (step, file)
    }

    /// Nobody has answered: a stream, if there is one, where replies could not be heard.
    fn unanswered(&self, heard: &Heard, subject: toml_edit::Item, step: &mut Table) {
        let is_stored = self.recording.streams.iter().any(|stream| {
            let subjects = stream.config.get("subjects").and_then(Json::as_array);
            let mut subjects = subjects.into_iter().flatten().filter_map(Json::as_str);
            subjects.any(|one| subject_matches(one, &heard.subject))
        });
        if is_stored && (self.recording.misses_replies || heard.under_way) {
            step["submit"] = subject;
            return;
        }
        step["request"] = subject;
        if !self.recording.misses_replies && !heard.under_way {
            step["error"] = inline([("kind", UNANSWERED)]);
            step["timeout"] = value(ANSWERED);
        }
    }

    fn expect(&self, subject: &str, number: usize) -> Table {
        let Content { headers, body, .. } = &self.recording.messages[number].content;
        let mut message = InlineTable::new();
        message.insert("subject", subject.into());
        let body = expected::body(body, self.known, number);
        message.extend(to_toml(&body).map(|body| ("body", body)));
        let headers = expected::headers(headers, self.known, number);
        message.extend(headers.as_ref().and_then(to_toml).map(|headers| ("headers", headers)));
        let mut step = Table::new();
        step["expect_message"] = value(message);
        self.save(number, &mut step);
        step
    }

    fn expect_all(&self, subject: &str, numbers: &[usize]) -> Table {
        let body = |number: &usize| {
            expected::body(&self.recording.messages[*number].content.body, self.known, *number)
        };
        let mut messages = InlineTable::new();
        messages.insert("subject", subject.into());
        let bodies: Json = numbers.iter().map(body).collect();
        messages.extend(to_toml(&bodies).map(|bodies| ("unordered", bodies)));
        let mut step = Table::new();
        step["expect_messages"] = value(messages);
        step
    }

    /// What later steps send.
    fn save(&self, number: usize, step: &mut Table) {
        let kept = self.known.kept_of(number);
        match kept.as_slice() {
            [] => {}
            [one] if one.pointer.is_empty() => step["save"] = value(&one.name),
            several => {
                let all = several.iter().map(|one| (one.name.as_str(), one.pointer.as_str()));
                step["save"] = inline(all);
            }
        }
    }

    /// The same message may be answered otherwise the next time, as it was here.
    fn common_replies(&self) -> HashMap<usize, Json> {
        let mut same: HashMap<(&str, String), Vec<(usize, Json)>> = HashMap::new();
        for (number, heard) in self.recording.messages.iter().enumerate() {
            if let [Reply { content, ack: None, .. }] = heard.replies.as_slice() {
                let asked = format!("{:?}", (&heard.content.headers, &heard.content.body));
                let reply = expected::body(&content.body, self.known, number);
                same.entry((&heard.subject, asked)).or_default().push((number, reply));
            }
        }
        let mut common = HashMap::new();
        for replies in same.into_values() {
            let all = replies.iter().map(|(_, reply)| reply.clone());
            let all = all.reduce(|a, b| both(&a, &b));
            let all = all.unwrap_or_default();
            common.extend(replies.into_iter().map(|(number, _)| (number, all.clone())));
        }
        common
    }
}

/// What a stream said.
fn of_stream(ack: &Ack, step: &mut Table) {
    match ack {
        Ack::Stored { stream, duplicate, .. } => {
            let mut ack = InlineTable::new();
            ack.insert("stream", stream.as_str().into());
            if *duplicate {
                ack.insert("duplicate", true.into());
            }
            step["ack"] = value(ack);
        }
        Ack::Refused => step["error"] = inline([("kind", "other")]),
    }
}

fn put(step: &mut Table, key: &str, pattern: Option<&Json>) {
    if let Some(pattern) = pattern.and_then(to_toml) {
        step[key] = value(pattern);
    }
}

fn inline<'t>(fields: impl IntoIterator<Item = (&'t str, &'t str)>) -> toml_edit::Item {
    let fields = fields.into_iter().map(|(key, text)| (key, Value::from(text)));
    value(fields.collect::<InlineTable>())
}
