//! `--report tap=PATH`: the Test Anything Protocol, version 14, a test point a run, in the order of their
//! ends.

use std::fmt::{self, Write as _};
use std::{io, path::Path};

use serde_json::{Value, json};

use crate::e2e::record::run::Failure;
use crate::e2e::report::{Output, Reporter};
use crate::e2e::verdict::event::{Event, RunReport, Verdict};

/// Writes the file when everything has ended.
#[derive(Debug)]
pub struct Tap {
    output: Output,
    points: String,
    written: usize,
}

impl Tap {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { output: Output::create(path)?, points: String::new(), written: 0 })
    }

    fn point(&mut self, report: &RunReport) -> fmt::Result {
        self.written += 1;
        let number = self.written;
        let name = escaped(&report.run.to_string());
        let file = &mut self.points;
        match &report.verdict {
            Verdict::Passed | Verdict::Updated { .. } => writeln!(file, "ok {number} - {name}")?,
            Verdict::Skipped { reason } => {
                return writeln!(file, "ok {number} - {name} # SKIP {}", escaped(reason));
            }
            Verdict::Failed(_) | Verdict::Flaky { .. } | Verdict::Broken { .. } => {
                writeln!(file, "not ok {number} - {name}")?;
            }
        }
        // The diagnostics of TAP are YAML, of which a JSON value in flow style is a part.
        writeln!(file, "  ---")?;
        for (key, value) in diagnostics(report) {
            writeln!(file, "  {key}: {value}")?;
        }
        writeln!(file, "  ...")
    }
}

impl Reporter for Tap {
    fn name(&self) -> String {
        self.output.name()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunFinished(report) => self.point(report).map_err(io::Error::other),
            Event::Finished(summary) => {
                let facts =
                    summary.setup.facts().map(|(name, value)| format!("# {name}: {value}\n"));
                let (facts, points) = (facts.concat(), &self.points);
                // Runs that did not start are in the plan and have no test point, so the result is
                // no success.
                let plan = self.written + summary.not_run;
                self.output.write(&format!("TAP version 14\n{facts}{points}1..{plan}\n"))
            }
            _ => Ok(()),
        }
    }
}

fn diagnostics(report: &RunReport) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("duration_ms", json!(report.elapsed_ms))];
    let mut failure = |severity: &str, failure: &Failure| {
        fields.push(("severity", json!(severity)));
        fields.push(("message", json!(failure.message)));
        fields.extend(failure.excerpt.iter().map(|excerpt| ("excerpt", json!(excerpt))));
        fields.extend(failure.diff.iter().map(|diff| ("diff", json!(diff))));
    };
    match &report.verdict {
        Verdict::Failed(failed) => failure("fail", failed),
        Verdict::Flaky { first, .. } => failure("flaky", first),
        Verdict::Broken { .. } => {
            report.verdict.failure().iter().for_each(|broken| failure("error", broken));
        }
        Verdict::Passed | Verdict::Updated { .. } | Verdict::Skipped { .. } => {}
    }
    if report.verdict.failure().is_some() {
        fields.push(("again", json!(report.again)));
    }
    fields
}

/// On one line, without what begins a directive.
fn escaped(text: &str) -> String {
    let line = crate::process::clean(&text.replace('\n', " "));
    line.replace('\\', "\\\\").replace('#', "\\#")
}
