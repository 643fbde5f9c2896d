//! Whether somebody serves payments on a system already, whoever it is: a `serve` that no file tells of, as one of
//! another user, on another machine, or with `--unlisted`.
//!
//! Each service answers the NATS service API, and what nobody listens for the server answers. Leaf nodes carry
//! the question to servers with a JetStream of their own, so where there are any, an answer proves nothing.
//! Where somebody listens to what any service is asked, silence proves nothing.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::Value;

use crate::mono::{Connection, Denied, summary};

/// Each server of the account says here how many leaf nodes it has.
pub(super) const LEAF_NODES: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";
/// How long an answer may take: whoever listens may be paused.
const LIMIT: Duration = Duration::from_secs(2);

/// Why it is not known whether anybody serves payments.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unheard {
    /// This user may not ask, or not be answered.
    #[error("it may not be asked: {0}")]
    Denied(#[from] Denied),
    /// The question was not sent, or the connection closed.
    #[error("it could not be asked: {0}")]
    Failed(String),
    /// Somebody hears also what is asked of nobody.
    #[error(
        "somebody listens here to what any service is asked, as `nats sub '>'` does, so that a paused one is \
         not told from none"
    )]
    Overheard,
}

/// What came of a question.
enum Asked<T> {
    /// Nobody listens.
    Nobody,
    /// Somebody listens, and nobody answered.
    Silent,
    /// Somebody answered; with what is looked for, if an answer says it.
    Answered(Option<T>),
}

/// Whether a `serve` is there that uses the streams here, in words. `None` where none is, or where leaf nodes
/// may have answered.
///
/// # Errors
/// It is not known.
pub(super) async fn heard(connection: &Connection) -> Result<Option<String>, Unheard> {
    let ours = |answer: &Value| {
        let is_ours = answer["description"] == summary("payment");
        is_ours.then(|| answer["id"].as_str().unwrap_or_default().to_owned())
    };
    let id = match ask(connection, &info("payment"), ours).await? {
        Asked::Nobody | Asked::Answered(None) => return Ok(None),
        Asked::Answered(id) => id,
        Asked::Silent => None,
    };
    if has_leaf_nodes(connection).await {
        return Ok(None);
    }
    match id {
        Some(id) => Ok(Some(format!(
            "a `serve` answers here for payments, of which no file tells (instance {id})"
        ))),
        None if is_overheard(connection).await => Err(Unheard::Overheard),
        None => Ok(Some("somebody listens here for payments, and does not answer".to_owned())),
    }
}

/// Where a service of this name says what it is.
fn info(service: &str) -> String {
    format!("$SRV.INFO.{service}")
}

/// Whether a server says so; it is not known of one that may not be asked.
async fn has_leaf_nodes(connection: &Connection) -> bool {
    let has_some = |answer: &Value| {
        let accounts = answer["data"]["account_statz"].as_array().into_iter().flatten();
        accounts.into_iter().any(|of| of["leafnodes"].as_u64() > Some(0)).then_some(())
    };
    matches!(ask(connection, LEAF_NODES, has_some).await, Ok(Asked::Answered(Some(()))))
}

/// Whether somebody hears what a service is asked that nobody has; it is not known where that may not be asked.
async fn is_overheard(connection: &Connection) -> bool {
    let inbox = connection.client().new_inbox();
    let nobody = inbox.rsplit('.').next().unwrap_or_default();
    let asked = ask(connection, &info(nobody), |_| Some(())).await;
    matches!(asked, Ok(Asked::Silent | Asked::Answered(_)))
}

/// Asks until an answer says what is looked for: how many answer cannot be known.
async fn ask<T>(
    connection: &Connection,
    question: &str,
    mut look: impl FnMut(&Value) -> Option<T>,
) -> Result<Asked<T>, Unheard> {
    let failed = |evidence: String| Unheard::Failed(evidence);
    let client = connection.client();
    let inbox = client.new_inbox();
    let asked = async {
        let answers = client.subscribe(inbox.clone()).await;
        let mut answers = answers.map_err(|e| failed(e.to_string()))?;
        let sent = client.publish_with_reply(question.to_owned(), inbox.clone(), "".into()).await;
        sent.map_err(|e| failed(e.to_string()))?;
        let mut is_answered = false;
        let found = tokio::time::timeout(LIMIT, async {
            loop {
                let answer = answers.next().await;
                let answer = answer.ok_or_else(|| failed("the connection closed".to_owned()))?;
                if answer.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                    return Ok(Asked::Nobody);
                }
                is_answered = true;
                let answer: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
                if let Some(found) = look(&answer) {
                    return Ok(Asked::Answered(Some(found)));
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) if is_answered => Ok(Asked::Answered(None)),
            Err(_) => Ok(Asked::Silent),
        }
    };
    connection.unless_denied(&[question], asked).await?
}
