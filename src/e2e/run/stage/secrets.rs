//! The passwords of a run, taken out of everything that is told about it.

use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::run::{Failure, Log, Watched};
use crate::e2e::scenario::ast::crash::Message;
use crate::e2e::verdict::event::RunHistory;
use crate::e2e::verdict::outcome::{End, Outcome};

/// What stands in their place.
pub(in crate::e2e) const INSTEAD: &str = "<password>";

/// Texts that only the processes of a run may know.
#[derive(Clone, Default)]
pub(in crate::e2e) struct Secrets(Vec<String>);

impl Secrets {
    pub(in crate::e2e) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        // An empty one is everywhere.
        Self(secrets.into_iter().filter(|secret| !secret.is_empty()).collect())
    }

    /// A text without them.
    pub(in crate::e2e) fn out_of_text(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| text.replace(secret, INSTEAD))
    }

    fn is_told_by(&self, history: &RunHistory) -> bool {
        let text = serde_json::to_string(history).unwrap_or_default();
        self.0.iter().any(|secret| text.contains(secret))
    }

    /// The outcome without them: a program under test may have printed what it was given.
    pub(in crate::e2e) fn out_of(&self, outcome: Outcome) -> Outcome {
        let text = |text: String| self.out_of_text(text);
        let end = match outcome.end {
            End::Held => End::Held,
            End::Failed(Failure { message, excerpt, diff, place }) => End::Failed(Failure {
                message: text(message),
                excerpt: excerpt.map(text),
                diff: diff.map(text),
                place,
            }),
            End::Skipped(reason) => End::Skipped(text(reason)),
            End::Broken(reason) => End::Broken(text(reason)),
        };
        let trace = outcome.trace.map(|mut trace| {
            trace.each_text(&mut |told| *told = text(std::mem::take(told)));
            trace
        });
        let mut leaks = outcome.leaks;
        for leak in &mut leaks.found {
            leak.by = text(std::mem::take(&mut leak.by));
            leak.told = text(std::mem::take(&mut leak.told));
        }
        leaks.unknown = leaks.unknown.map(text);
        let hazards = outcome.hazards.into_iter();
        let hazards = hazards.map(|hazard| Hazard { seen: text(hazard.seen), ..hazard }).collect();
        let lines = |log: Log| Log { lines: log.lines.into_iter().map(text).collect(), ..log };
        Outcome {
            end,
            transcript: text(outcome.transcript),
            seen: outcome
                .seen
                .into_iter()
                .map(|step| step.into_iter().map(|seen| seen.told_by(&text)).collect())
                .collect(),
            logs: outcome.logs.into_iter().map(lines).collect(),
            trace,
            // Evidence is not rewritten: what would tell a password is left out whole.
            history: outcome.history.filter(|history| !self.is_told_by(history)),
            leaks,
            hazards,
            restarts: outcome.restarts,
            history_file: outcome.history_file,
            watched: outcome.watched.map(|watched| Watched {
                messages: watched
                    .messages
                    .into_iter()
                    .map(|message| Message { subject: text(message.subject), ..message })
                    .collect(),
                ..watched
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::run::{Leak, LeakKind, RunLeaks};
    use crate::e2e::record::seen::Seen;
    use crate::e2e::scenario::ast::hazard::HazardKind;
    use crate::wire::driver as wire;
    use serde_json::json;

    use crate::e2e::record::trace::{
        Bounded, Effect, Fault, Kind, LogLine, Message, Party, Step, Trace,
    };

    /// A trace that says it wherever it can say something.
    fn trace(said: &str) -> Trace {
        let said = || said.to_owned();
        let step = Step {
            at_ns: 1,
            took_ns: 1,
            line: None,
            verb: "call",
            heading: said(),
            block: said(),
            stopped_here: false,
        };
        let kind = Kind::Publish;
        let (from, to) = (Party::Client, Party::Broker);
        let message = Message { at_ns: 1, from, to, kind, subject: said(), text: said() };
        Trace {
            steps: vec![step],
            messages: Bounded::first(1, vec![message]),
            untraced: None,
            faults: Bounded::first(1, vec![Fault { name: said(), begin_ns: 1, end_ns: None }]),
            lanes: Vec::new(),
            effects: Bounded::first(1, vec![Effect { at_ns: 1, at: to, text: said() }]),
            logs: Bounded::first(1, vec![LogLine { at_ns: 1, source: said(), text: said() }]),
        }
    }

    #[test]
    fn a_password_is_nowhere_in_what_is_told() {
        let said = |what: &str| format!("{what} says s3cret");
        let failure = Failure {
            message: said("message"),
            excerpt: Some(said("excerpt")),
            diff: Some(said("diff")),
            place: None,
        };
        for end in [
            End::Failed(failure),
            End::Skipped(said("skipped")),
            End::Broken(said("broken")),
            End::Held,
        ] {
            let logs = vec![Log { name: "driver".to_owned(), lines: vec![said("log")] }];
            let kind = LeakKind::Connection;
            let leak = Leak { kind, by: said("name"), told: said("leak") };
            let outcome = Outcome {
                transcript: said("transcript"),
                seen: vec![vec![
                    Seen::program(json!(0).into(), said("stdout").into(), said("stderr").into()),
                    Seen::call(wire::Outcome::Ok(json!([{ said("key"): said("reply") }]))),
                    Seen::Skip(said("reason")),
                    Seen::Err(wire::DriverError {
                        kind: wire::ErrorKind::Other,
                        definite: true,
                        message: said("error"),
                        code: None,
                    }),
                ]],
                logs,
                restarts: Default::default(),
                leaks: RunLeaks { found: vec![leak], unknown: Some(said("unknown")) },
                hazards: vec![Hazard { kind: HazardKind::ConsumerShared, seen: said("seen") }],
                trace: Some(Box::new(trace(&said("trace")))),
                ..Outcome::unstarted(end)
            };
            let told = format!("{:?}", Secrets::new(["s3cret".into(), "".into()]).out_of(outcome));
            assert!(!told.contains("s3cret") && told.contains(INSTEAD), "{told}");
        }
    }
}
