//! Draws the rows: one lane for each party, time from top to bottom, not to scale.

use maud::{Markup, html};

use super::layout::{Arrow, Layout, Mark, Row, What};
use crate::e2e::record::trace::Party;
use crate::e2e::report::html::show;

/// Where the times end and the lanes begin.
const LEFT: usize = 64;
/// From the edge of the lanes to the first line of life.
const MARGIN: usize = 74;
/// From lane to lane.
const LANE: usize = 222;
/// The names of the parties.
const HEAD: usize = 40;
/// How far a character goes in the font of labels, tenths of a unit.
const CHARACTER: usize = 62;

/// The picture; `id` is unique on the page.
pub(in crate::e2e) fn draw(layout: &Layout, id: &str) -> Markup {
    let width = LEFT + 2 * MARGIN + LANE * layout.lanes.len().saturating_sub(1);
    let tops: Vec<usize> = layout
        .rows
        .iter()
        .scan(HEAD, |top, row| {
            let own = *top;
            *top += height(row);
            Some(own)
        })
        .collect();
    let bottom = |row: usize| tops.get(row + 1).copied().unwrap_or_else(|| whole(layout));
    let whole = whole(layout) + 8;
    let x = |party: Party| {
        let at = layout.lanes.iter().position(|lane| *lane == party).unwrap_or(0);
        LEFT + MARGIN + LANE * at
    };
    let title = format!("{id}-title");
    html! {
        svg role="img" aria-labelledby=(title) viewBox=(format!("0 0 {width} {whole}"))
            width=(width) height=(whole) class="diagram" {
            title id=(title) {
                "Sequence diagram of " (layout.rows.len()) " events; the same follows as a table"
            }
            @for band in &layout.bands {
                rect class="band" x="0" y=(tops[band.first] + 1) width=(width)
                    height=(bottom(band.last) - tops[band.first] - 2) {}
                rect class="bar" x="0" y=(tops[band.first] + 1) width="5"
                    height=(bottom(band.last) - tops[band.first] - 2) {}
            }
            @for lane in &layout.lanes {
                line class="life" x1=(x(*lane)) y1=(HEAD - 6) x2=(x(*lane)) y2=(whole) {}
                rect class="party" x=(x(*lane) - 52) y="6" width="104" height="26" rx="5" {}
                text class="name" x=(x(*lane)) y="23" text-anchor="middle" { (lane.name()) }
            }
            text class="time" x=(LEFT - 8) y="23" text-anchor="end" { "ms" }
            @for (row, top) in layout.rows.iter().zip(&tops) {
                (one(row, *top, width, &x))
            }
        }
    }
}

fn whole(layout: &Layout) -> usize {
    HEAD + layout.rows.iter().map(height).sum::<usize>()
}

fn height(row: &Row) -> usize {
    match &row.what {
        What::Step { .. } => 32,
        What::Arrow(Arrow { mark: Some(_), .. }) => 50,
        What::Arrow(_) => 30,
        What::Note { .. } => 28,
        What::FaultBegins { .. } | What::FaultEnds { .. } => 24,
    }
}

fn one(row: &Row, top: usize, width: usize, x: &impl Fn(Party) -> usize) -> Markup {
    let time = show::ms(row.at_ns);
    html! {
        @match &row.what {
            What::Step { number, heading, stopped_here } => {
                rect class="step" x="8" y=(top + 6) width=(width - 16) height="21" rx="3" {}
                text class="time" x=(LEFT - 8) y=(top + 21) text-anchor="end" { (time) }
                text class=(if *stopped_here { "label bad" } else { "label" }) x=(LEFT + 4) y=(top + 21) {
                    (number) ". " (fitting(heading, width - LEFT - 140))
                    @if *stopped_here { "  ✗ ended here" }
                }
            }
            What::FaultBegins { name } => {
                text class="time" x=(LEFT - 8) y=(top + 16) text-anchor="end" { (time) }
                text class="fault" x=(LEFT + 4) y=(top + 16) { "⚡ " (name) " begins" }
            }
            What::FaultEnds { name, took_ns } => {
                text class="time" x=(LEFT - 8) y=(top + 16) text-anchor="end" { (time) }
                text class="fault" x=(LEFT + 4) y=(top + 16) {
                    "⚡ " (name) " is over, after " (show::ms(*took_ns)) " ms"
                }
            }
            What::Note { at, text } => {
                text class="time" x=(LEFT - 8) y=(top + 18) text-anchor="end" { (time) }
                circle class="dot" cx=(x(*at)) cy=(top + 14) r="4" {}
                text class="label" x=(x(*at) + 10) y=(top + 18) {
                    (fitting(text, width.saturating_sub(x(*at) + 16)))
                }
            }
            What::Arrow(arrow) => {
                text class="time" x=(LEFT - 8) y=(top + 25) text-anchor="end" { (time) }
                (line(arrow, top + 22, x(arrow.from), x(arrow.to), x(Party::Broker)))
            }
        }
    }
}

/// An arrow with its head, its label above, and its warning below.
fn line(arrow: &Arrow, y: usize, from: usize, to: usize, broker: usize) -> Markup {
    let (left, right) = (from.min(to), from.max(to));
    let class = if arrow.back { "arrow back" } else { "arrow" };
    // A party that talks to itself, as a client that subscribes to what it publishes.
    let itself = left == right;
    let right = if itself { left + 60 } else { right };
    let times = if arrow.times > 1 { format!(" × {}", arrow.times) } else { String::new() };
    let room = (right - left).max(LANE) - 16 - times.chars().count() * CHARACTER / 10;
    let label = fitting(&arrow.label, room);
    let head = |at: usize, points_right: bool| {
        let back = if points_right { at - 8 } else { at + 8 };
        format!("{at},{y} {back},{} {back},{}", y - 4, y + 4)
    };
    html! {
        g {
            @if label != arrow.label { title { (arrow.label) } }
            line class=(class) x1=(left) y1=(y) x2=(right) y2=(y) {}
            polygon class="head" points=(head(if to > from || itself { right } else { left }, to > from || itself)) {}
            @if left < broker && broker < right {
                circle class="dot" cx=(broker) cy=(y) r="3" {}
            }
            text class="label" x=(left + 10) y=(y - 5) { (label) tspan.times { (times) } }
            @if let Some(mark) = &arrow.mark { (badge(mark, left + 10, y + 5)) }
        }
    }
}

fn badge(mark: &Mark, x: usize, y: usize) -> Markup {
    let words = mark.words();
    let width = words.chars().count() * CHARACTER / 10 + 14;
    html! {
        g class={ "badge " (mark.class()) } {
            rect x=(x) y=(y) width=(width) height="18" rx="9" {}
            text x=(x + 7) y=(y + 13) { (words) }
        }
    }
}

/// As much as goes into so many units.
fn fitting(text: &str, room: usize) -> String {
    show::cut(text, room * 10 / CHARACTER)
}
