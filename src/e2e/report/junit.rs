//! `--report junit=PATH`: a suite a scenario's folder, a case a run.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::Value;

use crate::e2e::record::run::Failure;
use crate::e2e::report::{Output, Reporter};
use crate::e2e::verdict::event::{Event, RunReport, Verdict};
use crate::e2e::verdict::figures::Figures;

/// Writes the file when everything has ended.
#[derive(Debug)]
pub struct Junit {
    output: Output,
    suites: BTreeMap<String, Vec<TestCase>>,
}

impl Junit {
    /// Opens the file.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { output: Output::create(path)?, suites: BTreeMap::new() })
    }
}

impl Reporter for Junit {
    fn name(&self) -> String {
        self.output.name()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunFinished(report) => {
                let name = report.run.scenario.as_str();
                let suite = name.rsplit_once('/').map_or("e2e", |(folder, _)| folder);
                self.suites.entry(suite.to_owned()).or_default().push(case(report));
            }
            Event::Finished(summary) => {
                let mut report = Report::new("mono-demo e2e");
                report.set_time(Duration::from_millis(summary.elapsed_ms));
                for (name, cases) in std::mem::take(&mut self.suites) {
                    let mut suite = TestSuite::new(name);
                    suite.add_test_cases(cases);
                    report.add_test_suite(suite);
                }
                // To memory: its error would not say why a file was not written.
                let text = report.to_string().map_err(io::Error::other)?;
                self.output.file.write_all(text.as_bytes())?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn case(report: &RunReport) -> TestCase {
    let status = match &report.verdict {
        Verdict::Passed | Verdict::Updated => TestCaseStatus::success(),
        Verdict::Failed(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(failure.message.as_str()).set_description(details(failure));
            status
        }
        // Whoever reads only the status must not take it for a pass.
        Verdict::Flaky { failures, first } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let message =
                format!("flaky: attempt {} passed; the first: {}", failures + 1, first.message);
            status.set_type("flaky").set_message(message).set_description(details(first));
            status
        }
        Verdict::Broken { reason } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(reason.as_str());
            status
        }
        Verdict::Skipped { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
    };
    let mut case = TestCase::new(report.run.to_string(), status);
    case.set_classname(report.run.scenario.as_str());
    case.set_time(Duration::from_millis(report.elapsed_ms));
    if let Some(history) = &report.history {
        case.add_property(("history", history.verdict));
        for (name, value) in figures(&history.report.figures) {
            case.add_property((name, value));
        }
    }
    if let Some(leaks) = &report.leaks {
        let told = leaks.lines().collect::<Vec<_>>().join("\n");
        case.set_system_out(format!("--- leaks\n{told}\n"));
    }
    if !report.logs.is_empty() {
        let mut text = String::new();
        for log in &report.logs {
            text.push_str(&format!("--- {}\n{}\n", log.name, log.lines.join("\n")));
        }
        case.set_system_err(text);
    }
    case
}

/// By name, those that are there; a sum has a property for each currency.
fn figures(figures: &Figures) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let value = serde_json::to_value(figures).unwrap_or_default();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(sums) => found.extend(sums.iter().map(|(currency, sum)| {
                let sum = sum.as_str().unwrap_or_default();
                (format!("history.{name}.{currency}"), sum.to_owned())
            })),
            value => found.push((format!("history.{name}"), value.to_string())),
        }
    }
    found
}

fn details(failure: &Failure) -> String {
    let parts = [failure.excerpt.as_deref(), failure.diff.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}
