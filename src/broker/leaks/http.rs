//! Asks a server's monitoring port: HTTP/1.0, since the answer then just ends.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The server answers within milliseconds; one that is paused, not at all.
const LIMIT: Duration = Duration::from_secs(5);
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// Why a broker could not be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// It was started without.
    #[error("the broker was started without monitoring")]
    Off,
    /// Nobody answered, or not to the end.
    #[error("asking {url}: {source}")]
    Io {
        /// What was asked.
        url: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Not answered in time.
    #[error("asking {url}: no answer within {after:?}")]
    Timeout {
        /// What was asked.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The answer is not what the server documents.
    #[error("asking {url}: {problem}; it begins `{start}`")]
    Unexpected {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        problem: String,
        /// Its first characters.
        start: String,
    },
}

/// The JSON at a path of the monitoring port.
pub(super) async fn get(port: u16, path: &str) -> Result<Value, MonitorError> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let answer = match tokio::time::timeout(LIMIT, fetch(port, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return Err(MonitorError::Io { url, source }),
        Err(_) => return Err(MonitorError::Timeout { url, after: LIMIT }),
    };
    body(&answer).map_err(|problem| {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
        MonitorError::Unexpected { url, problem, start: start.escape_debug().to_string() }
    })
}

async fn fetch(port: u16, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn body(answer: &[u8]) -> Result<Value, String> {
    let end =
        answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("no end of headers")?;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("status `{status}`"));
    }
    // A truncated answer is no JSON.
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_with_status_200_is_one() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"a\":1}").unwrap()["a"], 1);
        assert!(body(b"HTTP/1.0 200 OK\r\n\r\n{\"a\":").is_err());
        assert!(body(b"HTTP/1.0 404 Not Found\r\n\r\n{}").unwrap_err().contains("404"));
        assert!(body(b"SSH-2.0").is_err());
    }
}
