//! Not in the published crate: reads what a publisher chose, whatever bytes it chose.
//!
//! A message whose header block, subject or reply subject cannot be read is delivered all the same,
//! with one header, [`MARKER`], that holds the raw bytes.

use std::borrow::Cow;
use std::str::{from_utf8, FromStr};

use base64::engine::{general_purpose::STANDARD, Engine};

use crate::header::{self, HeaderMap, HeaderName, HeaderValue};
use crate::status::StatusCode;
use crate::subject::Subject;

/// The header of a message that could not be read whole. One value for each part of it: `headers`,
/// `subject` or `reply`, a blank, its bytes in base64, a blank, and what is wrong with them.
///
/// No publisher can send it: a name that comes from the wire ends before its first colon.
pub const MARKER: HeaderName = HeaderName::from_static(":unreadable");

/// What a header block says.
pub(crate) struct Block {
    pub(crate) headers: HeaderMap,
    pub(crate) status: Option<StatusCode>,
    pub(crate) description: Option<String>,
}

impl Block {
    /// Reads a block; of one that cannot be read, the map has [`MARKER`] and nothing else.
    pub(crate) fn read(block: &[u8]) -> Block {
        parse(block).unwrap_or_else(|why| {
            let mut headers = HeaderMap::new();
            mark(&mut headers, "headers", block, why);
            Block {
                headers,
                status: None,
                description: None,
            }
        })
    }
}

/// The arguments of an operation; owned where they are not UTF-8.
///
/// `from_utf8` takes whole words at a time, which `from_utf8_lossy` does not.
pub(crate) fn text(arguments: &[u8]) -> Cow<'_, str> {
    from_utf8(arguments).map_or_else(|_| String::from_utf8_lossy(arguments), Cow::Borrowed)
}

/// True where a status may be the server's own word (no responders, a heartbeat, the end of a
/// pull) and not one that a publisher wrote: what the server says has no body, and no reply subject
/// but that of flow control, while each message out of a stream has one. "No responders" has not a
/// byte more than it takes to say so, and for which subject.
pub(crate) fn is_control(
    block: &Block,
    block_len: usize,
    payload: &[u8],
    reply: Option<&Subject>,
) -> bool {
    payload.is_empty()
        && reply.map_or(true, |reply| reply.starts_with("$JS.FC."))
        && (block.status != Some(StatusCode::NO_RESPONDERS)
            || no_responders_len(block) == Some(block_len))
}

/// How long the block is in which the server itself says so; `None` where it has other headers.
fn no_responders_len(block: &Block) -> Option<usize> {
    let mut len = "NATS/1.0 503\r\n\r\n".len();
    len += block.description.as_ref().map_or(0, |words| " ".len() + words.len());
    for (name, values) in block.headers.iter() {
        let [value] = values.as_slice() else { return None };
        if *name != header::NATS_SUBJECT {
            return None;
        }
        len += "Nats-Subject: \r\n".len() + value.as_str().len();
    }
    Some(len)
}

/// Marks what is not UTF-8 in the arguments of `MSG` or `HMSG`; such a reply subject is no use.
#[cold]
pub(crate) fn mark_addresses(
    arguments: &[u8],
    reply: &mut Option<Subject>,
    headers: &mut HeaderMap,
) {
    let mut arguments = arguments.split(|byte| *byte == b' ').filter(|a| !a.is_empty());
    let subject = arguments.next().unwrap_or_default();
    let asked = arguments.nth(1).unwrap_or_default();
    if from_utf8(subject).is_err() {
        mark(headers, "subject", subject, "not UTF-8");
    }
    if reply.is_some() && from_utf8(asked).is_err() {
        *reply = None;
        mark(headers, "reply", asked, "not UTF-8");
    }
}

#[cold]
fn mark(headers: &mut HeaderMap, part: &str, bytes: &[u8], why: &str) {
    let value = format!("{part} {} {why}", STANDARD.encode(bytes));
    headers.append(MARKER, value);
}

fn parse(block: &[u8]) -> Result<Block, &'static str> {
    let text = from_utf8(block).map_err(|_| "not UTF-8")?;
    // Only CRLF ends a line, as for the server: else a line feed in a value would hide a header from it.
    let mut lines = text.split("\r\n").peekable();
    let suffix = match lines.next() {
        None => "",
        Some(line) => line
            .strip_prefix("NATS/1.0")
            .filter(|suffix| suffix.is_empty() || suffix.starts_with(char::is_whitespace))
            .ok_or("the first line is not NATS/1.0")?,
    };
    check(suffix).map_err(|()| "the first line has a line break or a NUL in it")?;
    let suffix = suffix.trim();
    let (status, description) = suffix
        .split_once(char::is_whitespace)
        .map(|(status, description)| (status.trim(), description.trim()))
        .unwrap_or((suffix, ""));
    let status = match status {
        "" => None,
        status => Some(
            status
                .parse::<StatusCode>()
                .map_err(|_| "the status is not a number of three digits")?,
        ),
    };
    let description = (!description.is_empty()).then(|| description.to_owned());

    let mut headers = HeaderMap::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            // Some readers stop here: what they do not see could be an error.
            if !lines.next().unwrap_or_default().is_empty() || lines.next().is_some() {
                return Err("something is behind the empty line that ends them");
            }
            break;
        }
        let (name, value) = line.split_once(':').ok_or("a line has no colon")?;
        if name.is_empty() {
            return Err("a header has no name");
        }
        let name = HeaderName::from_str(name)
            .map_err(|_| "a header's name is not of visible ASCII characters")?;

        // Read the header value, which might have been split into multiple lines
        check(value).map_err(|()| BROKEN_VALUE)?;
        let mut value = value.trim_start().to_owned();
        while let Some(v) = lines.next_if(|s| s.starts_with(char::is_whitespace)) {
            check(v).map_err(|()| BROKEN_VALUE)?;
            value.push_str(v);
        }
        value.truncate(value.trim_end().len());
        // `check` leaves no line break: this cannot panic.
        headers.append(name, HeaderValue::from(value));
    }
    Ok(Block {
        headers,
        status,
        description,
    })
}

const BROKEN_VALUE: &str = "a header's value has a line break or a NUL in it";

fn check(line: &str) -> Result<(), ()> {
    match memchr::memchr3(b'\r', b'\n', 0, line.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(()),
    }
}
