//! Streams of somebody else over what services are asked: a stream acknowledges each message with a
//! reply subject, so that whoever asks may get that in the place of the service's answer.

use serde_json::{Value, json};

use crate::mono::Connection;
use crate::wire::subjects::{EMAIL_SEND, MATH_CALCULATE, PAYMENT_STATUS};

/// A sentence for each of them; none where JetStream does not say.
pub(super) async fn strangers(connection: &Connection) -> Vec<String> {
    let mut found = Vec::new();
    for subject in [MATH_CALCULATE, PAYMENT_STATUS, EMAIL_SEND] {
        let asked = json!({ "subject": subject });
        let answer = connection.jetstream().request("STREAM.LIST", &asked).await;
        let answer: Value = answer.unwrap_or_default();
        let configs = answer["streams"].as_array().into_iter().flatten().map(|it| &it["config"]);
        // One that only records what is asked.
        let acknowledge = configs.filter(|config| config["no_ack"] != true);
        found.extend(acknowledge.filter_map(|config| {
            let name = config["name"].as_str()?;
            Some(format!(
                "stream `{name}` also stores requests to `{subject}`: its acknowledgement may reach \
                 the caller before the answer"
            ))
        }));
    }
    found
}
