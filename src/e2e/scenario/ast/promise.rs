//! A promise: what becomes of each operation that was acknowledged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::counted::counted;

/// What services promise of the operations on a subject. It is part of a history, so that a kept one
/// is judged by what was promised then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// As in `[promise.NAME]`.
    pub name: String,
    /// The scenario itself makes it, not only its suite: then there must be something to look at.
    pub own: bool,
    /// Which operations it is about.
    pub operation: Operation,
    /// What tells one operation from another.
    pub key: Pick,
    /// Where an acknowledged operation is seen, by the same key.
    pub effects: Vec<Effect>,
    /// How often each has its effect.
    pub times: Times,
    /// So soon after the last operation, and after the last fault.
    #[serde(rename = "within_ms", with = "millis")]
    pub within: Duration,
    /// Operations with the same value here have their effects in the order in which they were done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Pick>,
    /// How an operation ends.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// What an effect is that nobody asked for.
    pub unasked: Unasked,
}

impl Promise {
    /// How this effect says that an operation ends, if it is the one that does.
    pub fn ending_at(&self, effect: usize) -> Option<&Ending> {
        self.ending.as_ref().filter(|ending| ending.effect == effect)
    }

    /// Whether it has an effect of this number.
    ///
    /// # Errors
    /// It has fewer.
    pub fn has(&self, effect: usize) -> Result<(), String> {
        let many = self.effects.len();
        let none = || {
            let many = counted(many, "effect");
            format!("there is no effect {effect}: `{}` has {many}, from 0 on", self.name)
        };
        (effect < many).then_some(()).ok_or_else(none)
    }

    /// Whether it matters how often an effect is there, or in which order: not only that it is.
    pub fn counts_all(&self, effect: usize) -> bool {
        self.times != Times::AtLeastOnce || self.order.is_some() || self.ending_at(effect).is_some()
    }

    /// Whether an effect with this value counts: where it says how things end, only an end does.
    pub fn counts(&self, effect: usize, value: Option<&str>) -> bool {
        self.ending_at(effect).is_none_or(|ending| ending.is_final(value))
    }
}

impl Ending {
    /// Whether it is an end.
    pub fn is_final(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.among.iter().any(|end| end == value))
    }
}

/// Which operations a promise is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// How a client does it.
    pub verb: Verb,
    /// A subject, which may have wildcards; of a call, the method.
    pub on: String,
}

/// How a client does it; as in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Acknowledged by a stream.
    Submit,
    /// Acknowledged by its reply.
    Request,
    /// Nothing acknowledges it but the broker.
    Publish,
    /// A method of the typed client.
    Call,
}

impl Verb {
    /// In the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Submit, Self::Request, Self::Publish, Self::Call];

    /// As in a step.
    pub fn word(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Request => "request",
            Self::Publish => "publish",
            Self::Call => "call",
        }
    }
}

/// Where a value stands in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// A JSON pointer (RFC 6901) into the body; of a call, into `{"args": […], "kwargs": {…}}`.
    Pointer(String),
    /// The first value of a header.
    Header(String),
    /// A token of the subject, from 1; of a bucket, of the key.
    Token(usize),
    /// The first group of a regular expression, of a line.
    Captured(String),
    /// The key of a bucket.
    Key,
}

/// Where an acknowledged operation is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Where to look.
    pub at: Place,
    /// What tells which operation it is of.
    pub key: Pick,
}

/// Where effects are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The messages of a stream, or of several that count as one; with a filter, those on a subject.
    Stream {
        /// Their names.
        names: Vec<String>,
        /// May have wildcards; several count as one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        subjects: Vec<String>,
    },
    /// Messages on a subject, or on several that count as one, heard while the scenario runs.
    Subjects(Vec<String>),
    /// The entries of a key-value bucket.
    Kv(String),
    /// The lines that the processes of a service print.
    Log(String),
    /// A file of JSON lines below the folder of the run that services know as `MONO_DEMO_DIR`.
    File(String),
    /// A program that prints JSON lines; it runs in the suite's folder, again and again until all is
    /// there.
    Command(Vec<String>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream { names, subjects } => {
                write!(f, "stream {}", names.join(" or "))?;
                match subjects.as_slice() {
                    [] => Ok(()),
                    subjects => write!(f, " ({})", subjects.join(" or ")),
                }
            }
            Self::Subjects(subjects) => write!(f, "subject {}", subjects.join(" or ")),
            Self::Kv(bucket) => write!(f, "bucket {bucket}"),
            Self::Log(service) => write!(f, "log of {service}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Command(words) => write!(f, "output of {}", words.join(" ")),
        }
    }
}

/// How often an acknowledged operation has its effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Not lost, and not twice.
    #[default]
    Once,
    /// Not lost.
    AtLeastOnce,
    /// Not twice.
    AtMostOnce,
}

impl Times {
    /// In the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Once, Self::AtLeastOnce, Self::AtMostOnce];

    /// As in a fixture.
    pub fn word(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::AtLeastOnce => "at-least-once",
            Self::AtMostOnce => "at-most-once",
        }
    }
}

/// How an operation ends: an effect with one of these values, and with no other after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Which of the effects says so, from 0.
    pub effect: usize,
    /// Where its value is.
    pub value: Pick,
    /// The values that are final.
    pub among: Vec<String>,
}

/// What an effect is that nobody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unasked {
    /// The promise is broken.
    #[default]
    Fail,
    /// Nothing: others do such operations too.
    Ignore,
}

impl Unasked {
    /// In the order in which they are told.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Ignore];

    /// As in a fixture.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Ignore => "ignore",
        }
    }
}

/// Whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(of: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(of.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
