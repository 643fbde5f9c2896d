//! Hazards: what did no harm in this run and will, from configurations and traffic.
//!
//! | file | idea |
//! | --- | --- |
//! | `circumstances` | what else is known of a run |
//! | `consumers` | what consumers allow, and what workers do with it |
//! | `streams` | what streams keep, and how it came there |
//! | `connections` | who listens to what |

mod circumstances;
mod connections;
mod consumers;
mod streams;
#[cfg(test)]
mod tests;

pub(in crate::e2e) use circumstances::Circumstances;

use crate::e2e::record::hazard::Hazard;
use crate::e2e::record::observed::Observed;
use crate::e2e::record::traffic::Traffic;

/// All that were seen, in the order of the kinds.
pub(in crate::e2e) fn judge(
    observed: &Observed,
    traffic: &Traffic,
    run: &Circumstances<'_>,
) -> Vec<Hazard> {
    let mut all = consumers::judge(observed, traffic, run);
    all.extend(streams::judge(observed, traffic, run));
    all.extend(connections::judge(observed));
    all.sort_by_key(|hazard| hazard.kind);
    all
}
