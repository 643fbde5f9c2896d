//! The NATS service API (ADR-32): `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS` for each module.

use std::sync::Arc;

use async_nats::{Client, Message, SubscribeError};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::module::Registration;
use super::shutdown::Shutdown;

/// The data of one module in this process for the service API.
pub(crate) struct Description {
    pub module: String,
    pub instance: String,
    pub started: String,
    pub registrations: Vec<Arc<Registration>>,
}

const VERBS: [&str; 3] = ["PING", "INFO", "STATS"];

/// What a module's instance is asked at: with and without name and id.
pub(crate) fn subjects(module: &str, instance: &str) -> Vec<String> {
    let suffixes = [String::new(), format!(".{module}"), format!(".{module}.{instance}")];
    VERBS.iter().flat_map(|verb| suffixes.iter().map(move |s| format!("$SRV.{verb}{s}"))).collect()
}

/// Subscribes to these subjects, and answers until the drain.
pub(crate) async fn answer(
    client: Client,
    subjects: &[String],
    description: Description,
    shutdown: Shutdown,
) -> Result<impl Future<Output = ()> + use<>, SubscribeError> {
    let mut subscribers = Vec::new();
    for subject in subjects {
        subscribers.push(client.subscribe(subject.clone()).await?);
    }
    Ok(async move {
        let mut asked = stream::select_all(subscribers);
        loop {
            let message = tokio::select! {
                biased;
                () = shutdown.draining() => return,
                message = asked.next() => message,
            };
            let Some(message) = message else { return };
            if let Some(inbox) = message.reply.clone() {
                let body = description.body(&message).to_string();
                if let Err(error) = client.publish(inbox, body.into()).await {
                    tracing::debug!(%error, "a discovery reply could not be sent");
                }
            }
        }
    })
}

impl Description {
    fn body(&self, message: &Message) -> Value {
        match message.subject.split('.').nth(1) {
            Some("PING") => self.header("ping", Value::Null, None),
            Some("INFO") => {
                let endpoints = self.registrations.iter().map(|r| endpoint(r)).collect();
                self.header("info", endpoints, Some(("description", self.summary())))
            }
            _ => {
                let endpoints = self.registrations.iter().map(|r| stats(r)).collect();
                self.header("stats", endpoints, Some(("started", self.started.clone())))
            }
        }
    }

    fn header(&self, kind: &str, endpoints: Value, more: Option<(&str, String)>) -> Value {
        let mut body = json!({
            "type": format!("io.nats.micro.v1.{kind}_response"),
            "name": self.module,
            "id": self.instance,
            "version": env!("CARGO_PKG_VERSION"),
            "metadata": {},
        });
        if let Some((key, value)) = more {
            body[key] = value.into();
        }
        if !endpoints.is_null() {
            body["endpoints"] = endpoints;
        }
        body
    }

    fn summary(&self) -> String {
        summary(&self.module)
    }
}

/// What a module of this name says that it is: one of this program's.
#[must_use]
pub fn summary(module: &str) -> String {
    format!("module {module} of mono-demo")
}

fn endpoint(registration: &Registration) -> Value {
    json!({
        "name": registration.service.as_str(),
        "subject": registration.subject,
        "queue_group": registration.queue_group,
        "metadata": { "pattern": registration.pattern() },
    })
}

fn stats(registration: &Registration) -> Value {
    let counts = registration.stats.snapshot();
    let nanos = |d: std::time::Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let total = nanos(counts.processing);
    json!({
        "name": registration.service.as_str(),
        "subject": registration.subject,
        "queue_group": registration.queue_group,
        "num_requests": counts.requests,
        "num_errors": counts.errors,
        "last_error": counts.last_error.unwrap_or_default(),
        "processing_time": total,
        "average_processing_time": total.checked_div(counts.requests).unwrap_or(0),
    })
}
