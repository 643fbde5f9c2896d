//! The report for people: one line for each run, all evidence of runs that did not pass, a summary.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    io::{self, Write},
    time::Duration,
};

use console::Style;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::counted::counted;
use crate::e2e::record::run::Failure;
use crate::e2e::report::Reporter;
use crate::e2e::report::aloud::whose;
use crate::e2e::scenario::ast::hazard::HazardKind;
use crate::e2e::verdict::event::{Event, RunId, RunReport, Setup, Summary, Verdict};
use crate::process::clean;

/// How much of a log is shown.
const LOG_LINES: usize = 12;

/// How the report looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub color: bool,
    /// A progress bar on stderr, for a terminal.
    pub progress: bool,
    /// A progress bar of ASCII characters, for a terminal that shows no others.
    pub ascii: bool,
    /// No line for a run that passed.
    pub quiet: bool,
    /// Whether to print the figures of each history, also without a check on them.
    pub verbose: bool,
    /// How many of the runs that took longest to show at the end.
    pub durations: Option<usize>,
}

/// Writes to what the caller gives.
pub struct Terminal<W> {
    out: W,
    look: Look,
    bar: Option<ProgressBar>,
    names: usize,
    /// Whether several runs may print at a time.
    side_by_side: bool,
    /// The runs that did not pass, one line each.
    bad: Vec<String>,
    /// How long each run took, in milliseconds, where the longest are asked for.
    took: Vec<(u64, RunId)>,
    /// Hazards of which it was told what to do about them.
    hazards_told: BTreeSet<HazardKind>,
}

impl<W: Write> Terminal<W> {
    /// A report on `out`.
    pub fn new(out: W, look: Look) -> Self {
        Self {
            out,
            look,
            bar: None,
            names: 0,
            side_by_side: false,
            bad: Vec::new(),
            took: Vec::new(),
            hazards_told: BTreeSet::new(),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        style.force_styling(self.look.color).apply_to(text).to_string()
    }

    fn run(&mut self, report: &RunReport) -> io::Result<()> {
        // What was left out took no time.
        if self.look.durations.is_some() && !matches!(report.verdict, Verdict::Skipped { .. }) {
            self.took.push((report.elapsed_ms, report.run.clone()));
        }
        let (word, style) = match &report.verdict {
            Verdict::Passed => ("ok  ", Style::new().green()),
            Verdict::Updated { changed: false } => ("new ", Style::new().cyan()),
            Verdict::Updated { changed: true } => ("chgd", Style::new().cyan()),
            Verdict::Failed(_) => ("FAIL", Style::new().red().bold()),
            Verdict::Flaky { .. } => ("FLKY", Style::new().yellow().bold()),
            Verdict::Broken { .. } => ("ERR ", Style::new().red().bold()),
            Verdict::Skipped { .. } => ("skip", Style::new().yellow()),
        };
        if let Some(reason) = report.verdict.reason() {
            let word = self.paint(style.clone(), word.trim_end());
            self.bad.push(format!("{word} {}: {}", report.run, clean(&reason)));
        }
        if self.look.quiet && matches!(report.verdict, Verdict::Passed | Verdict::Updated { .. }) {
            return Ok(());
        }
        self.names = self.names.max(report.run.to_string().len()).min(60);
        let line = format!(
            "{} {:<width$} {}",
            self.paint(style, word),
            report.run.to_string(),
            seconds(report.elapsed_ms),
            width = self.names
        );
        writeln!(self.out, "{line}")?;
        self.figures(report)?;
        self.leaks(report)?;
        self.hazards(report)?;
        self.restarts(report)?;
        match &report.verdict {
            Verdict::Failed(failure) => {
                self.failure(failure)?;
                self.evidence(report)
            }
            Verdict::Broken { reason } => {
                self.indented(reason)?;
                self.evidence(report)
            }
            Verdict::Flaky { failures, first } => {
                let attempts = counted(*failures as usize, "attempt");
                self.indented(&format!("passed after {attempts} that did not; the first:"))?;
                self.failure(first)?;
                self.indented(&format!("again: {}", report.again))?;
                writeln!(self.out)
            }
            Verdict::Skipped { reason } => self.indented(reason),
            Verdict::Passed | Verdict::Updated { .. } => Ok(()),
        }
    }

    /// A line that a process has printed, and whose it is.
    fn printed(&mut self, run: &RunId, by: &str, line: &str) -> io::Result<()> {
        let whose = whose(run, by, self.side_by_side, self.look.color);
        writeln!(self.out, "{whose} {line}")?;
        self.out.flush()
    }

    /// What the history of a run that is about it says in numbers.
    fn figures(&mut self, report: &RunReport) -> io::Result<()> {
        let Some(history) = &report.history else { return Ok(()) };
        for name in &history.switched_off {
            let line = format!("promise {name}: switched off by the scenario");
            let line = self.paint(Style::new().yellow(), &clean(&line));
            writeln!(self.out, "     {line}")?;
        }
        // An invalid history is shown whole, figures included.
        if history.verdict == "invalid" || !(history.asked_for || self.look.verbose) {
            return Ok(());
        }
        let style = Style::new().dim();
        for line in history.report.figures.lines() {
            let line = self.paint(style.clone(), &clean(&line));
            writeln!(self.out, "     {line}")?;
        }
        Ok(())
    }

    /// What a run left behind that is not red for it.
    fn leaks(&mut self, report: &RunReport) -> io::Result<()> {
        let Some(leaks) = &report.leaks else { return Ok(()) };
        if matches!(report.verdict, Verdict::Failed(_)) {
            return Ok(());
        }
        let told = leaks.lines().collect::<Vec<_>>().join("; ");
        let line = self.paint(Style::new().yellow(), &clean(&format!("leaks: {told}")));
        writeln!(self.out, "     {line}")
    }

    /// What does no harm yet: what was seen of each, and the first time what to do about it.
    fn hazards(&mut self, report: &RunReport) -> io::Result<()> {
        for hazard in &report.hazards {
            let line = self.paint(Style::new().yellow(), &clean(&format!("hazard {hazard}")));
            writeln!(self.out, "     {line}")?;
            if self.hazards_told.insert(hazard.kind) {
                let about = hazard.kind.about();
                let told = format!("{}; {}: {}", about.leads_to, about.remedy, about.manual);
                writeln!(self.out, "       {}", self.paint(Style::new().dim(), &told))?;
            }
        }
        Ok(())
    }

    /// Services that ended by themselves, which were started again.
    fn restarts(&mut self, report: &RunReport) -> io::Result<()> {
        if report.restarts.is_empty() {
            return Ok(());
        }
        let told =
            report.restarts.iter().map(|(name, many)| format!("{name} {}", counted(*many, "time")));
        let line = format!("started again: {}", told.collect::<Vec<_>>().join(", "));
        let line = self.paint(Style::new().yellow(), &clean(&line));
        writeln!(self.out, "     {line}")
    }

    fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        match &failure.excerpt {
            // It is headed by the message.
            Some(excerpt) => self.indented(excerpt)?,
            None => self.indented(&failure.message)?,
        }
        let Some(diff) = &failure.diff else {
            return Ok(());
        };
        for line in diff.lines() {
            let style = match line.bytes().next() {
                Some(b'+') => Style::new().green(),
                Some(b'-') => Style::new().red(),
                _ => Style::new(),
            };
            let line = self.paint(style, &clean(line));
            writeln!(self.out, "     {line}")?;
        }
        Ok(())
    }

    fn evidence(&mut self, report: &RunReport) -> io::Result<()> {
        for log in &report.logs {
            let from = log.lines.len().saturating_sub(LOG_LINES);
            if log.lines.is_empty() {
                continue;
            }
            let title = self.paint(Style::new().dim(), &format!("--- last lines of {}", log.name));
            writeln!(self.out, "     {title}")?;
            self.indented(&log.lines[from..].join("\n"))?;
        }
        if let Some(file) = &report.history_file {
            self.indented(&format!("history: {file}"))?;
        }
        self.indented(&format!("again: {}", report.again))?;
        writeln!(self.out)
    }

    /// Text from outside is escaped before it reaches a terminal.
    fn indented(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| writeln!(self.out, "     {}", clean(line).trim_end()))
    }

    fn setup(&mut self, setup: &Setup, chosen: usize) -> io::Result<()> {
        let mut line = setup.suite();
        if chosen < setup.found {
            line.push_str(&format!(", {chosen} chosen"));
        }
        writeln!(self.out, "{}", clean(&line))
    }

    /// The runs that took longest, the longest first.
    fn longest(&mut self) -> io::Result<()> {
        let mut took = std::mem::take(&mut self.took);
        // In the order of their end where two took as long.
        took.sort_by_key(|(elapsed_ms, _)| Reverse(*elapsed_ms));
        took.truncate(self.look.durations.unwrap_or_default());
        let shown = match took.len() {
            0 => return Ok(()),
            1 => "the run that took longest:".to_owned(),
            many => format!("the {many} runs that took longest:"),
        };
        writeln!(self.out, "{shown}")?;
        took.iter().try_for_each(|(elapsed_ms, run)| {
            writeln!(self.out, "{:>10} {run}", seconds(*elapsed_ms))
        })
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.longest()?;
        if !self.bad.is_empty() {
            writeln!(self.out, "what did not pass:")?;
        }
        for line in std::mem::take(&mut self.bad) {
            writeln!(self.out, "{line}")?;
        }
        for rounds in summary.rounds.iter().filter(|rounds| rounds.passed < rounds.of) {
            let line = {
                let of = counted(rounds.of, "round");
                format!("{}: {} of {of} passed", rounds.run, rounds.passed)
            };
            let line = self.paint(Style::new().yellow().bold(), &line);
            writeln!(self.out, "{line}")?;
        }
        let mut line = format!(
            "{}{}, {}: {} passed, {} failed",
            if summary.interrupted { "interrupted: " } else { "" },
            counted(summary.scenarios, "scenario"),
            counted(summary.runs, "run"),
            summary.passed,
            summary.failed
        );
        for (number, word) in [
            (summary.flaky, "flaky"),
            (summary.broken, "broken"),
            (summary.skipped, "skipped"),
            (summary.updated, "written to golden files"),
            (summary.not_run, "not run"),
        ] {
            if number > 0 {
                line.push_str(&format!(", {number} {word}"));
            }
        }
        let suite = clean(&summary.setup.suite());
        line.push_str(&format!(" in {} ({suite})", seconds(summary.elapsed_ms)));
        let style = if summary.is_ok() { Style::new().green() } else { Style::new().red() };
        let line = self.paint(style.bold(), &line);
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

impl<W: Write> Reporter for Terminal<W> {
    fn name(&self) -> String {
        "terminal".to_owned()
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Started { setup, scenarios, runs, jobs, .. } => {
                self.side_by_side = *jobs > 1 && *runs > 1;
                self.setup(setup, *scenarios)?;
                if self.look.progress {
                    self.bar = Some(bar(*runs, self.look.ascii));
                }
                Ok(())
            }
            Event::RunStarted { run } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(run.to_string());
                }
                Ok(())
            }
            Event::StepStarted { .. } => Ok(()),
            Event::Printed { run, by, line } => match self.bar.clone() {
                Some(bar) => bar.suspend(|| self.printed(run, by, line)),
                None => self.printed(run, by, line),
            },
            Event::RunFinished(report) => match self.bar.clone() {
                Some(bar) => {
                    bar.inc(1);
                    bar.suspend(|| self.run(report))
                }
                None => self.run(report),
            },
            Event::Finished(summary) => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                self.summary(summary)
            }
        }
    }
}

fn bar(runs: usize, ascii: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
        bar.set_style(if ascii { style.progress_chars("=> ") } else { style });
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn seconds(ms: u64) -> String {
    format!("{:.2} s", Duration::from_millis(ms).as_secs_f64())
}
