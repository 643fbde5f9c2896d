//! One line of nats-server's log: who did what when.
//!
//! ```text
//! [8811] 2026/11/23 15:24:43.4081 [TRC] 127.0.0.1:3419 - cid:5 - "v0.51.0:rust:mono-demo services" - "$G/user:worker" - <<- [PUB a.b _INBOX.x 4]
//! [8811] 2026/11/23 15:24:43.4082 [TRC] 127.0.0.1:3419 - cid:5 - "v0.51.0:rust:mono-demo services" - "$G/user:worker" - <<- MSG_PAYLOAD: ["+ACK"]
//! [8811] 2026/11/23 15:24:43.4458 [INF] Trapped "terminated" signal
//! ```
//!
//! nats-server before 2.12 does not say whose a connection is; there [`Op::Connect`] tells.

use jiff::Timestamp;
use serde::Deserialize;

use crate::broker::Role;

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::e2e) struct Line {
    /// By the server's clock, microseconds.
    pub(in crate::e2e) at: Timestamp,
    pub(in crate::e2e) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::e2e) enum What {
    /// Something about a client's connection.
    Trace { connection: Connection, op: Op },
    /// A line for people.
    Plain(String),
}

/// Which connection, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::e2e) struct Connection {
    /// The server's process id and the connection's number.
    pub(in crate::e2e) id: (u32, u64),
    /// From which port; 0 where it is not said.
    pub(in crate::e2e) port: u16,
    /// Library, version and name, then account and user, as far as the server knows them.
    pub(in crate::e2e) whose: String,
}

impl Connection {
    /// By the name of its user, where there are users.
    pub(in crate::e2e) fn role(&self) -> Option<Role> {
        let (_, user) = self.whose.rsplit_once("/user:")?;
        Role::of_user(user.trim_matches('"'))
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::e2e) enum Way {
    /// To the server.
    In,
    /// From the server.
    Out,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::e2e) enum Op {
    /// A message begins.
    Message { way: Way, subject: String, reply: String, header_bytes: usize, bytes: usize },
    /// The beginning of its headers and body.
    Payload { way: Way, bytes: Vec<u8> },
    /// A subscription.
    Subscribe { subject: String, queue: bool },
    /// What a client says of itself when it connects, in the form of [`Connection::whose`].
    Connect { whose: String },
}

/// As much of what a client says of itself as the server adds to its lines.
#[derive(Deserialize)]
struct Hello {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    lang: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    user: Option<String>,
}

impl Hello {
    /// Secrets are left out of what is traced, and what stands there is no JSON.
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(&text.replace(":[REDACTED]", ":null")).ok()
    }

    fn whose(self) -> String {
        let [name, lang, version, user] =
            [self.name, self.lang, self.version, self.user].map(Option::unwrap_or_default);
        let user = if user.is_empty() { user } else { format!("/user:{user}") };
        format!("\"v{version}:{lang}:{name}\" - \"{user}\"")
    }
}

/// `None` for what says nothing about messages: routes, pings, a line without a time.
pub(in crate::e2e) fn parse(line: &str) -> Option<Line> {
    let (pid, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let mut words = rest.splitn(3, ' ');
    let (date, time, text) = (words.next()?, words.next()?, words.next()?);
    let at = format!("{}T{time}Z", date.replace('/', "-")).parse().ok()?;
    let Some(trace) = text.strip_prefix("[TRC] ") else {
        return Some(Line { at, what: What::Plain(text.to_owned()) });
    };
    let (address, rest) = trace.split_once(" - cid:")?;
    let (cid, rest) = rest.split_once(" - ")?;
    let (whose, way, op) = direction(rest)?;
    let id = (pid.trim().parse().ok()?, cid.parse().ok()?);
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default();
    let connection = Connection { id, port, whose: whose.to_owned() };
    Some(Line { at, what: What::Trace { connection, op: operation(way, op)? } })
}

/// Cuts at the arrow that comes first: a body may have another.
fn direction(text: &str) -> Option<(&str, Way, &str)> {
    let found = |arrow: &str, way| text.find(arrow).map(|at| (at, at + arrow.len(), way));
    let (from, to, way) = [found("<<- ", Way::In), found("->> ", Way::Out)]
        .into_iter()
        .flatten()
        .min_by_key(|f| f.0)?;
    Some((text[..from].trim_end_matches([' ', '-']), way, &text[to..]))
}

fn operation(way: Way, text: &str) -> Option<Op> {
    if let Some(payload) = text.strip_prefix("MSG_PAYLOAD: [\"") {
        let end = payload.rfind('"')?;
        return Some(Op::Payload { way, bytes: unquoted(&payload[..end]) });
    }
    if let Some(said) = text.strip_prefix("[CONNECT ").and_then(|rest| rest.strip_suffix(']')) {
        return Hello::read(said).map(|hello| Op::Connect { whose: hello.whose() });
    }
    // The server's own parser takes any number of blanks and tabs between the words.
    let words = text.strip_prefix('[')?.strip_suffix(']')?.split([' ', '\t']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let message = |subject: &str, reply: &str, header: &str, bytes: &str| {
        Some(Op::Message {
            way,
            subject: subject.to_owned(),
            reply: reply.to_owned(),
            header_bytes: header.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    };
    match (way, words.as_slice()) {
        (Way::In, ["PUB", subject, bytes]) => message(subject, "", "0", bytes),
        (Way::In, ["PUB", subject, reply, bytes]) => message(subject, reply, "0", bytes),
        (Way::In, ["HPUB", subject, header, bytes]) => message(subject, "", header, bytes),
        (Way::In, ["HPUB", subject, reply, header, bytes]) => {
            message(subject, reply, header, bytes)
        }
        (Way::Out, ["MSG", subject, _, bytes]) => message(subject, "", "0", bytes),
        (Way::Out, ["MSG", subject, _, reply, bytes]) => message(subject, reply, "0", bytes),
        (Way::Out, ["HMSG", subject, _, header, bytes]) => message(subject, "", header, bytes),
        (Way::Out, ["HMSG", subject, _, reply, header, bytes]) => {
            message(subject, reply, header, bytes)
        }
        (Way::In, ["SUB", subject, _]) => {
            Some(Op::Subscribe { subject: (*subject).to_owned(), queue: false })
        }
        (Way::In, ["SUB", subject, _queue, _]) => {
            Some(Op::Subscribe { subject: (*subject).to_owned(), queue: true })
        }
        _ => None,
    }
}

/// The bytes of a string that Go has quoted; what is not quoted well stays as it is.
fn unquoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { break };
        rest = &rest[escape.len_utf8()..];
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let code = rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match (escape, code) {
            ('x', Some(code)) => out.extend(u8::try_from(code).ok()),
            ('u' | 'U', Some(code)) => {
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            ('n', _) => out.push(b'\n'),
            ('r', _) => out.push(b'\r'),
            ('t', _) => out.push(b'\t'),
            ('a', _) => out.push(0x07),
            ('b', _) => out.push(0x08),
            ('f', _) => out.push(0x0c),
            ('v', _) => out.push(0x0b),
            (other, _) => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if code.is_some() {
            rest = &rest[digits..];
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"[88] 2026/11/23 15:24:43.408435 [TRC] 127.0.0.1:3 - cid:5 - "v0:rust:a - b" - "$G/user:worker" - "#;

    fn op(rest: &str) -> Option<Op> {
        match parse(&format!("{HEAD}{rest}"))?.what {
            What::Trace { connection, op } => {
                assert_eq!(connection.id, (88, 5));
                assert!(connection.whose.ends_with("\"$G/user:worker\""), "{connection:?}");
                Some(op)
            }
            What::Plain(_) => None,
        }
    }

    fn message(way: Way, reply: &str, header_bytes: usize, bytes: usize) -> Option<Op> {
        Some(Op::Message { way, subject: "a.b".into(), reply: reply.into(), header_bytes, bytes })
    }

    #[test]
    fn messages_are_read_with_and_without_reply_and_headers() {
        assert_eq!(op("<<- [PUB a.b 4]"), message(Way::In, "", 0, 4));
        assert_eq!(op("<<- [PUB a.b r 4]"), message(Way::In, "r", 0, 4));
        assert_eq!(op("<<- [HPUB a.b 12 16]"), message(Way::In, "", 12, 16));
        assert_eq!(op("<<- [HPUB a.b r 12 16]"), message(Way::In, "r", 12, 16));
        assert_eq!(op("<<- [HPUB  a.b\tr  12   16]"), message(Way::In, "r", 12, 16));
        assert_eq!(op("->> [MSG a.b 21 4]"), message(Way::Out, "", 0, 4));
        assert_eq!(op("->> [MSG a.b 21 r 4]"), message(Way::Out, "r", 0, 4));
        assert_eq!(op("->> [HMSG a.b 21 12 16]"), message(Way::Out, "", 12, 16));
        assert_eq!(op("->> [HMSG a.b 21 r 12 16]"), message(Way::Out, "r", 12, 16));
        let subscribed = |queue| Some(Op::Subscribe { subject: "a.b".into(), queue });
        assert_eq!(op("<<- [SUB a.b 1]"), subscribed(false));
        assert_eq!(op("<<- [SUB a.b  1]"), subscribed(false));
        assert_eq!(op("<<- [SUB a.b workers 1]"), subscribed(true));
        for noise in ["<<- [PING]", "->> [PONG]", "<-> [DELSUB 1]", "<<- [CONNECT {]", ""] {
            assert_eq!(op(noise), None, "{noise}");
        }
    }

    #[test]
    fn who_connects_says_whose_it_is() {
        let said = r#"<<- [CONNECT {"nkey":[REDACTED],"name":"api","lang":"go","version":"1.2","user":"worker","pass":"[REDACTED]"}]"#;
        let whose = r#""v1.2:go:api" - "/user:worker""#.to_owned();
        assert_eq!(op(said), Some(Op::Connect { whose: whose.clone() }));
        let connection = Connection { id: (1, 2), port: 3, whose };
        assert_eq!(connection.role(), Some(Role::Worker));
        let nobody = r#""v::" - """#.to_owned();
        assert_eq!(op("<<- [CONNECT {}]"), Some(Op::Connect { whose: nobody }));
    }

    #[test]
    fn a_body_is_unquoted_and_may_be_cut_or_look_like_a_message() {
        let payload = |text: &str| match op(text) {
            Some(Op::Payload { bytes, .. }) => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            payload(r#"<<- MSG_PAYLOAD: ["{\"a\":\"\\\u00e9\x1b\n"]"#),
            "{\"a\":\"\\é\u{1b}\n"
        );
        assert_eq!(payload(r#"->> MSG_PAYLOAD: ["half..."]"#), "half...");
        assert_eq!(payload(r#"->> MSG_PAYLOAD: ["<<- [PUB a 4]"]"#), "<<- [PUB a 4]");
        assert_eq!(payload(r#"->> MSG_PAYLOAD: ["\xff\q\x"]"#), "\u{fffd}qx");
        assert_eq!(payload(r#"->> MSG_PAYLOAD: ["\a\b\f\v"]"#), "\u{7}\u{8}\u{c}\u{b}");
    }

    #[test]
    fn other_lines_keep_their_time() {
        let line =
            parse("[88] 2026/11/23 15:24:43.445846 [INF] Trapped \"terminated\" signal").unwrap();
        assert_eq!(line.at.to_string(), "2026-11-23T15:24:43.445846Z");
        assert_eq!(line.what, What::Plain("[INF] Trapped \"terminated\" signal".into()));
        for rubbish in ["", "nats-server: error", "[x] y", "[1] 2026/99/99 1:2 [INF] x"] {
            assert_eq!(parse(rubbish), None, "{rubbish}");
        }
    }
}
