//! Streams of somebody else over what services are asked: a stream acknowledges each message with a
//! reply subject, so that whoever asks may get that in the place of the service's answer.

use serde_json::{Value, json};

use crate::broker::subject_matches as matches;
use crate::mono::Connection;
use crate::wire::subjects::{EMAIL_SEND, MATH_CALCULATE, PAYMENT_STATUS, SERVICES};

/// A sentence for each of them; none where JetStream does not say.
pub(super) async fn strangers(connection: &Connection) -> Vec<String> {
    let asked = json!({ "subject": format!("{SERVICES}.>") });
    let answer = connection.jetstream().request("STREAM.LIST", &asked).await;
    let answer: Value = answer.unwrap_or_default();
    let configs = answer["streams"].as_array().into_iter().flatten().map(|it| &it["config"]);
    // One that only records what is asked.
    let acknowledge = configs.filter(|config| config["no_ack"] != true);
    acknowledge.flat_map(told).collect()
}

/// What one stream takes of what services are asked.
fn told(config: &Value) -> Vec<String> {
    let name = config["name"].as_str().unwrap_or_default();
    let patterns = config["subjects"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let patterns: Vec<&str> = patterns.collect();
    let stored = |subject: &&str| patterns.iter().any(|pattern| matches(pattern, subject));
    let subjects = [MATH_CALCULATE, PAYMENT_STATUS, EMAIL_SEND].into_iter().filter(stored);
    let sentence = |subject| {
        format!(
            "stream `{name}` also stores requests to `{subject}`: its acknowledgement may reach the \
             caller before the answer"
        )
    };
    subjects.map(sentence).collect()
}
