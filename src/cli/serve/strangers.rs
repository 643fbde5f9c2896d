//! Streams of somebody else over what services are asked: a stream acknowledges each message with a
//! reply subject, so that whoever asks may get that in the place of the service's answer.

use serde_json::{Value, json};

use crate::mono::Connection;
use crate::wire::subjects::{MATH_CALCULATE, PAYMENT_STATUS};

/// A sentence for each of them; none where JetStream does not say.
pub(super) async fn strangers(connection: &Connection) -> Vec<String> {
    let mut found = Vec::new();
    for subject in [MATH_CALCULATE, PAYMENT_STATUS] {
        let asked = json!({ "subject": subject });
        let answer = connection.jetstream().request("STREAM.NAMES", &asked).await;
        let answer: Value = answer.unwrap_or_default();
        let names = answer["streams"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(names.map(|name| {
            format!(
                "stream `{name}`, which is not one of payments, stores what `{subject}` is asked: its \
                 acknowledgement may come before the answer"
            )
        }));
    }
    found
}
