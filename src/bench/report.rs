//! Rows and sections, for people and for machines.

use serde::Serialize;

use super::histogram::Spread;
use super::rounds::{Latency, Turn};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Milliseconds: fewer are better.
    #[serde(rename = "ms")]
    Milliseconds,
    /// A second: more are better.
    #[serde(rename = "/s")]
    PerSecond,
    /// 10^6 bytes of memory: fewer are better.
    #[serde(rename = "MB")]
    Megabytes,
    /// Of a hundred.
    #[serde(rename = "%")]
    Percent,
}

impl Unit {
    fn shown(self, number: f64) -> String {
        match self {
            Self::PerSecond if number >= 1000.0 => thousands(number),
            Self::PerSecond => format!("{number:.0}/s"),
            Self::Milliseconds => format!("{number:.1} ms"),
            Self::Megabytes => format!("{number:.1} MB"),
            Self::Percent => format!("{number:.0} %"),
        }
    }
}

/// `12,300/s`, to three digits: more are chance.
fn thousands(number: f64) -> String {
    let step = 10_f64.powf(number.log10().floor() - 2.0);
    let whole = ((number / step).round() * step).round() as u64;
    let digits = whole.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text}/s")
}

/// What the same run allows at best, or what a peer does in it.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    /// What it is.
    pub name: String,
    /// In the row's unit.
    pub figure: Spread,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// From when to when, in a sentence.
    pub timed: String,
    /// What its figures count.
    pub unit: Unit,
    /// Of all rounds.
    pub figure: Spread,
    /// What it is compared with.
    pub floor: Option<Floor>,
    /// The figure divided by the floor's, in each round.
    pub ratio: Option<Spread>,
    /// Messages of all rounds that were sent, and of which nothing was heard.
    pub lost: usize,
    /// Of one request, in the round whose median is in the middle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

impl Row {
    /// Of its turns, and of the turns that the floor had in the same rounds.
    pub fn new(
        what: impl Into<String>,
        timed: impl Into<String>,
        unit: Unit,
        turns: &[Turn],
        floor: Option<(&str, &[Turn])>,
    ) -> Option<Self> {
        let figures = |turns: &[Turn]| Spread::of(turns.iter().map(|turn| turn.figure));
        let ratios = |floor: &[Turn]| {
            Spread::of(turns.iter().zip(floor).map(|(turn, floor)| turn.figure / floor.figure))
        };
        let mut latencies: Vec<Latency> = turns.iter().filter_map(|turn| turn.latency).collect();
        latencies.sort_by(|a, b| a.p50_us.total_cmp(&b.p50_us));
        Some(Self {
            what: what.into(),
            timed: timed.into(),
            unit,
            figure: figures(turns)?,
            ratio: floor.and_then(|(_, floor)| ratios(floor)),
            floor: floor.and_then(|(name, floor)| {
                Some(Floor { name: name.to_owned(), figure: figures(floor)? })
            }),
            lost: turns.iter().map(|turn| turn.lost).sum(),
            latency: latencies.get(latencies.len() / 2).copied(),
        })
    }

    /// For people: figure, floor, ratio; then what is timed.
    fn lines(&self) -> [String; 2] {
        let Self { what, timed, unit, figure, floor, ratio, lost, latency } = self;
        let shown = |number| unit.shown(number);
        let mut line = format!(
            "  {what:<44} {:>12}  ({} to {})",
            shown(figure.median),
            shown(figure.low),
            shown(figure.high)
        );
        if let (Some(floor), Some(ratio)) = (floor, ratio) {
            line = format!(
                "{line:<84} {:>5.2} of {} {}",
                ratio.median,
                floor.name,
                shown(floor.figure.median)
            );
        }
        let mut more = format!("      {timed}");
        if let Some(Latency { p50_us, p99_us }) = latency {
            more = format!("{more}; each {p50_us:.0} us, 99 of 100 in {p99_us:.0} us");
        }
        if let Some(Spread { low, high, .. }) = ratio {
            more = format!("{more}; ratio {low:.2} to {high:.2}");
        }
        if *lost > 0 {
            more = format!("{more}; LOST {lost}");
        }
        [line, more]
    }
}

/// Rows that belong together.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Its name on the command line.
    pub name: String,
    /// Its figures, in the order in which they are read.
    pub rows: Vec<Row>,
}

/// All that a run found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// In the order in which they were asked for.
    pub sections: Vec<Section>,
    /// What must not be: a wrong answer, an effect that happened twice, books that do not agree.
    pub problems: Vec<String>,
}

impl Section {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let rows = self.rows.iter().flat_map(Row::lines);
        std::iter::once(self.name.clone()).chain(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_the_turns_of_the_same_round() {
        let turns: Vec<Turn> = [10.0, 30.0, 20.0].map(Turn::from).to_vec();
        let floor: Vec<Turn> = [20.0, 30.0, 80.0].map(Turn::from).to_vec();
        let row = Row::new("a", "all of it", Unit::PerSecond, &turns, Some(("b", &floor))).unwrap();
        assert_eq!(row.ratio, Some(Spread { median: 0.5, low: 0.25, high: 1.0 }));
        assert_eq!((row.figure.median, row.floor.unwrap().figure.median), (20.0, 30.0));
        assert!(Row::new("a", "", Unit::PerSecond, &[], None).is_none());
    }

    #[test]
    fn what_was_lost_is_shown_and_a_row_says_what_is_timed() {
        let turns = [Turn { lost: 3, ..Turn::from(123_456.0) }, Turn::from(123_456.0)];
        let row = Row::new("emails", "until the last", Unit::PerSecond, &turns, None).unwrap();
        let [line, more] = row.lines();
        assert!(line.contains("emails") && line.contains("123,000/s"), "{line}");
        assert_eq!(more, "      until the last; LOST 3");
    }

    #[test]
    fn rates_have_three_digits() {
        for (number, shown) in [(999.4, "999/s"), (1234.0, "1,230/s"), (1_987_654.0, "1,990,000/s")]
        {
            assert_eq!(Unit::PerSecond.shown(number), shown);
        }
    }
}
