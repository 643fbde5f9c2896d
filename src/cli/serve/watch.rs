//! Notices what others do to the streams of payments while they are served.
//!
//! Whoever may administer the NATS system can narrow, seal, purge or delete a stream, or the
//! consumer; nobody tells those who depend on it. So it is looked at every few seconds.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::modules::payment::{CONSUMER, DEAD_LETTERS, INTENTS, LEDGER, REQUESTS};
use crate::mono::Connection;

const STREAMS: [&str; 4] = [INTENTS, LEDGER, DEAD_LETTERS, REQUESTS];
/// Between two looks: others' changes are not told, they can only be looked for.
const PAUSE: Duration = Duration::from_secs(3);

/// What the streams were when serving began, and what was said of them since.
#[derive(Debug, Default)]
pub(super) struct Watch {
    known: BTreeMap<&'static str, Known>,
    /// Found by the last look; told if the next one finds it too, so that an election is no change.
    suspected: HashSet<String>,
    told: HashSet<String>,
}

#[derive(Debug)]
struct Known {
    config: Map<String, Value>,
    messages: u64,
}

/// What a look at one thing shows.
enum Look {
    There(Map<String, Value>, u64),
    Gone,
    /// There is no answer now; that is told elsewhere.
    Unknown,
}

impl Watch {
    /// Returns when something was changed that was not told yet, with a sentence for each change.
    pub(super) async fn changed(&mut self, connection: &Connection) -> Vec<String> {
        loop {
            let looks = join_all(STREAMS.iter().map(|name| look_at(connection, name))).await;
            let mut found = HashSet::new();
            for (name, look) in looks.into_iter().flatten() {
                self.compare(name, look, &mut found);
            }
            let fresh: Vec<String> = found
                .iter()
                .filter(|line| self.suspected.contains(*line) && !self.told.contains(*line))
                .cloned()
                .collect();
            self.suspected = found;
            self.told.extend(fresh.iter().cloned());
            tokio::time::sleep(PAUSE).await;
            if !fresh.is_empty() {
                return fresh;
            }
        }
    }

    fn compare(&mut self, name: &'static str, look: Look, found: &mut HashSet<String>) {
        let what = if name == CONSUMER { "consumer" } else { "stream" };
        match (look, self.known.get_mut(name)) {
            (Look::Unknown, _) | (Look::Gone, None) => {}
            (Look::There(config, messages), None) => {
                self.known.insert(name, Known { config, messages });
            }
            (Look::Gone, Some(_)) => {
                found.insert(format!("{what} `{name}` was deleted by somebody else"));
            }
            (Look::There(config, messages), Some(known)) => {
                let keys: HashSet<&String> = known.config.keys().chain(config.keys()).collect();
                for key in keys {
                    let value =
                        |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                    let (before, now) = (value(&known.config), value(&config));
                    if before != now {
                        found.insert(format!(
                            "{what} `{name}` was changed by somebody else: `{key}` was {before} and is {now}"
                        ));
                    }
                }
                if messages < known.messages && [INTENTS, LEDGER].contains(&name) {
                    let had = known.messages;
                    found.insert(format!(
                        "stream `{name}` had {had} messages and has fewer: somebody else purged or deleted them"
                    ));
                } else {
                    known.messages = messages;
                }
            }
        }
    }
}

/// Looks at a stream, and at the consumer where it is that of the requests.
async fn look_at(connection: &Connection, name: &'static str) -> Vec<(&'static str, Look)> {
    let stream = match connection.jetstream().get_stream(name).await {
        Ok(stream) => stream,
        Err(error) => {
            let gone = matches!(error.kind(), GetStreamErrorKind::JetStream(e)
                if e.error_code() == ErrorCode::STREAM_NOT_FOUND);
            return vec![(name, if gone { Look::Gone } else { Look::Unknown })];
        }
    };
    let info = stream.cached_info();
    let mut looks = vec![(name, there(&info.config, info.state.messages))];
    if name == REQUESTS {
        let look = match stream.consumer_info(CONSUMER).await {
            Ok(info) => there(&info.config, 0),
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => Look::Gone,
            Err(_) => Look::Unknown,
        };
        looks.push((CONSUMER, look));
    }
    looks
}

fn there(config: &impl Serialize, messages: u64) -> Look {
    match serde_json::to_value(config) {
        Ok(Value::Object(config)) => Look::There(config, messages),
        _ => Look::Unknown,
    }
}
