//! What is on record in NATS: streams, dead letters, the ledger, messages that are valid.

use serde_json::Value;

use super::answer::Answer;
use super::drift::named;
use crate::counted::counted;
use crate::e2e::text::matcher::{canonical, compare};
use crate::e2e::text::schema::Schema;

/// What a stream holds.
pub(in crate::e2e) struct Held {
    pub(in crate::e2e) messages: u64,
    pub(in crate::e2e) subjects: u64,
    /// The bodies, oldest first, where they are asked for.
    pub(in crate::e2e) bodies: Vec<(String, Value)>,
}

pub(in crate::e2e) fn valid(subject: &str, messages: &[Schema], replies: &[Schema]) -> Vec<String> {
    let mut lines = vec![format!("each message on {subject} is {}", named(messages))];
    if !replies.is_empty() {
        lines.push(format!("each reply is {}", named(replies)));
    }
    lines
}

pub(in crate::e2e) fn stream(
    name: &str,
    held: &Held,
    messages: Option<u64>,
    subjects: Option<u64>,
    each: Option<&Value>,
) -> Answer {
    for (wanted, seen, what) in
        [(messages, held.messages, "message"), (subjects, held.subjects, "subject")]
    {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != seen) {
            return Err(format!("{name} holds {}, not {wanted}", counted(seen, what)));
        }
    }
    if let Some(pattern) = each {
        for (subject, body) in &held.bodies {
            compare(pattern, body, false, "each")
                .map_err(|difference| format!("{name}, on {subject}: {difference}"))?;
        }
    }
    let mut lines = Vec::new();
    lines.extend(messages.map(|messages| format!("{name}: {}", counted(messages, "message"))));
    lines.extend(subjects.map(|subjects| format!("{name}: {}", counted(subjects, "subject"))));
    lines.extend(each.map(|pattern| format!("{name}: each is {}", canonical(pattern))));
    if lines.is_empty() {
        lines.push(format!("{name} is there"));
    }
    Ok(lines)
}

/// Each expected letter is one of those seen, and the other way round, in any order.
pub(in crate::e2e) fn dead_letters(letters: &[Value], expected: &[Value]) -> Answer {
    let mut left: Vec<&Value> = letters.iter().collect();
    for pattern in expected {
        let found = left.iter().position(|letter| compare(pattern, letter, false, "").is_ok());
        let Some(index) = found else {
            let others: String =
                left.iter().map(|letter| format!("; stored: {}", summary(letter))).collect();
            return Err(format!("no dead letter matches {}{others}", canonical(pattern)));
        };
        left.remove(index);
    }
    if let Some(letter) = left.first() {
        return Err(format!(
            "{} dead letters are stored, not {}; one too many: {}",
            letters.len(),
            expected.len(),
            summary(letter)
        ));
    }
    if letters.is_empty() {
        return Ok(vec!["none".to_owned()]);
    }
    let mut lines: Vec<String> = letters.iter().map(summary).collect();
    lines.sort();
    Ok(lines)
}

fn summary(letter: &Value) -> String {
    let text = |key: &str| letter[key].as_str().unwrap_or_default();
    format!("{}: {}, {}", text("kind"), text("reason"), canonical(&letter["body"]))
}

pub(in crate::e2e) fn ledger(entries: &[Value], id: &str, pattern: &Value) -> Answer {
    let [entry] = entries else {
        return Err(format!("the ledger has {} entries for {id}, not one", entries.len()));
    };
    match compare(pattern, entry, false, "entry") {
        Ok(()) => Ok(vec![format!("one entry for {id}")]),
        Err(difference) => Err(format!("the ledger's entry for {id}: {difference}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dead_letters_go_red_for_a_missing_one_and_one_too_many() {
        let letter = |kind: &str| json!({"kind": kind, "reason": "r", "body": {"a": 1}});
        let letters = [letter("malformed"), letter("conflict")];
        let expected = [json!({"kind": "conflict"}), json!({"kind": "malformed"})];
        assert_eq!(
            dead_letters(&letters, &expected).unwrap(),
            ["conflict: r, {\"a\":1}", "malformed: r, {\"a\":1}"]
        );
        assert!(dead_letters(&letters, &expected[..1]).unwrap_err().contains("one too many"));
        assert!(dead_letters(&letters[..1], &expected).unwrap_err().contains("no dead letter"));
        assert_eq!(dead_letters(&[], &[]), Ok(vec!["none".to_owned()]));
    }

    #[test]
    fn the_ledger_goes_red_for_none_two_and_another_outcome() {
        let entry = json!({"outcome": "completed"});
        let one = std::slice::from_ref(&entry);
        assert!(ledger(one, "a", &json!({"outcome": "completed"})).is_ok());
        assert!(ledger(&[], "a", &json!({})).is_err());
        assert!(ledger(&[entry.clone(), entry.clone()], "a", &json!({})).is_err());
        assert!(ledger(one, "a", &json!({"outcome": "failed"})).is_err());
    }
}
