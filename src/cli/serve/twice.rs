//! Whether each submission is stored once.
//!
//! Where servers with a JetStream each are joined as leaf nodes, the streams of both take what is
//! submitted at either: two services charge it, and nobody is told, for the first acknowledgement is
//! taken. So where there are leaf nodes all streams are asked, with a message that none stores.

use async_nats::{HeaderMap, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;

use super::heard::LEAF_NODES;
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
    /// There are leaf nodes, or were.
    has_leaf_nodes: bool,
    /// What the server had refused before the first one.
    refusals: u64,
}

impl Twice {
    pub(super) async fn begin(connection: &Connection) -> Option<Self> {
        let inbox = connection.client().new_inbox();
        let answers = connection.client().subscribe(format!("{inbox}.*")).await.ok()?;
        let refusals = connection.caller().refusals();
        Some(Self { answers, inbox, asked: 0, has_leaf_nodes: false, refusals })
    }

    /// Looks at what came since the last question, and asks again. A sentence where several streams
    /// answered one question.
    pub(super) async fn look(&mut self, connection: &Connection) -> Option<String> {
        let (leaf_nodes, last) = (format!("{}.0", self.inbox), self.reply());
        let mut streams = 0;
        while let Some(Some(answer)) = self.answers.next().now_or_never() {
            let body: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
            if *answer.subject == *leaf_nodes {
                let accounts = body["data"]["account_statz"].as_array().into_iter().flatten();
                self.has_leaf_nodes |=
                    accounts.into_iter().any(|of| of["leafnodes"].as_u64() > Some(0));
            } else if *answer.subject == *last && body["error"]["err_code"] == OTHER_STREAM {
                streams += 1;
            }
        }
        // Whoever may not ask is not told either.
        if connection.caller().refusals() == self.refusals {
            self.ask(connection, leaf_nodes).await;
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

    fn reply(&self) -> String {
        format!("{}.{}", self.inbox, self.asked)
    }

    async fn ask(&mut self, connection: &Connection, leaf_nodes: String) {
        let client = connection.client();
        // What cannot be sent now is asked at the next look.
        let _ = client.publish_with_reply(LEAF_NODES, leaf_nodes, "{}".into()).await;
        if self.has_leaf_nodes {
            self.asked += 1;
            let (reply, mut headers) = (self.reply(), HeaderMap::new());
            headers.insert(EXPECTED_STREAM, NONE);
            let asked =
                client.publish_with_reply_and_headers(PAYMENT_PROCESS, reply, headers, "".into());
            let _ = asked.await;
        }
    }
}
