//! A fixture made smaller, as text: what could go, and what it is then. Whether the smaller one makes
//! sense the reader says, and whether it still fails, a run.
//!
//! | file | idea |
//! | --- | --- |
//! | `place` | where something stands in a document |
//! | `edit` | what is changed at once, and how it is told |
//! | `coarse`, `fine` | what could go: much at once, or little |
//! | `amount` | how much a fixture does |

pub(crate) mod amount;
pub(crate) mod coarse;
pub(crate) mod edit;
pub(crate) mod fine;
pub(crate) mod place;

#[cfg(test)]
mod tests;
