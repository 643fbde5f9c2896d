//! Listens on a running system: to the subjects, to the inboxes that replies come to, and to what
//! workers say of what streams deliver.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::context::RequestErrorKind;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use futures_util::stream::{self, SelectAll};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use super::gathering::{Came, Gathering, PULL};
use super::heard::{End, Holding, Recording};
use super::subjects::{Asked, OTHERS};
use crate::e2e::driver::raw::wire_headers;
use crate::e2e::record::delivery::ACKNOWLEDGE;
use crate::mono::{Connection, said_once};

/// How long the server may take to take a subscription.
const SUBSCRIBED: Duration = Duration::from_secs(5);
/// How long replies are waited for once nothing else is heard any more; who has waited longer for one
/// than this gets none.
const LAST_REPLIES: Duration = Duration::from_secs(1);
/// More streams are not asked for.
const MOST_STREAMS: usize = 10_000;
/// JetStream's numbers for that there is none.
const JETSTREAM_NOT_ENABLED: u64 = 10076;
const NOT_ENABLED_FOR_ACCOUNT: u64 = 10039;
/// Buckets and object stores are streams that client libraries make, with subjects of their own.
const OF_LIBRARIES: [&str; 2] = ["KV_", "OBJ_"];

/// Why nothing is recorded.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The server does not let this user.
    #[error("cannot listen to {subject}: {words}")]
    Denied {
        /// What was to be heard.
        subject: String,
        /// The server's words.
        words: String,
    },
    /// The server did not take a subscription.
    #[error("cannot listen to {subject}: {why}")]
    Subscribe {
        /// What was to be heard.
        subject: String,
        /// The client library's words.
        why: String,
    },
}

/// What is heard, by where.
enum Said {
    Message(Message),
    Reply(Message),
    Acknowledgement(Message),
    Pull(Message),
}

type Telling = fn(Message) -> Said;

/// A connection that listens from now on.
pub struct Listening<'a> {
    connection: &'a Connection,
    asked: &'a Asked,
    /// All of them in turn: what waits in one is not heard long after what came to another.
    heard: SelectAll<stream::Map<Subscriber, Telling>>,
    streams: Vec<Holding>,
    unheard: Vec<String>,
    misses_replies: bool,
    /// What was listened to once a request named it.
    late: Vec<String>,
    /// Why replies to other accounts cannot be heard.
    refused: Option<ListenError>,
}

impl<'a> Listening<'a> {
    /// Listens to all of it; what only makes a recording better may be refused.
    ///
    /// # Errors
    /// [`ListenError`] names a subject that cannot be heard.
    pub async fn begin(connection: &'a Connection, asked: &'a Asked) -> Result<Self, ListenError> {
        let mut listening = Self {
            connection,
            asked,
            heard: SelectAll::new(),
            streams: Vec::new(),
            unheard: Vec::new(),
            misses_replies: false,
            late: Vec::new(),
            refused: None,
        };
        listening.streams = listening.holding().await;
        for subject in &asked.subjects {
            listening
                .heard
                .push(subscribe(connection, subject).await?.map(Said::Message as Telling));
        }
        for stream in listening.streams.iter().map(|stream| stream.name.clone()) {
            match subscribe(connection, &format!("{ACKNOWLEDGE}{stream}.>")).await {
                Ok(subscriber) => {
                    listening.heard.push(subscriber.map(Said::Acknowledgement as Telling))
                }
                Err(error) => listening.unheard.push(format!("when a message is done: {error}")),
            }
            // Without it, a worker that acknowledges first is not known by its inboxes: a doubt is told.
            if let Ok(subscriber) = subscribe(connection, &format!("{PULL}{stream}.*")).await {
                listening.heard.push(subscriber.map(Said::Pull as Telling));
            }
        }
        // Last: where an inbox is refused, no answer to anything counts any more.
        for inbox in &asked.inboxes {
            match subscribe(connection, &format!("{inbox}.>")).await {
                Ok(subscriber) => listening.heard.push(subscriber.map(Said::Reply as Telling)),
                // Most systems have no such replies: it is told once there is one.
                Err(error) if inbox == OTHERS => listening.refused = Some(error),
                Err(error) => listening.misses(&error),
            }
        }
        Ok(listening)
    }

    /// The streams that hold such messages by now, with their consumers.
    async fn holding(&mut self) -> Vec<Holding> {
        let found = streams(self.connection, &self.asked.subjects).await;
        let mut found = found.unwrap_or_else(|why| {
            self.unheard.push(format!("which streams hold the messages: {why}"));
            Vec::new()
        });
        for stream in &mut found {
            match consumers(self.connection, &stream.name).await {
                Ok(consumers) => stream.consumers = consumers,
                Err(why) => {
                    let name = &stream.name;
                    self.unheard.push(format!("the consumers of stream {name}: {why}"));
                }
            }
        }
        found
    }

    /// Streams and consumers that were made while it listened: what was stored in them needs them too.
    async fn made_meanwhile(&mut self) {
        let told = self.unheard.len();
        for mut now in self.holding().await {
            match self.streams.iter_mut().find(|known| known.name == now.name) {
                Some(known) => {
                    let name = |config: &Map<String, Value>| config["durable_name"].clone();
                    let before: Vec<Value> = known.consumers.iter().map(name).collect();
                    let new = now.consumers.into_iter().filter(|one| !before.contains(&name(one)));
                    known.consumers.extend(new);
                }
                None => {
                    // All that it holds was heard.
                    now.messages = 0;
                    self.streams.push(now);
                }
            }
        }
        self.streams.sort_by(|a, b| a.name.cmp(&b.name));
        // What could not be known at the beginning was told then.
        for again in self.unheard.split_off(told) {
            if !self.unheard.contains(&again) {
                self.unheard.push(again);
            }
        }
    }

    /// What cannot be heard.
    #[must_use]
    pub fn unheard(&self) -> &[String] {
        &self.unheard
    }

    /// Hears everything until somebody says so, enough has come, or the connection is lost; then the
    /// last replies.
    pub async fn record(mut self, until: impl Future<Output = ()>) -> Recording {
        let mut gathering = Gathering::default();
        // When the last messages came, each with its number, for as long as it may be answered.
        let mut recent: VecDeque<(u64, Instant)> = VecDeque::new();
        let mut until = pin!(until);
        let (mut end, mut deadline) = (None, None);
        loop {
            let last = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // What has come is heard before anything ends.
                biased;
                Some(said) = self.heard.next() => match said {
                    // Too late, and only replies are waited for.
                    Said::Message(_) if end.is_some() => {}
                    Said::Message(message) => {
                        if self.asked.leaves_out(&message.subject) {
                            continue;
                        }
                        let reply_to = gathering.message(came(message)).map(str::to_owned);
                        recent.push_back((gathering.at(), Instant::now()));
                        if let Some(reply_to) = reply_to {
                            self.hear_replies(&reply_to).await;
                        }
                    }
                    Said::Reply(message) => gathering.in_inbox(came(message)),
                    Said::Acknowledgement(message) => {
                        gathering.acknowledged(&message.subject, &message.payload);
                    }
                    Said::Pull(message) => {
                        gathering.pulled(&message.subject, message.reply.as_deref());
                    }
                },
                why = self.connection.missed() => {
                    end = Some(End::Lost(why));
                    break;
                }
                () = last => break,
                () = &mut until, if end.is_none() => end = Some(End::Asked),
            }
            while recent.front().is_some_and(|(_, at)| at.elapsed() >= LAST_REPLIES) {
                recent.pop_front();
            }
            end = end.or_else(|| match () {
                () if gathering.len() >= self.asked.most => Some(End::Enough),
                () if gathering.is_full() => Some(End::Full),
                () => None,
            });
            if end.is_some() {
                let last = *deadline.get_or_insert_with(|| Instant::now() + LAST_REPLIES);
                if !gathering.waits(since(&recent)) || Instant::now() >= last {
                    break;
                }
            }
        }
        let since = since(&recent);
        let end = end.unwrap_or_default();
        if !matches!(end, End::Lost(_)) {
            self.made_meanwhile().await;
        }
        let recording = gathering.end(end, self.unheard, since);
        Recording { streams: self.streams, misses_replies: self.misses_replies, ..recording }
    }

    /// Where a library has its replies elsewhere, the first may have been missed.
    async fn hear_replies(&mut self, reply_to: &str) {
        if reply_to.split('.').next() == Some(OTHERS)
            && let Some(error) = self.refused.take()
        {
            self.misses(&error);
        }
        let Some(inbox) = self.asked.unheard_inbox(reply_to).filter(|new| !self.late.contains(new))
        else {
            return;
        };
        self.late.push(inbox.clone());
        match subscribe(self.connection, &inbox).await {
            Ok(subscriber) => {
                self.heard.push(subscriber.map(Said::Reply as Telling));
                let first = inbox.split('.').next().unwrap_or_default();
                self.unheard.push(format!(
                    "the first replies on {inbox}, which was listened to once a request named it \
                     (--inbox {first} listens from the beginning)"
                ));
            }
            Err(error) => self.misses(&error),
        }
    }

    fn misses(&mut self, error: &ListenError) {
        self.misses_replies = true;
        self.unheard.push(format!("replies: {error}"));
    }
}

/// The number of the first of these that may still be answered.
fn since(recent: &VecDeque<(u64, Instant)>) -> u64 {
    let first = recent.iter().find(|(_, at)| at.elapsed() < LAST_REPLIES);
    first.map_or(u64::MAX, |(number, _)| *number)
}

/// Once the server has the subscription, or has refused it.
async fn subscribe(connection: &Connection, subject: &str) -> Result<Subscriber, ListenError> {
    let failed = |why: &dyn std::fmt::Display| ListenError::Subscribe {
        subject: subject.to_owned(),
        why: said_once(why),
    };
    let subscribed = async {
        let subscriber = connection.client().subscribe(subject.to_owned()).await;
        let subscriber = subscriber.map_err(|error| failed(&error))?;
        connection.barrier(SUBSCRIBED).await.map_err(|error| failed(&error))?;
        Ok(subscriber)
    };
    let subscribed = connection.caller().listening(subject, subscribed).await;
    subscribed.map_err(|denied| ListenError::Denied {
        subject: subject.to_owned(),
        words: denied.words,
    })?
}

/// The streams that hold messages on these subjects; none where the server has no JetStream.
async fn streams(connection: &Connection, subjects: &[String]) -> Result<Vec<Holding>, String> {
    let mut found: Vec<Holding> = Vec::new();
    for subject in subjects {
        let (mut offset, mut total) = (0, 1);
        while offset < total && offset < MOST_STREAMS {
            let asked = json!({ "subject": subject, "offset": offset });
            let context = connection.jetstream();
            let answer = context.request::<_, _, Value>("STREAM.LIST", &asked);
            let answer = connection.unless_denied(&["$JS.API.STREAM.LIST"], answer).await;
            let answer = match answer.map_err(|denied| denied.words)? {
                Ok(answer) => answer,
                Err(error) if error.kind() == RequestErrorKind::NoResponders => return Ok(found),
                Err(error) => return Err(said_once(&error)),
            };
            match answer["error"]["err_code"].as_u64() {
                None => {}
                Some(JETSTREAM_NOT_ENABLED | NOT_ENABLED_FOR_ACCOUNT) => return Ok(found),
                Some(_) => {
                    let words = answer["error"]["description"].as_str().unwrap_or_default();
                    return Err(format!("JetStream says `{words}`"));
                }
            }
            let page = answer["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
            found.extend(page.iter().filter_map(holding));
            offset += page.len().max(1);
            total = answer["total"].as_u64().unwrap_or_default() as usize;
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// The durable consumers of a stream; others are made by who uses them.
async fn consumers(
    connection: &Connection,
    stream: &str,
) -> Result<Vec<Map<String, Value>>, String> {
    let mut found: Vec<Map<String, Value>> = Vec::new();
    let (mut offset, mut total) = (0, 1);
    while offset < total && offset < MOST_STREAMS {
        let (context, asked) = (connection.jetstream(), json!({ "offset": offset }));
        let subject = format!("CONSUMER.LIST.{stream}");
        let answer = context.request::<_, _, Value>(subject.clone(), &asked);
        let answer = connection.unless_denied(&[&format!("$JS.API.{subject}")], answer).await;
        let answer = answer.map_err(|denied| denied.words)?.map_err(|error| said_once(&error))?;
        if !answer["error"].is_null() {
            let words = answer["error"]["description"].as_str().unwrap_or_default();
            return Err(format!("JetStream says `{words}`"));
        }
        let page = answer["consumers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let durable = page.iter().filter(|info| info["config"]["durable_name"].is_string());
        found.extend(durable.filter_map(|info| info["config"].as_object().cloned()));
        offset += page.len().max(1);
        total = answer["total"].as_u64().unwrap_or_default() as usize;
    }
    let name = |config: &Map<String, Value>| config["durable_name"].as_str().map(str::to_owned);
    found.sort_by_key(name);
    Ok(found)
}

fn holding(info: &Value) -> Option<Holding> {
    let name = info["config"]["name"].as_str()?;
    let is_own = !OF_LIBRARIES.iter().any(|prefix| name.starts_with(prefix));
    is_own.then(|| Holding {
        name: name.to_owned(),
        config: info["config"].as_object().cloned().unwrap_or_default(),
        messages: info["state"]["messages"].as_u64().unwrap_or_default(),
        consumers: Vec::new(),
    })
}

fn came(message: Message) -> Came {
    Came {
        headers: wire_headers(message.headers.as_ref()),
        is_status: message.status.is_some(),
        subject: message.subject.to_string(),
        reply_to: message.reply.map(|reply| reply.to_string()),
        body: message.payload.to_vec(),
    }
}
