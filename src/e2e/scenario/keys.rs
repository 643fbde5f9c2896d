//! Every key that a fixture may have, with the form of its value and what it says: the reader
//! knows no other, the JSON Schema is made of them, and `docs/scenarios.md` has all of them.

use super::ast::hazard::{HazardKind, Hazards};
use super::ast::scenario::Leaks;
use super::form::{Form, Key, key};
use super::stored_keys::{KV, OBJECTS, STREAM as STORED_STREAM};

/// The words of some keys.
pub(crate) fn words(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.word).collect()
}

/// The top of a fixture.
pub(in crate::e2e) const TOP: &[Key] = &[
    key("description", Form::Text, "What the scenario proves, one sentence."),
    key("tags", Form::Texts, "For filters: `--tag`, `-E 'tag(fault)'`."),
    key("clients", Form::Texts, "The clients it is for; all of them unless said."),
    key(
        "leaks",
        Form::Word(Leaks::WORDS),
        "What becomes of a run that leaves something behind; told unless said.",
    ),
    key(
        "hazards",
        Form::WordOrNames(Hazards::WORDS, &HazardKind::NAMES),
        "What becomes of a run that has hazards, or which are accepted; told unless said.",
    ),
    key(
        "within",
        Form::Duration,
        "All its steps and checks together may take this long; 10 minutes unless said.",
    ),
    key("exclusive", Form::Truth, "No other run goes on beside it, as fixed ports need it."),
    key("redact", Form::Redactions, "What else differs from run to run, by the word in its place."),
    key("broker", Form::Table(BROKER), "The broker's settings."),
    key("streams", Form::Stored(STORED_STREAM), "Streams that are made before the services start."),
    key("kv", Form::Stored(KV), "Buckets that are made before the services start."),
    key("objects", Form::Stored(OBJECTS), "Object stores that are made before."),
    key("proxy", Form::Table(PROXY), "Who is behind a network that can be made bad."),
    key("processes", Form::Table(PROCESSES), "The service processes."),
    key("explore", Form::Table(EXPLORE), "Kills a service at each of its messages, a run each."),
    key(
        "services",
        Form::Services,
        "Those it needs; or a table for each that differs or is its own.",
    ),
    key("promise", Form::Named(PROMISE), "What becomes of operations; `false`: not the suite's."),
    key("row", Form::Rows, "One scenario a row: its `name`, and values used as `{{name}}`."),
    key("setup", Form::Steps, "Done when the broker is up and the services are not."),
    key("step", Form::Steps, "What is done, in order."),
    key("teardown", Form::Steps, "Done after the steps, whatever they came to."),
    key("check", Form::Checks, "What must hold at the end, and stay so."),
];

/// `[broker]`.
pub(in crate::e2e) const BROKER: &[Key] = &[
    key("max_payload", Form::Count(4096), "The server's `max_payload`, bytes."),
    key("cluster", Form::Count(3), "So many servers that replicate each other's streams."),
    key("url", Form::Text, "A broker that somebody else runs: none is started."),
    key("auth", Form::Truth, "`false`: who shows no password is let in as a service."),
    key("port", Form::Port, "The port it listens on: one run at a time."),
    key("config", Form::Text, "A file of nats-server's own settings, in the suite's folder."),
];

/// `[proxy]`.
pub(in crate::e2e) const PROXY: &[Key] = &[
    key("client", Form::Truth, "Puts the client under test behind a proxy."),
    key("services", Form::Truth, "Puts the service processes behind proxies of their own."),
];

/// `[processes]`.
pub(in crate::e2e) const PROCESSES: &[Key] = &[
    key("services", Form::Count(1), "How many service processes there are; 1 unless said."),
    key("restart", Form::Truth, "Starts again what ends unasked."),
    key("restarts", Form::Count(1), "How often each service may need that; however often."),
];

/// `[explore]`.
pub(in crate::e2e) const EXPLORE: &[Key] = &[
    key("service", Form::Text, "The service that is killed."),
    key("points", Form::Count(1), "At most so many points; 20 unless said."),
];

/// `[promise.NAME]`.
pub(in crate::e2e) const PROMISE: &[Key] = &[
    key("operation", Form::Table(OPERATION), "What a client does."),
    key("key", Form::Text, "What tells one from another: a pointer, `header:NAME`, `subject:N`."),
    key("effect", Form::OneOrTables(EFFECT), "Where an acknowledged one is seen."),
    key("times", Form::Word(&["once", "at-least-once", "at-most-once"]), "How often; once."),
    key("within", Form::Duration, "So soon after the last operation and the last fault; 10 s."),
    key("order", Form::Text, "Those with one value here have their effects in order."),
    key("final", Form::Table(ENDING), "How it ends, for good."),
    key("unasked", Form::Word(&["fail", "ignore"]), "What an effect is that nobody asked for."),
];

/// `operation` of a promise.
pub(in crate::e2e) const OPERATION: &[Key] = &[
    key("submit", Form::Text, "On this subject; wildcards are allowed."),
    key("request", Form::Text, "On this subject; wildcards are allowed."),
    key("publish", Form::Text, "On this subject; wildcards are allowed."),
    key("call", Form::Text, "This method of the typed client."),
];

/// `effect` of a promise.
pub(in crate::e2e) const EFFECT: &[Key] = &[
    key("stream", Form::OneOrTexts, "A message of this stream, or of one of these."),
    key(
        "subject",
        Form::OneOrTexts,
        "A message on this subject, or on one of these; beside `stream`, of those there.",
    ),
    key("kv", Form::Text, "An entry of this bucket."),
    key("log", Form::Text, "A line that this service prints."),
    key("file", Form::Text, "A line of JSON in this file below MONO_DEMO_DIR."),
    key("command", Form::Texts, "A line of JSON that this program prints."),
    key("key", Form::Text, "Whose effect it is: as in the promise; of a log a regular expression."),
];

/// `final` of a promise.
pub(in crate::e2e) const ENDING: &[Key] = &[
    key("effect", Form::Count(0), "Which of the effects says so, from 0."),
    key("value", Form::Text, "Where its value is."),
    key("among", Form::Texts, "The values that are final."),
];

const FOR: Key = key("for", Form::Duration, "It lasts so long, and is then mended.");
const ON: Key = key("on", Form::Word(&["client", "services"]), "Whose network it is.");
const SERVICE: Key = key("service", Form::Text, "Which of the suite's services.");
const STREAM: Key = key("stream", Form::Text, "Whose leader, of a cluster.");
const LATENCY: Key = key("latency", Form::Duration, "So much longer takes every byte.");
const JITTER: Key = key("jitter", Form::Duration, "And by chance up to so much more.");
const AFTER_BYTES: Key = key("after_bytes", Form::Count(1), "It is cut once so many have passed.");
const DIRECTION: Key =
    key("direction", Form::Word(&["to-server", "to-client"]), "Which bytes it is about.");
const CHUNK: Key = key("chunk", Form::Count(1), "So many bytes at a time.");
const EVERY: Key =
    key("every", Form::Every, "And so long between them; of messages: every n-th that matches.");
const NODES: Key = key("nodes", Form::Count(1), "So many nodes of the cluster.");
const CLIENT_ON: Key = key(
    "client_on",
    Form::Word(&["minority", "majority"]),
    "On which side of a cluster that is cut in two the client is.",
);

const WHAT: Key = key(
    "what",
    Form::Word(&["publish", "pub-ack", "delivery", "ack", "nak", "reply"]),
    "It is about messages: of this kind.",
);
const SUBJECT: Key = key("subject", Form::Text, "On this subject; wildcards are allowed.");
const HEADER: Key = key("header", Form::Text, "With this header, as `Nats-Msg-Id: o-7`.");
const OF: Key = key("of", Form::Text, "Whose messages: `client`, or a service.");
const NTH: Key = key("nth", Form::Count(1), "Which of those that match; 1, the next.");
const WHEN: Key = key(
    "when",
    Form::Word(&["before", "after"]),
    "Whether the connection ends before it arrives, or after.",
);

/// A fault of `under`, as a table.
pub(in crate::e2e) const UNDER: &[Key] = &[
    key("times", Form::Count(1), "How often; once unless said."),
    FOR,
    ON,
    SERVICE,
    STREAM,
    LATENCY,
    JITTER,
    AFTER_BYTES,
    DIRECTION,
    CHUNK,
    EVERY,
    NODES,
    CLIENT_ON,
    WHAT,
    SUBJECT,
    HEADER,
    key("body", Form::Text, "With this text in its body."),
    OF,
    NTH,
    WHEN,
];

/// What steps have, in the order in which they are written; which of them go with which verb, `steps` says.
pub(in crate::e2e) const STEP: &[Key] = &[
    key("call", Form::Text, "A method of the typed client, as `orders.get`."),
    key("args", Form::Array, "Positional arguments."),
    key("kwargs", Form::Object, "Keyword arguments."),
    key("request", Form::Text, "Sends to a subject and waits for the reply."),
    key("replies", Form::Count(1), "Of `request`: so many replies come, and no more."),
    key("unordered", Form::Patterns, "Of `request`: the body of each reply, in any order."),
    key("publish", Form::Text, "Sends to a subject; nothing answers."),
    key("submit", Form::Text, "Sends to a stream and waits for the acknowledgement."),
    key("kv", Form::Table(KV_STEP), "An entry of a key-value bucket."),
    key("object", Form::Table(OBJECT_STEP), "An object of an object store."),
    key("http", Form::Table(HTTP_STEP), "A request to the web side of a service."),
    key("body", Form::Data, "The message: data, sent as JSON; of a fault: text in it."),
    key("text", Form::Text, "The message: text, sent as it is."),
    key("bytes_base64", Form::Text, "The message: any bytes, as base64."),
    key("body_file", Form::Text, "The message: a file beside the fixture or below it."),
    key("body_size", Form::Count(0), "The message: so many bytes of filler."),
    key("headers", Form::Headers, "Headers of the message."),
    key("reply_to", Form::Text, "Of `publish`: where whoever gets it is to reply."),
    key("run", Form::Texts, "A program and its arguments; `NATS_URL` is in its environment."),
    key("cwd", Form::Text, "Its working folder, from the suite's; the suite's unless said."),
    key("env", Form::Variables, "Its environment, beside what every program is given."),
    key("fault", Form::Fault, "Something breaks, or is mended."),
    FOR,
    ON,
    SERVICE,
    STREAM,
    LATENCY,
    JITTER,
    AFTER_BYTES,
    DIRECTION,
    CHUNK,
    WHAT,
    SUBJECT,
    HEADER,
    OF,
    NTH,
    EVERY,
    key("times", Form::Count(1), "Of messages: so many of them."),
    WHEN,
    NODES,
    CLIENT_ON,
    key("settle", Form::Truth, "Waits until nothing is in flight in any stream."),
    key("expect_message", Form::Table(MESSAGE), "The next message on a subject, or none."),
    key("expect_messages", Form::Table(MESSAGES), "So many messages on a subject and no more."),
    key("expect_log", Form::Table(LOG_STEP), "A line that a service prints."),
    key("repeat", Form::Count(1), "How often, counted by `{{n}}` from 1."),
    key("copies", Form::Count(1), "Load: submitted by so many clients, counted by `{{k}}`."),
    key("concurrency", Form::Count(1), "How many of those at a time."),
    key("rate", Form::Count(1), "Load: at most so many are begun in a second."),
    key("again", Form::Count(0), "Load: of a hundred, how many are submitted once more."),
    key("client_dies", Form::Truth, "Load: its process aborts before it reads the answer."),
    key("under", Form::Under, "Load: what breaks meanwhile, and how often."),
    key("reply", Form::Pattern, "Expected: the reply's body, or what the method returned."),
    key("reply_headers", Form::Pattern, "Expected: the reply's headers."),
    key("ack", Form::Pattern, "Expected: `stream`, `sequence`, `duplicate`."),
    key("entry", Form::Pattern, "Expected of `kv`: `value`, `revision`, `operation`."),
    key("status", Form::Pattern, "Expected of `http`: the status; 200 to 299 unless said."),
    key("error", Form::Error, "Expected: it fails."),
    key("exit", Form::Pattern, "Expected: the program's exit code; 0 unless said."),
    key("stdout", Form::Pattern, "Expected: what it printed."),
    key("stderr", Form::Pattern, "Expected: what it printed to stderr."),
    key("match", Form::Word(&["subset", "exact"]), "Whether other keys may be there: `subset`."),
    key("timeout", Form::Duration, "Bound on one attempt."),
    key("within", Form::Duration, "Asked again until it holds, at most this long."),
    key("save", Form::Save, "Keeps values, for `{{name}}` in later steps."),
    key("golden", Form::Golden, "`false`: not in the golden file; or the parts that are not."),
];

/// `kv`.
pub(in crate::e2e) const KV_STEP: &[Key] = &[
    key("bucket", Form::Text, "Which bucket."),
    key("get", Form::Text, "The newest value of this key."),
    key("put", Form::Text, "A value for this key, whatever is there."),
    key("create", Form::Text, "A first value for this key."),
    key("update", Form::Text, "A value for this key in place of a `revision`."),
    key("delete", Form::Text, "No value for this key any more."),
    key("watch", Form::Text, "The next change of this key, or of those that match."),
    key("revision", Form::Revision, "Of `update`: what it replaces."),
];

/// `object`.
pub(in crate::e2e) const OBJECT_STEP: &[Key] = &[
    key("store", Form::Text, "Which object store."),
    key("get", Form::Text, "Reads the object of this name."),
    key("put", Form::Text, "Writes the object of this name."),
];

/// `http`.
pub(in crate::e2e) const HTTP_STEP: &[Key] = &[
    key("get", Form::Text, "A GET of this URL."),
    key("head", Form::Text, "A HEAD of this URL."),
    key("post", Form::Text, "A POST to this URL."),
    key("put", Form::Text, "A PUT to this URL."),
    key("patch", Form::Text, "A PATCH of this URL."),
    key("delete", Form::Text, "A DELETE of this URL."),
];

/// `expect_message`.
pub(in crate::e2e) const MESSAGE: &[Key] = &[
    key("subject", Form::Text, "Where; wildcards are allowed."),
    key("body", Form::Pattern, "Expected: its body."),
    key("headers", Form::Pattern, "Expected: its headers."),
    key("none", Form::Truth, "There is none: proved by a fence along the same path."),
];

/// `expect_messages`.
pub(in crate::e2e) const MESSAGES: &[Key] = &[
    key("subject", Form::Text, "Where; wildcards are allowed."),
    key("count", Form::Count(1), "How many, and no more: proved by a fence."),
    key("body", Form::Pattern, "Expected: the body of each."),
    key("headers", Form::Pattern, "Expected: the headers of each."),
    key("unordered", Form::Patterns, "Expected: their bodies, in any order."),
];

/// `expect_log`.
pub(in crate::e2e) const LOG_STEP: &[Key] = &[
    key("service", Form::Text, "Which of the services."),
    key("matches", Form::Text, "A regular expression, found in a line."),
    key("count", Form::Count(1), "At least so many lines; one unless said."),
];

/// A step that stands for those of another file.
pub(in crate::e2e) const INCLUDE: &[Key] = &[
    key("include", Form::Text, "The steps of a file below the suite's folder."),
    key("with", Form::Object, "The values of its parameters."),
];

/// The top of a file of shared steps.
pub(in crate::e2e) const SHARED: &[Key] = &[
    key("params", Form::Texts, "The names of its parameters, used as `{{name}}`."),
    key("step", Form::Steps, "What is done, in order."),
];

/// `error`, as a table.
pub(in crate::e2e) const ERROR: &[Key] = &[
    key("kind", Form::Pattern, "What went wrong, or a matcher."),
    key("definite", Form::Pattern, "`true`: it certainly did not happen."),
    key("code", Form::Pattern, "The service's code, as 400."),
    key("message", Form::Pattern, "The words."),
];

/// What checks have; which of them go with which word, `checks` says.
pub(crate) const CHECK: &[Key] = &[
    key("final_within", Form::Duration, "Everything is final so soon after the last fault."),
    key("recovered_within", Form::Duration, "It works again so soon after each fault."),
    key("history", Form::Pattern, "The verdict on the run's history, and its figures."),
    key("schema", Form::OneOrTexts, "Every message on a subject is valid by one of these."),
    key("kv", Form::Text, "What this bucket holds."),
    key("log", Form::Text, "What this service has printed."),
    key("consumer", Form::Text, "What this consumer has left, and what it gave up."),
    key("stream", Form::Text, "What this stream of JetStream holds; of `consumer`: whose it is."),
    key("subject", Form::Text, "Of `schema`: where; wildcards are allowed."),
    key("replies", Form::OneOrTexts, "Of `schema`: every reply is valid by one of these."),
    key("messages", Form::Count(0), "Of `stream`: so many messages."),
    key("subjects", Form::Count(0), "Of `stream`: on so many different subjects."),
    key("by_subject", Form::Counts, "Of `stream`: so many on each of these subjects."),
    key("unique", Form::Pointer, "Of `stream`: no two messages have the same at this pointer."),
    key("each", Form::Pattern, "Of `stream`: the body of every message."),
    key("headers", Form::Pattern, "Of `stream`: the headers of every message."),
    key("last", Form::Pattern, "Of `stream`: the body of the last message."),
    key("keys", Form::Count(0), "Of `kv`: so many keys have a value."),
    key("key", Form::Text, "Of `kv`: which key."),
    key("value", Form::Pattern, "Of `kv`: the value of the key; `#absent`: it has none."),
    key("revision", Form::Pattern, "Of `kv`: the revision of the key's value."),
    key("values", Form::Pattern, "Of `kv`: all values of the key, oldest first."),
    key("matches", Form::Text, "Of `log`: a regular expression, found in a line."),
    key("count", Form::Count(0), "Of `log`: so many lines; at least one unless said."),
    key("none", Form::Truth, "Of `log`: no line."),
    key("pending", Form::Count(0), "Of `consumer`: not delivered yet."),
    key("unacknowledged", Form::Count(0), "Of `consumer`: delivered and not acknowledged."),
    key("redelivered", Form::Count(0), "Of `consumer`: of these, delivered more than once."),
    key("terminated", Form::Count(0), "Of `consumer`: terminated by a worker."),
    key("exhausted", Form::Count(0), "Of `consumer`: with all deliveries used up."),
];

/// Beside every check.
const WITHIN: Key =
    key("within", Form::Duration, "It may take this long to come true; then it stays so.");

/// What a check may be about that somebody adds who knows the services, and what goes with it.
#[derive(Debug, Clone, Copy)]
pub struct CheckWord {
    /// The check. Of forms there may be `Text`, `Ids`, `Count`, `Truth`, `Pattern`, and tables of
    /// these.
    pub key: Key,
    /// Of the same forms.
    pub beside: &'static [Key],
}

/// What checks have, those of `added` among them, each once and in the order in which they are written.
pub(crate) fn of_checks(added: &[CheckWord]) -> Vec<Key> {
    let beside = added.iter().flat_map(|word| word.beside.iter().copied());
    let all = CHECK.iter().copied().chain(added.iter().map(|word| word.key)).chain(beside);
    let mut keys: Vec<Key> = Vec::new();
    for key in all.chain([WITHIN]) {
        if !keys.iter().any(|known| known.word == key.word) {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
pub(in crate::e2e::scenario) mod tests;
