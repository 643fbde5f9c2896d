//! Many durations, and the few numbers that a figure has.

use std::time::Duration;

use serde::Serialize;

/// Durations, each of which is kept: a load has some 10^5 of them at most.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    ascending: Vec<Duration>,
}

impl Histogram {
    /// Of durations in any order.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self { ascending: durations }
    }

    /// The shortest duration that this part of all (0 to 1) does not exceed; zero where there is none.
    pub fn quantile(&self, part: f64) -> Duration {
        let rank = (part * self.ascending.len() as f64).ceil() as usize;
        self.ascending.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// A figure of several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Spread {
    /// Of the figures of rounds; `None` of no rounds.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut ascending: Vec<f64> = figures.into_iter().collect();
        ascending.sort_unstable_by(f64::total_cmp);
        let (low, high) = (*ascending.first()?, *ascending.last()?);
        let middle = ascending.len() / 2;
        let median = match ascending.len() % 2 {
            0 => f64::midpoint(ascending[middle - 1], ascending[middle]),
            _ => ascending[middle],
        };
        Some(Self { median, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_durations_that_were_measured() {
        let of =
            |ms: &[u64]| Histogram::of(ms.iter().copied().map(Duration::from_millis).collect());
        let hundred = of(&(1..=100).rev().collect::<Vec<_>>());
        let ms = |part| hundred.quantile(part).as_millis();
        assert_eq!([ms(0.0), ms(0.5), ms(0.99), ms(1.0)], [1, 50, 99, 100]);
        assert_eq!(of(&[7]).quantile(0.5), Duration::from_millis(7));
        assert_eq!(of(&[]).quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn a_median_lies_in_the_middle_whatever_the_order() {
        let of = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(of(&[4.0, 1.0]), Some(Spread { median: 2.5, low: 1.0, high: 4.0 }));
        assert_eq!(of(&[]), None);
    }
}
