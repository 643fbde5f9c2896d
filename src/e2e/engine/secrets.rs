//! The passwords of a run, taken out of everything that is told about it.

use super::{End, Outcome};
use crate::e2e::event::{Failure, Log};

/// What stands in their place.
const INSTEAD: &str = "<password>";

/// Texts that only the processes of a run may know.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        // An empty one is everywhere.
        Self(secrets.into_iter().filter(|secret| !secret.is_empty()).collect())
    }

    /// The outcome without them: a program under test may have printed what it was given.
    pub(super) fn out_of(&self, outcome: Outcome) -> Outcome {
        let text = |text: String| self.0.iter().fold(text, |text, s| text.replace(s, INSTEAD));
        let end = match outcome.end {
            End::Held => End::Held,
            End::Failed(Failure { message, excerpt, diff }) => End::Failed(Failure {
                message: text(message),
                excerpt: excerpt.map(text),
                diff: diff.map(text),
            }),
            End::Skipped(reason) => End::Skipped(text(reason)),
            End::Broken(reason) => End::Broken(text(reason)),
        };
        let lines = |log: Log| Log { lines: log.lines.into_iter().map(text).collect(), ..log };
        Outcome {
            end,
            transcript: text(outcome.transcript),
            logs: outcome.logs.into_iter().map(lines).collect(),
            ..outcome
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_nowhere_in_what_is_told() {
        let said = |what: &str| format!("{what} says s3cret");
        let failure = Failure {
            message: said("message"),
            excerpt: Some(said("excerpt")),
            diff: Some(said("diff")),
        };
        for end in [
            End::Failed(failure),
            End::Skipped(said("skipped")),
            End::Broken(said("broken")),
            End::Held,
        ] {
            let logs = vec![Log { name: "driver".to_owned(), lines: vec![said("log")] }];
            let outcome =
                Outcome { transcript: said("transcript"), logs, ..Outcome::unstarted(end) };
            let told = format!("{:?}", Secrets::new(["s3cret".into(), "".into()]).out_of(outcome));
            assert!(!told.contains("s3cret") && told.contains(INSTEAD), "{told}");
        }
    }
}
