//! A NATS client that sends whatever bytes it is given, and every header block that is not one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection without a client library.
pub struct Raw {
    stream: BufReader<TcpStream>,
}

/// A message as it came: header block and body.
#[derive(Debug)]
pub struct Got {
    /// Where an answer is expected; empty where none is.
    pub reply: String,
    pub headers: String,
    pub body: String,
}

impl Raw {
    /// Connects to `nats://HOST:PORT`.
    pub fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.trim_start_matches("nats://")).expect("a broker");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let mut raw = Self { stream: BufReader::new(stream) };
        let info = raw.line();
        assert!(info.starts_with("INFO "), "{info}");
        raw.send(b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        raw.settle();
        raw
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the broker reads");
    }

    /// Returns when the broker has read everything.
    pub fn settle(&mut self) {
        self.send(b"PING\r\n");
        let mut line = self.line();
        // The broker asks too, a moment after somebody has come.
        while line == "PING" {
            self.send(b"PONG\r\n");
            line = self.line();
        }
        assert_eq!(line, "PONG");
    }

    pub fn subscribe(&mut self, subject: &str) {
        self.send(format!("SUB {subject} 1\r\n").as_bytes());
        self.settle();
    }

    /// Publishes a body behind a header block; the reply subject may be any bytes.
    pub fn publish(&mut self, subject: &[u8], reply: &[u8], block: &[u8], body: &[u8]) {
        let lengths = format!(" {} {}\r\n", block.len(), block.len() + body.len());
        let message = [b"HPUB ", subject, b" ", reply, lengths.as_bytes(), block, body, b"\r\n"];
        self.send(&message.concat());
    }

    /// The next message of a subscription.
    pub fn next(&mut self) -> Got {
        loop {
            let line = self.line();
            let words: Vec<&str> = line.split(' ').collect();
            let (reply, headers, total) = match words.as_slice() {
                ["PING"] => {
                    self.send(b"PONG\r\n");
                    continue;
                }
                ["MSG", _, _, total] => ("", "0", total),
                ["MSG", _, _, reply, total] => (*reply, "0", total),
                ["HMSG", _, _, headers, total] => ("", *headers, total),
                ["HMSG", _, _, reply, headers, total] => (*reply, *headers, total),
                _ => panic!("{line}"),
            };
            let number = |word: &str| word.parse::<usize>().expect("a length");
            let (headers, total) = (number(headers), number(total));
            let mut bytes = vec![0; total + 2];
            self.stream.read_exact(&mut bytes).expect("the message");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let reply = reply.to_owned();
            return Got {
                reply,
                headers: text(&bytes[..headers]),
                body: text(&bytes[headers..total]),
            };
        }
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).expect("a line in time");
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }
}

/// Header blocks that cannot be read, and what is said of them.
pub fn unreadable_blocks() -> Vec<(&'static str, Vec<u8>)> {
    let block = |lines: &[u8]| [b"NATS/1.0\r\n", lines, b"\r\n\r\n"].concat();
    vec![
        ("has a line break or a NUL", block(b"X: a\rb")),
        ("has a line break or a NUL", block(b"X: a\r\n b\rc")),
        ("has a line break or a NUL", block(b"X: a\0b")),
        // The server sees one header here, and takes away no second one that a stranger forged.
        ("has a line break or a NUL", block(b"X: a\nMono-Forged: b")),
        ("has no colon", block(b"no colon here")),
        ("has a line break or a NUL", block(b"X: a\nb")),
        ("has no name", block(b": v")),
        ("visible ASCII", block(b"a name: v")),
        ("visible ASCII", block("n\u{e4}me: v".as_bytes())),
        ("visible ASCII", block(b" X: continues nothing")),
        ("not UTF-8", block(b"X: caf\xe9")),
        ("not UTF-8", block(b"caf\xe9: x")),
        ("not NATS/1.0", b"NATS/1.1\r\nX: a\r\n\r\n".to_vec()),
        ("not NATS/1.0", b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ("not NATS/1.0", b"\r\n\r\n".to_vec()),
        ("not NATS/1.0", b"\0\0\0".to_vec()),
        (
            "has a line break or a NUL",
            block(&[b"X: ", b"y".repeat(60_000).as_slice(), b"\rz"].concat()),
        ),
    ]
}

/// The same, by what follows NATS/1.0; a stream keeps nothing of that.
pub fn unreadable_statuses() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("three digits", b"NATS/1.0 abc\r\n\r\n".to_vec()),
        ("three digits", b"NATS/1.0 99999 much\r\n\r\n".to_vec()),
        ("not NATS/1.0", b"NATS/1.0odd\r\n\r\n".to_vec()),
    ]
}

/// Header blocks that are strange and can be read.
pub fn strange_blocks() -> Vec<Vec<u8>> {
    let many: Vec<u8> = (0..2000).flat_map(|n| format!("X-{n}: v\r\n").into_bytes()).collect();
    vec![
        b"NATS/1.0\r\n\r\n".to_vec(),
        b"NATS/1.0\r\nX: no end".to_vec(),
        b"NATS/1.0\r\nX: a\r\n continues\r\n\tstill\r\n\r\n".to_vec(),
        b"NATS/1.0\r\nX: 1\r\nx: 2\r\nX: 3\r\n\r\n".to_vec(),
        "NATS/1.0\r\nX: caf\u{e9} \u{2028}\u{202e}\r\n\r\n".as_bytes().to_vec(),
        [b"NATS/1.0\r\n", many.as_slice(), b"\r\n"].concat(),
        // What only the server may say, said by a publisher.
        b"NATS/1.0 100 Idle Heartbeat\r\n\r\n".to_vec(),
        b"NATS/1.0 404 No Messages\r\n\r\n".to_vec(),
        b"NATS/1.0 408 Request Timeout\r\n\r\n".to_vec(),
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n".to_vec(),
        b"NATS/1.0 409 Consumer is push based\r\nNats-Pending-Messages: x\r\n\r\n".to_vec(),
        b"NATS/1.0 423 Nats-Wrong-Pin-Id\r\n\r\n".to_vec(),
        b"NATS/1.0 503\r\n\r\n".to_vec(),
        b"NATS/1.0 999 Nobody knows\r\n\r\n".to_vec(),
    ]
}

/// Chance with a seed: the same bytes in each run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        // xorshift64*, from Vigna's "An experimental exploration of Marsaglia's xorshift generators".
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).expect("31 bits") % limit
    }

    /// So many bytes at most, of those that header blocks are made of and any others; none of `not`.
    pub fn bytes(&mut self, most: usize, not: &[u8]) -> Vec<u8> {
        const OFTEN: &[u8] = b"\r\n\r\n\r\n: \t:aX-503 1\0\xff\xe9\xc2\xa0\xe2\x80\xa8";
        let count = self.below(most + 1);
        let bytes = (0..count).map(|_| match self.below(4) {
            0 => u8::try_from(self.below(256)).expect("a byte"),
            _ => OFTEN[self.below(OFTEN.len())],
        });
        bytes.filter(|byte| !not.contains(byte)).collect()
    }
}
