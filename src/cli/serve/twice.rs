//! Whether each submission is stored once.
//!
//! Where servers with a JetStream each are joined as leaf nodes, the streams of both take what is
//! submitted at either: two services charge it, and nobody is told, for the first acknowledgement is
//! taken. So both are asked, with a message that no stream stores.

use async_nats::{HeaderMap, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;

use crate::modules::payment::REQUESTS;
use crate::mono::Connection;
use crate::wire::headers::EXPECTED_STREAM;
use crate::wire::subjects::PAYMENT_PROCESS;

/// A name that no stream has: each refuses the message, and says so.
const NONE: &str = "mono-demo-asks-who-stores-this";
/// What a stream of another name says.
const OTHER_STREAM: u64 = 10060;

/// A question that each stream which takes submissions answers.
#[derive(Debug)]
pub(super) struct Twice {
    answers: Subscriber,
    inbox: String,
    /// The last question's number.
    asked: u64,
    /// What the server had refused before the first one.
    refusals: u64,
}

impl Twice {
    pub(super) async fn begin(connection: &Connection) -> Option<Self> {
        let inbox = connection.client().new_inbox();
        let answers = connection.client().subscribe(format!("{inbox}.*")).await.ok()?;
        Some(Self { answers, inbox, asked: 0, refusals: connection.caller().refusals() })
    }

    /// Looks at what came since the last question, and asks again. A sentence where several streams
    /// answered one question.
    pub(super) async fn look(&mut self, connection: &Connection) -> Option<String> {
        let last = format!("{}.{}", self.inbox, self.asked);
        let mut streams = 0;
        while let Some(Some(answer)) = self.answers.next().now_or_never() {
            streams += usize::from(*answer.subject == *last && is_of_a_stream(&answer.payload));
        }
        // Whoever may not ask is not told either.
        if connection.caller().refusals() == self.refusals {
            self.asked += 1;
            let reply = format!("{}.{}", self.inbox, self.asked);
            let mut headers = HeaderMap::new();
            headers.insert(EXPECTED_STREAM, NONE);
            let client = connection.client();
            let asked =
                client.publish_with_reply_and_headers(PAYMENT_PROCESS, reply, headers, "".into());
            let _ = asked.await;
        }
        (streams > 1).then(|| {
            format!(
                "what is submitted to `{PAYMENT_PROCESS}` is stored by {streams} streams (one is \
                 `{REQUESTS}` here), as where servers with a JetStream each are joined as leaf nodes: each \
                 payment may be charged once for each; let one of them have the stream, or deny the subject \
                 between them"
            )
        })
    }
}

fn is_of_a_stream(answer: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["error"]["err_code"] == OTHER_STREAM
}
