//! One run: what did not hold, its steps, its messages as a picture and as a table, its logs.

use maud::{Markup, PreEscaped, html};

use super::layout::{Layout, What, layout};
use crate::counted::counted;
use crate::e2e::record::run::Failure;
use crate::e2e::record::trace::{Bounded, Trace};
use crate::e2e::report::html::{diagram, show};
use crate::e2e::verdict::event::{RunReport, Verdict};

/// The whole run, closed unless it did not pass.
pub(in crate::e2e) fn section(report: &RunReport) -> Markup {
    let sign = show::sign(&report.verdict);
    let open = !matches!(sign.word, "passed" | "written" | "skipped");
    let anchor = show::anchor(&report.run);
    html! {
        section.run data-verdict=(sign.word) data-name=(show::text(&report.run.to_string())) {
            details open[open] {
                summary {
                    h3 {
                        span class={ "sign " (sign.word) } {
                            span aria-hidden="true" { (sign.mark) } " " (sign.word)
                        }
                        " " (show::text(&report.run.to_string())) " "
                        span.muted { (show::seconds(report.elapsed_ms)) }
                    }
                }
                div.body id=(anchor) tabindex="-1" {
                    p { (show::text(&report.about.description)) }
                    p.muted {
                        (report.about.path) " · again: " code { (show::text(&report.again)) }
                    }
                    (verdict(&report.verdict))
                    @if let Some(history) = report.history.as_ref().filter(|history| history.asked_for) {
                        h4 { "History: " (history.verdict) }
                        ul { @for line in history.report.figures.lines() { li { (show::text(&line)) } } }
                    }
                    @if let Some(leaks) = &report.leaks {
                        h4 { "Left behind at the broker" }
                        ul { @for line in leaks.lines() { li { (show::text(&line)) } } }
                    }
                    @if !report.hazards.is_empty() {
                        h4 { "Hazards" }
                        ul { @for hazard in &report.hazards {
                            li {
                                (show::text(&hazard.to_string())) br;
                                span.muted { (hazard.kind.about().leads_to) "; " (hazard.kind.about().remedy) ": " }
                                a href=(hazard.kind.about().manual) { "manual" }
                            }
                         } }
                    }
                    @if let Some(trace) = &report.trace { (how_it_went(trace, &anchor)) }
                    @else if !report.logs.is_empty() {
                        h4 { "Last lines" }
                        @for log in &report.logs {
                            p { (log.name) }
                            pre tabindex="0" { (log.lines.iter().map(|line| show::text(line)).collect::<Vec<_>>().join("\n")) }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(verdict: &Verdict) -> Markup {
    html! {
        @match verdict {
            Verdict::Passed => {}
            Verdict::Updated { changed: false } => p { "Its golden file was written." }
            Verdict::Updated { changed: true } => p { "Its golden file was changed." }
            Verdict::Skipped { reason } => p { "Left out: " (show::text(reason)) }
            Verdict::Failed(failure) => {
                h4 { "What does not hold" }
                (failed(failure))
            }
            Verdict::Flaky { failures, first } => {
                h4 { "Passed only when it was tried again" }
                p {
                    (counted(*failures as usize, "attempt")) " did not pass. The first ended so; "
                    "steps, messages and logs below are of the attempt that passed."
                }
                (failed(first))
            }
            Verdict::Broken { reason } => {
                h4 { "The harness could not do its part" }
                pre tabindex="0" { (show::text(reason)) }
            }
        }
    }
}

fn failed(failure: &Failure) -> Markup {
    html! {
        // The excerpt is headed by the message.
        @match &failure.excerpt {
            Some(excerpt) => pre.excerpt tabindex="0" { (show::text(excerpt)) },
            None => p { strong { (show::text(&failure.message)) } },
        }
        @if let Some(diff) = &failure.diff {
            pre.diff tabindex="0" aria-label="Difference between the transcripts" {
                @for line in diff.lines().map(show::text) {
                    @match line.as_bytes().first() {
                        Some(b'-') => del { (line) },
                        Some(b'+') => ins { (line) },
                        _ => (line),
                    }
                    "\n"
                }
            }
        }
    }
}

fn how_it_went(trace: &Trace, anchor: &str) -> Markup {
    let of = |what: &str| format!("{what} of {anchor}");
    let layout = layout(trace);
    html! {
        h4 { "Steps" }
        (steps(trace, &of("Steps")))
        h4 { "Messages" }
        @if let Some(reason) = trace.untraced { p { (reason) "." } }
        (left_out(&trace.messages, "messages were seen and are not shown"))
        (left_out(&trace.effects, "effects are not shown"))
        (left_out(&trace.faults, "faults are not shown"))
        figure {
            div.scroll role="region" tabindex="0" aria-label=(of("Sequence diagram")) {
                (diagram::draw(&layout, anchor))
            }
            figcaption.muted {
                "Time goes down, not to scale; milliseconds since the broker was ready. A dashed line is an \
                 answer, a dot on the broker's line says that it passed through. "
                @if trace.faults.kept.is_empty() { "Nothing was broken on purpose." }
                @else { "⚡ and a band: something is broken on purpose. The broker tells no more than it lives to tell." }
            }
        }
        details.inner {
            summary { "The same as a table" }
            (table(&layout, &of("Messages as a table")))
        }
        h4 { "Logs and steps, on one clock" }
        (left_out(&trace.logs, "earlier lines are not shown"))
        (logs(trace, &of("Logs")))
    }
}

fn left_out<T>(bounded: &Bounded<T>, what: &str) -> Markup {
    html! { @if bounded.more > 0 { p { strong { (bounded.more) " more " (what) "." } } } }
}

fn steps(trace: &Trace, label: &str) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table.steps {
                thead { tr {
                    th scope="col" { "step" }
                    th scope="col" { abbr title="milliseconds since the broker was ready" { "at ms" } }
                    th scope="col" { "took ms" }
                    th scope="col" { abbr title="line of the fixture" { "line" } }
                    th scope="col" { "what happened" }
                } }
                tbody {
                    @for (at, step) in trace.steps.iter().enumerate() {
                        tr class=[step.stopped_here.then_some("ended")] {
                            th scope="row" { (at + 1) }
                            td.number { (show::ms(step.at_ns)) }
                            td.number { (show::ms(step.took_ns)) }
                            td.number { @if let Some(line) = step.line { (line) } }
                            td {
                                @if step.stopped_here { strong.bad { "✗ the run ended here" } }
                                @if step.block.is_empty() { code { (show::text(&step.heading)) } }
                                @else { pre { (show::text(&step.block)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The text alternative of the diagram: the same rows, in the same order.
fn table(layout: &Layout, label: &str) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table.messages {
                thead { tr {
                    th scope="col" { "ms" }
                    th scope="col" { "from" }
                    th scope="col" { "to" }
                    th scope="col" { "what" }
                    th scope="col" { "body" }
                } }
                tbody {
                    @for row in &layout.rows {
                        @let time = html! { td.number { (show::ms(row.at_ns)) } };
                        @match &row.what {
                            What::Step { number, heading, stopped_here } => tr.mark {
                                (time)
                                td colspan="4" {
                                    "step " (number) ": " (heading)
                                    @if *stopped_here { strong.bad { " ✗ the run ended here" } }
                                }
                            },
                            What::FaultBegins { name } => tr.fault {
                                (time) td colspan="4" { "⚡ fault " (name) " begins" }
                            },
                            What::FaultEnds { name, took_ns } => tr.fault {
                                (time)
                                td colspan="4" { "⚡ fault " (name) " is over, after " (show::ms(*took_ns)) " ms" }
                            },
                            What::Note { at, text } => tr {
                                (time) td { (at.name()) } td {} td colspan="2" { (text) }
                            },
                            What::Arrow(arrow) => tr {
                                (time)
                                td { (arrow.from.name()) }
                                td { (arrow.to.name()) }
                                td {
                                    (arrow.label)
                                    @if arrow.times > 1 { " × " (arrow.times) }
                                    @if let Some(mark) = &arrow.mark { " " strong { (mark.words()) } }
                                }
                                td { (arrow.text) }
                            },
                        }
                    }
                }
            }
        }
    }
}

/// Lines of all processes with the steps and the faults between them.
fn logs(trace: &Trace, label: &str) -> Markup {
    let lines = trace.logs.kept.iter().map(|line| {
        let row = html! {
            td.number { (show::ms(line.at_ns)) } td { (line.source) } td { code { (show::text(&line.text)) } }
        };
        (line.at_ns, None, row)
    });
    let mark = |at_ns: u64, class: &'static str, text: String| {
        let row = html! { td.number { (show::ms(at_ns)) } td colspan="2" { (text) } };
        (at_ns, Some(class), row)
    };
    let steps = trace.steps.iter().enumerate().map(|(at, step)| {
        mark(step.at_ns, "mark", format!("step {}: {}", at + 1, show::text(&step.heading)))
    });
    let begins = trace
        .faults
        .kept
        .iter()
        .map(|fault| mark(fault.begin_ns, "fault", format!("⚡ fault {} begins", fault.name)));
    let ends = trace.faults.kept.iter().filter_map(|fault| {
        Some(mark(fault.end_ns?, "fault", format!("⚡ fault {} is over", fault.name)))
    });
    let mut rows: Vec<(u64, Option<&str>, PreEscaped<String>)> =
        steps.chain(begins).chain(lines).chain(ends).collect();
    rows.sort_by_key(|(at, ..)| *at);
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) {
            table.logs {
                thead { tr {
                    th scope="col" { "ms" }
                    th scope="col" { "who" }
                    th scope="col" { "line" }
                } }
                tbody { @for (_, class, row) in &rows { tr class=[*class] { (row) } } }
            }
        }
    }
}
