//! One who knows what services promise and how to see whether they keep it: handed in, so that nothing
//! here knows a service by name.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::probe::evidence::Probe;
use crate::e2e::record::history::event::{About, Fact, Kind};
use crate::e2e::record::history::json::Json;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::record::trace::Lane;
use crate::e2e::scenario::ast::check::Asked;
use crate::e2e::scenario::keys::CheckWord;
use crate::e2e::verdict::checks::answer::Answer;
use crate::e2e::verdict::promises::Promises;
use crate::wire::driver::Op;

/// One who knows what services promise.
///
/// When a client begins an operation, it says what that is about; when a run ends, it writes down what it
/// finds of the services; and what [`Promises`] make of both is the verdict. `[[check]]` may ask it
/// more.
pub trait Oracle: Promises {
    /// What an operation is; `None` where it knows nothing of it.
    fn operation(&self, op: &Op) -> Option<Operation>;

    /// What else the history is to say of an operation that has begun, under its number.
    fn asked(&self, _op: &Op, _number: u64) -> Vec<Fact> {
        Vec::new()
    }

    /// Waits, when all steps are done and the services still run, until what they promised is there or
    /// too late.
    ///
    /// # Errors
    /// It cannot look.
    fn settled<'a>(&'a self, _recorder: &'a Recorder) -> BoxFuture<'a, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }

    /// What the reply to a [`Kind::Status`] says, as [`Promises::judge`] reads it.
    fn reading(&self, _reply: &Value) -> Option<Json> {
        None
    }

    /// Writes down what it finds of the services when all has drained. What it returns are the names of
    /// the records that are whole now.
    fn gather<'a>(
        &'a self,
        probe: &'a Probe<'a>,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<&'static [&'static str], String>>;

    /// The same, of a run that did not get to its end, for reports that draw it: what can be had at
    /// once, and no more.
    fn glimpse(&self, _probe: &Probe<'_>, _recorder: &Recorder) {}

    /// What `[[check]]` may ask it.
    fn checks(&self) -> &'static [CheckWord] {
        &[]
    }

    /// Looks whether a check holds.
    ///
    /// # Errors
    /// It cannot look.
    fn look<'a>(
        &'a self,
        _probe: &'a Probe<'a>,
        asked: &'a Asked,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        std::future::ready(Err(format!("nobody here knows `{}`", asked.word))).boxed()
    }

    /// Who takes part beside client, broker and services, as drawn from left to right.
    fn lanes(&self) -> &'static [Lane] {
        &[]
    }
}

/// Oracles, as they were handed in.
pub type Oracles = Vec<Arc<dyn Oracle>>;

/// What an operation is.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// Where to.
    pub subject: String,
    /// What it is about.
    pub about: Option<About>,
}

/// What a raw verb is, and where to; `None` for what has no effect of its own.
pub(in crate::e2e) fn sent(op: &Op) -> Option<(Kind, &str)> {
    match op {
        Op::Submit { subject, .. } => Some((Kind::Submit, subject)),
        Op::Publish { subject, .. } => Some((Kind::Publish, subject)),
        Op::Request { subject, .. } => Some((Kind::Request, subject)),
        _ => None,
    }
}

/// What checks may ask of all of them.
pub(in crate::e2e) fn checks(oracles: &Oracles) -> Vec<CheckWord> {
    oracles.iter().flat_map(|oracle| oracle.checks().iter().copied()).collect()
}
