//! Annotations beside the text: the workflow commands of GitHub Actions, in the log of a step.
//!
//! A command is a line `::error file=F,line=N,title=T::MESSAGE`. The runner reads every line of the
//! log that begins so as a command, also after white space, and a driver's log is part of a
//! failure's evidence. So commands are disabled (`::stop-commands::WORD`) except while this
//! reporter writes: the program under test cannot forge one without the word, which is random for
//! each run.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::e2e::record::run::{Failure, Place};
use crate::e2e::report::Reporter;
use crate::e2e::text::error::FixtureError;
use crate::e2e::verdict::event::{Event, RunReport, Verdict};
use crate::process::clean;

/// How many lines of a diff an annotation shows; the log has all of them.
const DIFF_LINES: usize = 30;

/// Writes to the log of the step, which is where the other reports of people go too.
pub struct Github<W: Write> {
    out: W,
    root: PathBuf,
    word: String,
    stopped: bool,
}

impl<W: Write> Github<W> {
    /// Annotations on `out`; `root` is the suite's root as GitHub names it: from the repository's.
    ///
    /// It must get each event before any other reporter that writes to `out`.
    pub fn new(out: W, root: &Path) -> Self {
        Self { out, root: root.to_owned(), word: nuid::next().to_string(), stopped: false }
    }

    /// Fixtures that could not be read, each mistake at its place.
    ///
    /// # Errors
    /// What it writes to cannot be written.
    pub fn mistakes(&mut self, errors: &[FixtureError]) -> io::Result<()> {
        for error in errors {
            for problem in &error.problems {
                let place = Place {
                    file: error.source.path.to_string(),
                    line: error.source.line(&problem.span),
                    column: Some(error.source.column(&problem.span)),
                };
                let help = problem.help.iter().map(|help| format!("\nhelp: {help}"));
                let message = [problem.message.clone()].into_iter().chain(help).collect::<String>();
                self.annotate("error", Some(&place), "broken fixture", &message)?;
            }
        }
        Ok(())
    }

    fn run(&mut self, report: &RunReport) -> io::Result<()> {
        let (level, failure) = match &report.verdict {
            Verdict::Failed(failure) => ("error", failure.clone()),
            Verdict::Broken { reason } => {
                ("error", Failure { message: reason.clone(), ..Failure::default() })
            }
            Verdict::Flaky { first, .. } => {
                let message =
                    format!("flaky: it passed when tried again; first: {}", first.message);
                ("warning", Failure { message, ..first.clone() })
            }
            Verdict::Passed | Verdict::Updated { .. } | Verdict::Skipped { .. } => return Ok(()),
        };
        let diff = failure.diff.as_deref().unwrap_or_default();
        let diff = diff.lines().take(DIFF_LINES).map(|line| format!("\n{line}"));
        let message =
            format!("{}{}\nagain: {}", failure.message, diff.collect::<String>(), report.again);
        self.annotate(level, failure.place.as_ref(), &report.run.to_string(), &message)
    }

    fn annotate(
        &mut self,
        level: &str,
        place: Option<&Place>,
        title: &str,
        message: &str,
    ) -> io::Result<()> {
        let mut properties = Vec::new();
        if let Some(place) = place {
            let file = self.root.join(&place.file).display().to_string();
            properties.push(format!("file={}", property(&file)));
            properties.push(format!("line={}", place.line));
            properties.extend(place.column.map(|column| format!("col={column}")));
        }
        properties.push(format!("title={}", property(title)));
        let message = message.lines().map(clean).collect::<Vec<_>>().join("\n");
        let stopped = self.stopped;
        self.go_on()?;
        writeln!(self.out, "::{level} {}::{}", properties.join(","), data(&message))?;
        if stopped { self.stop() } else { Ok(()) }
    }

    /// Disables workflow commands from here on.
    fn stop(&mut self) -> io::Result<()> {
        self.stopped = true;
        writeln!(self.out, "::stop-commands::{}", self.word)?;
        self.out.flush()
    }

    fn go_on(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.stopped) {
            writeln!(self.out, "::{}::", self.word)?;
        }
        self.out.flush()
    }
}

impl<W: Write> Reporter for Github<W> {
    fn name(&self) -> String {
        "annotations".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { .. } => self.stop(),
            Event::RunFinished(report) => self.run(report),
            Event::Finished(_) => self.go_on(),
            Event::RunStarted { .. } | Event::StepStarted { .. } | Event::Printed { .. } => Ok(()),
        }
    }
}

impl<W: Write> Drop for Github<W> {
    /// Enables commands again, also after an interrupt: later steps of the job need them.
    fn drop(&mut self) {
        let _ = self.go_on();
    }
}

/// A command's message, escaped as the runner reads it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value: commas and colons would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::e2e::record::run::RunId;
    use crate::e2e::text::error::Problem;
    use crate::e2e::text::name::Name;
    use crate::e2e::text::source::Source;
    use crate::e2e::verdict::event::{Setup, Summary};

    fn report(verdict: Verdict) -> RunReport {
        RunReport {
            leaks: Default::default(),
            hazards: Vec::new(),
            restarts: Default::default(),
            run: RunId {
                scenario: Name::new("a/b").unwrap(),
                client: "go".to_owned(),
                round: None,
            },
            verdict,
            elapsed_ms: 1,
            transcript: String::new(),
            logs: Vec::new(),
            again: "mono-demo e2e a/b".to_owned(),
            history: None,
            history_file: None,
            about: Arc::default(),
            trace: None,
        }
    }

    fn failure(message: &str, file: &str) -> Failure {
        let place = Place { file: file.to_owned(), line: 3, column: Some(7) };
        Failure { message: message.to_owned(), place: Some(place), ..Failure::default() }
    }

    /// What is written, with the word replaced.
    fn said(events: &[Event]) -> String {
        let mut out = Vec::new();
        let mut github = Github::new(&mut out, Path::new("services/shop"));
        let word = github.word.clone();
        events.iter().for_each(|event| github.event(event).unwrap());
        drop(github);
        String::from_utf8(out).unwrap().replace(&word, "WORD")
    }

    #[test]
    fn a_failure_is_annotated_at_its_place_and_commands_are_stopped_otherwise() {
        let failed = Verdict::Failed(Failure {
            diff: Some("-= 1\n+= 2".to_owned()),
            ..failure("expected 100%,\nsaw: 7", "fixtures/a,b:c.toml")
        });
        let started =
            Event::Started { setup: Setup::default(), scenarios: 1, runs: 1, jobs: 1, seed: 1 };
        assert_eq!(
            said(&[
                started,
                Event::RunFinished(Box::new(report(Verdict::Passed))),
                Event::RunFinished(Box::new(report(failed))),
                Event::Finished(Summary::default()),
            ]),
            "::stop-commands::WORD\n\
             ::WORD::\n\
             ::error file=services/shop/fixtures/a%2Cb%3Ac.toml,line=3,col=7,title=a/b [go]::\
             expected 100%25,%0Asaw: 7%0A-= 1%0A+= 2%0Aagain: mono-demo e2e a/b\n\
             ::stop-commands::WORD\n\
             ::WORD::\n"
        );
    }

    #[test]
    fn what_is_flaky_is_a_warning_and_what_is_broken_has_no_place() {
        let flaky = Verdict::Flaky { failures: 1, first: failure("late", "f.toml") };
        let broken = Verdict::Broken { reason: "no \u{1b}[31mbroker".to_owned() };
        let said = said(&[
            Event::RunFinished(Box::new(report(flaky))),
            Event::RunFinished(Box::new(report(broken))),
        ]);
        assert_eq!(
            said,
            "::warning file=services/shop/f.toml,line=3,col=7,title=a/b [go]::\
             flaky: it passed when tried again; first: late%0Aagain: mono-demo e2e a/b\n\
             ::error title=a/b [go]::no broker%0Aagain: mono-demo e2e a/b\n"
        );
    }

    #[test]
    fn an_interrupted_run_lets_later_commands_be_heard() {
        let started =
            Event::Started { setup: Setup::default(), scenarios: 1, runs: 1, jobs: 1, seed: 1 };
        assert_eq!(said(&[started]), "::stop-commands::WORD\n::WORD::\n");
    }

    #[test]
    fn a_mistake_in_a_fixture_is_annotated_at_its_line_and_column() {
        let mut out = Vec::new();
        let source = Source::new("fixtures/x.toml", "a = 1\né = oops\n");
        let problems =
            vec![Problem { span: 11..15, message: "what?".into(), help: Some("drop it".into()) }];
        let mut github = Github::new(&mut out, Path::new(""));
        github.mistakes(&[FixtureError { source, problems }]).unwrap();
        drop(github);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=fixtures/x.toml,line=2,col=5,title=broken fixture::what?%0Ahelp: drop it\n"
        );
    }
}
