//! A page of the test's own, at a port that nobody else can be given meanwhile.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

/// Answers a GET of a path, asked for the n-th time by anybody, with the status that is told; returns
/// the port. It ends with the test's process.
pub fn page(status: impl Fn(&str, usize) -> u16 + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (asked, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            // Who asks may be gone before it has asked, or before it is answered.
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap_or(0) > 0 {}
            let Some(path) = head.split(' ').nth(1) else { continue };
            let status = status(path, asked + 1);
            let answer = format!("HTTP/1.1 {status} \r\nContent-Length: 0\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    port
}
