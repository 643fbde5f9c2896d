//! `dlq`: the dead letters of payments.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Session, one_is_meant};
use super::context::Context;
use super::exit::{CliError, Exit};
use super::global::{Global, whole};
use super::output::Output;
use crate::broker::Role;
use crate::counted::counted;
use crate::modules::ClientError;
use crate::modules::payment::{DEAD_LETTERS, DeadLetter, DeadLetters, StoreError};
use crate::wire::headers::bounded;
use crate::wire::{Unreadable, readable};

/// Arguments of `dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// List dead letters, oldest first.
    Ls(Which),
    /// Show a dead letter with headers and body.
    Show {
        /// Its number, as `ls` shows it.
        #[arg(value_parser = whole::<u64>(1..=u64::MAX))]
        number: u64,
    },
    /// Publish dead letters again and remove them; a payment is still charged at most once.
    Replay(Which),
    /// Remove dead letters.
    Purge(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Their numbers, as `ls` shows them.
    #[arg(value_parser = whole::<u64>(1..=u64::MAX))]
    numbers: Vec<u64>,
    /// All of this kind: malformed, rejected, conflict, exhausted.
    #[arg(long, value_parser = ["malformed", "rejected", "conflict", "exhausted"])]
    kind: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

pub async fn run(
    args: DlqArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    if let DlqCommand::Replay(which) | DlqCommand::Purge(which) = &args.command
        && which.numbers.is_empty()
        && which.kind.is_none()
        && !which.all
    {
        return Err(CliError::usage("dlq: name dead letters by number, by --kind, or --all"));
    }
    if matches!(args.command, DlqCommand::Replay(_) | DlqCommand::Purge(_)) {
        one_is_meant("dlq", global, context)?;
    }
    let session = Session::open_there("dlq", Role::Harness, global, context, output).await?;
    let result = with(&args.command, &session, context, output).await;
    session.close().await;
    result
}

async fn with(
    command: &DlqCommand,
    session: &Session,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let open = DeadLetters::open(&session.connection);
    let Some(letters) = session.doing("look for dead letters", open, context).await? else {
        return Err(CliError::new(
            Exit::NoResponders,
            format!(
                "dlq: there is no stream `{DEAD_LETTERS}`: no payment service has run in this account, or \
                 somebody deleted it"
            ),
        )
        .hint("`mono-demo audit` names what else is missing; `serve --server URL` makes what never was"));
    };
    let all = session.doing("read the dead letters", letters.list(), context).await?;
    match command {
        DlqCommand::Ls(which) => {
            let chosen = choose(&all, which, true)?;
            for letter in &chosen {
                output.line(line(letter));
            }
            output.line(format!("{} of {}", chosen.len(), counted(all.len(), "dead letter")));
            let list: Vec<_> = chosen.iter().map(|letter| summary(letter)).collect();
            output.object(&json!({ "ok": true, "dead_letters": list }));
        }
        DlqCommand::Show { number } => {
            let letter = find(&all, *number)?;
            show(letter, output);
        }
        DlqCommand::Replay(which) => {
            let chosen = choose(&all, which, false)?;
            let mut left = Vec::new();
            for letter in &chosen {
                // Refused, it may be sent again and not removed yet: a payment is charged once either way.
                let operation = format!("send dead letter {} again and remove it", letter.sequence);
                let replay = letters.replay(letter, session.timeout);
                let replay = async { Ok::<_, CliError>(replay.await) };
                match session.doing(&operation, replay, context).await? {
                    Ok(sequence) => {
                        output.line(format!("replayed {} as message {sequence}", letter.sequence));
                    }
                    // One that cannot be sent again holds up no other.
                    Err(error @ ClientError::BadInput(_)) => {
                        output.note(format!("error: {error}"));
                        left.push(letter.sequence);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let replayed = chosen.len() - left.len();
            output.object(&json!({ "ok": left.is_empty(), "replayed": replayed, "left": left }));
            if !left.is_empty() {
                return Ok(Exit::Domain);
            }
        }
        DlqCommand::Purge(which) => {
            let chosen = choose(&all, which, false)?;
            for letter in &chosen {
                let operation = format!("remove dead letter {}", letter.sequence);
                session.doing(&operation, letters.purge(letter), context).await?;
            }
            output.line(format!("purged {}", counted(chosen.len(), "dead letter")));
            output.object(&json!({ "ok": true, "purged": chosen.len() }));
        }
    }
    Ok(Exit::Success)
}

/// The selected dead letters; an unknown number is an error before anything is done.
fn choose<'a>(
    all: &'a [DeadLetter],
    which: &Which,
    by_default: bool,
) -> Result<Vec<&'a DeadLetter>, CliError> {
    for number in &which.numbers {
        find(all, *number)?;
    }
    let everything = which.all || (by_default && which.numbers.is_empty());
    let wanted = |letter: &&DeadLetter| {
        let kind = which.kind.as_deref();
        let by_kind = kind.is_none_or(|kind| kind == letter.kind);
        by_kind
            && (everything
                || kind.is_some() && which.numbers.is_empty()
                || which.numbers.contains(&letter.sequence))
    };
    Ok(all.iter().filter(wanted).collect())
}

fn find(all: &[DeadLetter], number: u64) -> Result<&DeadLetter, CliError> {
    all.iter().find(|letter| letter.sequence == number).ok_or_else(|| {
        CliError::usage(format!("dlq: there is no dead letter {number}"))
            .hint("`mono-demo dlq ls` lists them")
    })
}

fn line(letter: &DeadLetter) -> String {
    let body = bounded(&String::from_utf8_lossy(&letter.stored.body), 60);
    format!("{:>6}  {:<9}  {}  {body}", letter.sequence, letter.kind, bounded(&letter.reason, 100))
}

fn show(letter: &DeadLetter, output: &Output) {
    let headers: Vec<(String, String)> = readable(&letter.stored.headers)
        .flat_map(|(name, values)| {
            values.iter().map(move |v| (name.to_owned(), v.as_str().to_owned()))
        })
        .collect();
    let mut sorted = headers.clone();
    sorted.sort();
    for (name, value) in &sorted {
        output.line(format!("{name}: {}", bounded(value, 512)));
    }
    if let Some(unreadable) = Unreadable::of(Some(&letter.stored.headers)) {
        output.line(unreadable);
    }
    output.line("");
    output.body(&letter.stored.body, true);
    let mut object = summary(letter);
    object["headers"] = json!(sorted);
    object["body"] = String::from_utf8_lossy(&letter.stored.body).into();
    output.object(&json!({ "ok": true, "dead_letter": object }));
}

fn summary(letter: &DeadLetter) -> Value {
    json!({
        "number": letter.sequence,
        "kind": letter.kind,
        "reason": letter.reason,
        "subject": letter.subject,
        "sequence": letter.original_sequence,
        "deliveries": letter.deliveries,
    })
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self { hint: error.hint.clone(), ..Self::new(Exit::Infrastructure, error) }
    }
}
