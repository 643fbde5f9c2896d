//! A conversation with one driver process: every line is strict, and on record.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::broker::Credentials;
use crate::counted::counted;
use crate::e2e::driver::pipe::MAX_LOG_MIB;
use crate::process::{Child, ExitStatus, Pipe, Reaper, Spawn, StdoutError};
use crate::wire::driver::{DriverError, ErrorKind, PROTOCOL_VERSION, Reply};
use crate::wire::headers::bounded;

/// How long anything that should happen at once may take; a program takes seconds to start where much else
/// runs.
pub const SOON: Duration = Duration::from_secs(30);
/// How much of a line is shown.
const SHOWN_BYTES: usize = 240;
/// How many lines of the record are shown, from its beginning and from its end.
const SHOWN_LINES: (usize, usize) = (4, 10);
/// How many lines of the driver's log are shown.
const SHOWN_LOG: usize = 5;

/// What is wrong with the driver, in a sentence.
pub type Complaint = String;

/// A driver, and what was said.
pub struct Talk {
    child: Child,
    stdin: Option<tokio::process::ChildStdin>,
    stdout: mpsc::Receiver<Result<String, StdoutError>>,
    said: Vec<String>,
    next_id: u64,
    /// Asked and not yet answered.
    open: Vec<u64>,
    /// Answered, and not yet looked at.
    answered: HashMap<u64, Value>,
    /// What `hello` claimed.
    pub capabilities: Vec<String>,
    login: Credentials,
}

impl Talk {
    /// Starts the driver; nothing was said yet.
    pub async fn start(
        reaper: &Reaper,
        spawn: Spawn,
        login: Credentials,
    ) -> Result<Self, Complaint> {
        let child = Child::spawn(reaper, spawn).await.map_err(|error| error.to_string())?;
        let stdin = child.take_stdin();
        let stdout = child.take_stdout().ok_or("its stdout was taken")?;
        Ok(Self {
            child,
            stdin,
            stdout,
            said: Vec::new(),
            next_id: 1,
            open: Vec::new(),
            answered: HashMap::new(),
            capabilities: Vec::new(),
            login,
        })
    }

    /// Writes a line as it is.
    pub async fn line(&mut self, line: &str) -> Result<(), Complaint> {
        self.say("→", line);
        let Some(stdin) = &mut self.stdin else {
            return Err("its input has ended".to_owned());
        };
        let text = format!("{line}\n");
        let written = async {
            stdin.write_all(text.as_bytes()).await?;
            stdin.flush().await
        };
        match tokio::time::timeout(SOON, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("it does not take commands any more: {error}")),
            Err(_) => Err(format!("it did not read its input within {SOON:?}")),
        }
    }

    /// Puts a line on record, without the password.
    fn say(&mut self, arrow: &str, line: &str) {
        let line = line.replace(&self.login.password, "…");
        self.said.push(format!("{arrow} {}", bounded(&line, SHOWN_BYTES)));
    }

    /// Sends a command and returns its id.
    pub async fn send(&mut self, op: &str, fields: Value) -> Result<u64, Complaint> {
        let id = self.next_id;
        self.next_id += 1;
        self.send_as(id, op, fields).await?;
        Ok(id)
    }

    /// Sends a command under this id.
    pub async fn send_as(&mut self, id: u64, op: &str, fields: Value) -> Result<(), Complaint> {
        let mut command = json!({ "id": id, "op": op });
        if let (Some(command), Value::Object(fields)) = (command.as_object_mut(), fields) {
            command.extend(fields);
        }
        self.open.push(id);
        self.line(&command.to_string()).await
    }

    /// The reply to a command: an object with the id and one of `ok`, `err`, `skip`.
    pub async fn reply(&mut self, id: u64) -> Result<Value, Complaint> {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(reply) = self.answered.remove(&id) {
                return Ok(reply);
            }
            if !self.hear(deadline.saturating_duration_since(Instant::now())).await? {
                return Err(format!("no reply to command {id} within {SOON:?}"));
            }
        }
    }

    /// True if a command was answered by now, as far as its replies have been read.
    pub fn is_answered(&self, id: u64) -> bool {
        self.answered.contains_key(&id)
    }

    /// Reads one line; false where none came in time.
    async fn hear(&mut self, patience: Duration) -> Result<bool, Complaint> {
        let flood = self.child.exceeds(Pipe::Stderr, MAX_LOG_MIB << 20);
        let line = tokio::select! {
            line = tokio::time::timeout(patience, self.stdout.recv()) => line,
            () = flood => return Err(format!("it wrote more than {MAX_LOG_MIB} MiB on stderr")),
        };
        let line = match line {
            Err(_) => return Ok(false),
            Ok(None) => {
                let status = self.child.wait().await;
                self.child.drained().await;
                return Err(format!("it ended with {status} while commands were under way"));
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok(line))) => line,
        };
        self.say("←", &line);
        let not_protocol = |why: &dyn std::fmt::Display| {
            format!("a line on stdout is not a reply ({why}); logs belong on stderr")
        };
        let reply: Value = serde_json::from_str(&line).map_err(|error| not_protocol(&error))?;
        let members = ["ok", "err", "skip"].iter().filter(|name| reply.get(**name).is_some());
        let count = members.count();
        if count != 1 {
            return Err(format!("a reply has {count} of `ok`, `err` and `skip`; it has one"));
        }
        let checked: Reply = serde_json::from_value(reply.clone()).map_err(|e| not_protocol(&e))?;
        let Some(at) = self.open.iter().position(|open| *open == checked.id) else {
            return Err(format!("it answered command {}, which is not under way", checked.id));
        };
        self.open.remove(at);
        self.answered.insert(checked.id, reply);
        Ok(true)
    }

    /// Sends a command and returns its reply.
    pub async fn ask(&mut self, op: &str, fields: Value) -> Result<Value, Complaint> {
        let id = self.send(op, fields).await?;
        self.reply(id).await
    }

    /// The same, where only `ok` will do.
    pub async fn ok(&mut self, op: &str, fields: Value) -> Result<Value, Complaint> {
        let reply = self.ask(op, fields).await?;
        reply.get("ok").cloned().ok_or_else(|| format!("`{op}` was not answered with `ok`"))
    }

    /// The same, where only a failure of this kind will do.
    pub async fn fails(
        &mut self,
        op: &str,
        fields: Value,
        kind: ErrorKind,
        definite: Option<bool>,
    ) -> Result<(), Complaint> {
        let id = self.send(op, fields).await?;
        self.failed(op, id, kind, definite).await
    }

    /// The same, of a command that was sent.
    pub async fn failed(
        &mut self,
        op: &str,
        id: u64,
        kind: ErrorKind,
        definite: Option<bool>,
    ) -> Result<(), Complaint> {
        let reply = self.reply(id).await?;
        let wanted = word(kind);
        let error: DriverError = reply
            .get("err")
            .cloned()
            .and_then(|error| serde_json::from_value(error).ok())
            .ok_or_else(|| format!("`{op}` was not answered with an `err` of kind `{wanted}`"))?;
        if error.kind != kind {
            let kind = word(error.kind);
            return Err(format!("`{op}` failed with kind `{kind}`; it is `{wanted}`"));
        }
        match definite {
            Some(true) if !error.definite => {
                Err(format!("`{wanted}` certainly did not happen: `definite` is true"))
            }
            Some(false) if error.definite => {
                Err(format!("`{wanted}` may have happened: `definite` is false"))
            }
            _ => Ok(()),
        }
    }

    /// Shakes hands, and keeps what the driver claims.
    pub async fn hello(&mut self, url: &str) -> Result<Value, Complaint> {
        let Credentials { user, password } = &self.login;
        let fields = json!({
            "protocol": PROTOCOL_VERSION, "seed": 1, "url": url, "user": user, "password": password,
        });
        let hello = self.ok("hello", fields).await?;
        let claimed = hello["capabilities"].as_array().into_iter().flatten();
        self.capabilities = claimed.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(hello)
    }

    /// Ends the driver's input.
    pub fn end_input(&mut self) {
        self.said.push("→ (end of input)".to_owned());
        self.stdin = None;
    }

    /// How the driver ended by itself, with all replies read.
    pub async fn ended(&mut self) -> Result<ExitStatus, Complaint> {
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.child.wait()).await {
                Err(_) => return Err(format!("it did not end within {SOON:?}")),
                Ok(status) if self.stdout.is_empty() && self.stdout.is_closed() => {
                    self.said.push(format!("! it ended with {status}"));
                    return Ok(status);
                }
                // Its last words are still on the way.
                Ok(_) => match self.hear(left).await {
                    Err(complaint) if !complaint.starts_with("it ended with") => {
                        return Err(complaint);
                    }
                    _ => {}
                },
            }
        }
    }

    /// The beginning and the end of the record, and the last lines of the driver's log.
    pub fn exchange(&self) -> Vec<String> {
        let (first, last) = SHOWN_LINES;
        let left_out = self.said.len().saturating_sub(first + last);
        let (begin, rest) = self.said.split_at(first.min(self.said.len()));
        let gap = (left_out > 0).then(|| format!("… {}", counted(left_out, "more line")));
        let log = self.child.tail();
        let log = log[log.len().saturating_sub(SHOWN_LOG)..].iter();
        let log = log.map(|line| {
            format!("! {}", bounded(&line.replace(&self.login.password, "…"), SHOWN_BYTES))
        });
        begin
            .iter()
            .cloned()
            .chain(gap)
            .chain(rest[left_out..].iter().cloned())
            .chain(log)
            .collect()
    }

    /// Ends the driver and all that it started.
    pub async fn end(mut self) {
        self.stdin = None;
        self.child.close().await;
    }
}

fn word(kind: ErrorKind) -> String {
    // A unit variant: it always serialises to its word.
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
