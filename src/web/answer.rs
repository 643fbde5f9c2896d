//! An answer of HTTP/1.1, read to its end.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::wire::driver::Headers;

/// What comes before the body is not longer, nor is a line of it.
pub(super) const MOST_HEAD: u64 = 64 << 10;
/// Nor is the body.
const MOST_BODY: u64 = 16 << 20;

/// What is answered. Names of headers are in lower case; those of the connection are left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// From 200 on.
    pub status: u16,
    /// All values of a name, in the order in which they came.
    pub headers: Headers,
    /// At most 16 MiB.
    pub body: Vec<u8>,
}

/// How the body comes, which differs from server to server.
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"];

/// Reads one answer to its end.
pub(super) async fn whole(
    stream: &mut (impl AsyncBufRead + Unpin),
    no_body: bool,
) -> io::Result<Answer> {
    let (status, mut headers) = loop {
        let (status, headers) = head(&mut (&mut *stream).take(MOST_HEAD)).await?;
        // 100 Continue and such come before the answer.
        if !(100..200).contains(&status) {
            break (status, headers);
        }
    };
    let first = |name: &str| headers.get(name).and_then(|values| values.first()).cloned();
    let chunked = first("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let length = first("content-length").map(|text| {
        text.trim().parse::<u64>().map_err(|_| broken(&format!("`{text}` is no length")))
    });
    let body = match length.transpose()? {
        _ if no_body || [204, 304].contains(&status) => Vec::new(),
        _ if chunked => chunks(stream).await?,
        Some(length) => exactly(stream, length).await?,
        None => {
            let mut body = Vec::new();
            (&mut *stream).take(MOST_BODY + 1).read_to_end(&mut body).await?;
            bounded(body.len() as u64)?;
            body
        }
    };
    headers.retain(|name, _| !OF_THE_CONNECTION.contains(&name.as_str()));
    Ok(Answer { status, headers, body })
}

/// The status and the headers.
pub(super) async fn head(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<(u16, Headers)> {
    let line = line(stream).await?;
    let is_http = line.starts_with("HTTP/1.");
    let status = line.split(' ').nth(1).filter(|_| is_http).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| broken("it does not begin with a status of HTTP/1.1"))?;
    Ok((status, fields(stream).await?))
}

/// Headers, or what follows the last chunk, up to an empty line.
async fn fields(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Headers> {
    let mut headers = Headers::new();
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header has no `:`"))?;
        headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
}

/// A line without its end.
async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    (&mut *stream).take(MOST_HEAD).read_until(b'\n', &mut line).await?;
    let line = line.strip_suffix(b"\n").ok_or_else(|| broken("it ends in mid-line"))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Ok(String::from_utf8_lossy(line).into_owned())
}

async fn chunks(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream).await?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16);
        let size = size.map_err(|_| broken(&format!("`{digits}` is no size of a chunk")))?;
        if size == 0 {
            fields(stream).await?;
            return Ok(body);
        }
        bounded(size.saturating_add(body.len() as u64))?;
        body.extend(exactly(stream, size).await?);
        if !line(stream).await?.is_empty() {
            return Err(broken("a chunk is longer than it says"));
        }
    }
}

async fn exactly(stream: &mut (impl AsyncBufRead + Unpin), length: u64) -> io::Result<Vec<u8>> {
    bounded(length)?;
    let mut body = Vec::new();
    (&mut *stream).take(length).read_to_end(&mut body).await?;
    match body.len() as u64 == length {
        true => Ok(body),
        false => Err(broken(&format!("it ends after {} of {length} bytes", body.len()))),
    }
}

fn bounded(length: u64) -> io::Result<()> {
    match length > MOST_BODY {
        true => Err(broken(&format!("its body is larger than {MOST_BODY} bytes"))),
        false => Ok(()),
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the answer is broken: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str, no_body: bool) -> Result<Answer, String> {
        whole(&mut text.as_bytes(), no_body).await.map_err(|error| error.to_string())
    }

    async fn body(text: &str) -> Result<String, String> {
        read(text, false).await.map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
    }

    #[tokio::test]
    async fn a_body_ends_where_the_answer_says() {
        for (text, wanted) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", "hello"),
            ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\nA\r\n, how are \r\n0\r\nTrailer: x\r\n\r\n",
                "hello, how are ",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\nignored", ""),
        ] {
            assert_eq!(body(text).await.as_deref(), Ok(wanted), "{text}");
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Of: a\r\nx-of: b\r\n\r\n";
        let answer = read(head, true).await.unwrap();
        assert_eq!(
            answer.headers,
            Headers::from([("x-of".to_owned(), vec!["a".to_owned(), "b".to_owned()])])
        );
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_told() {
        for (text, why) in [
            ("", "ends in mid-line"),
            ("SSH-2.0-x\r\n", "does not begin with a status"),
            ("HTTP/1.1 OK\r\n\r\n", "does not begin with a status"),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "has no `:`"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "ends after 5 of 9 bytes"),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "`-1` is no length"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "larger than"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no size of a chunk"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
                "longer than it says",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                "larger than",
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "ends after 3 of 5"),
        ] {
            let said = body(text).await.unwrap_err();
            assert!(said.contains(why), "{text:?}: {said}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1 << 20));
        assert!(body(&endless).await.unwrap_err().contains("mid-line"));
    }
}
