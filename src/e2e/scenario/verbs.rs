//! The verbs: what goes with each, and what can be expected of it.

use crate::broker::What;
use crate::e2e::scenario::faults;

/// A verb, the keys that go with it, and the parts of its outcome that can be expected.
pub(in crate::e2e) struct Verb {
    pub(in crate::e2e) word: &'static str,
    pub(in crate::e2e) inputs: &'static [&'static str],
    pub(in crate::e2e) expects: &'static [&'static str],
    pub(in crate::e2e) common: &'static [&'static str],
}

/// The keys of a body, one of which a verb that sends something has, and what else it has.
macro_rules! with_a_body {
    ($($more:literal)*) => {
        &["body", "text", "bytes_base64", "body_file", "body_size", $($more),*]
    };
}

const REQUEST: &[&str] = with_a_body!["headers" "replies" "unordered"];
const SUBMIT: &[&str] = with_a_body!["headers" "again" "copies" "client_dies" "rate" "under"];
const PUBLISH: &[&str] = with_a_body!["headers" "reply_to" "rate" "under"];
const STORED: &[&str] = with_a_body![];
const WEB: &[&str] = with_a_body!["headers"];
const COMMON: &[&str] = &["within", "timeout", "repeat", "concurrency", "save", "match", "golden"];

pub(in crate::e2e) const VERBS: [Verb; 13] = [
    Verb {
        word: "call",
        inputs: &["args", "kwargs"],
        expects: &["reply", "error"],
        common: COMMON,
    },
    Verb {
        word: "request",
        inputs: REQUEST,
        expects: &["reply", "reply_headers", "error"],
        common: COMMON,
    },
    Verb { word: "publish", inputs: PUBLISH, expects: &["error"], common: COMMON },
    Verb { word: "submit", inputs: SUBMIT, expects: &["ack", "error"], common: COMMON },
    Verb { word: "kv", inputs: STORED, expects: &["entry", "error"], common: COMMON },
    Verb { word: "object", inputs: STORED, expects: &["reply", "error"], common: COMMON },
    Verb {
        word: "http",
        inputs: WEB,
        expects: &["status", "reply", "reply_headers", "error"],
        common: COMMON,
    },
    Verb {
        word: "run",
        inputs: &["cwd", "env"],
        expects: &["exit", "stdout", "stderr"],
        common: COMMON,
    },
    Verb { word: "fault", inputs: faults::KEYS, expects: &[], common: &["timeout"] },
    Verb { word: "settle", inputs: &[], expects: &[], common: &["within"] },
    Verb {
        word: "expect_message",
        inputs: &[],
        expects: &[],
        common: &["within", "repeat", "save", "match", "golden"],
    },
    Verb {
        word: "expect_messages",
        inputs: &[],
        expects: &[],
        common: &["within", "save", "match", "golden"],
    },
    Verb { word: "expect_log", inputs: &[], expects: &[], common: &["within", "golden"] },
];

/// The kinds of error that a fixture can expect.
pub(in crate::e2e) const ERROR_KINDS: [&str; 10] = [
    "domain",
    "bad_input",
    "no_responders",
    "timeout",
    "service_error",
    "max_payload",
    "no_stream",
    "permissions",
    "connection",
    "other",
];

impl Verb {
    pub(in crate::e2e) fn takes(&self, key: &str) -> bool {
        key == self.word
            || self.inputs.contains(&key)
            || self.expects.contains(&key)
            || self.common.contains(&key)
    }

    pub(in crate::e2e) fn keys(&self) -> String {
        let keys: Vec<&str> = [self.expects, self.inputs, self.common].concat();
        keys.join(", ")
    }
}

/// All verbs, and what stands for the steps of another file.
pub(in crate::e2e) fn verb_words() -> Vec<&'static str> {
    VERBS.iter().map(|verb| verb.word).chain(["include"]).collect()
}

/// Each verb with all that goes with it.
pub(in crate::e2e) fn verbs() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    VERBS.iter().map(|verb| (verb.word, [verb.expects, verb.inputs, verb.common].concat()))
}

/// The words for what can be made to break.
pub(in crate::e2e) fn fault_words() -> Vec<&'static str> {
    What::words().collect()
}
