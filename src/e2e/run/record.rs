//! Puts what clients do on record, and at the end what gateway, ledger and dead letters say.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::probe::evidence;
use super::probe::evidence::Stored;
use super::stage::machine::ContentOf;
use super::stage::world::World;
use crate::e2e::record::history::amount::Amount;
use crate::e2e::record::history::event::{
    DeadLetter, Kind, Outcome as Final, Payment, Reading, Records,
};
use crate::e2e::record::history::operation::{Operation, Target};
use crate::e2e::record::history::reader::History;
use crate::e2e::record::history::recorder::RecordError;
use crate::e2e::record::history::recorder::Recorder;
use crate::e2e::scenario::ast::check::CheckKind;
use crate::e2e::scenario::ast::scenario::Fixture;
use crate::e2e::scenario::ast::step::{Action, Step};
use crate::e2e::verdict::outcome::Stop;
use crate::e2e::verdict::policy::Policy;
use crate::e2e::verdict::report;
use crate::e2e::verdict::report::Report;
use crate::wire::driver::{Op, Outcome};
use crate::wire::journal::email_id;
use crate::wire::subjects::{
    EMAIL_SEND, MATH_CALCULATE, PAYMENT_PROCESS, PAYMENT_STATUS, is_payment_id,
};

/// Records that `process` begins what `op` says; what has no effect of its own is not recorded.
pub(in crate::e2e) fn begin(
    recorder: &Recorder,
    contents: Option<&ContentOf>,
    process: &str,
    op: &Op,
) -> Option<Operation> {
    let content = |body: &[u8]| contents.and_then(|content_of| content_of(body));
    let (kind, subject, target) = match op {
        Op::Submit { subject, payload_base64, .. } => {
            let body = bytes(payload_base64).filter(|_| subject == PAYMENT_PROCESS);
            let payment = body.and_then(|body| submission(&body, content));
            (Kind::Submit, subject.as_str(), target(payment))
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
        Op::Call { method, args, kwargs, .. } => call(method, args, kwargs, content)?,
        _ => return None,
    };
    Some(recorder.invoke(process, kind, subject, target))
}

/// Records how it ended.
pub(in crate::e2e) fn end(operation: Operation, is_status: bool, outcome: &Outcome) {
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

/// The payment that a submission is about, where it has a usable id.
pub(in crate::e2e) fn payment_id(op: &Op) -> Option<String> {
    let Op::Submit { payload_base64, .. } = op else { return None };
    Some(payment(json(payload_base64)?.as_object()?)?.id)
}

/// True for operations whose reply is a payment's status.
pub(in crate::e2e) fn is_status(op: &Op) -> bool {
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
pub(in crate::e2e) async fn conclude(world: &World, fixture: &Fixture) -> Result<Report, Stop> {
    let unseen = |step: &Step| matches!(step.action, Action::Run(_));
    if fixture.steps.iter().chain(&fixture.teardown).any(unseen) {
        world.recorder.finish([]).map_err(|e| Stop::broken("record the history", e))?;
    } else {
        add_records(world).await?;
    }
    let history = History::open(world.history_path());
    let history = history.map_err(|e| Stop::broken("judge the history", e))?;
    let limits = fixture.checks.iter().filter_map(|check| match check.kind {
        CheckKind::FinalWithin { limit } => Some(limit),
        _ => None,
    });
    let policy = Policy { final_within: limits.min(), ..Policy::default() };
    Ok(report::check(&history, policy))
}

async fn add_records(world: &World) -> Result<(), Stop> {
    let broken = |doing: &'static str| move |e: String| Stop::broken(doing, e);
    let recorder = &world.recorder;
    let charges = evidence::charges(world.journal_dir()).map_err(broken("read the journal"))?;
    let text = |e: RecordError| Stop::broken("record the history", e);
    recorder.charges(&charges).map_err(text)?;
    let deliveries =
        evidence::deliveries(world.journal_dir()).map_err(broken("read the journal"))?;
    recorder.deliveries(&deliveries).map_err(text)?;
    let access = world.harness();
    let entries = evidence::ledger_entries(&access).await.map_err(broken("read the ledger"))?;
    for Stored { at, record } in entries {
        let id = record["payment_id"].as_str().unwrap_or_default().to_owned();
        if let Some(reading) = record.as_object().and_then(reading) {
            recorder.outcome(recorder.clock().ns_at(at), Final { payment_id: id, reading });
        }
    }
    let letters = evidence::dead_letters(&access).await.map_err(broken("read dead letters"))?;
    for Stored { at, record: letter } in letters {
        let letter = DeadLetter {
            kind: letter["kind"].as_str().unwrap_or_default().to_owned(),
            sequence: letter["sequence"].as_u64(),
            message: None,
            payment_id: letter["body"]["payment_id"].as_str().map(str::to_owned),
        };
        recorder.dead_letter(recorder.clock().ns_at(at), letter);
    }
    let emails = evidence::emails(world.journal_dir()).map_err(broken("read the journal"))?;
    recorder.emails(&emails).map_err(text)?;
    // Not the deliveries: a worker that was killed may have had a message before it could say so.
    let whole = [Records::Charges, Records::Emails, Records::Outcomes, Records::DeadLetters];
    recorder.finish(whole).map_err(text)
}

/// The typed client's methods, by what they do on the wire.
fn call(
    method: &str,
    args: &[Value],
    kwargs: &Map<String, Value>,
    content: impl Fn(&[u8]) -> Option<String>,
) -> Option<(Kind, &'static str, Target)> {
    let named = |names: &[&str]| {
        let mut fields = kwargs.clone();
        for (name, value) in names.iter().zip(args) {
            fields.insert((*name).to_owned(), value.clone());
        }
        fields
    };
    let submit = ["payment_id", "user_id", "subscription_id", "amount", "currency"];
    Some(match method.split_once('.')? {
        ("payment", "submit_payment") => {
            let body = Value::Object(named(&submit)).to_string();
            (Kind::Submit, PAYMENT_PROCESS, target(submission(body.as_bytes(), content)))
        }
        ("payment", _) => (Kind::Status, PAYMENT_STATUS, target(payment(&named(&submit[..1])))),
        ("math", _) => (Kind::Request, MATH_CALCULATE, Target::Nothing),
        ("email", "send_email") => {
            (Kind::Publish, EMAIL_SEND, message(email(&named(&["to", "subject"]))))
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

/// Who an email is told from another by; one without is refused, and no email.
fn email(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str)?;
        (!text.trim().is_empty()).then_some(text)
    };
    Some(email_id(text("to")?, text("subject")?))
}

/// A payment as its submission says it, with the content by which ledger and gateway know it.
fn submission(body: &[u8], content: impl Fn(&[u8]) -> Option<String>) -> Option<Payment> {
    let fields: Value = serde_json::from_slice(body).ok()?;
    Some(Payment { content: content(body), ..payment(fields.as_object()?)? })
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
fn amount(fields: &Map<String, Value>) -> Option<Amount> {
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

fn bytes(payload_base64: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(payload_base64).ok()
}

fn json(payload_base64: &str) -> Option<Value> {
    serde_json::from_slice(&bytes(payload_base64)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::record::history::event::What;
    use crate::e2e::record::seen::base64;
    use serde_json::json;

    /// What an operation's payment is recorded as.
    fn recorded(op: &Op) -> Option<Payment> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h");
        let recorder = Recorder::new(std::fs::File::create(&path).unwrap());
        let content: ContentOf = std::sync::Arc::new(|body| {
            let body: Value = serde_json::from_slice(body).ok()?;
            Some(format!("{} for {}", body["amount"], body["user_id"]))
        });
        begin(&recorder, Some(&content), "c", op).unwrap().ok();
        recorder.finish([]).unwrap();
        let History { events } = History::open(&path).unwrap();
        match &events[0].what {
            What::Invoke(invoke) => invoke.payment.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_submission_is_recorded_with_its_content_typed_or_raw() {
        let raw = Op::Submit {
            subject: PAYMENT_PROCESS.to_owned(),
            payload_base64: base64(br#"{"payment_id": "p", "amount": 9.990, "user_id": "u"}"#),
            headers: Default::default(),
            timeout_ms: 1,
        };
        let seen = recorded(&raw).unwrap();
        assert_eq!((seen.id.as_str(), seen.content.as_deref()), ("p", Some("9.99 for \"u\"")));
        let typed = Op::Call {
            method: "payment.submit_payment".to_owned(),
            args: vec![json!("p"), json!("u")],
            kwargs: json!({ "amount": "9.99" }).as_object().cloned().unwrap(),
            timeout_ms: 1,
        };
        let seen = recorded(&typed).unwrap();
        assert_eq!(seen.content.as_deref(), Some("\"9.99\" for \"u\""));
        let asked = Op::Call {
            method: "payment.get_status".to_owned(),
            args: vec![json!("p")],
            kwargs: Map::new(),
            timeout_ms: 1,
        };
        assert_eq!(recorded(&asked).unwrap().content, None);
        let poison = Op::Submit {
            subject: PAYMENT_PROCESS.to_owned(),
            payload_base64: base64(b"{"),
            headers: Default::default(),
            timeout_ms: 1,
        };
        assert_eq!(recorded(&poison), None);
    }
}
