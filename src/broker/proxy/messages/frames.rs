//! Where the frames of the NATS client protocol begin and end; pure.
//!
//! As nats-server reads it: verbs in any case, blanks and tabs between arguments, a control line
//! that ends with LF or CRLF, and a payload of the announced length with CRLF behind it.

use std::ops::Range;

/// A control line may be so long; of the server's own only INFO comes near it.
const LINE_LIMIT: usize = 1 << 20;
/// A message may be so long: nats-server allows 64 MiB at most.
const PAYLOAD_LIMIT: usize = 64 << 20;

/// Bytes that are no frame: TLS, or another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::proxy) struct NoFrame;

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::proxy) struct Frame<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// What it carries, if it is a message.
    pub(super) message: Option<Message<'a>>,
}

/// What PUB, HPUB, MSG and HMSG carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::proxy) struct Message<'a> {
    pub(super) subject: &'a [u8],
    /// Empty where there is none.
    pub(super) reply: &'a [u8],
    /// The block, from `NATS/1.0` to the empty line; empty where there is none.
    pub(super) headers: &'a [u8],
    pub(super) body: &'a [u8],
}

/// What a control line announces.
#[derive(Debug, PartialEq, Eq)]
struct Announced {
    subject: Range<usize>,
    reply: Range<usize>,
    headers: usize,
    all: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the beginning of `bytes`; `None` where it is not whole yet.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Option<Self>, NoFrame> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            // Nobody waits for the rest of what is none: a TLS handshake would stand still.
            return if is_begun(bytes) { Ok(None) } else { Err(NoFrame) };
        };
        let line = &bytes[..end];
        let Some(Announced { subject, reply, headers, all }) = announced(line)? else {
            return Ok(Some(Self { bytes: &bytes[..=end], message: None }));
        };
        let carried = &bytes[end + 1..];
        let Some(payload) = carried.get(..all + 2) else { return Ok(None) };
        if !payload.ends_with(b"\r\n") {
            return Err(NoFrame);
        }
        let message = Message {
            subject: &line[subject],
            reply: &line[reply],
            headers: &payload[..headers],
            body: &payload[headers..all],
        };
        Ok(Some(Self { bytes: &bytes[..end + 1 + all + 2], message: Some(message) }))
    }
}

/// Follows bytes that pass, so that it is known where the next frame begins.
#[derive(Debug, Default)]
pub(in crate::broker::proxy) struct Scanner {
    /// The control line of which a part has passed.
    line: Vec<u8>,
    /// So many bytes of the frame's payload are still to come.
    rest: usize,
}

impl Scanner {
    /// Bytes that pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), NoFrame> {
        while !bytes.is_empty() {
            bytes = &bytes[self.advance(bytes)?..];
        }
        Ok(())
    }

    /// How many of the bytes belong to a frame of which a part has passed already.
    pub(super) fn begun(&mut self, bytes: &[u8]) -> Result<usize, NoFrame> {
        let mut passed = 0;
        while passed < bytes.len() && !(self.line.is_empty() && self.rest == 0) {
            passed += self.advance(&bytes[passed..])?;
        }
        Ok(passed)
    }

    /// Takes the rest of a payload, or of a control line, as far as it is there.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, NoFrame> {
        if self.rest > 0 {
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            return Ok(passed);
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(bytes);
            return if is_begun(&self.line) { Ok(bytes.len()) } else { Err(NoFrame) };
        };
        let announced = if self.line.is_empty() {
            announced(&bytes[..end])?
        } else {
            self.line.extend_from_slice(&bytes[..end]);
            let announced = announced(&self.line)?;
            self.line.clear();
            announced
        };
        self.rest = announced.map_or(0, |announced| announced.all + 2);
        Ok(end + 1)
    }
}

/// Whether this may be the beginning of a control line.
fn is_begun(line: &[u8]) -> bool {
    let of_a_verb = |byte: &u8| byte.is_ascii_alphabetic() || [b'+', b'-'].contains(byte);
    line.first().is_none_or(of_a_verb) && line.len() <= LINE_LIMIT
}

/// What a control line announces; `None` for one that stands alone.
fn announced(line: &[u8]) -> Result<Option<Announced>, NoFrame> {
    // As the server does it: what stands before the line's end is a blank, too.
    let mut arguments = [const { 0..0 }; 6];
    let mut count = 0;
    let mut at = 0;
    for word in line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
        if !word.is_empty() && count < arguments.len() {
            arguments[count] = at..at + word.len();
            count += 1;
        }
        at += word.len() + 1;
    }
    let is = |verb: &[u8]| count > 0 && line[arguments[0].clone()].eq_ignore_ascii_case(verb);
    let (with_headers, with_sid) = match () {
        () if is(b"PUB") => (false, false),
        () if is(b"MSG") => (false, true),
        () if is(b"HPUB") => (true, false),
        () if is(b"HMSG") => (true, true),
        () => {
            let alone: [&[u8]; 8] =
                [b"INFO", b"CONNECT", b"SUB", b"UNSUB", b"PING", b"PONG", b"+OK", b"-ERR"];
            return if alone.into_iter().any(is) { Ok(None) } else { Err(NoFrame) };
        }
    };
    // VERB subject [sid] [reply] [headers] all
    let least = 3 + usize::from(with_sid) + usize::from(with_headers);
    let has_reply = match count {
        count if count == least => false,
        count if count == least + 1 => true,
        _ => return Err(NoFrame),
    };
    let all = size(&line[arguments[count - 1].clone()])?;
    let headers = match with_headers {
        true => size(&line[arguments[count - 2].clone()])?,
        false => 0,
    };
    if headers > all {
        return Err(NoFrame);
    }
    let reply = match has_reply {
        true => arguments[2 + usize::from(with_sid)].clone(),
        false => 0..0,
    };
    Ok(Some(Announced { subject: arguments[1].clone(), reply, headers, all }))
}

fn size(digits: &[u8]) -> Result<usize, NoFrame> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| all_digits).ok_or(NoFrame)?;
    text.parse().ok().filter(|size| *size <= PAYLOAD_LIMIT).ok_or(NoFrame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(bytes: &'a [u8]) -> Message<'a> {
        let frame = Frame::first(bytes).unwrap().expect("a whole frame");
        assert_eq!(frame.bytes, bytes);
        frame.message.expect("a message")
    }

    #[test]
    fn every_form_of_a_message_is_read() {
        let all: [(&[u8], [&[u8]; 4]); 9] = [
            (b"PUB a 2\r\nhi\r\n", [b"a", b"", b"", b"hi"]),
            (b"pub a.b _INBOX.1 0\r\n\r\n", [b"a.b", b"_INBOX.1", b"", b""]),
            (b"PUB  a \t r   3 \r\na\r\n\r\n", [b"a", b"r", b"", b"a\r\n"]),
            (b"Pub a 2\nhi\r\n", [b"a", b"", b"", b"hi"]),
            (b"HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", [b"a", b"", b"NATS/1.0\r\n\r\n", b"hi"]),
            (b"hpub a r 12 12\r\nNATS/1.0\r\n\r\n\r\n", [b"a", b"r", b"NATS/1.0\r\n\r\n", b""]),
            (b"MSG a 7 2\r\nhi\r\n", [b"a", b"", b"", b"hi"]),
            (b"MSG a 7 r 2\r\nhi\r\n", [b"a", b"r", b"", b"hi"]),
            (
                b"HMSG a 7 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
                [b"a", b"r", b"NATS/1.0\r\n\r\n", b"hi"],
            ),
        ];
        for (bytes, [subject, reply, headers, body]) in all {
            assert_eq!(message(bytes), Message { subject, reply, headers, body });
            for cut in 0..bytes.len() {
                assert_eq!(Frame::first(&bytes[..cut]), Ok(None), "{cut} bytes of {bytes:?}");
            }
        }
    }

    #[test]
    fn what_stands_alone_is_a_frame_and_what_is_none_is_told() {
        let alone: [&[u8]; 9] = [
            b"INFO {\"max_payload\":1}\r\n",
            b"connect {}\r\n",
            b"SUB a q 1\r\n",
            b"UNSUB 1 5\r\n",
            b"PING\r\n",
            b"pong\n",
            b"+OK\r\n",
            b"-ERR 'Permissions Violation'\r\n",
            b"PING \t\r\n",
        ];
        for bytes in alone {
            assert_eq!(Frame::first(bytes), Ok(Some(Frame { bytes, message: None })));
        }
        let wrong: [&[u8]; 10] = [
            b"\x16\x03\x01\x02\x00\n",
            b"\r\n",
            b"GET / HTTP/1.1\r\n",
            b"PUB a\r\n",
            b"PUB a b c 1\r\n",
            b"PUB a +1\r\nx\r\n",
            b"PUB a 99999999999\r\n",
            b"PUB a 1\r\nxyz",
            b"HPUB a 3 2\r\n",
            b"MSG a 1\r\n",
        ];
        for bytes in wrong {
            assert_eq!(Frame::first(bytes), Err(NoFrame), "{bytes:?}");
        }
    }
}
