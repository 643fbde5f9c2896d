//! `--report junit=PATH`: one test suite for each folder of scenarios, one test case for each run.

use std::{collections::BTreeMap, io, path::Path};

use serde_json::Value;

use super::xml::Element;
use crate::counted::counted;
use crate::e2e::record::run::Failure;
use crate::e2e::report::{Output, Reporter};
use crate::e2e::verdict::event::{Event, RunReport, Summary, Verdict};
use crate::e2e::verdict::figures::Figures;

/// The name of the suite with one case for all runs that did not start.
const NOT_RUN: &str = "not run";

/// Writes the file when everything has ended.
#[derive(Debug)]
pub struct Junit {
    output: Output,
    suites: BTreeMap<String, Suite>,
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
                self.suites.entry(suite.to_owned()).or_default().add(report);
            }
            Event::Finished(summary) => {
                let mut suites = std::mem::take(&mut self.suites);
                if summary.not_run > 0 {
                    suites.insert(NOT_RUN.to_owned(), not_run(summary.not_run));
                }
                self.output.write(&document(suites, summary).to_string())?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The runs of a folder.
#[derive(Debug, Default)]
struct Suite {
    cases: Vec<Element>,
    counts: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    tests: usize,
    skipped: usize,
    failures: usize,
    errors: usize,
}

impl Suite {
    fn add(&mut self, report: &RunReport) {
        self.counts.tests += 1;
        match report.verdict {
            Verdict::Passed | Verdict::Updated { .. } => {}
            // A tool that reads only the status must not count it as a pass.
            Verdict::Failed(_) | Verdict::Flaky { .. } => self.counts.failures += 1,
            Verdict::Broken { .. } => self.counts.errors += 1,
            Verdict::Skipped { .. } => self.counts.skipped += 1,
        }
        self.cases.push(case(report));
    }
}

/// A reader of this file alone must not count runs that did not start as passed.
fn not_run(runs: usize) -> Suite {
    let message = format!("{} not begun", counted(runs, "run"));
    let case = Element::new("testcase")
        .attribute("name", NOT_RUN)
        .attribute("classname", NOT_RUN)
        .attribute("time", seconds(0))
        .children([Element::new("error").attribute("message", message)]);
    Suite { cases: vec![case], counts: Counts { tests: 1, errors: 1, ..Counts::default() } }
}

fn document(suites: BTreeMap<String, Suite>, summary: &Summary) -> Element {
    let sum =
        |count: fn(&Counts) -> usize| suites.values().map(|s| count(&s.counts)).sum::<usize>();
    let root = Element::new("testsuites")
        .attribute("name", "mono-demo e2e")
        .attribute("tests", sum(|c| c.tests))
        .attribute("skipped", sum(|c| c.skipped))
        .attribute("failures", sum(|c| c.failures))
        .attribute("errors", sum(|c| c.errors))
        .attribute("time", seconds(summary.elapsed_ms));
    let setup = summary.setup.facts().map(|(name, value)| (name.to_owned(), value.to_owned()));
    if suites.is_empty() {
        return root.text("\n");
    }
    root.children(suites.into_iter().map(|(name, Suite { cases, counts })| {
        Element::new("testsuite")
            .attribute("name", name)
            .attribute("tests", counts.tests)
            .attribute("skipped", counts.skipped)
            .attribute("errors", counts.errors)
            .attribute("failures", counts.failures)
            .children([properties(setup.clone())])
            .children(cases)
    }))
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn case(report: &RunReport) -> Element {
    Element::new("testcase")
        .attribute("name", &report.run)
        .attribute("classname", report.run.scenario.as_str())
        .attribute("time", seconds(report.elapsed_ms))
        .children(history(report))
        .children(status(&report.verdict))
        .children(report.leaks.iter().map(|leaks| {
            let told = leaks.lines().collect::<Vec<_>>().join("\n");
            Element::new("system-out").text(&format!("--- leaks\n{told}\n"))
        }))
        .children((!report.hazards.is_empty()).then(|| {
            let told = report.hazards.iter().map(|hazard| format!("{hazard}\n"));
            let told = told.collect::<String>();
            Element::new("system-out").text(&format!("--- hazards\n{told}"))
        }))
        .children((!report.logs.is_empty()).then(|| {
            let logs = report.logs.iter();
            let told = logs.map(|log| format!("--- {}\n{}\n", log.name, log.lines.join("\n")));
            Element::new("system-err").text(&told.collect::<String>())
        }))
}

/// The verdict on the run's history, if it was judged.
fn history(report: &RunReport) -> Option<Element> {
    let history = report.history.as_ref()?;
    let verdict = ("history".to_owned(), history.verdict.to_owned());
    Some(properties([verdict].into_iter().chain(figures(&history.report.figures))))
}

fn properties(all: impl IntoIterator<Item = (String, String)>) -> Element {
    Element::new("properties").children(all.into_iter().map(|(name, value)| {
        Element::new("property").attribute("name", name).attribute("value", value)
    }))
}

/// What did not simply pass.
fn status(verdict: &Verdict) -> Option<Element> {
    let status = |name, message: &str| Element::new(name).attribute("message", message);
    Some(match verdict {
        Verdict::Passed | Verdict::Updated { .. } => return None,
        Verdict::Failed(failure) => status("failure", &failure.message).text(&details(failure)),
        Verdict::Flaky { failures, first } => {
            let message =
                format!("flaky: attempt {} passed; the first: {}", failures + 1, first.message);
            status("failure", &message).attribute("type", "flaky").text(&details(first))
        }
        Verdict::Broken { reason } => status("error", reason),
        Verdict::Skipped { reason } => status("skipped", reason),
    })
}

/// By name, those that are there; what has parts, as sums by currency and a declared promise, has a
/// property for each.
fn figures(figures: &Figures) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let value = serde_json::to_value(figures).unwrap_or_default();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(parts) => found.extend(
                parts.iter().map(|(part, value)| (format!("history.{name}.{part}"), plain(value))),
            ),
            value => found.push((format!("history.{name}"), plain(value))),
        }
    }
    found
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn details(failure: &Failure) -> String {
    let parts = [failure.excerpt.as_deref(), failure.diff.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::e2e::record::run::{Leak, LeakKind, Log, RunId, RunLeaks};
    use crate::e2e::text::name::Name;
    use crate::e2e::verdict::event::{Invocation, RunHistory, Setup};

    use super::*;

    fn failure(message: &str, excerpt: Option<&str>) -> Failure {
        Failure {
            message: message.to_owned(),
            excerpt: excerpt.map(str::to_owned),
            diff: excerpt.map(|_| "-a\n+\u{1b}[31mb\u{1b}[0m & <c>".to_owned()),
            place: None,
        }
    }

    fn run(scenario: &str, verdict: Verdict) -> RunReport {
        RunReport {
            run: RunId {
                scenario: Name::new(scenario).unwrap(),
                client: "rust".to_owned(),
                round: None,
            },
            verdict,
            elapsed_ms: 1234,
            transcript: String::new(),
            logs: Vec::new(),
            again: String::new(),
            history: None,
            leaks: None,
            hazards: Vec::new(),
            restarts: Default::default(),
            history_file: None,
            about: Arc::default(),
            trace: None,
        }
    }

    fn written(runs: Vec<RunReport>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.xml");
        let mut junit = Junit::create(&path).unwrap();
        for run in runs {
            junit.event(&Event::RunFinished(Box::new(run))).unwrap();
        }
        let invocation = Invocation {
            suite: "shop".to_owned(),
            command: "mono-demo e2e shop -E 'tag(\"a\")'".to_owned(),
            machine: "linux x86_64, 2 cores".to_owned(),
        };
        let setup = Setup { invocation, found: 7, broker: "nats-server 2.15.1".to_owned() };
        let summary = Summary { elapsed_ms: 61_500, setup, ..Summary::default() };
        junit.event(&Event::Finished(summary)).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn every_verdict_and_all_that_stands_beside_it() {
        let mut figures = Figures::default();
        (figures.operations, figures.ok) = (3, 2);
        figures.promised.insert("sums".to_owned(), serde_json::json!({ "EUR": "1.00" }));
        let order = serde_json::json!({ "acknowledged": 4, "lost": 0 });
        figures.promised.insert("order".to_owned(), order);
        let report = crate::e2e::verdict::report::Report { findings: Vec::new(), figures };
        let switched_off = Vec::new();
        let history = RunHistory { verdict: "valid", report, switched_off, asked_for: false };
        let leak =
            Leak { kind: LeakKind::Consumer, by: "w".to_owned(), told: "is \"there\"".to_owned() };
        let log = |name: &str, lines: &[&str]| Log {
            name: name.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let broken = Verdict::Broken { reason: "no\u{0} 'broker'\nat all".to_owned() };
        let skipped = Verdict::Skipped { reason: "a < b".to_owned() };
        let flaky = Verdict::Flaky { failures: 2, first: failure("once", None) };
        let text = written(vec![
            run("pay/good", Verdict::Passed),
            RunReport {
                history: Some(Box::new(history)),
                ..run("pay/known", Verdict::Updated { changed: false })
            },
            RunReport {
                logs: vec![log("broker", &["[1] <ok>", "grüße"]), log("services", &[])],
                leaks: Some(Box::new(RunLeaks { found: vec![leak], unknown: None })),
                ..run("pay/bad", Verdict::Failed(failure("1 & \"2\"", Some("  | x = <y>"))))
            },
            run("alone", flaky),
            run("mail/broken", broken),
            run("mail/skipped", skipped),
        ]);
        assert_eq!(text, include_str!("junit.xml"));
    }

    #[test]
    fn nothing_that_ran_is_a_report_too() {
        let text = written(Vec::new());
        assert_eq!(
            text,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"mono-demo e2e\" tests=\"0\" skipped=\"0\" failures=\"0\" \
             errors=\"0\" time=\"61.500\">\n</testsuites>\n"
        );
    }
}
