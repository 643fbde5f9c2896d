//! A transcript that is being written, part by part.

use std::fmt::Write as _;

use super::heading::heading;
use super::outcome::{grouped, in_order, outcome};
use crate::e2e::record::seen::Seen;
use crate::e2e::scenario::ast::check::Check;
use crate::e2e::scenario::ast::step::{Action, InGolden, Step};
use crate::e2e::text::redact::Redactions;

/// So many different outcomes of a repeated step are shown.
const MOST_GROUPS: usize = 5;

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
        if step.golden == InGolden::Nothing {
            return;
        }
        let mut block = heading(step, sent);
        block.push('\n');
        let is_output = matches!(step.action, Action::Run(_));
        match outcomes {
            [seen] if step.repeat.is_none() => {
                block.push_str(&outcome(seen, step.within.is_none()));
            }
            many if step.concurrency <= 1 => block.push_str(&in_order(many, MOST_GROUPS)),
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
        if step.golden != InGolden::Nothing {
            self.note(&heading(step, action), lines);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::seen;
    use crate::e2e::scenario::ast::payload::Payload;
    use crate::e2e::scenario::ast::step::{Outgoing, Program};
    use crate::wire::driver::{DriverError, ErrorKind, Headers, Outcome};
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
            replies: None,
            open: false,
            golden: InGolden::Whole,
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
            (call("sums.add"), Seen::call(Outcome::Ok(json!(15.0)))),
            (call("sums.add"), error(ErrorKind::ServiceError, "bad request")),
            (call("sums.add"), error(ErrorKind::NoResponders, "nats: the library's words")),
            (
                step(Action::Request(Outgoing {
                    subject: "services.x".to_owned(),
                    payload: Payload::Text("{bro\nken".to_owned()),
                    headers: Headers::from([("A".to_owned(), vec!["1".to_owned()])]),
                    reply_to: None,
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
                    reply_to: None,
                })),
                Seen::submit(Outcome::Ok(
                    json!({"stream": "st", "sequence": 3, "duplicate": true}),
                )),
            ),
            (
                step(Action::Run(Program { words: vec!["demo".to_owned()], ..Program::default() })),
                Seen::program(
                    json!(3).into(),
                    b"at 127.0.0.1:4000\n\x1b[31min 3 ms\n".to_vec(),
                    b"oh\n".to_vec(),
                ),
            ),
        ];
        for (step, seen) in &steps {
            transcript.step(step, &step.action, std::slice::from_ref(seen));
        }
        let mut many = call("sums.add");
        many.repeat = Some(3);
        many.concurrency = 2;
        let outcomes = [steps[0].1.clone(), steps[2].1.clone(), steps[0].1.clone()];
        transcript.step(&many, &many.action, &outcomes);
        many.concurrency = 1;
        transcript.step(&many, &many.action, &outcomes);
        insta::assert_snapshot!(transcript.text(), @r#"
        call sums.add(10, "x", b=1)
          = 15

        call sums.add(10, "x", b=1)
          ! service_error 400, definite: "bad request"

        call sums.add(10, "x", b=1)
          ! no_responders, definite

        request services.x text "{bro\nken"
            A: 1
          = {"a":"<uuid:1>","b":2}
            Date: noise
            Mono-Error: true

        submit s 70000 bytes of filler
          = ack st sequence 3 duplicate

        run demo
          = exit 3
          | at <address>
          |"\u001b[31min <duration>"
          stderr | oh

        call sums.add(10, "x", b=1) × 3, 2 at a time
          1 × ! no_responders, definite
          2 × = 15

        call sums.add(10, "x", b=1) × 3
          1 × = 15
          1 × ! no_responders, definite
          1 × = 15
        "#);
    }
}
