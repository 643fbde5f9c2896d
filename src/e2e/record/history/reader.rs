//! Reads a history, or says at which line and column it is not one.

use std::{collections::BTreeSet, fs, io, path::Path};

use super::event::{End, Event, What};

/// A history as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order of recording.
    pub events: Vec<Event>,
}

/// Why a text is not a history.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("read the history {path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A line is not an event.
    #[error("history line {line}, column {column}: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Lines are missing, or in another order.
    #[error(
        "history line {line}: event {seen} stands where {expected} is due; lines are missing or moved"
    )]
    Sequence {
        /// From 1.
        line: usize,
        /// The number that is due.
        expected: u64,
        /// The number that is there.
        seen: u64,
    },
    /// There is nothing in it.
    #[error("no line that is whole: an empty file is no history")]
    Empty,
    /// Something follows the end.
    #[error("history line {line}: an event after the end")]
    AfterEnd {
        /// From 1.
        line: usize,
    },
}

/// So much is read by one thread: less is not worth another.
const PART: usize = 1 << 20;

/// Some lines, as far as they are events.
#[derive(Default)]
struct Part {
    events: Vec<Event>,
    /// What is wrong with the line after them.
    wrong: Option<Wrong>,
}

struct Wrong {
    column: usize,
    reason: String,
}

/// The lines in order, read side by side.
fn parts(bytes: &[u8]) -> Vec<Part> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let many = (bytes.len() / PART).clamp(1, cores);
    let mut cuts = Vec::new();
    let mut rest = bytes;
    for left in (1..=many).rev() {
        // Up to the end of the line in which an even share of the rest ends.
        let share = rest.len() / left;
        let end = rest[share..].iter().position(|byte| *byte == b'\n').map(|at| share + at + 1);
        let (part, after) = rest.split_at(end.filter(|_| left > 1).unwrap_or(rest.len()));
        cuts.push(part);
        rest = after;
    }
    std::thread::scope(|scope| {
        let reading: Vec<_> = cuts.into_iter().map(|cut| scope.spawn(|| part(cut))).collect();
        // A thread that panicked goes on panicking here.
        let read = |reading: std::thread::ScopedJoinHandle<'_, Part>| match reading.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        reading.into_iter().map(read).collect()
    })
}

fn part(bytes: &[u8]) -> Part {
    let mut part = Part::default();
    for text in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = text.strip_suffix(b"\n") else { break };
        match serde_json::from_slice(text) {
            Ok(event) => part.events.push(event),
            Err(error) => {
                // What is wrong with the line as a whole is known at its end.
                let column = if error.column() == 0 { text.len().max(1) } else { error.column() };
                part.wrong = Some(Wrong { column, reason: reason(&error) });
                break;
            }
        }
    }
    part
}

impl History {
    /// Reads a file of JSON lines.
    ///
    /// # Errors
    /// [`ReadError`]; a file without a whole line is no history.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let bytes = fs::read(path)
            .map_err(|source| ReadError::Io { path: path.display().to_string(), source })?;
        match Self::read(&bytes)? {
            history if history.events.is_empty() => Err(ReadError::Empty),
            history => Ok(history),
        }
    }

    /// Reads JSON lines. A last line without its line feed was cut off while it was written, and
    /// is left out; without an `end`, such a history never claims that something did not happen.
    ///
    /// # Errors
    /// [`ReadError`] names line and column.
    ///
    /// ```
    /// use mono_demo::e2e::record::history::History;
    /// let error = History::read(b"{\"seq\":1,\"at_ns\":-5}\n").unwrap_err();
    /// assert!(error.to_string().starts_with("history line 1, column 19: "));
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut events: Vec<Event> = Vec::new();
        for part in parts(bytes) {
            events.reserve(part.events.len());
            for event in part.events {
                let expected = events.len() as u64 + 1;
                let line = events.len() + 1;
                if event.seq != expected {
                    return Err(ReadError::Sequence { line, expected, seen: event.seq });
                }
                if matches!(events.last(), Some(Event { what: What::End(_), .. })) {
                    return Err(ReadError::AfterEnd { line });
                }
                events.push(event);
            }
            if let Some(Wrong { column, reason }) = part.wrong {
                return Err(ReadError::Line { line: events.len() + 1, column, reason });
            }
        }
        Ok(Self { events })
    }

    /// Events numbered from 1 in this order.
    pub fn from_events(events: impl IntoIterator<Item = (u64, What)>) -> Self {
        let events = events
            .into_iter()
            .zip(1..)
            .map(|((at_ns, what), seq)| Event { seq, at_ns, what })
            .collect();
        Self { events }
    }

    /// The history as JSON lines.
    ///
    /// # Errors
    /// An event that JSON cannot carry; there is none.
    pub fn to_json_lines(&self) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        for event in &self.events {
            text.push_str(&serde_json::to_string(event)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// True where the history was cut off before its end.
    pub fn is_cut_off(&self) -> bool {
        !self.events.iter().any(|event| matches!(event.what, What::End(_)))
    }

    /// The records that are whole.
    pub fn whole(&self) -> BTreeSet<String> {
        let end = self.events.iter().rev().find_map(|event| match &event.what {
            What::End(End { whole, .. }) => Some(whole.clone()),
            _ => None,
        });
        end.unwrap_or_default()
    }
}

/// serde_json's words without their position, which is told apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    crate::wire::headers::one_line(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBMIT: &str = r#"{"seq":1,"at_ns":5,"invoke":{"process":"c","op":1,"kind":"submit","subject":"s","about":{"of":"order","key":"o"}}}"#;

    #[test]
    fn what_is_written_is_read_back() {
        let text = format!(
            "{SUBMIT}\n{}\n{}\n",
            r#"{"seq":2,"at_ns":6,"shipped":{"order":"o","weight": 1.50}}"#,
            r#"{"seq":3,"at_ns":7,"end":{"whole":["deliveries","shipments"]}}"#
        );
        let history = History::read(text.as_bytes()).unwrap();
        assert_eq!(history.to_json_lines().unwrap(), text);
        assert_eq!(history.whole().len(), 2);
        assert!(!history.is_cut_off());
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let history = History::read(format!("{SUBMIT}\n{{\"seq\":2,\"at").as_bytes()).unwrap();
        assert_eq!(history.events.len(), 1);
        assert!(history.is_cut_off());
        assert_eq!(History::read(b"").unwrap().events.len(), 0);
    }

    #[test]
    fn a_mistake_is_named_by_line_and_the_column_it_ends_at() {
        for (line, column, words) in [
            (SUBMIT.replace("key", "kye"), 107, "unknown field `kye`"),
            (SUBMIT.replace("\"at_ns\":5", "\"shipped\":1"), 29, "one thing that happened"),
            (SUBMIT.replace("{\"seq\":1", "{\"seq\":1,\"seq\":1"), 14, "`seq` is there twice"),
            (SUBMIT.replace("submit", "sumbit"), 65, "unknown variant `sumbit`"),
            (SUBMIT.replace("\"op\":1", "\"op\":-1"), 50, "invalid value: integer `-1`"),
            (SUBMIT.replace("process", "proces"), 37, "unknown field `proces`"),
            ("{\"seq\":1".to_owned(), 8, "EOF"),
            (r#"{"seq":1,"at_ns":5}"#.to_owned(), 19, "what happened"),
            ("\u{feff}{}".to_owned(), 1, "expected value"),
        ] {
            let error = History::read(format!("{line}\n").as_bytes()).unwrap_err();
            let ReadError::Line { line: 1, column: seen, reason } = &error else {
                panic!("{error}");
            };
            assert!(reason.contains(words), "{line}: {error}");
            assert_eq!(*seen, column, "{line}: {error}");
        }
    }

    #[test]
    fn a_long_history_is_read_by_several_and_is_the_same() {
        let line = |n: u64| SUBMIT.replace("\"seq\":1", &format!("\"seq\":{n}"));
        let lines: Vec<String> = (1..=30_000).map(line).collect();
        let read = |lines: &[String]| History::read((lines.join("\n") + "\n").as_bytes());
        assert!(lines.join("\n").len() > 3 * PART, "there are several parts");
        let history = read(&lines).unwrap();
        assert!(history.events.iter().map(|event| event.seq).eq(1..=30_000));
        for wrong in [0, 9_999, 15_000, 15_001, 29_999] {
            let mut doctored = lines.clone();
            doctored[wrong] = "{}".to_owned();
            // What is wrong first is told.
            doctored[29_999] = "{}".to_owned();
            let error = read(&doctored).unwrap_err();
            assert!(matches!(error, ReadError::Line { line, .. } if line == wrong + 1), "{error}");
            let mut moved = lines.clone();
            moved.remove(wrong);
            match read(&moved) {
                Err(ReadError::Sequence { line, .. }) => assert_eq!(line, wrong + 1),
                other => assert!(wrong == 29_999 && other.is_ok(), "{wrong}"),
            }
        }
    }

    #[test]
    fn missing_and_moved_lines_are_found() {
        let second = SUBMIT.replace("\"seq\":1", "\"seq\":3");
        let error = History::read(format!("{SUBMIT}\n{second}\n").as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::Sequence { line: 2, expected: 2, seen: 3 }));
        let end = r#"{"seq":1,"at_ns":7,"end":{"whole":[]}}"#;
        let after = SUBMIT.replace("\"seq\":1", "\"seq\":2");
        let error = History::read(format!("{end}\n{after}\n").as_bytes()).unwrap_err();
        assert!(matches!(error, ReadError::AfterEnd { line: 2 }));
    }
}
