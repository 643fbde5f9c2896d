//! Asks the web side of a service: plain HTTP, one request a connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A service that is up answers sooner.
const LIMIT: Duration = Duration::from_secs(5);
/// What comes before the body is not longer.
const MOST: u64 = 64 << 10;

/// Host with port, and path, of an `http://` URL; `None` where it is none.
pub(in crate::e2e) fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    (!host.is_empty()).then_some((host, path))
}

/// The status of the answer to a GET.
///
/// # Errors
/// Nobody answers in time, or not by HTTP; or the URL is none.
pub(in crate::e2e) async fn status(url: &str) -> io::Result<u16> {
    let asked = async {
        let (host, path) = parts(url).ok_or_else(|| io::Error::other("not an http:// URL"))?;
        let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        let mut stream = stream.take(MOST);
        while !head.contains(&b'\n') && stream.read_buf(&mut head).await? > 0 {}
        let line = String::from_utf8_lossy(&head);
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.ok_or_else(|| io::Error::other("the answer is no HTTP"))
    };
    match tokio::time::timeout(LIMIT, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_path() {
        assert_eq!(parts("http://127.0.0.1:80/a?b"), Some(("127.0.0.1:80", "/a?b")));
        assert_eq!(parts("http://a"), Some(("a", "/")));
        assert_eq!((parts("https://a/"), parts("http:///a")), (None, None));
    }
}
