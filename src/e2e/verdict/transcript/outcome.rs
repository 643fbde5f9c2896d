//! What was seen, indented under its heading.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::counted::counted;
use crate::e2e::record::seen;
use crate::e2e::record::seen::Seen;
use crate::e2e::text::bounded::bounded;
use crate::e2e::text::matcher::{canonical, canonical_value};
use crate::wire::driver::ErrorKind;

/// Longer JSON is shown on several lines.
const LINE: usize = 100;
/// A reply's headers are shown if they begin with one of these; the rest is the library's noise.
const HEADERS: [&str; 2] = ["Mono-", "Nats-Service-Error"];

/// What one attempt came to.
pub(in crate::e2e) fn outcome(seen: &Seen, with_sequence: bool) -> String {
    match seen {
        Seen::Skip(reason) => format!("  = skipped: {reason}\n"),
        Seen::Err(error) => {
            // A library's own words would make a golden file of every client.
            let words = match error.kind {
                ErrorKind::Domain | ErrorKind::ServiceError => {
                    format!(": {}", Value::from(error.message.as_str()))
                }
                _ => String::new(),
            };
            format!("  ! {}{words}\n", seen::describe(error))
        }
        Seen::Ok(fields) => succeeded(fields, with_sequence),
    }
}

fn succeeded(fields: &Map<String, Value>, with_sequence: bool) -> String {
    let mut text = String::new();
    if let Some(exit) = fields.get("exit") {
        let _ =
            writeln!(text, "  = exit {}", exit.as_str().map_or(exit.to_string(), str::to_owned));
        for (key, mark) in [("stdout", "|"), ("stderr", "stderr |")] {
            let output = fields.get(key).and_then(Value::as_str).unwrap_or_default();
            for line in output.lines() {
                let _ = writeln!(text, "  {}", format!("{mark} {line}").trim_end());
            }
        }
        return text;
    }
    if let Some(ack) = fields.get("ack") {
        let _ = write!(text, "  = ack {}", ack["stream"].as_str().unwrap_or_default());
        if with_sequence {
            let _ = write!(text, " sequence {}", ack["sequence"]);
        }
        if ack["duplicate"] == true {
            text.push_str(" duplicate");
        }
        text.push('\n');
        return text;
    }
    if let Some(Value::Array(subjects)) = fields.get("subjects") {
        let of = |key: &str, index: usize| fields[key][index].clone();
        let message = |(index, subject): (usize, &Value)| {
            Seen::Ok(Map::from_iter([
                ("subject".to_owned(), subject.clone()),
                ("body".to_owned(), of("bodies", index)),
                ("headers".to_owned(), of("headers", index)),
            ]))
        };
        // In what order they come, nobody promises.
        let messages: Vec<Seen> = subjects.iter().enumerate().map(message).collect();
        return grouped(&messages, usize::MAX);
    }
    if let Some(subject) = fields.get("subject").and_then(Value::as_str) {
        let _ = writeln!(text, "  = on {subject}");
    }
    if let Some(value) = fields.get("reply").or_else(|| fields.get("body")) {
        let _ = writeln!(text, "  = {}", json_text(value));
    }
    let headers = fields.get("reply_headers").or_else(|| fields.get("headers"));
    for (name, value) in headers.and_then(Value::as_object).into_iter().flatten() {
        if HEADERS.iter().any(|prefix| name.starts_with(prefix)) {
            let value = value.as_str().map_or_else(|| canonical(value), str::to_owned);
            let _ = writeln!(text, "    {name}: {}", bounded(&value));
        }
    }
    text
}

/// JSON on one line, or on several where it is long.
fn json_text(value: &Value) -> String {
    if value == "" {
        return "(empty)".to_owned();
    }
    let line = canonical(value);
    if line.len() <= LINE || !(value.is_object() || value.is_array()) {
        return bounded(&line);
    }
    let pretty = serde_json::to_string_pretty(&canonical_value(value)).unwrap_or(line);
    bounded(&pretty).replace('\n', "\n    ")
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
    use serde_json::json;

    #[test]
    fn a_long_text_is_shown_by_its_digest() {
        let text = json_text(&json!("x".repeat(5000)));
        assert!(text.contains("5002 bytes, sha256 "));
        assert!(text.len() < 200);
    }
}
