//! Which messages a scenario has to send, and which come because of them.
//!
//! NATS does not say who published a message. What it does say: whose inbox a reply goes to, when a request
//! is answered, and when a worker is done with a message of a stream. The rest is a guess, by values that two
//! messages have in common, and is decided for all messages on a subject alike. A worker that acknowledges
//! first and works afterwards is known where its inboxes tell that it is the same program; else there is a
//! doubt, which is told.

use std::collections::{BTreeMap, HashMap};

use super::gathering::{is_of_stream, program_of};
use super::heard::Heard;
use super::leaves::{leaves, text_of};
use super::subjects::Asked;
use crate::e2e::text::data::Data;
use crate::e2e::text::volatile::{is_drawn, is_id};

/// Where the messages of a family come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a client: the scenario sends them.
    Sent,
    /// From a service: the scenario expects them.
    Caused(Evidence),
}

/// Why a message seems to come from a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Somebody has said so.
    Said,
    /// A stream has sent it on.
    Republished,
    /// It came while a message on this subject was worked on.
    During(String),
    /// It has this value in common with a message on this subject.
    Shares(String, String),
}

/// The messages on one subject, or on several that differ only in a word with a digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    /// With a wildcard where they differ.
    pub(super) subject: String,
    /// The numbers of its messages.
    pub(super) members: Vec<usize>,
    pub(super) origin: Origin,
    /// Of what is sent: a value that it has in common with a message on this subject, with which a worker was
    /// done before.
    pub(super) doubt: Option<(String, String)>,
}

/// What says that a message has been caused by another one.
#[derive(Debug, Default)]
struct Signs {
    evidence: Option<Evidence>,
    /// What would say so if a worker had acknowledged too early.
    doubt: Option<(String, String)>,
}

/// All messages by their families, in the order in which these were first heard.
pub(super) fn families(messages: &[Heard], asked: &Asked) -> Vec<Family> {
    let mut signs = signs(messages);
    let mut groups: BTreeMap<(String, Option<bool>), Vec<usize>> = BTreeMap::new();
    for (number, heard) in messages.iter().enumerate() {
        let key = (kind(&heard.subject), asked.is_sent(&heard.subject));
        groups.entry(key).or_default().push(number);
    }
    let mut families: Vec<Family> = groups
        .into_iter()
        .map(|((kind, said), members)| {
            let found = members.iter().filter(|of| signs[**of].evidence.is_some()).count();
            let first = members.iter().find_map(|of| signs[*of].evidence.take());
            let origin = match (said, first) {
                (Some(true), _) => Origin::Sent,
                (Some(false), _) => Origin::Caused(Evidence::Said),
                // A client that sends something now and then while a service works sends it.
                (None, Some(evidence)) if 2 * found > members.len() => Origin::Caused(evidence),
                _ => Origin::Sent,
            };
            let is_guessed = said.is_none() && origin == Origin::Sent;
            let doubt = members.iter().find_map(|of| signs[*of].doubt.take());
            let doubt = doubt.filter(|_| is_guessed);
            let one = &messages[members[0]].subject;
            let is_one = members.iter().all(|number| messages[*number].subject == *one);
            Family { subject: if is_one { one.clone() } else { kind }, members, origin, doubt }
        })
        .collect();
    families.sort_by_key(|family| family.members[0]);
    families
}

/// A subject with a wildcard for each word that is one of many.
pub(super) fn kind(subject: &str) -> String {
    let word = |word: &str| if varies(word) { "*".to_owned() } else { word.to_owned() };
    subject.split('.').map(word).collect::<Vec<_>>().join(".")
}

/// Whether a word of a subject is one of many, as an id is.
pub(super) fn varies(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) || is_drawn(word)
}

/// For each message what says that another one, before it, has caused it.
fn signs(messages: &[Heard]) -> Vec<Signs> {
    let mut all = Vec::new();
    // Who holds which values, and what is worked on.
    let mut holders: HashMap<String, Vec<usize>> = HashMap::new();
    let mut open: Vec<(usize, u64)> = Vec::new();
    for (number, heard) in messages.iter().enumerate() {
        open.retain(|(_, end)| *end > heard.at);
        let others = |of: &usize| {
            let other = &messages[*of];
            kind(&other.subject) != kind(&heard.subject) && !is_same_sender(other, heard)
        };
        // A client may ask for what it has sent. Of a service it is known that somebody else asks.
        let is_open = !is_request(heard) || sender(heard).is_some();
        let during = open.iter().rev().map(|(of, _)| of).find(|of| {
            others(of) && is_open && (!is_request(heard) || sender(&messages[**of]).is_some())
        });
        let values = values(heard);
        let shares = |is_cause: &dyn Fn(&Heard) -> bool| {
            values.iter().filter(|_| !is_request(heard)).find_map(|value| {
                let holders = holders.get(value)?;
                let of = holders.iter().rev().find(|of| others(of) && is_cause(&messages[**of]))?;
                Some((*of, value.clone()))
            })
        };
        let is_done = |of: &Heard| of.done.is_some_and(|done| done < heard.at);
        let shared = shares(&|of| !is_done(of) || is_by_worker(heard, of));
        let evidence = match (during, shared) {
            _ if is_of_stream(&heard.content.headers) => Some(Evidence::Republished),
            (Some(of), _) => Some(Evidence::During(messages[*of].subject.clone())),
            (None, Some((of, value))) => {
                Some(Evidence::Shares(value, messages[of].subject.clone()))
            }
            (None, None) => None,
        };
        let early = shares(&is_done).filter(|_| evidence.is_none());
        let doubt = early.map(|(of, value)| (value, messages[of].subject.clone()));
        all.push(Signs { evidence, doubt });
        if let Some(end) = end(heard) {
            open.push((number, end));
        }
        for value in values {
            holders.entry(value).or_default().push(number);
        }
    }
    all
}

/// When nobody works on it any more, if that was heard.
fn end(heard: &Heard) -> Option<u64> {
    let answered = heard.replies.iter().find(|reply| reply.ack.is_none()).map(|reply| reply.at);
    heard.done.max(answered)
}

/// Whether somebody waits for a service's answer to it, and not for a stream's.
fn is_request(heard: &Heard) -> bool {
    let is_stored = heard.replies.iter().any(|reply| reply.ack.is_some());
    heard.reply_to.is_some() && !is_stored
}

/// Whose inbox its reply goes to: client libraries have one for each connection.
fn sender(heard: &Heard) -> Option<&str> {
    let reply_to = heard.reply_to.as_deref().filter(|to| to.starts_with("_INBOX"))?;
    let (connection, _) = reply_to.rsplit_once('.')?;
    connection.contains('.').then_some(connection)
}

/// Whether the program that asks for a reply to one is a worker that was done with the other.
fn is_by_worker(heard: &Heard, done: &Heard) -> bool {
    let program = heard.reply_to.as_deref().and_then(program_of);
    program.is_some_and(|program| done.workers.contains(program))
}

fn is_same_sender(a: &Heard, b: &Heard) -> bool {
    sender(a).is_some() && sender(a) == sender(b)
}

/// The values by which a message is about the same thing as another one: ids, and what looks like one.
fn values(heard: &Heard) -> Vec<String> {
    let words = heard.subject.split('.').filter(|word| varies(word)).map(str::to_owned);
    let headers = heard.content.headers.iter().filter(|(name, _)| is_id(name));
    let headers = headers.flat_map(|(_, values)| values.iter().cloned());
    let leaves = leaves(&heard.content.body);
    let inside = leaves.iter().filter(|leaf| match leaf.value {
        Data::Number(_) => is_id(leaf.key),
        Data::String(text) => is_id(leaf.key) || is_specific(text),
        _ => false,
    });
    let inside = inside.filter_map(|leaf| text_of(leaf.value)).map(str::to_owned);
    let all = words.chain(headers).chain(inside);
    all.filter(|value| value.len() > 1).collect()
}

/// Whether a text is hardly the same by chance: `o-17`, and neither `new` nor `6.40`.
fn is_specific(text: &str) -> bool {
    text.len() > 2
        && !text.contains(char::is_whitespace)
        && text.contains(|c: char| c.is_ascii_digit())
        && text.contains(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
