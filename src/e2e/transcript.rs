//! The text of what happened, the same for every client: kinds of errors, codes and the services'
//! own words are in it; a client library's wording is not.
//!
//! ```text
//! call math.add(10, 5)
//!   = 15
//!
//! request services.math.calculate "{broken"
//!   = {"error":"…"}
//!     Mono-Error: true
//!
//! fault kill-broker
//! ```
//! A line that begins with `=` is an outcome, with `!` an error, with `|` output of a program.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    fixture::{Action, Check, Expect, Outgoing, Payload, Step, template},
    matcher::{canonical, canonical_value},
    redact::Redactions,
    seen::{self, Seen},
};
use crate::wire::driver::ErrorKind;

/// Longer texts are shown by their beginning, their length and their SHA-256.
const LONGEST: usize = 2000;
/// Longer JSON is shown on several lines.
const LINE: usize = 100;
/// So many different outcomes of a repeated step are shown.
const MOST_GROUPS: usize = 5;
/// A reply's headers are shown if they begin with one of these; the rest is the library's noise.
const HEADERS: [&str; 2] = ["Mono-", "Nats-Service-Error"];

/// A transcript that is being written.
#[derive(Debug)]
pub struct Transcript {
    text: String,
    redactions: Redactions,
}

impl Transcript {
    /// An empty one.
    pub fn new(redactions: Redactions) -> Self {
        Self { text: String::new(), redactions }
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a step that was done once, or `repeat` times with these outcomes. `sent` is the step's
    /// action with its variables filled in; of a repeated step, as it is written.
    pub fn step(&mut self, step: &Step, sent: &Action, outcomes: &[Seen]) {
        let mut block = heading(step, sent);
        block.push('\n');
        let is_output = matches!(step.action, Action::Run(_));
        match outcomes {
            [seen] if step.repeat.is_none() => {
                block.push_str(&outcome(seen, step.within.is_none()));
            }
            many => block.push_str(&grouped(many, MOST_GROUPS)),
        }
        self.add(&block, is_output);
    }

    /// Adds a step of which only the text is known, as of a fault.
    pub fn note(&mut self, title: &str, lines: &[String]) {
        let mut block = format!("{title}\n");
        for line in lines {
            let _ = writeln!(block, "  = {line}");
        }
        self.add(&block, false);
    }

    /// Adds a load under faults.
    pub fn load(&mut self, step: &Step, action: &Action, lines: &[String]) {
        self.note(&heading(step, action), lines);
    }

    /// Adds a check with its evidence.
    pub fn check(&mut self, check: &Check, evidence: &[String]) {
        self.note(&format!("check {}", check.kind.word()), evidence);
    }

    fn add(&mut self, block: &str, is_output: bool) {
        let block = clean(block);
        let block = if is_output {
            self.redactions.apply_to_output(&block)
        } else {
            self.redactions.apply(&block)
        };
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&block);
    }
}

/// Control characters become visible, so that a transcript is safe to show and to compare.
fn clean(block: &str) -> String {
    block
        .chars()
        .map(|c| match c {
            '\n' => "\n".to_owned(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

/// The line that says what is done.
pub fn heading(step: &Step, sent: &Action) -> String {
    let mut line = match sent {
        Action::Call { method, args, kwargs } => {
            let args = args.iter().map(canonical);
            let kwargs = kwargs.iter().map(|(name, value)| format!("{name}={}", canonical(value)));
            let all: Vec<String> = args.chain(kwargs).map(|text| bounded(&text)).collect();
            format!("call {method}({})", all.join(", "))
        }
        Action::Request(out) | Action::Publish(out) | Action::Submit(out) => {
            format!("{} {}", sent.verb(), outgoing(out))
        }
        Action::Run(program) => format!("run {}", program.join(" ")),
        Action::Fault(fault) => format!("fault {fault}"),
        Action::Settle => "settle".to_owned(),
        Action::ExpectMessage { subject, none: true } => format!("expect no message on {subject}"),
        Action::ExpectMessage { subject, none: false } => format!("expect a message on {subject}"),
        Action::ExpectMessages { subject, count } => {
            format!("expect {count} messages on {subject}, in any order")
        }
    };
    if let Some(repeat) = step.repeat {
        let _ = write!(line, " × {repeat}");
        if step.concurrency > 1 {
            let _ = write!(line, ", {} at a time", step.concurrency);
        }
    }
    line
}

fn outgoing(out: &Outgoing) -> String {
    let body = match &out.payload {
        Payload::Json(value) => bounded(&canonical(value)),
        Payload::Text(text) if text.is_empty() => "(empty)".to_owned(),
        Payload::Text(text) => bounded(&Value::from(text.as_str()).to_string()),
        Payload::Bytes(bytes) => format!("base64 {}", bounded(&seen::base64(bytes))),
        Payload::File(path) => format!("from {path}"),
        Payload::Filler(size) => format!("{size} bytes of filler"),
    };
    let mut text = format!("{} {body}", out.subject);
    for (name, values) in &out.headers {
        for value in values {
            let _ = write!(text, "\n    {name}: {value}");
        }
    }
    text
}

/// What was seen, indented under its heading.
fn outcome(seen: &Seen, with_sequence: bool) -> String {
    match seen {
        Seen::Skip(reason) => format!("  = skipped: {reason}\n"),
        Seen::Err(error) => {
            // A library's own words would make a golden file of every client.
            let words = match error.kind {
                ErrorKind::Domain | ErrorKind::ServiceError => {
                    format!(": {}", Value::from(error.message.as_str()))
                }
                _ => String::new(),
            };
            format!("  ! {}{words}\n", seen::describe(error))
        }
        Seen::Ok(fields) => succeeded(fields, with_sequence),
    }
}

fn succeeded(fields: &Map<String, Value>, with_sequence: bool) -> String {
    let mut text = String::new();
    if let Some(exit) = fields.get("exit") {
        let _ =
            writeln!(text, "  = exit {}", exit.as_str().map_or(exit.to_string(), str::to_owned));
        for (key, mark) in [("stdout", "|"), ("stderr", "stderr |")] {
            let output = fields.get(key).and_then(Value::as_str).unwrap_or_default();
            for line in output.lines() {
                let _ = writeln!(text, "  {}", format!("{mark} {line}").trim_end());
            }
        }
        return text;
    }
    if let Some(ack) = fields.get("ack") {
        let _ = write!(text, "  = ack {}", ack["stream"].as_str().unwrap_or_default());
        if with_sequence {
            let _ = write!(text, " sequence {}", ack["sequence"]);
        }
        if ack["duplicate"] == true {
            text.push_str(" duplicate");
        }
        text.push('\n');
        return text;
    }
    if let Some(Value::Array(subjects)) = fields.get("subjects") {
        let of = |key: &str, index: usize| fields[key][index].clone();
        let message = |(index, subject): (usize, &Value)| {
            Seen::Ok(Map::from_iter([
                ("subject".to_owned(), subject.clone()),
                ("body".to_owned(), of("bodies", index)),
                ("headers".to_owned(), of("headers", index)),
            ]))
        };
        // In what order they come, nobody promises.
        let messages: Vec<Seen> = subjects.iter().enumerate().map(message).collect();
        return grouped(&messages, usize::MAX);
    }
    if let Some(subject) = fields.get("subject").and_then(Value::as_str) {
        let _ = writeln!(text, "  = on {subject}");
    }
    if let Some(value) = fields.get("reply").or_else(|| fields.get("body")) {
        let _ = writeln!(text, "  = {}", json_text(value));
    }
    let headers = fields.get("reply_headers").or_else(|| fields.get("headers"));
    for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
        if HEADERS.iter().any(|prefix| name.starts_with(prefix)) {
            let value = value.as_str().map_or_else(|| canonical(value), str::to_owned);
            let _ = writeln!(text, "    {name}: {}", bounded(&value));
        }
    }
    text
}

/// JSON on one line, or on several where it is long.
fn json_text(value: &Value) -> String {
    if value == "" {
        return "(empty)".to_owned();
    }
    let line = canonical(value);
    if line.len() <= LINE || !(value.is_object() || value.is_array()) {
        return bounded(&line);
    }
    let pretty = serde_json::to_string_pretty(&canonical_value(value)).unwrap_or(line);
    bounded(&pretty).replace('\n', "\n    ")
}

/// Equal outcomes counted. A few are sorted, since the order in which concurrent ones come is not
/// told; where most differ, those of the first repetitions stand for all.
fn grouped(outcomes: &[Seen], most: usize) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for seen in outcomes {
        let text = outcome(seen, false);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => groups.push((text, 1)),
        }
    }
    if groups.len() <= most {
        groups.sort();
    }
    let mut text = String::new();
    for (group, count) in groups.iter().take(most) {
        let group = group.strip_prefix("  ").unwrap_or(group);
        if group.is_empty() {
            let _ = writeln!(text, "  {count} ×");
        } else {
            let _ = write!(text, "  {count} × {group}");
        }
    }
    if groups.len() > most {
        let _ = writeln!(text, "  and {} other outcomes", groups.len() - most);
    }
    text
}

/// The whole text, or its beginning, its length and its SHA-256.
fn bounded(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(80).collect();
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{beginning}… ({} bytes, sha256 {hex})", text.len())
}

/// The action of a step with its variables filled in.
pub fn filled(action: &Action, variables: &template::Variables) -> Action {
    let text = |text: &str| template::fill_text(text, variables);
    let outgoing = |out: &Outgoing| Outgoing {
        subject: text(&out.subject),
        payload: match &out.payload {
            Payload::Json(value) => Payload::Json(template::fill(value, variables)),
            Payload::Text(body) => Payload::Text(text(body)),
            other => other.clone(),
        },
        headers: out
            .headers
            .iter()
            .map(|(name, values)| (name.clone(), values.iter().map(|v| text(v)).collect()))
            .collect(),
    };
    match action {
        Action::Call { method, args, kwargs } => Action::Call {
            method: text(method),
            args: args.iter().map(|arg| template::fill(arg, variables)).collect(),
            kwargs: template::fill_map(kwargs, variables),
        },
        Action::Request(out) => Action::Request(outgoing(out)),
        Action::Publish(out) => Action::Publish(outgoing(out)),
        Action::Submit(out) => Action::Submit(outgoing(out)),
        Action::Run(program) => Action::Run(program.iter().map(|arg| text(arg)).collect()),
        Action::ExpectMessage { subject, none } => {
            Action::ExpectMessage { subject: text(subject), none: *none }
        }
        // Subscribed to before anything was saved.
        Action::ExpectMessages { .. } => action.clone(),
        Action::Fault(_) | Action::Settle => action.clone(),
    }
}

/// The names that a step's action and expectations use.
pub fn used(action: &Action, expects: &[Expect]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut text = |text: &str| names.extend(template::names(text).into_iter().map(str::to_owned));
    // Each part as one line of JSON, in which a name is still a name.
    match action {
        Action::Call { method, args, kwargs } => {
            text(method);
            text(&canonical(&args.clone().into()));
            text(&canonical(&kwargs.clone().into()));
        }
        Action::Request(out) | Action::Publish(out) | Action::Submit(out) => {
            text(&out.subject);
            match &out.payload {
                Payload::Json(value) => text(&canonical(value)),
                Payload::Text(body) => text(body),
                _ => {}
            }
            out.headers.values().flatten().for_each(|value| text(value));
        }
        Action::Run(program) => program.iter().for_each(|arg| text(arg)),
        _ => {}
    }
    expects.iter().for_each(|expect| text(&canonical(&expect.pattern)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::driver::{DriverError, Headers, Outcome};
    use serde_json::json;

    fn step(action: Action) -> Step {
        Step {
            span: 0..0,
            action,
            expects: Vec::new(),
            within: None,
            timeout: None,
            repeat: None,
            concurrency: 1,
            save: Vec::new(),
            open: false,
            load: None,
        }
    }

    fn call(method: &str) -> Step {
        step(Action::Call {
            method: method.to_owned(),
            args: vec![json!(10.0), json!("x")],
            kwargs: json!({"b": 1}).as_object().cloned().unwrap(),
        })
    }

    fn error(kind: ErrorKind, message: &str) -> Seen {
        Seen::Err(DriverError {
            kind,
            definite: true,
            message: message.to_owned(),
            code: (kind == ErrorKind::ServiceError).then_some(400),
        })
    }

    #[test]
    fn a_conversation_reads_as_text() {
        let mut transcript = Transcript::new(Redactions::new([]));
        let steps = [
            (call("math.add"), Seen::call(Outcome::Ok(json!(15.0)))),
            (call("math.add"), error(ErrorKind::ServiceError, "bad request")),
            (call("math.add"), error(ErrorKind::NoResponders, "nats: the library's words")),
            (
                step(Action::Request(Outgoing {
                    subject: "services.x".to_owned(),
                    payload: Payload::Text("{bro\nken".to_owned()),
                    headers: Headers::from([("A".to_owned(), vec!["1".to_owned()])]),
                })),
                Seen::request(Outcome::Ok(json!({
                    "subject": "_INBOX.1",
                    "payload_base64": seen::base64(br#"{"b":2.0,"a":"6f9619ff-8b86-d011-b42d-00cf4fc964ff"}"#),
                    "headers": {"Mono-Error": ["true"], "Date": ["noise"]},
                }))),
            ),
            (
                step(Action::Submit(Outgoing {
                    subject: "s".to_owned(),
                    payload: Payload::Filler(70_000),
                    headers: Headers::new(),
                })),
                Seen::submit(Outcome::Ok(
                    json!({"stream": "st", "sequence": 3, "duplicate": true}),
                )),
            ),
            (
                step(Action::Run(vec!["demo".to_owned()])),
                Seen::program(
                    json!(3),
                    "at 127.0.0.1:4000\n\u{1b}[31min 3 ms\n".to_owned(),
                    "oh\n".to_owned(),
                ),
            ),
        ];
        for (step, seen) in &steps {
            transcript.step(step, &step.action, std::slice::from_ref(seen));
        }
        let mut many = call("math.add");
        many.repeat = Some(3);
        many.concurrency = 2;
        let outcomes = [steps[0].1.clone(), steps[2].1.clone(), steps[0].1.clone()];
        transcript.step(&many, &many.action, &outcomes);
        insta::assert_snapshot!(transcript.text(), @r#"
        call math.add(10, "x", b=1)
          = 15

        call math.add(10, "x", b=1)
          ! service_error 400, definite: "bad request"

        call math.add(10, "x", b=1)
          ! no_responders, definite

        request services.x "{bro\nken"
            A: 1
          = {"a":"<uuid:1>","b":2}
            Mono-Error: true

        submit s 70000 bytes of filler
          = ack st sequence 3 duplicate

        run demo
          = exit 3
          | at <address>
          | \u{1b}[31min <duration>
          stderr | oh

        call math.add(10, "x", b=1) × 3, 2 at a time
          1 × ! no_responders, definite
          2 × = 15
        "#);
    }

    #[test]
    fn a_long_text_is_shown_by_its_digest() {
        let text = json_text(&json!("x".repeat(5000)));
        assert!(text.contains("5002 bytes, sha256 "));
        assert!(text.len() < 200);
    }
}
