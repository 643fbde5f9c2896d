//! Whether somebody serves payments on a system already, whoever it is: a `serve` that no file tells of, as one of
//! another user, on another machine, or with `--unlisted`.
//!
//! Each service answers the NATS service API. Leaf nodes carry the question to servers with a JetStream of their
//! own, so where there are any, an answer proves nothing.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::mono::{Connection, summary};

/// Who serves payments.
const QUESTION: &str = "$SRV.INFO.payment";
/// Each server of the account says here how many leaf nodes it has.
pub(super) const LEAF_NODES: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";
/// How long an answer may take: whoever listens may be paused.
const LIMIT: Duration = Duration::from_secs(2);

/// Whether a `serve` is there that uses the streams here, in words. `None` where nobody is heard, or may be asked.
pub(super) async fn heard(connection: &Connection) -> Option<String> {
    let mut is_paused = true;
    let ours = answers(connection, QUESTION, |answer| {
        is_paused = false;
        (answer["description"] == summary("payment"))
            .then(|| answer["id"].as_str().map(str::to_owned))
    })
    .await?;
    let who = match ours {
        Some(id) => format!(
            "a `serve` answers here for payments, of which no file tells (instance {})",
            id.unwrap_or_default()
        ),
        // Somebody listens.
        None if is_paused => "somebody listens here for payments, and does not answer".to_owned(),
        None => return None,
    };
    let has_some = |answer: &Value| {
        let accounts = answer["data"]["account_statz"].as_array().into_iter().flatten();
        accounts.into_iter().any(|of| of["leafnodes"].as_u64() > Some(0)).then_some(())
    };
    match answers(connection, LEAF_NODES, has_some).await {
        Some(Some(())) => None,
        _ => Some(who),
    }
}

/// The first answer that says what is looked for, if one does; `None` where nobody listens, or it may not be asked.
async fn answers<T>(
    connection: &Connection,
    question: &str,
    mut look: impl FnMut(&Value) -> Option<T>,
) -> Option<Option<T>> {
    let client = connection.client();
    let inbox = client.new_inbox();
    let asked = async {
        let mut answers = client.subscribe(inbox.clone()).await.ok()?;
        client.publish_with_reply(question.to_owned(), inbox.clone(), "".into()).await.ok()?;
        // How many answer cannot be known.
        let found = tokio::time::timeout(LIMIT, async {
            while let Some(answer) = answers.next().await {
                if answer.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                    return None;
                }
                let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
                if let Some(found) = look(&answer) {
                    return Some(found);
                }
            }
            None
        });
        match found.await {
            Ok(Some(found)) => Some(Some(found)),
            Ok(None) => None,
            Err(_) => Some(None),
        }
    };
    connection.unless_denied(&[question], asked).await.ok()?
}
