//! A suite spread over several machines.

use std::{num::NonZeroUsize, str::FromStr};

/// One part of so many, as `2/4`.
///
/// Scenarios are assigned to shards in turn, in the order of their names: each is in exactly one
/// shard, with all its clients, on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    part: usize,
    of: NonZeroUsize,
}

/// Text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected K/N with 1 ≤ K ≤ N, as 1/4")]
pub struct ShardError;

impl Shard {
    /// The scenarios of this shard; `all` is in the order of names.
    pub fn choose<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.part).step_by(self.of.get()).collect()
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (part, of) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| text.parse::<NonZeroUsize>().map_err(|_| ShardError);
        let (part, of) = (number(part)?, number(of)?);
        if part > of { Err(ShardError) } else { Ok(Self { part: part.get() - 1, of }) }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_in_exactly_one_shard() {
        for of in 1..=7 {
            let mut all: Vec<usize> = (1..=of)
                .flat_map(|part| {
                    let shard: Shard = format!("{part}/{of}").parse().unwrap();
                    assert_eq!(shard.to_string(), format!("{part}/{of}"));
                    shard.choose((0..45).collect())
                })
                .collect();
            all.sort_unstable();
            assert_eq!(all, (0..45).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_shard_that_is_none_is_refused() {
        for bad in ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b"] {
            assert_eq!(bad.parse::<Shard>(), Err(ShardError), "{bad}");
        }
    }
}
