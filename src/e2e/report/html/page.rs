//! The page: head, summary, the table scenario × client, and the runs.

use std::{collections::BTreeMap, sync::Arc};

use base64::Engine as _;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::show::{SIGNS, Sign};
use crate::counted::counted;
use crate::e2e::record::run::RunId;
use crate::e2e::record::trace::About;
use crate::e2e::report::html::{run, show};
use crate::e2e::verdict::event::{RunReport, Summary};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A run in the table, and its part of the page.
#[derive(Debug)]
pub(in crate::e2e) struct Cell {
    pub(in crate::e2e) run: RunId,
    sign: Sign,
    elapsed_ms: u64,
    about: Arc<About>,
    /// Why it is no pass.
    reason: Option<String>,
    section: PreEscaped<String>,
}

impl Cell {
    pub(in crate::e2e) fn new(report: &RunReport) -> Self {
        Self {
            run: report.run.clone(),
            sign: show::sign(&report.verdict),
            elapsed_ms: report.elapsed_ms,
            about: report.about.clone(),
            reason: report.verdict.reason().map(|reason| show::text(&reason)),
            section: run::section(report),
        }
    }
}

/// Everything, sorted by run.
pub(in crate::e2e) struct Page<'a> {
    pub(in crate::e2e) summary: &'a Summary,
    pub(in crate::e2e) began: Timestamp,
    pub(in crate::e2e) cells: &'a [Cell],
}

impl Page<'_> {
    pub(in crate::e2e) fn render(&self) -> String {
        let title = format!("mono-demo e2e: {}", self.in_short());
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    // No network, no script and no style but these two, by their hashes.
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#runs" { "Skip to the runs" }
                    header { (self.head()) }
                    main {
                        section aria-labelledby="overview" {
                            h2 id="overview" { "Scenarios and clients" }
                            (self.filter())
                            (self.table())
                        }
                        section aria-labelledby="runs" {
                            h2 id="runs" tabindex="-1" { "Runs" }
                            div.tools hidden {
                                button type="button" id="open-all" { "Open all that are shown" }
                                " "
                                button type="button" id="close-all" { "Close all" }
                            }
                            @for cell in self.cells { (cell.section) }
                        }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
        .into_string()
    }

    fn in_short(&self) -> String {
        let mut parts = Vec::new();
        for sign in SIGNS {
            let number = self.cells.iter().filter(|cell| cell.sign == sign).count();
            if number > 0 {
                parts.push(format!("{number} {}", sign.word));
            }
        }
        if self.summary.not_run > 0 {
            parts.push(format!("{} not run", self.summary.not_run));
        }
        parts.join(", ")
    }

    fn head(&self) -> Markup {
        let summary = self.summary;
        let mut bad: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
        for cell in self.cells {
            if let Some(reason) = &cell.reason {
                bad.entry(reason).or_default().push(cell);
            }
        }
        html! {
            h1 {
                @if summary.interrupted { span.sign.failed { "✗" } " Interrupted" }
                @else if summary.is_ok() { span.sign.passed { "✓" } " As expected" }
                @else { span.sign.failed { "✗" } " Not as expected" }
            }
            p {
                (counted(summary.scenarios, "scenario")) ", "
                (counted(summary.runs, "run")) ": " (self.in_short())
                " in " (show::seconds(summary.elapsed_ms)) "."
            }
            p.muted {
                "mono-demo e2e " (env!("CARGO_PKG_VERSION")) ", begun "
                time datetime=(self.began.to_string()) { (self.began.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                ", seed " (summary.seed)
            }
            dl.setup.muted {
                @for (name, value) in summary.setup.facts() { dt { (name) } dd { code { (show::text(value)) } } }
            }
            @if !bad.is_empty() {
                nav aria-label="What did not pass" {
                    @for (reason, cells) in bad {
                        p.reason { strong { (reason) } " (" (counted(cells.len(), "run")) ")" }
                        ul.bad-runs {
                            @for cell in cells {
                                li { a href={ "#" (show::anchor(&cell.run)) } {
                                    span class={ "sign " (cell.sign.word) } {
                                        span aria-hidden="true" { (cell.sign.mark) } " " (cell.sign.word)
                                    }
                                    " " (show::text(&cell.run.to_string()))
                                } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Works only with the script, which shows it.
    fn filter(&self) -> Markup {
        html! {
            form.filter hidden id="filter" role="search" aria-label="Filter runs" {
                fieldset {
                    legend { "Show" }
                    @for sign in SIGNS {
                        @let number = self.cells.iter().filter(|cell| cell.sign == sign).count();
                        @if number > 0 {
                            label {
                                input type="checkbox" name="verdict" value=(sign.word) checked;
                                " " span class={ "sign " (sign.word) } {
                                    span aria-hidden="true" { (sign.mark) } " " (sign.word)
                                } " (" (number) ")"
                            }
                        }
                    }
                }
                label {
                    "Name has "
                    input type="search" name="name" autocomplete="off" spellcheck="false";
                }
                output id="shown" aria-live="polite" {}
            }
        }
    }

    fn table(&self) -> Markup {
        let mut clients: Vec<&str> = Vec::new();
        let mut rows: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
        for cell in self.cells {
            if !clients.contains(&cell.run.client.as_str()) {
                clients.push(&cell.run.client);
            }
            rows.entry(cell.run.scenario.as_str()).or_default().push(cell);
        }
        clients.sort_unstable();
        html! {
            div.scroll role="region" tabindex="0" aria-label="Table of scenarios and clients" {
                table.overview {
                    caption { "A row a scenario, with what it breaks on purpose; a column a client." }
                    thead { tr {
                        th scope="col" { "scenario" }
                        @for client in &clients { th scope="col" { (client) } }
                        th scope="col" { "faults" }
                    } }
                    tbody {
                        @for (scenario, cells) in &rows {
                            tr {
                                th scope="row" {
                                    (scenario)
                                    span.muted { (show::text(&cells[0].about.description)) }
                                }
                                @for client in &clients {
                                    td { (runs(cells.iter().filter(|cell| cell.run.client == *client))) }
                                }
                                td {
                                    @for fault in &cells[0].about.faults { span.tag { "⚡ " (fault) } " " }
                                    @if cells[0].about.faults.is_empty() { span.muted { "none" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The runs of one scenario with one client: one, or several rounds.
fn runs<'a>(cells: impl Iterator<Item = &'a &'a Cell>) -> Markup {
    let cells: Vec<&&Cell> = cells.collect();
    let passed = |cell: &&&&Cell| matches!(cell.sign.word, "passed" | "written");
    html! {
        @if cells.is_empty() { span.muted { "not meant" } }
        @if cells.len() > 1 {
            p { (cells.iter().filter(passed).count()) " of " (cells.len()) " passed" }
        }
        @for cell in &cells {
            a.cell href={ "#" (show::anchor(&cell.run)) } data-verdict=(cell.sign.word)
                data-name=(show::text(&cell.run.to_string())) {
                span class={ "sign " (cell.sign.word) } {
                    span aria-hidden="true" { (cell.sign.mark) } " " (cell.sign.word)
                }
                @if let Some(round) = cell.run.round { " #" (round) }
                " " span.muted { (show::seconds(cell.elapsed_ms)) }
            } " "
        }
    }
}

fn policy() -> String {
    let hash = |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}
