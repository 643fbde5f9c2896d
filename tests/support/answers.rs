//! A server that speaks just enough of NATS to answer requests with the bytes of a vector.

use std::sync::{Arc, Mutex};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const INFO: &str = "INFO {\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"2.14.0\",\"go\":\"x\",\
     \"host\":\"x\",\"port\":1,\"client_id\":1,\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n";

/// What it answers: header block and body, where there are any.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    pub block: String,
    pub body: Option<String>,
    #[serde(default)]
    pub fault: String,
}

/// Answers one request with each of these, the last again and again; its URL.
pub async fn answers(rows: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let rows = Arc::new(Mutex::new(rows));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, rows.clone()));
        }
    });
    url
}

async fn serve(stream: TcpStream, rows: Arc<Mutex<Vec<Answer>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut subscriptions = Vec::new();
    stream.write_all(INFO.as_bytes()).await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let out = match words.as_slice() {
            ["PING"] => b"PONG\r\n".to_vec(),
            ["SUB", subject, .., sid] => {
                subscriptions.push(((*subject).to_owned(), (*sid).to_owned()));
                continue;
            }
            ["PUB" | "HPUB", subject, reply @ .., total] => {
                let mut body = vec![0; total.parse::<usize>().unwrap() + 2];
                stream.read_exact(&mut body).await.ok()?;
                let asked = reply.len() == if words[0] == "PUB" { 1 } else { 2 };
                if asked {
                    let answer = {
                        let mut rows = rows.lock().unwrap();
                        if rows.len() > 1 { rows.remove(0) } else { rows[0].clone() }
                    };
                    match answer.body {
                        _ if answer.fault == "close" => return None,
                        Some(body) => message(&subscriptions, reply[0], &answer.block, &body),
                        None => continue,
                    }
                } else {
                    // The connection's message to itself.
                    message(&subscriptions, subject, "", "")
                }
            }
            _ => continue,
        };
        stream.write_all(&out).await.ok()?;
    }
}

fn message(subscriptions: &[(String, String)], to: &str, block: &str, body: &str) -> Vec<u8> {
    let fits = |(subject, _): &&(String, String)| to.starts_with(subject.trim_end_matches('*'));
    let Some((_, sid)) = subscriptions.iter().find(fits) else { return Vec::new() };
    if block.is_empty() {
        return format!("MSG {to} {sid} {}\r\n{body}\r\n", body.len()).into_bytes();
    }
    let (headers, total) = (block.len(), block.len() + body.len());
    format!("HMSG {to} {sid} {headers} {total}\r\n{block}{body}\r\n").into_bytes()
}
