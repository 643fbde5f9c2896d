//! Puts what clients do on record, and at the end what oracles find.

use serde_json::Value;

use super::oracle::{self, Oracle, Oracles};
use super::probe::inboxes::Inboxes;
use super::stage::world::World;
use crate::broker;
use crate::e2e::record::history::event::{Hit, Kind, OPERATIONS, What};
use crate::e2e::record::history::operation::Operation;
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::scenario::ast::beside::KvVerb;
use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Step};
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::report;
use crate::e2e::verdict::report::Report;
use crate::wire::driver::{Op, Outcome};
use crate::wire::headers;

/// Where workers note with which message they begin.
const DELIVERY_JOURNAL: &str = "deliveries.jsonl";

/// An operation under way, and who reads its reply.
pub(in crate::e2e) struct Begun<'a> {
    operation: Operation,
    kind: Kind,
    reader: Option<&'a dyn Oracle>,
}

/// Records that `process` begins what `op` says; what has no effect of its own is not recorded.
pub(in crate::e2e) fn begin<'a>(
    recorder: &Recorder,
    oracles: &'a Oracles,
    process: &str,
    op: &Op,
) -> Option<Begun<'a>> {
    let (oracle, operation) = match known(oracles, op) {
        Some((oracle, operation)) => (Some(oracle), operation),
        None => (None, unknown(op)?),
    };
    let oracle::Operation { kind, subject, about } = operation;
    let reader = oracle.filter(|_| kind == Kind::Status);
    let operation = recorder.invoke(process, kind, &subject, about);
    for fact in oracles.iter().flat_map(|oracle| oracle.asked(op, operation.number())) {
        recorder.append(What::Fact(fact));
    }
    Some(Begun { operation, kind, reader })
}

/// Records that a fault has hit a message.
pub(in crate::e2e) fn hit(recorder: &Recorder, hit: &broker::Hit) {
    let (fate, kind) = (hit.fate.word().to_owned(), hit.kind.word().to_owned());
    recorder.fault_hit(&hit.to_string(), &Hit { fate, kind, subject: hit.subject.clone() });
}

/// What an operation is about, by the first oracle that knows it.
pub(in crate::e2e) fn key(oracles: &Oracles, op: &Op) -> Option<String> {
    Some(known(oracles, op)?.1.about?.key)
}

fn known<'a>(oracles: &'a Oracles, op: &Op) -> Option<(&'a dyn Oracle, oracle::Operation)> {
    oracles.iter().find_map(|oracle| Some((&**oracle, oracle.operation(op)?)))
}

/// One of which nobody knows what it is about.
fn unknown(op: &Op) -> Option<oracle::Operation> {
    let (kind, subject) = oracle::sent(op)?;
    Some(oracle::Operation { kind, subject: subject.to_owned(), about: None })
}

impl Begun<'_> {
    /// Records how it ended.
    pub(in crate::e2e) fn end(self, outcome: &Outcome) {
        let Self { operation, kind, reader } = self;
        match outcome {
            Outcome::Ok(value) => {
                if kind == Kind::Request
                    && let Some(words) = refused(value)
                {
                    return operation.fail(&words);
                }
                let sequence = value.get("sequence").and_then(Value::as_u64);
                match (sequence, reader.and_then(|reader| reader.reading(value))) {
                    (Some(sequence), _) => {
                        let duplicate = value["duplicate"].as_bool().unwrap_or(false);
                        operation.acknowledged(sequence, duplicate);
                    }
                    (None, Some(reading)) => operation.read(reading),
                    (None, None) => operation.ok(),
                }
            }
            Outcome::Err(error) if error.definite => operation.fail(&error.message),
            Outcome::Err(error) => operation.unknown(&error.message),
            Outcome::Skip(reason) => operation.fail(reason),
        }
    }

    /// Records that nobody is left who knows how it ended.
    pub(in crate::e2e) fn unknown(self, reason: &str) {
        self.operation.unknown(reason);
    }
}

/// What a service says in the headers of its reply where it refuses (ADR-32): it has not done it.
fn refused(reply: &Value) -> Option<String> {
    let headers = reply.get("headers")?.as_object()?;
    let header = |name: &str| {
        let (_, values) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        values.get(0)?.as_str()
    };
    let code = header(headers::SERVICE_ERROR_CODE)?;
    Some(format!("{code} {}", header(headers::SERVICE_ERROR).unwrap_or_default()).trim().to_owned())
}

/// Adds what oracles find, ends the history, and judges it.
///
/// A program of a `run` step submits and asks unseen, and services may work for what a page, a bucket or an
/// object store is told: with such a step, the operations are not whole, and what is found is not held
/// against what was asked for.
pub(in crate::e2e) async fn conclude(
    world: &World,
    fixture: &Fixture,
    inboxes: &Inboxes,
) -> Result<Report, Stop> {
    let unseen = |step: &Step| match &step.action {
        Action::Run(_) | Action::Http(_) => true,
        Action::Kv(kv) => kv.does.writes() || kv.does == KvVerb::Delete,
        Action::Object(object) => object.put.is_some(),
        _ => false,
    };
    let mut whole = gather(world).await.map_err(|e| Stop::broken("gather what was done", e))?;
    let again = inboxes.answered_again(world, fixture).await;
    let again = again.map_err(|why| Stop::broken("listen to the clients' inboxes", why))?;
    for (at_ns, answers) in again.heard {
        world.recorder.append_at(at_ns, What::Answers(answers));
    }
    again.unheard.into_iter().for_each(|why| world.recorder.unheard(why));
    if !fixture.all_steps().any(unseen) {
        whole.push(OPERATIONS);
    }
    world.recorder.finish(whole).map_err(|e| Stop::broken("record the history", e))?;
    let broken = |error: &dyn std::fmt::Display| Stop::broken("judge the history", error);
    let history = History::open(world.history_path()).map_err(|error| broken(&error))?;
    let limits = fixture.checks.iter().filter_map(|check| match check.kind {
        CheckKind::FinalWithin { limit } => Some(limit),
        _ => None,
    });
    let policy = Policy { final_within: limits.min(), ..Policy::default() };
    report::check(&history, policy, world.oracles()).map_err(|error| broken(&error))
}

/// The names of the records that are whole. The deliveries are not: a worker that was killed may have
/// had a message before it could say so.
async fn gather(world: &World) -> Result<Vec<&'static str>, String> {
    let probe = world.probe();
    let deliveries = probe.journal(DELIVERY_JOURNAL)?;
    world.recorder.deliveries(&deliveries).map_err(|error| error.to_string())?;
    let mut whole = Vec::new();
    for oracle in world.oracles() {
        whole.extend(oracle.gather(&probe, &world.recorder).await?);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_with_an_error_in_its_headers_is_a_refusal() {
        let reply = |headers: Value| json!({ "payload_base64": "", "headers": headers });
        let both = json!({ "nats-service-error-code": ["400"], "Nats-Service-Error": ["no kiwi"] });
        assert_eq!(refused(&reply(both)).as_deref(), Some("400 no kiwi"));
        let code = json!({ "Nats-Service-Error-Code": ["503"] });
        assert_eq!(refused(&reply(code)).as_deref(), Some("503"));
        assert_eq!(refused(&reply(json!({ "Other": ["400"] }))), None);
        assert_eq!(refused(&json!(null)), None);
    }
}
