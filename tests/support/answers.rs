//! A server that speaks just enough of NATS to answer requests with the bytes of a vector.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Deserializer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const INFO: &str = "INFO {\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"2.14.0\",\"go\":\"x\",\
     \"host\":\"x\",\"port\":1,\"client_id\":1,\"headers\":true,\"max_payload\":1048576,\"proto\":1}\r\n";

/// What it answers: header block and body, where there are any; the subjects are those of a message
/// of a subscription.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Answer {
    #[serde(deserialize_with = "bytes")]
    pub block: Vec<u8>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub fault: String,
    #[serde(default, deserialize_with = "bytes")]
    pub subject: Vec<u8>,
    #[serde(default, deserialize_with = "bytes")]
    pub reply: Vec<u8>,
}

fn bytes<'de, D: Deserializer<'de>>(text: D) -> Result<Vec<u8>, D::Error> {
    Ok(String::deserialize(text)?.into_bytes())
}

/// Answers one request with each of these, the last again and again; its URL.
pub async fn answers(rows: Vec<Answer>) -> String {
    counted_answers(rows).await.0
}

/// The same, and how many connections there have been. Whoever subscribes to `x.>` gets all rows at
/// once.
pub async fn counted_answers(rows: Vec<Answer>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    let rows = Arc::new(Mutex::new(rows));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, rows.clone()));
        }
    });
    (url, connections)
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
                let all = if *subject == "x.>" { rows.lock().unwrap().clone() } else { Vec::new() };
                let subject = |row: &Answer| match row.subject.as_slice() {
                    b"" => b"x.y".to_vec(),
                    subject => subject.to_vec(),
                };
                all.iter().flat_map(|row| message(&subscriptions, &subject(row), row)).collect()
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
                        Some(_) => message(&subscriptions, reply[0].as_bytes(), &answer),
                        None => continue,
                    }
                } else {
                    // The connection's message to itself.
                    message(&subscriptions, subject.as_bytes(), &Answer::default())
                }
            }
            _ => continue,
        };
        stream.write_all(&out).await.ok()?;
    }
}

fn message(subscriptions: &[(String, String)], to: &[u8], row: &Answer) -> Vec<u8> {
    let begins = |subject: &String| subject.trim_end_matches(['*', '>']).as_bytes().to_vec();
    let fits = |(subject, _): &&(String, String)| to.starts_with(&begins(subject));
    let Some((_, sid)) = subscriptions.iter().find(fits) else { return Vec::new() };
    let (block, body) = (row.block.as_slice(), row.body.as_deref().unwrap_or_default());
    let total = block.len() + body.len();
    let (verb, sizes): (&[u8], _) = match block {
        [] => (b"MSG", format!("{total}")),
        _ => (b"HMSG", format!("{} {total}", block.len())),
    };
    let words = [verb, to, sid.as_bytes(), row.reply.as_slice(), sizes.as_bytes()];
    let words: Vec<&[u8]> = words.into_iter().filter(|word| !word.is_empty()).collect();
    [words.join(&b' ').as_slice(), b"\r\n", block, body.as_bytes(), b"\r\n"].concat()
}
