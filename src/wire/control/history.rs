//! Operations of a history, and its verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A JetStream publish that waits for its acknowledgement.
    Submit,
    /// A request that waits for its reply.
    Request,
    /// A core publish.
    Publish,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It happened: acknowledged, replied to, or flushed.
    Ok,
    /// It certainly did not happen: refused, or nobody listened.
    Fail,
    /// It may have happened: a timeout, a connection that broke.
    Unknown,
}

/// `ok` of `history.begin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    /// Its name.
    pub name: String,
}

/// `ok` of `history.invoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invoked {
    /// Its number, from 1.
    pub operation: u64,
}

/// `ok` of `history.judge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judged {
    /// `valid`, `invalid`, or `unknown`, which proves nothing.
    pub verdict: String,
    /// The whole report for people: each promise, its evidence, and the figures.
    pub report: String,
    /// What was declared, by its name.
    pub declared: BTreeMap<String, PromiseJudged>,
    /// What every history promises, as `replies`, by its word.
    pub properties: BTreeMap<String, PromiseJudged>,
    /// Both, one after the other: a promise may have the name of a property, as `order`.
    pub promises: Vec<PromiseJudged>,
    /// The history in numbers, as `acknowledged`, `done`, `lost` and `twice`.
    pub figures: Map<String, Value>,
    /// What did no harm and will, from the configurations of streams.
    pub hazards: Vec<Hazard>,
    /// Why nobody looked for hazards, where nobody could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_hazards: Option<String>,
}

/// What came of one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PromiseJudged {
    /// As it was declared; of a property of every history, its word, as `replies`.
    pub name: String,
    /// `valid`, `invalid` or `unknown`.
    pub verdict: String,
    /// How many things it was held against.
    pub looked_at: u64,
    /// Where it is broken, or what is not known: sentences, at most 10.
    pub told: Vec<String>,
}

/// Something that did no harm in this run and will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hazard {
    /// As in [hazards.md](hazards.md).
    pub name: String,
    /// Where, and what was seen.
    pub seen: String,
    /// What it leads to.
    pub leads_to: String,
    /// What to do.
    pub remedy: String,
    /// The manual's page.
    pub manual: String,
}
