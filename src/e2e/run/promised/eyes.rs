//! Looks at one place of effects, again and again: what was not there before.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use regex_lite::Regex;

use super::ear::Ear;
use super::known::Known;
use super::pick::Message;
use super::seen_lines::{SeenLines, Told};
use crate::broker::subject_matches as matches;
use crate::e2e::driver::raw::wire_headers;
use crate::e2e::record::history::clock::Clock;
use crate::e2e::run::probe::evidence;
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::run::stage::hearing::Hearing;
use crate::e2e::scenario::ast::promise::{Operation, Pick, Place, Promise, Verb};
use crate::e2e::scenario::feeds::{At, Configured, feeds};
use crate::e2e::text::data::Data;
use crate::process::Reaper;

/// How long an answer of JetStream may take that is asked at the last moment.
pub(super) const ANSWERS: Duration = Duration::from_secs(1);

/// What everybody needs who looks.
pub(in crate::e2e) struct Surroundings {
    pub(in crate::e2e) harness: Harness,
    pub(in crate::e2e) hearing: Hearing,
    pub(in crate::e2e) clock: Clock,
    /// `MONO_DEMO_DIR` of the services.
    pub(in crate::e2e) dir: PathBuf,
    /// The suite's.
    pub(in crate::e2e) root: PathBuf,
    pub(in crate::e2e) reaper: Reaper,
    /// As whom programs connect.
    pub(in crate::e2e) access: Access,
}

/// An effect that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) at_ns: u64,
    /// When it was not there yet, where it has no time of its own.
    pub(super) absent_ns: Option<u64>,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) place: String,
}

/// Looks at one place.
pub(super) struct Eye {
    pub(super) at: Place,
    /// Whose effects they are.
    of: Operation,
    /// How often there is one, or in which order, matters.
    pub(super) counts: bool,
    pub(super) key: Pick,
    value: Option<Pick>,
    /// Of a log: what finds the key in a line.
    line: Option<Regex>,
    /// What was heard on a subject.
    ear: Option<Ear>,
    /// How many lines or messages it has seen.
    pub(super) seen: usize,
    /// The sequence from which on it has not looked, by stream.
    pub(super) next: HashMap<String, u64>,
    /// What streams were when they were first seen.
    pub(super) known: HashMap<String, Known>,
    /// The subjects on which whatever is sent comes to this place.
    takes: BTreeSet<String>,
    /// Those of a file or a program.
    pub(super) lines: SeenLines,
    /// It looks for the first time, before anybody has asked for anything.
    pub(super) is_opening: bool,
    pub(super) found: Vec<Found>,
    pub(super) gap: Option<String>,
    /// What another look cannot mend.
    pub(super) lost: Option<String>,
}

impl Eye {
    /// Opens it; whoever listens to a subject listens from here on.
    pub(super) async fn open(
        promise: &Promise,
        effect: usize,
        at: &Place,
        around: &Surroundings,
    ) -> Result<Self, String> {
        let (key, ending) = (&promise.effects[effect].key, promise.ending_at(effect));
        let ear = match at {
            Place::Subjects(subjects) => Some(Ear::open(subjects, around.harness.access()).await?),
            _ => None,
        };
        let line = match key {
            Pick::Captured(pattern) => Some(Regex::new(pattern).map_err(|e| e.to_string())?),
            _ => None,
        };
        Ok(Self {
            line,
            at: at.clone(),
            of: promise.operation.clone(),
            counts: promise.counts_all(effect),
            key: key.clone(),
            value: ending.map(|ending| ending.value.clone()),
            ear,
            seen: 0,
            next: HashMap::new(),
            known: HashMap::new(),
            takes: feeds(At::of(at), &[]),
            lines: SeenLines::default(),
            is_opening: false,
            found: Vec::new(),
            gap: None,
            lost: None,
        })
    }

    /// Looks before anybody has asked for anything: what is there now is of nobody. What cannot be looked
    /// at yet may come.
    pub(super) async fn look_first(&mut self, around: &Surroundings) {
        self.is_opening = true;
        let _ = self.look(around).await;
        self.is_opening = false;
    }

    /// From the beginning once more, where what was seen may be gone by now.
    pub(super) fn afresh(&mut self) {
        if !matches!(self.at, Place::Subjects(_) | Place::Log(_)) {
            (self.seen, self.gap) = (0, None);
            self.next.clear();
            self.lines.afresh();
            self.found.clear();
        }
    }

    /// Looks from the beginning once more; where it cannot, what was seen before was seen.
    pub(super) async fn look_afresh(&mut self, around: &Surroundings) -> Result<(), String> {
        let before = self.found.clone();
        self.afresh();
        let looked = self.look(around).await;
        if looked.is_err() {
            self.found = before;
        }
        looked
    }

    /// The same; a broker that says nothing is waited for until then, or as long as an answer may take.
    pub(super) async fn look_until(
        &mut self,
        around: &Surroundings,
        deadline: Instant,
    ) -> Result<(), String> {
        if !self.asks_broker() {
            return self.look(around).await;
        }
        let deadline = deadline.max(Instant::now() + ANSWERS);
        let looked = tokio::time::timeout_at(deadline.into(), self.look(around)).await;
        looked.unwrap_or_else(|_| Err("JetStream does not answer".to_owned()))
    }

    /// Looks for what was not there before.
    pub(super) async fn look(&mut self, around: &Surroundings) -> Result<(), String> {
        match self.at.clone() {
            Place::Stream { names, subjects } => {
                for name in &names {
                    let is_there = self.stream(around, name, &subjects).await?;
                    // Beside another one, nobody would miss it.
                    if !is_there && names.len() > 1 && self.gap.is_none() {
                        self.gap = Some(format!(
                            "there is no stream {name}: what would be in it is not known; `[streams]` \
                             makes one that services make only when they need it"
                        ));
                    }
                }
                Ok(())
            }
            Place::Kv(bucket) => self.bucket(around, &bucket).await,
            Place::Subjects(subjects) => {
                self.heard(around, &subjects);
                Ok(())
            }
            Place::Log(service) => {
                self.log(around, &service);
                Ok(())
            }
            Place::File(path) => self.file(around, &path),
            Place::Command(words) => self.command(around, &words).await,
        }
    }

    pub(super) fn message(
        &mut self,
        subject: &str,
        stored: &evidence::Stored,
        place: String,
        around: &Surroundings,
    ) {
        let body = Data::read(&stored.bytes);
        let message = Message { subject, headers: &stored.headers, body: &body };
        self.add(&message, around.clock.ns_at(stored.at), None, place);
    }

    fn heard(&mut self, around: &Surroundings, subjects: &[String]) {
        let Some(ear) = &self.ear else { return };
        let new = ear.since(self.seen);
        if ear.was_away() {
            self.gap = Some(format!(
                "{} could not be heard while the broker was away: effects there are told by a \
                 stream",
                self.at
            ));
        }
        for (at, message) in new {
            self.seen += 1;
            // A stream delivers to a subject of somebody's choice, under the subject that a message has: what
            // is brought here that way nobody has sent here.
            if !subjects.iter().any(|subject| matches(subject, &message.subject)) {
                continue;
            }
            let headers = wire_headers(message.headers.as_ref());
            let body = Data::read(&message.payload);
            let place = format!("message {} on {}", self.seen, message.subject);
            let message = Message { subject: &message.subject, headers: &headers, body: &body };
            self.add(&message, around.clock.ns_of(at), None, place);
        }
    }

    fn log(&mut self, around: &Surroundings, service: &str) {
        let Some(regex) = &self.line else { return };
        for heard in around.hearing.heard(service, self.seen) {
            self.seen += 1;
            let at_ns = around.clock.ns_of(heard.at);
            for found in regex.captures_iter(&heard.line) {
                let key = found.get(1).map(|group| group.as_str().to_owned());
                let place = format!("{service} (pid {}): `{}`", heard.pid, heard.line);
                self.found.push(Found { at_ns, absent_ns: None, key, value: None, place });
            }
        }
    }

    pub(super) fn told_by(&self, message: &Message<'_>) -> Told {
        (message.pick(&self.key), self.value.as_ref().and_then(|value| message.pick(value)))
    }

    pub(super) fn add(
        &mut self,
        message: &Message<'_>,
        at_ns: u64,
        absent_ns: Option<u64>,
        place: String,
    ) {
        let (key, value) = self.told_by(message);
        self.found.push(Found { at_ns, absent_ns, key, value, place });
    }

    /// Learns what the broker itself brings here: streams may be made and changed at any time.
    pub(super) fn know_streams(&mut self, streams: &[Configured<'_>]) {
        self.takes.extend(feeds(At::of(&self.at), streams));
    }

    /// What the client itself sends to this place may be taken for an effect.
    pub(super) fn know_senders(&mut self, sent: &BTreeSet<String>) {
        let taken = |on: &&String| self.takes.iter().any(|taken| matches(taken, on));
        let is_operation = |on: &&String| self.of.verb != Verb::Call && matches(&self.of.on, on);
        let own = sent.iter().filter(taken);
        let (operation, own) = (own.clone().find(is_operation), own.clone().next());
        self.gap = match (self.gap.take(), operation, own) {
            (Some(gap), ..) => Some(gap),
            (None, Some(on), _) => Some(format!(
                "{} takes `{on}`: there each operation is its own effect, whatever the services do; an \
                 effect is something that they write",
                self.at
            )),
            (None, None, Some(own)) => Some(format!(
                "the scenario itself sends to `{own}`, which comes to {}: whether a service wrote what \
                 is there is not known",
                self.at
            )),
            (None, None, None) => None,
        };
    }

    /// Whether it looks at what the broker has.
    pub(super) fn asks_broker(&self) -> bool {
        matches!(self.at, Place::Stream { .. } | Place::Kv(_))
    }

    /// How often it may look: a program is more work than a question.
    pub(super) fn is_dear(&self) -> bool {
        matches!(self.at, Place::Command(_))
    }
}
