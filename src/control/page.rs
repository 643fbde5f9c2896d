//! A page of a program under test: whether it answers a GET, and how.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::wire::control::ControlError;

use super::refused::bad_input;

/// One attempt: a program that accepts and does not answer is asked again.
const LIMIT: Duration = Duration::from_secs(1);
/// The longest first line of an answer.
const LONGEST_LINE: u64 = 8 * 1024;

/// An `http://` URL: the host, with its port, and the path.
///
/// # Errors
/// It is another one, or has what no request may have.
pub(super) fn parts(url: &str) -> Result<(String, &str), ControlError> {
    let wrong = |why: &str| bad_input(format!("ready.http: {url:?} {why}"));
    let rest = url.strip_prefix("http://").ok_or_else(|| wrong("is not an http:// URL"))?;
    if rest.contains(|c: char| c.is_control() || c == ' ') {
        return Err(wrong("has blanks or control characters"));
    }
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if host.is_empty() || host.starts_with(':') || host.contains('@') {
        return Err(wrong("must name a host, and no user"));
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok((if has_port { host.to_owned() } else { format!("{host}:80") }, path))
}

/// The status of the answer to a GET.
///
/// # Errors
/// Nobody answers in time, or not by HTTP/1.
pub(super) async fn status(host: &str, path: &str) -> io::Result<u16> {
    let asked = async {
        let mut stream = TcpStream::connect(host).await?;
        let question = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line).await?;
        let mut words = line.split_ascii_whitespace();
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        let status = words.next().filter(|_| is_http).and_then(|word| word.parse().ok());
        status.ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidData, "the answer does not begin as HTTP/1 does")
        })
    };
    tokio::time::timeout(LIMIT, asked).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        assert_eq!(parts("http://h:8080/a?b").unwrap(), ("h:8080".to_owned(), "/a?b"));
        assert_eq!(parts("http://h").unwrap(), ("h:80".to_owned(), "/"));
        for wrong in [
            "https://h/",
            "h:80",
            "http://",
            "http:///a",
            "http://u:p@h/",
            "http://h/a b",
            "http://h/\n",
        ] {
            let error = parts(wrong).unwrap_err();
            assert!(error.message.starts_with("ready.http: "), "{wrong:?}: {}", error.message);
        }
    }
}
