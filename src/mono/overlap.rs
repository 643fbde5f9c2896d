//! Which streams have the subjects that another one is to take: a server refuses the second, and names none.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::Config;
use serde_json::{Value, json};

use super::connect::Connection;
use super::error::ModuleError;

/// Where streams are listed, but for a JetStream of another domain.
const LIST: &str = "$JS.API.STREAM.LIST";
/// The error, and where it is a refusal for the subjects, the streams that have them: as far as this user may
/// list them.
pub(super) async fn explained(
    connection: &Connection,
    wanted: &Config,
    error: ModuleError,
) -> ModuleError {
    if error.code != Some(ErrorCode::STREAM_SUBJECT_OVERLAP.0) {
        return error;
    }
    let (mut others, jetstream) = (Vec::new(), connection.jetstream());
    for subject in &wanted.subjects {
        let asked = json!({ "subject": subject });
        let listed = jetstream.request("STREAM.LIST", &asked);
        let listed: Value = match connection.unless_denied(&[LIST], listed).await {
            Ok(Ok(listed)) => listed,
            _ => continue,
        };
        let configs = listed["streams"].as_array().into_iter().flatten().map(|it| &it["config"]);
        others.extend(configs.filter(|config| config["name"] != wanted.name.as_str()).map(told));
    }
    others.sort();
    others.dedup();
    let ours = list(wanted.subjects.iter().map(String::as_str));
    let (evidence, find_it) = match &others[..] {
        [] => {
            let subjects = wanted.subjects.join(",");
            (error.evidence, format!("`nats stream ls --subject '{subjects}'` names it: "))
        }
        others => (format!("{}: {}", error.evidence, others.join(", ")), String::new()),
    };
    ModuleError { evidence, ..error }.hint(format!(
        "{ours} can be stored by one stream of an account only; {find_it}take that from the other one with `nats \
         stream edit`, or delete it, or serve in another account"
    ))
}

fn told(config: &Value) -> String {
    let subjects = config["subjects"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let name = config["name"].as_str().unwrap_or_default();
    format!("stream `{name}` has {}", list(subjects))
}

fn list<'a>(subjects: impl Iterator<Item = &'a str>) -> String {
    subjects.map(|subject| format!("`{subject}`")).collect::<Vec<_>>().join(", ")
}
