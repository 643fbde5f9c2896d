//! Looks at one place of effects, again and again: what was not there before.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use async_nats::jetstream::stream::RetentionPolicy;
use async_nats::jetstream::{self, stream};
use regex_lite::Regex;
use serde_json::value::RawValue;

use super::ear::Ear;
use super::pick::Message;
use crate::broker::subject_matches as matches;
use crate::counted::counted;
use crate::e2e::driver::raw::wire_headers;
use crate::e2e::record::history::clock::Clock;
use crate::e2e::record::seen::Seen;
use crate::e2e::run::probe::evidence::{self, is_missing};
use crate::e2e::run::stage::brokers::Access;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::run::stage::hearing::Hearing;
use crate::e2e::run::steps::program;
use crate::e2e::scenario::ast::promise::{Operation, Pick, Place, Promise, Verb};
use crate::e2e::scenario::ast::step::Program;
use crate::e2e::text::data::Data;
use crate::process::Reaper;
use crate::wire::driver::Headers;

/// The header of what stands in a bucket for an entry that is gone (ADR-8).
const KV_OPERATION: &str = "KV-Operation";

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
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) place: String,
}

/// Looks at one place.
pub(super) struct Eye {
    at: Place,
    /// Whose effects they are.
    of: Operation,
    /// How often there is one, or in which order, matters.
    counts: bool,
    key: Pick,
    value: Option<Pick>,
    /// Of a log: what finds the key in a line.
    line: Option<Regex>,
    /// What was heard on a subject.
    ear: Option<Ear>,
    /// How many lines or messages it has seen.
    seen: usize,
    /// The sequence from which on it has not looked, by stream.
    next: HashMap<String, u64>,
    /// The subjects on which whatever is sent comes to this place.
    takes: BTreeSet<String>,
    /// When a line that has no time of its own was there first.
    since: HashMap<usize, u64>,
    pub(super) found: Vec<Found>,
    pub(super) gap: Option<String>,
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
            Place::Subject(subject) => Some(Ear::open(subject, around.harness.access()).await?),
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
            takes: match at {
                Place::Subject(subject) => BTreeSet::from([subject.clone()]),
                Place::Kv(bucket) => BTreeSet::from([format!("$KV.{bucket}.>")]),
                _ => BTreeSet::new(),
            },
            since: HashMap::new(),
            found: Vec::new(),
            gap: None,
        })
    }

    /// From the beginning once more, where what was seen may be gone by now.
    pub(super) fn afresh(&mut self) {
        if !matches!(self.at, Place::Subject(_) | Place::Log(_)) {
            (self.seen, self.gap) = (0, None);
            self.next.clear();
            self.found.clear();
        }
    }

    /// Looks for what was not there before.
    pub(super) async fn look(&mut self, around: &Surroundings) -> Result<(), String> {
        match self.at.clone() {
            Place::Stream { names, subject } => {
                for name in &names {
                    self.stream(around, name, subject.as_deref()).await?;
                }
                Ok(())
            }
            Place::Kv(bucket) => self.bucket(around, &bucket).await,
            Place::Subject(_) => {
                self.heard(around);
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

    async fn stream(
        &mut self,
        around: &Surroundings,
        name: &str,
        subject: Option<&str>,
    ) -> Result<(), String> {
        let Some(info) = info(&around.harness, name).await? else { return Ok(()) };
        if info.config.retention != RetentionPolicy::Limits {
            self.gap = Some(format!(
                "stream {name} removes what was handled ({:?}): what was in it cannot be counted; \
                 look at its subject, or at what its worker writes",
                info.config.retention
            ));
            return Ok(());
        }
        self.takes.extend(match subject {
            Some(subject) => vec![subject.to_owned()],
            None => taken(&around.harness, &info.config).await?,
        });
        let on = &self.of.on;
        if self.of.verb != Verb::Call
            && info.config.subjects.iter().any(|taken| matches(taken, on))
            && subject.is_none_or(|filter| matches(filter, on))
        {
            self.gap = Some(format!(
                "stream {name} takes `{on}`: there each operation is its own effect, whatever the \
                 services do; an effect is something that they write"
            ));
        }
        let gone = removed(&info);
        if gone > 0 && self.gap.is_none() {
            let many = counted(gone, "message");
            self.gap =
                Some(format!("stream {name} has removed {many}: what they were is not known"));
        }
        for stored in self.stored(around, name, subject, info.state.last_sequence).await? {
            let place = format!("{name} sequence {} ({})", stored.sequence, stored.subject);
            self.message(&stored.subject, &stored, place, around);
        }
        Ok(())
    }

    async fn bucket(&mut self, around: &Surroundings, bucket: &str) -> Result<(), String> {
        let name = format!("KV_{bucket}");
        let Some(info) = info(&around.harness, &name).await? else { return Ok(()) };
        let gone = removed(&info);
        if info.config.max_messages_per_subject == 1 && self.counts {
            self.gap = Some(format!(
                "bucket {bucket} keeps one value a key, so that what was written twice is not seen: \
                 give it a history of 2 or more, or promise `times = \"at-least-once\"`, and neither \
                 `final` nor `order`"
            ));
        } else if gone > 0 && self.counts {
            let many = counted(gone, "value");
            self.gap = Some(format!(
                "bucket {bucket} has removed {many}: what they were is not known; give it a longer \
                 history"
            ));
        }
        let prefix = format!("$KV.{bucket}.");
        for stored in self.stored(around, &name, None, info.state.last_sequence).await? {
            let key = stored.subject.strip_prefix(&prefix).unwrap_or(&stored.subject).to_owned();
            if stored.headers.contains_key(KV_OPERATION) {
                self.gap = Some(format!(
                    "`{key}` was deleted from bucket {bucket} (revision {}): what was done there is \
                     there no more",
                    stored.sequence
                ));
                continue;
            }
            let place = format!("bucket {bucket}, revision {} of {key}", stored.sequence);
            self.message(&key, &stored, place, around);
        }
        Ok(())
    }

    async fn stored(
        &mut self,
        around: &Surroundings,
        stream: &str,
        subject: Option<&str>,
        last: u64,
    ) -> Result<Vec<evidence::Stored>, String> {
        let next = self.next.entry(stream.to_owned()).or_insert(1);
        if *next > last {
            return Ok(Vec::new()); // nothing is new, and a look is a consumer
        }
        let stored = evidence::stored_from(&around.harness, stream, subject, *next).await?;
        *next = stored.last().map_or(0, |stored| stored.sequence).max(last) + 1;
        Ok(stored)
    }

    fn message(
        &mut self,
        subject: &str,
        stored: &evidence::Stored,
        place: String,
        around: &Surroundings,
    ) {
        let body = Data::read(&stored.bytes);
        let message = Message { subject, headers: &stored.headers, body: &body };
        self.add(&message, around.clock.ns_at(stored.at), place);
    }

    fn heard(&mut self, around: &Surroundings) {
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
            let headers = wire_headers(message.headers.as_ref());
            let body = Data::read(&message.payload);
            let place = format!("message {} on {}", self.seen, message.subject);
            let message = Message { subject: &message.subject, headers: &headers, body: &body };
            self.add(&message, around.clock.ns_of(at), place);
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
                self.found.push(Found { at_ns, key, value: None, place });
            }
        }
    }

    fn file(&mut self, around: &Surroundings, path: &str) -> Result<(), String> {
        let (lines, half) = evidence::lines::<Box<RawValue>>(&around.dir.join(path))?;
        // Another look may find the rest of it.
        self.gap = half.then(|| {
            format!("file {path} ends with half a line: whose effect that is is not known")
        });
        let lines = lines.iter().filter_map(|line| Data::json(line.get())).collect();
        self.lines(lines, &format!("{path} line"), around);
        Ok(())
    }

    async fn command(&mut self, around: &Surroundings, words: &[String]) -> Result<(), String> {
        let Surroundings { reaper, root, access, dir, .. } = around;
        let program = &Program { words: words.to_vec(), ..Program::default() };
        let limit = program::DEFAULT_TIMEOUT;
        let ran = program::run(reaper, program, root, (access, dir), limit).await;
        let shown = words.join(" ");
        let failed = |why: String| format!("`{shown}` {why}");
        let seen = match ran {
            Ok(Seen::Ok(seen)) => seen,
            Ok(_) => return Err(failed("gave no outcome".to_owned())),
            Err(program::Failed::Start(why)) => {
                return Err(failed(format!("could not be started: {why}")));
            }
            Err(program::Failed::Ended(why)) => return Err(failed(why)),
        };
        let part = |name: &str| seen.get(name).map(Data::nearest).unwrap_or_default();
        if part("exit") != 0 {
            return Err(failed(format!("ended with {}: {}", part("exit"), part("stderr"))));
        }
        let stdout = seen.get("stdout").and_then(Data::as_str).unwrap_or_default();
        let lines = stdout.lines().filter(|line| !line.trim().is_empty()).enumerate();
        let lines = lines.map(|(n, line)| {
            let json = Data::json(line);
            json.ok_or_else(|| failed(format!("printed no JSON on line {}: {line}", n + 1)))
        });
        self.lines(lines.collect::<Result<_, _>>()?, &format!("`{shown}` line"), around);
        Ok(())
    }

    /// Lines that were there before are known by their number.
    fn lines(&mut self, lines: Vec<Data>, place: &str, around: &Surroundings) {
        for (n, body) in lines.iter().enumerate().skip(self.seen) {
            let at_ns = *self.since.entry(n).or_insert_with(|| around.clock.now_ns());
            let message = Message { subject: "", headers: &Headers::new(), body };
            self.add(&message, at_ns, format!("{place} {}", n + 1));
            self.seen += 1;
        }
    }

    fn add(&mut self, message: &Message<'_>, at_ns: u64, place: String) {
        let key = message.pick(&self.key);
        let value = self.value.as_ref().and_then(|value| message.pick(value));
        self.found.push(Found { at_ns, key, value, place });
    }

    /// What the client itself sends to this place may be taken for an effect.
    pub(super) fn know_senders(&mut self, sent: &BTreeSet<String>) {
        let own = sent.iter().find(|on| self.takes.iter().any(|taken| matches(taken, on)));
        if let Some(own) = own.filter(|_| self.gap.is_none()) {
            self.gap = Some(format!(
                "the scenario itself sends to `{own}`, which is in {}: whether a service wrote what is \
                 there is not known",
                self.at
            ));
        }
    }

    /// How often it may look: a program is more work than a question.
    pub(super) fn is_dear(&self) -> bool {
        matches!(self.at, Place::Command(_))
    }
}

/// A stream as it is; `None` where there is none.
async fn info(harness: &Harness, name: &str) -> Result<Option<stream::Info>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot look at stream {name}: {error}");
    let context = jetstream::new(harness.client().await.map_err(|error| failed(&error))?);
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// The subjects of which a stream has messages: its own, and those of the streams that it copies.
async fn taken(harness: &Harness, config: &stream::Config) -> Result<Vec<String>, String> {
    let mut subjects = config.subjects.clone();
    let mut copied: Vec<String> = Vec::new();
    let mut left = origins(config);
    while let Some(name) = left.pop() {
        if copied.contains(&name) {
            continue;
        }
        if let Some(info) = info(harness, &name).await? {
            subjects.extend(info.config.subjects.iter().cloned());
            left.extend(origins(&info.config));
        }
        copied.push(name);
    }
    Ok(subjects)
}

fn origins(config: &stream::Config) -> Vec<String> {
    let sources = config.sources.iter().flatten().chain(&config.mirror);
    sources.map(|source| source.name.clone()).collect()
}

/// How many messages a stream has no more.
fn removed(info: &stream::Info) -> u64 {
    let before = info.config.first_sequence.unwrap_or(1).saturating_sub(1);
    info.state.last_sequence.saturating_sub(before).saturating_sub(info.state.messages)
}
