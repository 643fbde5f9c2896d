//! `pay`: submit a payment and follow it to its outcome.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::call::status_line;
use super::connect::Session;
use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::{Global, duration};
use super::output::Output;
use crate::broker::Role;
use crate::modules::ClientError;
use crate::modules::payment::{Payment, PaymentClient, Status, StatusReply, Submission};

/// Arguments of `pay`.
#[derive(Debug, Args)]
pub struct PayArgs {
    /// Payment id: 1 to 64 characters of A-Z a-z 0-9 _ -. An id is charged once, however often it
    /// is submitted.
    payment_id: String,
    /// Amount: an exact decimal, as 9.99.
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// The payer (here the connection's user comes from NATS_USER, a context or the URL).
    // Same id as the connection's flag, so that clap lets this one stand in its place.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The subscription that is paid.
    #[arg(long, value_name = "SUBSCRIPTION")]
    subscription: Option<String>,
    /// Currency: an ISO 4217 code.
    #[arg(long, default_value = "USD")]
    currency: String,
    /// Only submit: exit code 0 means accepted, not paid.
    #[arg(long)]
    no_wait: bool,
    /// How long to follow the payment, as 500ms or 10s [default: 30s].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
}

/// How long a payment is followed unless `--timeout` says otherwise.
const FOLLOW: Duration = Duration::from_secs(30);

pub async fn run(
    args: PayArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let payment = Payment::new(
        &args.payment_id,
        &args.amount,
        &args.currency,
        args.user.as_deref(),
        args.subscription.as_deref(),
    )
    .map_err(|e| CliError::usage(format!("pay: {e}")))?;
    // A program may write a number so; in the hand of a person it is a slip that costs a thousand.
    if args.amount.contains(['e', 'E']) {
        let message = format!("pay: the amount {} has an exponent", args.amount);
        return Err(CliError::usage(message).hint("write all its digits, as in 1000.00"));
    }
    // `--user` and `--timeout` mean the payment here, not the connection and one request.
    let mut global = global.clone();
    (global.connection.user, global.connection.timeout) = (None, None);
    let session = Session::open(Role::Client, &global, context, output).await?;
    let result = submit_and_follow(&args, &payment, &session, output).await;
    session.close().await;
    result
}

async fn submit_and_follow(
    args: &PayArgs,
    payment: &Payment,
    session: &Session,
    output: &Output,
) -> Result<Exit, CliError> {
    let limit = args.timeout.unwrap_or(FOLLOW);
    let payments = PaymentClient::new(&session.connection, session.timeout.min(limit));
    let submission = Submission {
        payment_id: &args.payment_id,
        amount: &args.amount,
        currency: Some(&args.currency),
        user_id: args.user.as_deref(),
        subscription_id: args.subscription.as_deref(),
    };
    let ack = payments.submit(&submission).await.map_err(CliError::from);
    let ack = ack.map_err(|e| match e.exit {
        Exit::Timeout => e.hint("submit the same payment again: it is charged at most once"),
        _ => e,
    })?;
    if ack.duplicate
        && let Some(known) = payments.status(&args.payment_id).await.ok().filter(|known| {
            known.content.as_ref().is_some_and(|content| *content != payment.content())
        })
    {
        return Err(conflict(payment, &known));
    }
    let again = match (ack.duplicate, args.no_wait) {
        (false, _) => "",
        (true, false) => " (submitted before)",
        // Nothing says yet with which content.
        (true, true) => " (submitted before; of two contents the first stands)",
    };
    output.line(format!("accepted   {}  {}{again}", payment.id, payment.money));
    if args.no_wait {
        output.object(&json!({ "ok": true, "ack": ack }));
        return Ok(Exit::Success);
    }
    let reply = payments.wait(&args.payment_id, limit).await.map_err(CliError::from);
    let reply = reply.map_err(|e| match e.exit {
        Exit::Timeout => {
            e.hint(format!("it may still complete: `mono-demo call payment status {}`", payment.id))
        }
        _ => e,
    })?;
    report(payment, &ack, &reply, output)
}

/// The first content of an id stands, whoever sent it.
fn conflict(payment: &Payment, known: &StatusReply) -> CliError {
    let what = if known.status == Status::Processing { "that one" } else { "that outcome" };
    CliError::new(
        Exit::Domain,
        format!(
            "payment `{}` was submitted before with other content; {what} stands: {}",
            payment.id,
            status_line(known)
        ),
    )
}

fn report(
    payment: &Payment,
    ack: &crate::wire::driver::Ack,
    reply: &StatusReply,
    output: &Output,
) -> Result<Exit, CliError> {
    // The outcome on record must be checked to be about this payment.
    if reply.content.as_ref().is_some_and(|content| *content != payment.content()) {
        return Err(conflict(payment, reply));
    }
    if reply.status == Status::Completed {
        output.line(status_line(reply));
        output.object(&json!({ "ok": true, "ack": ack, "status": reply }));
        return Ok(Exit::Success);
    }
    let message = reply.message.clone().unwrap_or_else(|| reply.status.as_str().to_owned());
    Err(ClientError::Domain(format!("payment `{}`: {message}", payment.id)).into())
}
