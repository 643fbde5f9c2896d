//! `call`: ask a request-reply service.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::catalogue::{self, Known};
use super::connect::{Asks, Session};
use super::context::Context;
use super::data;
use super::exit::{CliError, Exit};
use super::global::{Global, MessageArgs};
use super::nobody_listens::nobody_listens;
use super::output::Output;
use crate::broker::Role;
use crate::counted::counted;
use crate::modules::math::{MathClient, Operation};
use crate::modules::payment::{PaymentClient, StatusReply};
use crate::modules::{ask, service_error};
use crate::wire::Unreadable;
use crate::wire::subjects::{self, Token};

/// Arguments of `call`.
#[derive(Debug, Args)]
#[command(after_help = catalogue::CALLS)]
pub struct CallArgs {
    /// A module (`math`, `payment`) or a subject.
    #[arg(value_name = "MODULE|SUBJECT")]
    target: String,
    /// The operation or service, and its arguments; after a subject the body.
    #[arg(value_name = "SERVICE [ARG]|BODY", allow_negative_numbers = true)]
    rest: Vec<String>,
    #[command(flatten)]
    message: MessageArgs,
}

/// A checked request.
enum Ask {
    Math { operation: Operation, a: f64, b: Option<f64> },
    Status { payment_id: String },
    Raw { subject: String, headers: HeaderMap, body: Bytes },
}

impl Ask {
    fn asks(&self) -> Asks {
        match self {
            Self::Math { .. } => Asks::Math,
            Self::Raw { subject, .. } if subject == subjects::MATH_CALCULATE => Asks::Math,
            Self::Status { .. } | Self::Raw { .. } => Asks::Any,
        }
    }
}

pub async fn run(
    args: CallArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let ask = read(&args, context)?;
    let session = Session::open_for(ask.asks(), Role::Client, global, context, output).await?;
    let mut result = Ok(Exit::Success);
    for _ in 0..args.message.count {
        result = once(&ask, &session, context, output).await;
        if !matches!(result, Ok(Exit::Success)) {
            break;
        }
    }
    if let Err(error) = result {
        result = Err(nobody_listens(error, &session, context).await);
    }
    session.close().await;
    result
}

/// Reads the arguments before anything is started.
fn read(args: &CallArgs, context: &Context) -> Result<Ask, CliError> {
    let words: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    if args.message.data.is_some() {
        let subject = raw_subject(&args.target, &words)?;
        let body = data::body(args.message.data.as_deref().unwrap_or_default(), context)?;
        let headers = data::headers(&args.message.headers)?;
        return Ok(Ask::Raw { subject, headers, body });
    }
    if let Some((subject, body)) = subject_and_body(&args.target, &words, &Known::to_call())? {
        let headers = data::headers(&args.message.headers)?;
        return Ok(Ask::Raw { subject, headers, body });
    }
    if !args.message.headers.is_empty() {
        return Err(CliError::usage("-H goes with --data, or with a subject and a body"));
    }
    match (args.target.as_str(), words.as_slice()) {
        ("math", [name, operands @ ..]) => math(name, operands),
        ("payment", ["status", id]) => Ok(Ask::Status { payment_id: (*id).to_owned() }),
        ("payment", ["status", ..]) => Err(CliError::usage(
            "call payment status: expected one PAYMENT_ID, as in `call payment status pay-001`",
        )),
        (module, words) => Err(Known::to_call().unknown(module, words.first().copied())),
    }
}

fn math(name: &str, operands: &[&str]) -> Result<Ask, CliError> {
    let operation =
        Operation::parse(name).ok_or_else(|| Known::to_call().unknown("math", Some(name)))?;
    let wanted = if operation.needs_b() { 2 } else { 1 };
    if operands.len() != wanted {
        return Err(CliError::usage(format!(
            "call math {name}: expected {}, got {}",
            counted(wanted, "number"),
            operands.len()
        )));
    }
    let number = |text: &str| match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(CliError::usage(format!("call math {name}: {text:?} is not a finite number"))),
    };
    let a = number(operands[0])?;
    let b = operands.get(1).map(|b| number(b)).transpose()?;
    Ok(Ask::Math { operation, a, b })
}

/// `MODULE SERVICE`, or a subject with dots.
pub(super) fn raw_subject(target: &str, words: &[&str]) -> Result<String, CliError> {
    let subject = match words {
        [] => target.to_owned(),
        [service] if !target.contains('.') => {
            let token = |text: &str| Token::new(text).map_err(CliError::usage);
            subjects::service(&token(target)?, &token(service)?)
        }
        _ => {
            return Err(CliError::usage(format!(
                "with --data, expected MODULE SERVICE or one SUBJECT, got {target} {}",
                words.join(" ")
            )));
        }
    };
    subjects::check_publish_subject(&subject).map_err(CliError::usage)?;
    Ok(subject)
}

async fn once(
    ask: &Ask,
    session: &Session,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let caller = &session.connection;
    let timeout = session.timeout;
    match ask {
        Ask::Math { operation, a, b } => {
            let math = MathClient::new(caller, timeout);
            let reply = math.calculate(operation.name(), *a, *b).await?;
            if let Some(error) = reply.error {
                return Err(CliError::new(Exit::Domain, error));
            }
            let value = serde_json::to_value(&reply).unwrap_or_default();
            output.line(&value["result"]);
            output.object(&json!({ "ok": true, "reply": value }));
            Ok(Exit::Success)
        }
        Ask::Status { payment_id } => {
            let payments = PaymentClient::new(caller, timeout);
            let reply = payments.status(payment_id).await?;
            output.line(status_line(&reply));
            output.object(&json!({ "ok": true, "reply": reply }));
            Ok(Exit::Success)
        }
        Ask::Raw { subject, headers, body } => {
            let asked = ask_raw(session, subject, headers, body, timeout).await?;
            raw_reply(subject, &asked, context, output)
        }
    }
}

/// `SUBJECT BODY`, as natscli has it: what is no module is a subject. The body is taken as it is.
pub(super) fn subject_and_body(
    target: &str,
    words: &[&str],
    known: &Known,
) -> Result<Option<(String, Bytes)>, CliError> {
    match words {
        [word] if known.means(target, word) => Ok(None),
        [body] => {
            subjects::check_publish_subject(target).map_err(CliError::usage)?;
            Ok(Some((target.to_owned(), Bytes::from((*body).to_owned()))))
        }
        [_, _, ..] if target.contains('.') => {
            let message = format!("{target}: expected one BODY, got {} words", words.len());
            Err(CliError::usage(message).hint("put the body in quotes"))
        }
        _ => Ok(None),
    }
}

async fn ask_raw(
    session: &Session,
    subject: &str,
    headers: &HeaderMap,
    body: &Bytes,
    timeout: Duration,
) -> Result<async_nats::Message, CliError> {
    let headers = (!headers.is_empty()).then(|| headers.clone());
    Ok(ask(session.connection.caller(), subject, headers, body.clone(), timeout).await?)
}

/// Prints a reply unchanged; error headers and an `error` field decide the exit code.
fn raw_reply(
    subject: &str,
    reply: &async_nats::Message,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    if let Some(unreadable) = Unreadable::of(reply.headers.as_ref()) {
        output.body(&reply.payload, context.stdout_tty);
        return Err(CliError::new(Exit::Service, format!("{subject} answered, and {unreadable}")));
    }
    if let Some(error) = service_error(subject, reply) {
        return Err(error.into());
    }
    let value: Option<Value> = serde_json::from_slice(&reply.payload).ok();
    let domain = value.as_ref().and_then(|v| v.get("error")).and_then(Value::as_str);
    if let Some(error) = domain {
        return Err(CliError::new(Exit::Domain, error));
    }
    output.body(&reply.payload, context.stdout_tty);
    let shown = value.unwrap_or_else(|| String::from_utf8_lossy(&reply.payload).into());
    output.object(&json!({ "ok": true, "reply": shown }));
    Ok(Exit::Success)
}

/// `completed  pay-001  9.99 USD  Payment processed successfully`.
pub(super) fn status_line(reply: &StatusReply) -> String {
    let mut line = format!("{:<10} {}", reply.status.as_str(), reply.payment_id);
    if let (Some(amount), Some(currency)) = (&reply.amount, &reply.currency) {
        line += &format!("  {} {currency}", amount.0);
    }
    if let Some(message) = &reply.message {
        line += &format!("  {}", crate::wire::headers::one_line(message));
    }
    line
}
