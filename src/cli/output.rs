//! The only place that prints.

use std::io::Write;

use console::Style;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::CliError;

/// Stdout for results, stderr for everything else; with `--json`, one object on stdout.
#[derive(Debug)]
pub struct Output {
    /// True under `--json`.
    pub json: bool,
    stdout_colour: bool,
    stderr_colour: bool,
    stderr_tty: bool,
}

impl Output {
    pub fn new(json: bool, context: &Context) -> Self {
        Self {
            json,
            stdout_colour: context.colour(context.stdout_tty),
            stderr_colour: context.colour(context.stderr_tty),
            stderr_tty: context.stderr_tty,
        }
    }

    /// A line of the result for people; nothing under `--json`.
    pub fn line(&self, text: impl std::fmt::Display) {
        if !self.json {
            write_line(&mut std::io::stdout().lock(), &printable(&text.to_string()));
        }
    }

    /// A line of the result in a style, where stdout shows styles.
    pub fn styled(&self, style: &Style, text: impl std::fmt::Display) {
        if !self.json {
            let style = style.clone().force_styling(self.stdout_colour);
            let text = style.apply_to(printable(&text.to_string())).to_string();
            write_line(&mut std::io::stdout().lock(), &text);
        }
    }

    /// The result for machines; nothing without `--json`.
    pub fn object(&self, value: &Value) {
        if self.json {
            write_line(&mut std::io::stdout().lock(), &value.to_string());
        }
    }

    /// Bytes of a reply, as they came where stdout is a pipe.
    pub fn body(&self, bytes: &[u8], to_terminal: bool) {
        if self.json {
            return;
        }
        let mut stdout = std::io::stdout().lock();
        if to_terminal {
            let text = String::from_utf8_lossy(bytes);
            write_line(&mut stdout, &printable(&text));
        } else {
            let _ = stdout.write_all(bytes);
            let _ = stdout.write_all(b"\n");
        }
    }

    /// A remark on stderr.
    pub fn note(&self, text: impl std::fmt::Display) {
        write_line(&mut std::io::stderr().lock(), &printable(&text.to_string()));
    }

    /// The error that ends a command, and its hint.
    pub fn error(&self, error: &CliError) {
        self.object(&json!({
            "ok": false,
            "error": { "kind": error.exit.word(), "code": error.exit.code(), "message": error.message },
        }));
        let (red, cyan, off) =
            if self.stderr_colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        let mut stderr = std::io::stderr().lock();
        // A fixture's mistakes come rendered, each with its own heading.
        let message = error.message.strip_prefix("error: ").unwrap_or(&error.message);
        write_line(&mut stderr, &format!("{red}error:{off} {}", printable(message)));
        if let Some(hint) = &error.hint {
            write_line(&mut stderr, &format!("{cyan}hint:{off} {}", printable(hint)));
        }
    }

    /// What the argument parser says of a mistake: it quotes what was given.
    pub fn usage(&self, error: &clap::Error) {
        // Without colours: they could not be told from those in an argument.
        let text = printable(&error.render().to_string());
        let _ = write!(std::io::stderr().lock(), "{text}");
    }

    /// Where a report for people goes; nowhere under `--json`.
    pub fn writer(&self) -> Box<dyn Write> {
        if self.json { Box::new(std::io::sink()) } else { Box::new(std::io::stdout()) }
    }

    /// Where lines for a CI system go, which reads both: not between the object of `--json`.
    pub fn annotations(&self) -> Box<dyn Write> {
        if self.json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) }
    }

    /// True if progress may be drawn over on stderr.
    pub fn draws(&self) -> bool {
        self.stderr_tty
    }
}

/// Text from outside without what a terminal would obey; line breaks and tabs stay.
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
    // A closed pipe (`mono-demo … | head`) is the reader's right, not an error.
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}

/// Sends the log to stderr at the level that `--log` names.
pub fn start_log(level: &str, context: &Context) {
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{level},async_nats=error"))
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(context.colour(context.stderr_tty))
        .with_target(false)
        .try_init();
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_terminal_is_never_told_what_to_do() {
        assert_eq!(super::printable("a\x1b[31mb\r\nc\td"), "a\u{FFFD}[31mb\u{FFFD}\nc\td");
    }
}
