//! The only place that prints.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, OnceLock};

use console::{Style, strip_ansi_codes};
use serde_json::{Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::context::Context;
use super::exit::{CliError, Exit};
use super::reader::reader_gone;
use super::serve_log::{LogFile, LogWriter};
use crate::mono::REFUSALS;

/// Stdout for results, stderr for everything else; with `--json`, one object on stdout.
///
/// A failed write to stdout is remembered, and [`end`](Self::end) reports it: everything else
/// continues meanwhile.
#[derive(Debug)]
pub struct Output {
    /// True under `--json`.
    pub json: bool,
    stdout_colour: bool,
    stderr_colour: bool,
    stderr_tty: bool,
    unwritten: Unwritten,
    log: AlsoTo,
    log_file: OnceLock<LogFile>,
    noted: OnceLock<Noted>,
}

/// What is noted beside an error.
type NoteOf = dyn Fn(&CliError) -> Option<String> + Send + Sync;

/// What else there is to know of an error.
struct Noted(Box<NoteOf>);

impl std::fmt::Debug for Noted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Noted")
    }
}

/// A log that has all that is said to people too, if there is one.
type AlsoTo = Arc<OnceLock<LogWriter>>;

/// Why something could not be written to stdout, if so: the first reason.
type Unwritten = Arc<OnceLock<io::Error>>;

/// Stdout, as everything here sees it: writing never fails, and what went wrong is remembered.
struct Stdout(Unwritten);

impl Stdout {
    fn remember(&self, result: io::Result<()>) {
        match result {
            Ok(()) => {}
            // A closed pipe (`mono-demo … | head`) is the reader's right, not an error.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
            Err(e) => {
                let _ = self.0.set(e);
            }
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.remember(io::stdout().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.remember(io::stdout().flush());
        Ok(())
    }
}

impl Output {
    pub fn new(json: bool, context: &Context) -> Self {
        Self {
            json,
            stdout_colour: context.colour(context.stdout_tty),
            stderr_colour: context.colour(context.stderr_tty),
            stderr_tty: context.stderr_tty,
            unwritten: Arc::default(),
            log: Arc::default(),
            log_file: OnceLock::new(),
            noted: OnceLock::new(),
        }
    }

    /// From here on each error is told with what this says of it.
    pub fn also_note(&self, noted: impl Fn(&CliError) -> Option<String> + Send + Sync + 'static) {
        let _ = self.noted.set(Noted(Box::new(noted)));
    }

    /// From here on all that is said to people is written to this log too, to the error that ends the
    /// command; the first one stays. It goes with this.
    pub fn also_to(&self, log: LogFile) {
        let _ = self.log.set(log.writer.clone());
        let _ = self.log_file.set(log);
    }

    fn log(&self, text: &str) {
        if let Some(log) = self.log.get() {
            log.write(text);
        }
    }

    fn stdout(&self) -> Stdout {
        Stdout(self.unwritten.clone())
    }

    /// Whether something could not be written to stdout.
    pub fn is_unwritten(&self) -> bool {
        self.unwritten.get().is_some()
    }

    /// Returns when nobody reads stdout any more, where that can be seen.
    pub async fn unread(&self) {
        reader_gone(io::stdout().as_fd().try_clone_to_owned()).await;
    }

    /// The exit code of a command that ends so. Output that was not written is no success.
    pub fn end(&self, exit: Exit) -> Exit {
        let _ = self.stdout().flush();
        let Some(why) = self.unwritten.get() else { return exit };
        self.complain(&CliError::infrastructure("write to stdout", why));
        if exit == Exit::Success { Exit::Infrastructure } else { exit }
    }

    /// Help and version, as the argument parser has them.
    pub fn help(&self, text: &clap::Error) {
        self.stdout().remember(text.print());
    }

    /// A line of the result for people; nothing under `--json`.
    pub fn line(&self, text: impl std::fmt::Display) {
        let text = printable(&text.to_string());
        self.log(&text);
        if !self.json {
            write_line(&mut self.stdout(), &text);
        }
    }

    /// A line of the result in a style, where stdout shows styles.
    pub fn styled(&self, style: &Style, text: impl std::fmt::Display) {
        if !self.json {
            let style = style.clone().force_styling(self.stdout_colour);
            let text = style.apply_to(printable(&text.to_string())).to_string();
            write_line(&mut self.stdout(), &text);
        }
    }

    /// The result for machines; nothing without `--json`.
    pub fn object(&self, value: &Value) {
        if self.json {
            write_line(&mut self.stdout(), &value.to_string());
        }
    }

    /// Bytes of a reply, as they came where stdout is a pipe.
    pub fn body(&self, bytes: &[u8], to_terminal: bool) {
        if self.json {
            return;
        }
        let mut stdout = self.stdout();
        if to_terminal {
            let text = String::from_utf8_lossy(bytes);
            write_line(&mut stdout, &printable(&text));
        } else {
            let _ = stdout.write_all(bytes);
            let _ = stdout.write_all(b"\n");
            let _ = stdout.flush();
        }
    }

    /// A remark on stderr.
    pub fn note(&self, text: impl std::fmt::Display) {
        let text = printable(&text.to_string());
        self.log(&text);
        write_line(&mut std::io::stderr().lock(), &text);
    }

    /// The error that ends a command, and its hint.
    pub fn error(&self, error: &CliError) {
        self.object(&json!({ "ok": false, "error": error.object() }));
        self.complain(error);
    }

    /// The same for people only, where the object says more than that error.
    pub fn complain(&self, error: &CliError) {
        let (red, cyan, off) =
            if self.stderr_colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        let mut stderr = std::io::stderr().lock();
        // A fixture's mistakes come rendered, each with its own heading.
        let message = printable(error.message.strip_prefix("error: ").unwrap_or(&error.message));
        self.log(&format!("error: {message}"));
        write_line(&mut stderr, &format!("{red}error:{off} {message}"));
        if let Some(hint) = &error.hint {
            let hint = printable(hint);
            self.log(&format!("hint: {hint}"));
            write_line(&mut stderr, &format!("{cyan}hint:{off} {hint}"));
        }
        drop(stderr);
        self.noted.get().and_then(|noted| noted.0(error)).into_iter().for_each(|it| self.note(it));
    }

    /// What the argument parser says of a mistake: it quotes what was given.
    pub fn usage(&self, error: &clap::Error) {
        // Without colours: they could not be told from those in an argument.
        let text = printable(&error.render().to_string());
        let _ = write!(std::io::stderr().lock(), "{text}");
    }

    /// Where a report for people goes; nowhere under `--json`.
    pub fn writer(&self) -> Box<dyn Write> {
        if self.json { Box::new(std::io::sink()) } else { Box::new(self.stdout()) }
    }

    /// Where lines go that are no part of the result, as those for a CI system: never into the output of
    /// `--json`.
    pub fn asides(&self) -> Box<dyn Write> {
        if self.json { Box::new(std::io::stderr()) } else { Box::new(self.stdout()) }
    }

    /// True if progress may be drawn over on stderr.
    pub fn draws(&self) -> bool {
        self.stderr_tty
    }
}

/// Removes control sequences from text from outside; line breaks and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() || ('\u{202A}'..='\u{202E}').contains(&c) => '\u{FFFD}',
            c => c,
        })
        .collect()
}

fn write_line(to: &mut dyn Write, text: &str) {
    // Of stdout it is remembered, and of stderr there is nobody left to tell.
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}

/// What the client library logs: its connector says only what the error that it returns says too.
const CLIENT_LIBRARY: [(&str, LevelFilter); 2] =
    [("async_nats", LevelFilter::ERROR), ("async_nats::connector", LevelFilter::OFF)];

/// Where the log goes. What cannot be written there ends nothing: the log's library would panic.
struct Log(AlsoTo);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(line);
        if let Some(log) = self.0.get() {
            // Styles are for the terminal.
            let line = String::from_utf8_lossy(line);
            log.write(&printable(&strip_ansi_codes(&line)));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends the log to stderr at the level that `--log` names.
///
/// Refusals of the server are left to the error that ends the command, if `tells_refusals`.
pub fn start_log(level: &str, tells_refusals: bool, context: &Context, output: &Output) {
    let level = level.parse().unwrap_or(LevelFilter::WARN);
    let filter = Targets::new().with_default(level).with_targets(CLIENT_LIBRARY);
    let of_refusals = if tells_refusals { LevelFilter::OFF } else { level };
    let filter = filter.with_target(REFUSALS, of_refusals);
    let log = output.log.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || Log(log.clone()))
        .with_ansi(context.colour(context.stderr_tty))
        .with_target(false);
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_is_never_told_what_to_do() {
        assert_eq!(super::printable("a\x1b[31mb\r\nc\td"), "a\u{FFFD}[31mb\u{FFFD}\nc\td");
    }
}
