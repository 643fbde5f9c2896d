//! Contenders take turns: what else the machine does hits all of them.

use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use super::error::BenchError;
use super::load::Took;

/// What one contender did in one round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// In the row's unit.
    pub figure: f64,
    /// Messages that were sent, and of which nothing was heard.
    pub lost: usize,
    /// How long each took, where that was measured.
    pub latency: Option<Latency>,
}

/// How long one request took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Of the one in the middle, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 took at most this, in microseconds.
    pub p99_us: f64,
}

impl From<f64> for Turn {
    fn from(figure: f64) -> Self {
        Self { figure, lost: 0, latency: None }
    }
}

impl From<Took> for Turn {
    fn from(took: Took) -> Self {
        let us = |part| took.each.quantile(part).as_secs_f64() * 1e6;
        let latency = Some(Latency { p50_us: us(0.5), p99_us: us(0.99) });
        Self { figure: took.rate(), lost: took.lost, latency }
    }
}

/// Takes one turn.
pub type Turns<'a> = Box<dyn FnMut() -> LocalBoxFuture<'a, Result<Turn, BenchError>> + 'a>;

/// So many rounds after one for warming up, which counts for nothing: the turns of each contender.
///
/// Each round begins with another contender.
///
/// # Errors
/// The first of a contender.
pub async fn interleaved(
    rounds: usize,
    mut contenders: Vec<Turns<'_>>,
) -> Result<Vec<Vec<Turn>>, BenchError> {
    let mut turns = vec![Vec::with_capacity(rounds); contenders.len()];
    let all = contenders.len();
    for round in 0..=rounds {
        for n in (0..all).map(|n| (n + round) % all) {
            let turn = contenders[n]().await?;
            turns[n].extend((round > 0).then_some(turn));
        }
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn contenders_alternate_and_the_first_round_does_not_count() {
        let order = RefCell::new(Vec::new());
        let contender = |name: &'static str| -> Turns<'_> {
            let (order, mut figure) = (&order, 0.0);
            Box::new(move || {
                order.borrow_mut().push(name);
                figure += 1.0;
                let turn = Turn::from(figure);
                async move { Ok(turn) }.boxed_local()
            })
        };
        let turns = interleaved(2, vec![contender("a"), contender("b")]).await.unwrap();
        let counted = vec![Turn::from(2.0), Turn::from(3.0)];
        assert_eq!(turns, [counted.clone(), counted]);
        assert_eq!(*order.borrow(), ["a", "b", "b", "a", "a", "b"]);
    }

    #[tokio::test]
    async fn a_contender_that_does_wrong_ends_it() {
        let wrong = || async { Err(BenchError::Wrong("two".to_owned())) }.boxed_local();
        let error = interleaved(3, vec![Box::new(wrong)]).await.unwrap_err();
        assert_eq!(error.to_string(), "two");
    }
}
