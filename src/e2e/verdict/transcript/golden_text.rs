//! Golden text in which people have written matchers, held against a transcript.
//!
//! A unit is an outcome with all lines of its JSON, or a line. A unit of the golden text stands for one
//! of the transcript that is the same, or whose value its matchers match.

use serde_json::value::RawValue;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::e2e::text::data::Data;
use crate::e2e::text::matched::stands_for;

/// The transcript with each unit as the golden text has it, where that stands for it: what is the
/// same then holds, and what differs is all that differs. Neither text has white space at its end.
pub fn in_words_of(golden: &str, transcript: &str) -> String {
    // Most golden texts have none.
    if golden == transcript || !golden.contains('#') {
        return transcript.to_owned();
    }
    let (old, new) = (units(golden), units(transcript));
    let mut words = new.clone();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let DiffOp::Replace { old_index, old_len, new_index, new_len } = op else { continue };
        let mut left = &old[old_index..old_index + old_len];
        for at in new_index..new_index + new_len {
            if let Some(found) = left.iter().position(|unit| is_for(unit, new[at])) {
                words[at] = left[found];
                left = &left[found + 1..];
            }
        }
    }
    words.join("\n")
}

/// Lines, without their ends; those of one value together.
fn units(text: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let length = match value(&rest[..line]) {
            // It may go on after this line, and its own line after it.
            Some(at) => value_length(&rest[at..]).map_or(line, |length| {
                let end = at + length;
                rest[end..].find('\n').map_or(rest.len(), |more| end + more + 1)
            }),
            None => line,
        };
        let (unit, after) = rest.split_at(length);
        units.push(unit.strip_suffix('\n').unwrap_or(unit));
        rest = after;
    }
    units
}

/// Where the value of a line begins: after `= `, after the words of an error, or after a header's name.
/// What a program printed has none: its lines are as they are.
fn value(line: &str) -> Option<usize> {
    let after = |at: usize, mark: &str| Some(at + line[at..].find(mark)? + mark.len());
    if is_header(line) {
        return after(0, ": ");
    }
    let text = line.strip_prefix("  ")?;
    let counted = text.split_once(" × ").filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()));
    let text = counted.map_or(text, |(_, text)| text);
    let at = line.len() - text.len();
    match text.as_bytes() {
        [b'=', b' ', ..] => Some(at + 2),
        [b'!', b' ', ..] => after(at, ": "),
        _ => None,
    }
}

fn is_header(line: &str) -> bool {
    line.starts_with("    ")
}

/// How long the JSON at the beginning of a text is.
fn value_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// Whether a unit of golden text stands for one of a transcript.
fn is_for(golden: &str, unit: &str) -> bool {
    let (Some(at), Some(seen_at)) = (value(golden), value(unit)) else { return false };
    if golden[..at] != unit[..seen_at] {
        return false;
    }
    // Only a header stands there without quotation marks.
    let read = |text: &str| match is_header(golden) && !text.starts_with('"') {
        true => Some(Data::String(text.to_owned())),
        false => Data::json(text),
    };
    let read = |unit: &str, at: usize| read(unit[at..].trim_end());
    let values = read(golden, at).zip(read(unit, seen_at));
    values.is_some_and(|(golden, seen)| stands_for(&golden, &seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSCRIPT: &str = "call a.b()\n  = {\"id\":7,\"name\":\"Ada\"}\n\n\
        request x\n  = {\n      \"id\": 7,\n      \"name\": \"Ada\"\n    }\n    Took: 3 ms\n\n\
        call c.d()\n  ! domain, definite: \"no 7\"\n  | 7";

    #[test]
    fn matchers_that_people_wrote_stand_for_what_they_match() {
        let golden = TRANSCRIPT
            .replace("\"id\":7", "\"id\":\"#number\"")
            .replace("\"id\": 7", "\"id\":\"#number\"")
            .replace("Took: 3 ms", "Took: #re:^\\d+ ms$")
            .replace("\"no 7\"", "\"#re:^no\"");
        assert_eq!(in_words_of(&golden, TRANSCRIPT), golden);
        assert_eq!(in_words_of(TRANSCRIPT, TRANSCRIPT), TRANSCRIPT);
    }

    #[test]
    fn all_else_differs_and_only_that() {
        let golden = TRANSCRIPT.replace("\"id\":7", "\"id\":\"#number\"");
        for (from, to) in [
            ("{\"id\":7,\"name\":\"Ada\"}", "{\"id\":7,\"name\":\"Bob\"}"),
            ("{\"id\":7,", "{\"id\":\"7\","),
            ("  | 7", "  | 8"),
            ("= {\"id\":7,\"name\":\"Ada\"}", "= text \"#any\""),
            ("Took: 3", "Took: 4"),
            ("call c.d()", "call c.e()"),
        ] {
            let seen = TRANSCRIPT.replacen(from, to, 1);
            assert_ne!(in_words_of(&golden, &seen), golden, "{to}");
        }
        let seen = TRANSCRIPT.replace("Took: 3 ms", "Took: 4 ms");
        let words = in_words_of(&golden, &seen);
        assert_eq!(words, golden.replace("Took: 3 ms", "Took: 4 ms"));
        let printed = "run x\n  | n = #any\n  | \"#any\"";
        assert_ne!(in_words_of(printed, &printed.replace("#any", "7")), printed);
        // What has come between stands for nothing.
        let seen = TRANSCRIPT.replace("\n  = {\"id\":7", "\n  = 1\n  = {\"id\":7");
        assert_eq!(in_words_of(&golden, &seen).matches("#number").count(), 1);
    }
}
