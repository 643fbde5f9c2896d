//! `publish`: send a message without a reply, or to a stream with its acknowledgement.

use async_nats::HeaderMap;
use bytes::Bytes;
use clap::Args;
use serde_json::json;

use super::call::{raw_subject, subject_and_body};
use super::catalogue::{self, Known};
use super::connect::Session;
use super::context::Context;
use super::data;
use super::exit::{CliError, Exit};
use super::global::{Global, MessageArgs};
use super::nobody_listens::nobody_listens;
use super::output::Output;
use crate::broker::Role;
use crate::counted::counted;
use crate::modules::notification::{Email, EmailClient};
use crate::modules::{publish, publish_acknowledged, publish_confirmed};
use crate::wire::subjects::SERVICES;

/// Arguments of `publish`.
#[derive(Debug, Args)]
#[command(after_help = catalogue::PUBLISHES)]
pub struct PublishArgs {
    /// A module (`notification`) or a subject.
    #[arg(value_name = "MODULE|SUBJECT")]
    target: String,
    /// The service, and its arguments; after a subject the body.
    #[arg(value_name = "SERVICE [ARG]|BODY", allow_negative_numbers = true)]
    rest: Vec<String>,
    /// Publish to JetStream: wait for the acknowledgement, print stream, sequence and duplicate.
    #[arg(short = 'J', long)]
    jetstream: bool,
    /// Request a reply, which is not shown, to confirm that somebody listens; if not, exit with 5.
    #[arg(long, conflicts_with = "jetstream")]
    confirm: bool,
    #[command(flatten)]
    message: MessageArgs,
}

enum What {
    Email(Email),
    Raw { subject: String, headers: HeaderMap, body: Bytes },
}

pub async fn run(
    args: PublishArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let what = read(&args, context)?;
    if let What::Raw { subject, body, .. } = &what
        && is_read_by_nobody(subject, body)
    {
        output.note(format!(
            "note: the body is not JSON, and a service at {subject} reads only JSON"
        ));
    }
    let session = Session::open(Role::Client, global, context, output).await?;
    let mut result = Ok(());
    for _ in 0..args.message.count {
        result = once(&what, &args, &session, output).await;
        if result.is_err() {
            break;
        }
    }
    if let Err(error) = result {
        result = Err(nobody_listens(error, &session, context).await);
    }
    session.close().await;
    result.map(|()| Exit::Success)
}

/// A service below `services` reads only JSON.
fn is_read_by_nobody(subject: &str, body: &[u8]) -> bool {
    let service = subject.strip_prefix(SERVICES).is_some_and(|rest| rest.starts_with('.'));
    service && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err()
}

fn read(args: &PublishArgs, context: &Context) -> Result<What, CliError> {
    let words: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    if let Some(given) = &args.message.data {
        let subject = raw_subject(&args.target, &words)?;
        let headers = data::headers(&args.message.headers)?;
        return Ok(What::Raw { subject, headers, body: data::body(given, context)? });
    }
    if let Some((subject, body)) = subject_and_body(&args.target, &words, &Known::to_publish())? {
        let headers = data::headers(&args.message.headers)?;
        return Ok(What::Raw { subject, headers, body });
    }
    if !args.message.headers.is_empty() {
        return Err(CliError::usage("-H goes with --data, or with a subject and a body"));
    }
    let email = |to: &str, subject: &str, body: &str| {
        if args.jetstream {
            return Err(CliError::usage(
                "publish notification email-send: -J goes with --data: emails are core NATS",
            ));
        }
        let email = Email { to: to.into(), subject: subject.into(), body: body.into() };
        crate::modules::notification::check(&email).map_err(CliError::usage)?;
        Ok(What::Email(email))
    };
    match (args.target.as_str(), words.as_slice()) {
        ("notification", ["email-send", to, subject]) => email(to, subject, ""),
        ("notification", ["email-send", to, subject, body]) => email(to, subject, body),
        ("notification", ["email-send", ..]) => Err(CliError::usage(
            "publish notification email-send: expected TO SUBJECT [BODY], as in `publish notification email-send user@example.com Hello Body`",
        )),
        (module, words) => Err(Known::to_publish().unknown(module, words.first().copied())),
    }
}

async fn once(
    what: &What,
    args: &PublishArgs,
    session: &Session,
    output: &Output,
) -> Result<(), CliError> {
    let caller = session.connection.caller();
    match what {
        What::Email(email) => {
            let emails = EmailClient::new(&session.connection);
            match args.confirm {
                true => emails.send_confirmed(email, session.timeout).await?,
                false => drop(emails.send(std::slice::from_ref(email)).await?),
            }
            output.line(format!("queued  {} to {}", email.subject, email.to));
            output.object(&json!({ "ok": true, "queued": 1 }));
        }
        What::Raw { subject, headers, body } if args.jetstream => {
            let (headers, body) = (headers.clone(), body.clone());
            let published = publish_acknowledged(caller, subject, headers, body, session.timeout);
            let ack = published.await?;
            output.line(format!(
                "stored  stream {}, sequence {}, duplicate {}",
                ack.stream, ack.sequence, ack.duplicate
            ));
            output.object(&json!({ "ok": true, "ack": ack }));
        }
        What::Raw { subject, headers, body } => {
            let headers = (!headers.is_empty()).then(|| headers.clone());
            let (bytes, body, limit) = (body.len(), body.clone(), session.timeout);
            // Nobody comes to listen at a broker that ends with this call.
            match args.confirm || session.is_temporary() {
                true => publish_confirmed(caller, subject, headers, body, limit).await?,
                false => publish(caller, subject, headers, body, limit).await?,
            }
            output.line(format!("published  {} to {subject}", counted(bytes, "byte")));
            output.object(&json!({ "ok": true, "bytes": bytes }));
        }
    }
    Ok(())
}
