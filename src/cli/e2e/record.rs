//! `e2e record`: listens on a running system, and writes what happens as a scenario.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::broker::Role;
use crate::cli::connect::Session;
use crate::cli::context::Context;
use crate::cli::exit::{CliError, Exit};
use crate::cli::global::{Global, duration, whole};
use crate::cli::output::Output;
use crate::cli::running::QUESTIONS;
use crate::cli::shell::word;
use crate::cli::signals::Signals;
use crate::counted::counted;
use crate::e2e::session::recording::{
    self, Asked, AskedError, End, ListenError, Listening, Recording, Style, Written,
};
use crate::whole;

/// Arguments of `e2e record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The subject to record, wildcards allowed, as 'orders.>'; may be given several times.
    #[arg(long, value_name = "SUBJECT", required = true)]
    subject: Vec<String>,
    /// The fixture that is written [default: stdout].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write it although the file is there already.
    #[arg(long, requires = "output")]
    force: bool,
    /// Stop after this time, as 30s [default: at Ctrl-C].
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    limit: Option<Duration>,
    /// Stop after so many messages, replies not counted.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = whole::<usize>(1..=10_000))]
    messages: usize,
    /// What comes on this subject is sent by clients, so that the scenario sends it [default: a guess].
    #[arg(long, value_name = "SUBJECT")]
    send: Vec<String>,
    /// What comes on this subject is sent by services, so that the scenario expects it [default: a guess].
    #[arg(long, value_name = "SUBJECT")]
    expect: Vec<String>,
    /// The first word of the subjects that replies come to, where that is not _INBOX.
    #[arg(long, value_name = "WORD")]
    inbox: Vec<String>,
    /// What the scenario proves, one sentence.
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    description: Option<String>,
}

pub async fn run(
    args: &RecordArgs,
    global: &Global,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let asked = Asked::new(
        args.subject.clone(),
        args.send.clone(),
        args.expect.clone(),
        args.inbox.clone(),
        args.messages,
    )?
    .without(QUESTIONS);
    let path = args.output.as_ref().map(|path| context.absolute(path));
    if let Some(path) = &path {
        is_free(path, args.force)?;
    }
    let mut signals = Signals::listen()?;
    let opened = Session::open_there("e2e record", Role::Harness, global, context, output);
    let session = tokio::select! {
        session = opened => session?,
        () = signals.first() => return Ok(Exit::Interrupted),
    };
    let recording = record(args, &asked, &session, &mut signals, output).await?;
    let style = Style {
        description: args.description.clone(),
        command: command(args),
        secrets: session.secrets(),
        files: path.as_deref().and_then(Path::file_stem).map(|s| s.to_string_lossy().into_owned()),
    };
    // There is nothing to drain on a connection that was lost.
    if !matches!(recording.end(), End::Lost(_)) {
        session.close().await;
    }
    if recording.messages() == 0 {
        return Err(nothing_heard(args, &recording));
    }
    let written = recording::write(&recording, &asked, &style)
        .map_err(|error| CliError::infrastructure("write the scenario", error))?;
    put(path.as_deref(), args.force, &written, context, output)?;
    tell(args, &recording, &written, path.as_deref(), context, output)
}

/// Listens until somebody says so.
async fn record(
    args: &RecordArgs,
    asked: &Asked,
    session: &Session,
    signals: &mut Signals,
    output: &Output,
) -> Result<Recording, CliError> {
    let listening = tokio::select! {
        listening = Listening::begin(&session.connection, asked) => listening?,
        () = signals.first() => return Ok(Recording::default()),
    };
    listening.unheard().iter().for_each(|what| output.note(format!("note: not heard: {what}")));
    let until = match args.limit {
        Some(limit) => format!("for {limit:?}, or until Ctrl-C"),
        None => "until Ctrl-C".to_owned(),
    };
    output.note(format!("recording {} {until}", args.subject.join(", ")));
    let over = async {
        match args.limit {
            Some(limit) => sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let until = async {
        tokio::select! {
            () = over => {}
            () = signals.first() => {}
        }
    };
    Ok(listening.record(until).await)
}

/// Writes over nothing, unless that is asked for; and what cannot be written is known before anything is
/// recorded.
fn is_free(path: &Path, force: bool) -> Result<(), CliError> {
    let shown = path.display();
    let there = |taken: &Path| {
        let message = format!("e2e record: {} is there already", taken.display());
        let hint = "--force writes over it, --output FILE writes another file";
        Err(CliError::usage(message).hint(hint))
    };
    if path.extension().is_none_or(|extension| extension != "toml") {
        let message = format!("e2e record: {shown} is no fixture: its name ends with .toml");
        return Err(CliError::usage(message));
    }
    if !force {
        if path.exists() {
            return there(path);
        }
        // The files of long bodies.
        let stem = format!("{}.", path.file_stem().unwrap_or_default().to_string_lossy());
        let beside = path.parent().and_then(|folder| folder.read_dir().ok());
        let is_ours = |name: &str| name.starts_with(&stem) && name.ends_with(".bin");
        let taken = beside
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours));
        if let Some(taken) = taken {
            return there(&taken);
        }
    }
    whole::try_public(path)
        .map_err(|error| CliError::usage(format!("e2e record: cannot write {shown}: {error}")))
}

fn put(
    path: Option<&Path>,
    force: bool,
    written: &Written,
    context: &Context,
    output: &Output,
) -> Result<(), CliError> {
    let written_text = &written.text;
    let Some(path) = path else {
        output.line(written_text.trim_end());
        return Ok(());
    };
    // Somebody else may have made one meanwhile.
    let write = |path: &Path, content: &[u8]| {
        let written = if force {
            whole::write_public(path, content)
        } else {
            whole::write_new(path, content)
        };
        written.map_err(|error| {
            // It happened once: what was recorded is not lost.
            output.line(written_text.trim_end());
            CliError::infrastructure(&format!("write {}", shown(path, context)), error)
        })
    };
    for (name, content) in &written.files {
        write(&path.with_file_name(name), content.as_ref())?;
    }
    write(path, written_text.as_bytes())
}

/// What was written, and what it is worth.
fn tell(
    args: &RecordArgs,
    recording: &Recording,
    written: &Written,
    path: Option<&Path>,
    context: &Context,
    output: &Output,
) -> Result<Exit, CliError> {
    let path = path.map(|path| shown(path, context));
    let (send, expect) = written.steps;
    // Where the fixture goes to stdout, what is said of it goes beside it.
    let say = |line: String| match path {
        Some(_) => output.line(line),
        None => output.note(line),
    };
    written.told.iter().for_each(|line| say(format!("  {line}")));
    for place in &written.left_out {
        say(format!("  left out, as it looks like a secret: {place}"));
    }
    let messages = counted(recording.messages(), "message");
    say(format!("{messages}: {send} sent, {} expected", counted_steps(expect)));
    if let Some(path) = &path {
        say(format!("written: {path}"));
    }
    output.object(&json!({
        "ok": !matches!(recording.end(), End::Lost(_)),
        "written": path,
        "fixture": match path {
            Some(_) => Value::Null,
            None => written.text.as_str().into(),
        },
        "files": written.files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "messages": recording.messages(),
        "subjects": written.told,
        "left_out": written.left_out,
        "not_heard": recording.unheard(),
    }));
    match recording.end() {
        End::Asked => {}
        End::Enough => output.note(format!(
            "note: {} were recorded, and no more: --messages N says how many",
            counted(args.messages, "message")
        )),
        End::Full => output.note("note: no more is kept; a narrower --subject hears less"),
        End::Lost(why) => {
            output.note(format!("error: {why}; what was heard until then is written"));
            return Ok(Exit::Connection);
        }
    }
    Ok(Exit::Success)
}

fn counted_steps(steps: usize) -> String {
    format!("{steps} in {}", if steps == 1 { "a step" } else { "steps" })
}

fn nothing_heard(args: &RecordArgs, recording: &Recording) -> CliError {
    let subjects = args.subject.join(", ");
    if let End::Lost(why) = recording.end() {
        return CliError::new(Exit::Connection, format!("e2e record: {why}"))
            .hint(format!("nothing was heard on {subjects} before that"));
    }
    CliError::new(Exit::Infrastructure, format!("e2e record: nothing was heard on {subjects}")).hint(
        "record while something happens there; clients and services have to use this server, and the \
         account of this login",
    )
}

/// The command without what says where to connect.
fn command(args: &RecordArgs) -> String {
    let mut words = vec!["mono-demo e2e record".to_owned()];
    let lists = [("--subject", &args.subject), ("--send", &args.send), ("--expect", &args.expect)];
    for (flag, values) in lists {
        words.extend(values.iter().map(|value| format!("{flag} {}", word(value))));
    }
    words.join(" ")
}

fn shown(path: &Path, context: &Context) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string()
}

impl From<AskedError> for CliError {
    fn from(error: AskedError) -> Self {
        let hint = match &error {
            AskedError::Own(..) => Some("name those of your services, as --subject 'orders.>'"),
            _ => None,
        };
        let error = Self::usage(format!("e2e record: {error}"));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<ListenError> for CliError {
    fn from(error: ListenError) -> Self {
        let denied = matches!(error, ListenError::Denied { .. });
        let error = Self::new(Exit::Connection, format!("e2e record: {error}"));
        match denied {
            true => error.hint("connect as a user who may subscribe to it"),
            false => error,
        }
    }
}
