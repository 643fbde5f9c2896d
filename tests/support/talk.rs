//! A conversation with `mono-demo control`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::{Value, json};

use super::program::Home;

/// A conversation, on any pair of pipes. Dropped, it ends, and the program with it.
pub struct Talk {
    program: Option<Child>,
    to: Option<Box<dyn Write>>,
    from: BufReader<Box<dyn Read>>,
    last: u64,
    early: Vec<Value>,
}

impl Talk {
    /// With a program that was started for it, and has been greeted.
    pub fn start(home: &Home) -> Self {
        let mut talk = Self::start_silently(home);
        let hello = talk.ok("hello", json!({ "protocol": 1 }));
        assert_eq!(hello, json!({ "protocol": 1, "version": env!("CARGO_PKG_VERSION") }));
        talk
    }

    /// The same, before the first word.
    pub fn start_silently(home: &Home) -> Self {
        let mut command = home.command(["control"]);
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let to: ChildStdin = program.stdin.take().unwrap();
        let from = program.stdout.take().unwrap();
        let mut talk = Self::over(to, from);
        talk.program = Some(program);
        talk
    }

    /// On streams that somebody else opened.
    pub fn over(to: impl Write + 'static, from: impl Read + 'static) -> Self {
        let (to, from): (Box<dyn Write>, Box<dyn Read>) = (Box::new(to), Box::new(from));
        let from = BufReader::new(from);
        Self { program: None, to: Some(to), from, last: 0, early: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.program.as_ref().unwrap().id()
    }

    /// Asks for something; its id.
    pub fn ask(&mut self, op: &str, fields: Value) -> u64 {
        self.last += 1;
        let mut command = json!({ "id": self.last, "op": op });
        let fields = fields.as_object().unwrap().clone();
        command.as_object_mut().unwrap().extend(fields);
        self.write(&command.to_string());
        self.last
    }

    /// A line, whatever it says.
    pub fn write(&mut self, line: &str) {
        let to = self.to.as_mut().unwrap();
        to.write_all(format!("{line}\n").as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// The next line.
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The answer to what has this id, whenever it comes.
    pub fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.early.iter().position(|reply| reply["id"] == id) {
            return self.early.remove(at);
        }
        loop {
            let reply = self.read();
            if reply["id"] == id {
                return reply;
            }
            self.early.push(reply);
        }
    }

    /// Asks, and returns what `ok` holds.
    #[track_caller]
    pub fn ok(&mut self, op: &str, fields: Value) -> Value {
        let id = self.ask(op, fields.clone());
        let mut reply = self.answer(id);
        assert!(reply.get("err").is_none(), "{op} {fields}: {reply:#}");
        reply["ok"].take()
    }

    /// Asks, and returns the error.
    #[track_caller]
    pub fn err(&mut self, op: &str, fields: Value) -> Value {
        let id = self.ask(op, fields.clone());
        let mut reply = self.answer(id);
        assert!(reply.get("ok").is_none(), "{op} {fields}: {reply:#}");
        reply["err"].take()
    }

    /// The field `url`, or another one, of what was started.
    #[track_caller]
    pub fn start_broker(&mut self, settings: Value) -> Value {
        self.ok("broker.start", json!({ "settings": settings }))
    }

    /// Asks for nothing more; the answers to come can be read.
    pub fn end_input(&mut self) {
        self.to = None;
    }

    /// Closes both pipes, as the end of this process would, and waits for the program; how it ended.
    pub fn close_both(mut self) -> Option<i32> {
        self.to = None;
        self.from = BufReader::new(Box::new(std::io::empty()));
        self.program.as_mut().unwrap().wait().unwrap().code()
    }

    /// Closes the pipe and waits for the program; how it ended.
    pub fn close(mut self) -> Option<i32> {
        self.to = None;
        let status = self.program.as_mut().unwrap().wait().unwrap();
        status.code()
    }

    /// Kills the program with SIGKILL.
    pub fn kill(mut self) {
        let program = self.program.as_mut().unwrap();
        program.kill().unwrap();
        program.wait().unwrap();
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.to = None;
        if let Some(program) = &mut self.program {
            let _ = program.wait();
        }
    }
}

/// The text of a member.
#[track_caller]
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no text `{name}`: {value:#}"))
}
