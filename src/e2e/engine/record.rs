//! Puts what clients do on record, and at the end what gateway, ledger and dead letters say.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::{Stop, evidence, world::World};
use crate::{
    e2e::fixture::{Action, Fixture, Step},
    e2e::history::{
        self, DeadLetter, History, Kind, Operation, Outcome as Final, Payment, Policy, Reading,
        Recorder, Records, Report, Target,
    },
    wire::{
        driver::{Op, Outcome},
        subjects::{EMAIL_SEND, MATH_CALCULATE, PAYMENT_PROCESS, PAYMENT_STATUS, is_payment_id},
    },
};

/// Records that `process` begins what `op` says; what has no effect of its own is not recorded.
pub(super) fn begin(recorder: &Recorder, process: &str, op: &Op) -> Option<Operation> {
    let (kind, subject, target) = match op {
        Op::Submit { subject, payload_base64, .. } => {
            let body = json(payload_base64).filter(|_| subject == PAYMENT_PROCESS);
            let fields = body.as_ref().and_then(Value::as_object);
            (Kind::Submit, subject.as_str(), target(fields.and_then(payment)))
        }
        Op::Publish { subject, payload_base64, .. } => {
            let body = json(payload_base64).filter(|_| subject == EMAIL_SEND);
            let fields = body.as_ref().and_then(Value::as_object);
            (Kind::Publish, subject.as_str(), message(fields.and_then(email)))
        }
        Op::Request { subject, payload_base64, .. } if subject == PAYMENT_STATUS => {
            let body = json(payload_base64);
            let fields = body.as_ref().and_then(Value::as_object);
            (Kind::Status, subject.as_str(), target(fields.and_then(payment)))
        }
        Op::Request { subject, .. } => (Kind::Request, subject.as_str(), Target::Nothing),
        Op::Call { method, args, kwargs, .. } => call(method, args, kwargs)?,
        _ => return None,
    };
    Some(recorder.invoke(process, kind, subject, target))
}

/// Records how it ended.
pub(super) fn end(operation: Operation, is_status: bool, outcome: &Outcome) {
    match outcome {
        Outcome::Ok(value) => {
            let sequence = value.get("sequence").and_then(Value::as_u64);
            match (sequence, is_status.then(|| reading(status_of(value).as_ref()?)).flatten()) {
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

/// True for operations whose reply is a payment's status.
pub(super) fn is_status(op: &Op) -> bool {
    match op {
        Op::Request { subject, .. } => subject == PAYMENT_STATUS,
        Op::Call { method, .. } => {
            matches!(method.as_str(), "payment.get_status" | "payment.wait_for_status")
        }
        _ => false,
    }
}

/// Adds what the records outside the clients say, ends the history, and judges it.
///
/// A program of a `run` step submits and asks unseen: with one, what gateway and ledger say cannot
/// be held against what was asked for, and is left out.
pub(super) async fn conclude(world: &World, fixture: &Fixture) -> Result<Report, Stop> {
    let unseen = |step: &Step| matches!(step.action, Action::Run(_));
    if fixture.steps.iter().chain(&fixture.teardown).any(unseen) {
        world.recorder.finish([]).map_err(|e| Stop::broken("record the history", e))?;
    } else {
        add_records(world).await?;
    }
    let path = world.history_path();
    let history = History::open(&path).map_err(|e| Stop::broken("judge the history", e))?;
    Ok(history::check(&history, Policy::default()))
}

async fn add_records(world: &World) -> Result<(), Stop> {
    let broken = |doing: &'static str| move |e: String| Stop::broken(doing, e);
    let recorder = &world.recorder;
    let charges = evidence::charges(world.journal_dir()).map_err(broken("read the journal"))?;
    let text = |e: history::RecordError| Stop::broken("record the history", e);
    recorder.charges(&charges).map_err(text)?;
    for entry in evidence::ledger_entries(world.url()).await.map_err(broken("read the ledger"))? {
        let id = entry["payment_id"].as_str().unwrap_or_default().to_owned();
        if let Some(reading) = entry.as_object().and_then(reading) {
            let at = entry["at"].as_str().and_then(|at| at.parse().ok());
            let at_ns = at.map_or(0, |at| recorder.clock().ns_at(at));
            recorder.outcome(at_ns, Final { payment_id: id, reading });
        }
    }
    let letters = evidence::dead_letters(world.url()).await.map_err(broken("read dead letters"))?;
    for letter in letters {
        recorder.dead_letter(DeadLetter {
            kind: letter["kind"].as_str().unwrap_or_default().to_owned(),
            sequence: letter["sequence"].as_u64(),
            message: None,
            payment_id: letter["body"]["payment_id"].as_str().map(str::to_owned),
        });
    }
    let emails = evidence::emails(world.journal_dir()).map_err(broken("read the journal"))?;
    recorder.emails(&emails).map_err(text)?;
    let whole = [Records::Charges, Records::Emails, Records::Outcomes, Records::DeadLetters];
    recorder.finish(whole).map_err(text)
}

/// The typed client's methods, by what they do on the wire.
fn call(
    method: &str,
    args: &[Value],
    kwargs: &Map<String, Value>,
) -> Option<(Kind, &'static str, Target)> {
    let named = |names: &[&str]| {
        let mut fields = kwargs.clone();
        for (name, value) in names.iter().zip(args) {
            fields.insert((*name).to_owned(), value.clone());
        }
        target(payment(&fields))
    };
    let submit = ["payment_id", "user_id", "subscription_id", "amount", "currency"];
    Some(match method.split_once('.')? {
        ("payment", "submit_payment") => (Kind::Submit, PAYMENT_PROCESS, named(&submit)),
        ("payment", _) => (Kind::Status, PAYMENT_STATUS, named(&submit[..1])),
        ("math", _) => (Kind::Request, MATH_CALCULATE, Target::Nothing),
        ("email", "send_email") => {
            let mut fields = kwargs.clone();
            for (name, value) in ["to", "subject"].iter().zip(args) {
                fields.insert((*name).to_owned(), value.clone());
            }
            (Kind::Publish, EMAIL_SEND, message(email(&fields)))
        }
        ("email", _) => (Kind::Publish, EMAIL_SEND, Target::Nothing),
        _ => return None,
    })
}

fn target(payment: Option<Payment>) -> Target {
    payment.map_or(Target::Nothing, Target::Payment)
}

fn message(id: Option<String>) -> Target {
    id.map_or(Target::Nothing, Target::Message)
}

/// Who an email is told from another by.
fn email(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    Some(history::email_id(text("to")?, text("subject")?))
}

fn payment(fields: &Map<String, Value>) -> Option<Payment> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Payment {
        // A message with another id is a dead letter and no payment.
        id: text("payment_id").filter(|id| is_payment_id(id))?,
        content: None,
        amount: amount(fields),
        currency: Some(text("currency").unwrap_or_else(|| "USD".to_owned())),
    })
}

/// A number by its shortest form, which is what a client was given, or a text.
fn amount(fields: &Map<String, Value>) -> Option<history::Amount> {
    match fields.get("amount")? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// The status object in what a driver answered: a typed call's reply, or a raw message.
fn status_of(value: &Value) -> Option<Map<String, Value>> {
    match value.get("payload_base64") {
        Some(payload) => json(payload.as_str()?)?.as_object().cloned(),
        None => value.as_object().cloned(),
    }
}

fn reading(fields: &Map<String, Value>) -> Option<Reading> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let status = serde_json::from_value(fields.get("status")?.clone()).ok()?;
    let content = text("content");
    Some(Reading { status, content, amount: amount(fields), currency: text("currency") })
}

fn json(payload_base64: &str) -> Option<Value> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(payload_base64).ok()?;
    serde_json::from_slice(&bytes).ok()
}
