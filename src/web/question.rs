//! Asks a page once.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::answer::{Answer, MOST_HEAD, head, whole};
use super::page::Page;
use crate::wire::driver::Headers;

/// What is asked.
pub struct Question<'a> {
    /// As `GET`.
    pub method: &'a str,
    /// Of whom.
    pub page: &'a Page,
    /// Beside `Host`, `Connection` and `Content-Length`.
    pub headers: &'a Headers,
    /// May be empty.
    pub body: &'a [u8],
}

/// Asks, and waits for the whole answer, as long as it takes.
///
/// # Errors
/// `InvalidInput`: a header cannot be sent. Nobody listens, or what comes is no whole answer of
/// HTTP/1.1, or larger than 16 MiB.
pub async fn ask(question: Question<'_>) -> io::Result<Answer> {
    let mut stream = sent(&question).await?;
    whole(&mut stream, question.method == "HEAD").await
}

/// The status of the answer to a GET. A page that has no end has one, too.
pub(super) async fn status(page: &Page) -> io::Result<u16> {
    let question = Question { method: "GET", page, headers: &Headers::new(), body: b"" };
    Ok(head(&mut sent(&question).await?.take(MOST_HEAD)).await?.0)
}

async fn sent(question: &Question<'_>) -> io::Result<BufReader<TcpStream>> {
    let Question { method, page, headers, body } = question;
    let Page { host, path, .. } = page;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in
        headers.iter().flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
    {
        let is_plain = |text: &str| !text.contains(char::is_control);
        if name.is_empty() || name.contains([':', ' ']) || !is_plain(name) || !is_plain(value) {
            let why = format!("`{name}: {value}` is no header");
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(method) {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(&page.address).await?;
    stream.write_all(&[request.as_bytes(), body].concat()).await?;
    Ok(BufReader::new(stream))
}
