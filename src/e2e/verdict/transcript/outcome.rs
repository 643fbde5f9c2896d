//! What was seen, indented under its heading.

use std::fmt::Write as _;

use super::output::output;
use crate::counted::counted;
use crate::e2e::record::seen;
use crate::e2e::record::seen::{Parts, Seen, part_text};
use crate::e2e::text::bounded::bounded;
use crate::e2e::text::data::Data;

/// Longer JSON is shown on several lines.
const LINE: usize = 100;
/// Errors in which the words are the service's; a library's own would make a golden file of every client.
const ITS_OWN_WORDS: [&str; 2] = ["domain", "service_error"];

/// What one attempt came to.
pub(in crate::e2e) fn outcome(seen: &Seen, with_sequence: bool) -> String {
    match seen {
        Seen::Skip(reason) => format!("  = skipped: {reason}\n"),
        Seen::Err(error) => failed(&seen::error_value(error)),
        Seen::Ok(parts) => succeeded(parts, with_sequence),
    }
}

fn failed(error: &Data) -> String {
    let part = |key| error.get(key);
    let own = part("kind").is_some_and(|kind| ITS_OWN_WORDS.contains(&&*part_text(kind)));
    let words = part("message").filter(|words| own || matches!(words, Data::Matched(_)));
    let words = words.map(|words| format!(": {}", words.notation())).unwrap_or_default();
    format!("  ! {}{words}\n", seen::described(error))
}

fn succeeded(parts: &Parts, with_sequence: bool) -> String {
    let mut text = String::new();
    if let Some(error) = parts.get("error") {
        return failed(error);
    }
    if let Some(ack) = parts.get("ack") {
        let part = |key| ack.get(key);
        let stream = part("stream").map(part_text).unwrap_or_default();
        let _ = write!(text, "  = ack {stream}");
        if let Some(sequence) = part("sequence").filter(|_| with_sequence) {
            let _ = write!(text, " sequence {}", part_text(sequence));
        }
        match part("duplicate") {
            Some(Data::Bool(true)) => text.push_str(" duplicate"),
            Some(Data::Matched(matcher)) => drop(write!(text, " duplicate {matcher}")),
            _ => {}
        }
        text.push('\n');
        return text;
    }
    if let Some(Data::Array(subjects)) = parts.get("subjects") {
        // In what order they come, nobody promises.
        return grouped(&messages(subjects, parts), usize::MAX);
    }
    if let Some(exit) = parts.get("exit") {
        let _ = writeln!(text, "  = exit {}", part_text(exit));
    }
    for (key, mark) in [("stdout", ""), ("stderr", "stderr ")] {
        text.extend(parts.get(key).map(|printed| output(mark, printed)));
    }
    if let Some(status) = parts.get("status") {
        let _ = writeln!(text, "  = status {}", part_text(status));
    }
    if let Some(entry) = parts.get("entry") {
        let entry = match entry {
            Data::Object(fields) if !with_sequence => {
                Data::Object(fields.iter().filter(|(key, _)| key != "revision").cloned().collect())
            }
            other => other.clone(),
        };
        let _ = writeln!(text, "  = {}", json_text(&entry));
    }
    if parts.contains_key("none") {
        text.push_str("  = nothing there\n");
    }
    if let Some(subject) = parts.get("subject").and_then(Data::as_str) {
        let _ = writeln!(text, "  = on {subject}");
    }
    if let Some(value) = parts.get("reply").or_else(|| parts.get("body")) {
        let _ = writeln!(text, "  = {}", json_text(value));
    }
    if let Some(Data::Object(headers)) = parts.get("reply_headers").or_else(|| parts.get("headers"))
    {
        for (name, value) in headers {
            let several = match value {
                Data::Array(values) => values.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in several {
                let _ = writeln!(text, "    {name}: {}", bounded(&header_text(value)));
            }
        }
    }
    text
}

/// Each message of several: with the part of each key that is its own.
fn messages(subjects: &[Data], parts: &Parts) -> Vec<Seen> {
    let bodies = match parts.get("bodies") {
        Some(Data::Array(bodies)) => bodies.as_slice(),
        _ => &[],
    };
    let all_headers = match parts.get("headers") {
        Some(Data::Array(headers)) => headers.as_slice(),
        _ => &[],
    };
    let message = |(index, subject): (usize, &Data)| {
        let part = |key: &str, of: &[Data]| Some((key.to_owned(), of.get(index)?.clone()));
        let parts = [part("body", bodies), part("headers", all_headers)];
        let subject = Some(("subject".to_owned(), subject.clone()));
        Seen::Ok(parts.into_iter().chain([subject]).flatten().collect())
    };
    subjects.iter().enumerate().map(message).collect()
}

/// A header's value as it is, unless that could be read in another way.
pub(super) fn header_text(value: &Data) -> String {
    let is_plain = |text: &str| {
        text.trim() == text && !text.starts_with(['"', '#']) && !text.contains(char::is_control)
    };
    match value {
        Data::String(text) if !is_plain(text) => value.notation().to_string(),
        other => part_text(other),
    }
}

/// JSON on one line, or on several where it is long.
fn json_text(value: &Data) -> String {
    let value = value.notation();
    let line = value.to_string();
    let several = matches!(value, Data::Array(_) | Data::Object(_) | Data::Unordered(_));
    if line.len() <= LINE || !several {
        return bounded(&line);
    }
    bounded(&value.pretty()).replace('\n', "\n    ")
}

/// Equal outcomes counted. A few are sorted, since the order in which concurrent ones come is not
/// told; where most differ, those of the first repetitions stand for all.
pub(in crate::e2e) fn grouped(outcomes: &[Seen], most: usize) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for seen in outcomes {
        let text = outcome(seen, false);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => groups.push((text, 1)),
        }
    }
    if groups.len() <= most {
        groups.sort();
    }
    listed(&groups, most)
}

/// Outcomes one after the other, those that are equal and follow each other counted.
pub(in crate::e2e) fn in_order(outcomes: &[Seen], most: usize) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for seen in outcomes {
        let text = outcome(seen, false);
        match groups.last_mut().filter(|(last, _)| *last == text) {
            Some((_, count)) => *count += 1,
            None => groups.push((text, 1)),
        }
    }
    listed(&groups, most)
}

fn listed(groups: &[(String, usize)], most: usize) -> String {
    let mut text = String::new();
    for (group, count) in groups.iter().take(most) {
        let group = group.strip_prefix("  ").unwrap_or(group);
        if group.is_empty() {
            let _ = writeln!(text, "  {count} ×");
        } else {
            let _ = write!(text, "  {count} × {group}");
        }
    }
    if groups.len() > most {
        let _ = writeln!(text, "  and {}", counted(groups.len() - most, "other outcome"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shown_by_its_digest() {
        let text = json_text(&Data::String("x".repeat(5000)));
        assert!(text.contains("5002 bytes, sha256 "));
        assert!(text.len() < 200);
    }
}
