//! Splits a journal's text into records and lines that are no record.

use serde::de::DeserializeOwned;

/// The records of a journal's text, one after the other; what is no record is told with its place.
pub(super) fn records<T: DeserializeOwned>(text: &[u8], offset: u64) -> (Vec<T>, Vec<Damaged>) {
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    let mut at = offset;
    for line in text.split_inclusive(|b| *b == b'\n') {
        if !line.trim_ascii().is_empty() {
            match serde_json::from_slice(line) {
                Ok(record) => records.push(record),
                Err(e) => damaged.push(Damaged::new(at, line, &e)),
            }
        }
        at += line.len() as u64;
    }
    (records, damaged)
}

/// A line that is no record.
#[derive(Debug, Clone)]
pub struct Damaged {
    pub(super) at: u64,
    evidence: String,
    excerpt: String,
    keys: Vec<String>,
}

impl Damaged {
    pub(super) fn new(at: u64, line: &[u8], error: &serde_json::Error) -> Self {
        let excerpt = String::from_utf8_lossy(&line[..line.len().min(120)]).trim_end().to_owned();
        let excerpt = excerpt.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c });
        let keys = readable_keys(line);
        Self { at, evidence: error.to_string(), excerpt: excerpt.collect(), keys }
    }

    /// The keys that can still be read in it: several, where a line break is damaged.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }
}

/// What stands between the quotes after each `"key":`.
fn readable_keys(line: &[u8]) -> Vec<String> {
    const NAME: &[u8] = b"\"key\":\"";
    let mut keys = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.windows(NAME.len()).position(|part| part == NAME) {
        rest = &rest[at + NAME.len()..];
        let Some(length) = rest.iter().position(|b| *b == b'"') else { break };
        keys.extend(String::from_utf8(rest[..length].to_vec()));
    }
    keys
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: {}: {}", self.at, self.evidence, self.excerpt)
    }
}
