//! What a program printed, line by line: two outputs have one text only where they are the same bytes.
//!
//! | line | says |
//! | --- | --- |
//! | `\| text` | the line as it is |
//! | `\|"text \t\xff"` | a line with white space at its end, control characters or bytes that are no text |
//! | `\|… 10 lines, sha256 …` | lines that are too many to show |
//! | `\|\ no newline at the end` | the last line has no end |

use std::fmt::Write as _;

use serde_json::Value;

use crate::counted::counted;
use crate::e2e::text::bounded::{bounded, digest};
use crate::e2e::text::data::Data;

/// So many lines are shown; of all that come after, the digest.
const MOST_LINES: usize = 5000;

/// The lines of one of the two outputs, each behind `mark` and a bar.
pub(super) fn output(mark: &str, printed: &Data) -> String {
    let bytes = match printed {
        Data::Text(text) => text.as_bytes(),
        Data::Bytes(bytes) => bytes,
        matched => return format!("  {mark}|= {matched}\n"),
    };
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut text = String::new();
    for line in lines.by_ref().take(MOST_LINES) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let _ = writeln!(text, "  {mark}|{}", one(line));
    }
    let rest: Vec<&[u8]> = lines.collect();
    if !rest.is_empty() {
        let (many, digest) = (counted(rest.len(), "line"), digest(&rest.concat()));
        let _ = writeln!(text, "  {mark}|… {many}, sha256 {digest}");
    }
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        let _ = writeln!(text, "  {mark}|\\ no newline at the end");
    }
    text
}

fn one(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok("") => String::new(),
        Ok(text) if text.trim_end() == text && !text.contains(char::is_control) => {
            bounded(&format!(" {text}"))
        }
        _ => bounded(&format!("\"{}\"", line.utf8_chunks().map(quoted).collect::<String>())),
    }
}

/// As in a string of JSON, in which no `\x` can be.
fn quoted(chunk: std::str::Utf8Chunk<'_>) -> String {
    let valid = Value::from(chunk.valid()).to_string();
    let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
    valid[1..valid.len() - 1].to_owned() + &invalid.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outputs_have_one_text() {
        let shown = |bytes: &[u8]| output("", &Data::text(bytes.to_vec()));
        for (bytes, text) in [
            (&b""[..], ""),
            (b"\n", "  |\n"),
            (b"a\n", "  | a\n"),
            (b"a", "  | a\n  |\\ no newline at the end\n"),
            (b" a \r\n", "  |\" a \\r\"\n"),
            (b"a\tb\n\n", "  |\"a\\tb\"\n  |\n"),
            (b"caf\xe9\n", "  |\"caf\\xe9\"\n"),
            (b"\"caf\\xe9\"\n", "  | \"caf\\xe9\"\n"),
            (b"\\ no newline at the end\n", "  | \\ no newline at the end\n"),
        ] {
            assert_eq!(shown(bytes), text, "{bytes:?}");
        }
        let long = |end: &str| shown(format!("{}{end}\n", "x\n".repeat(70_000)).as_bytes());
        assert_ne!(long("a"), long("b"));
        assert!(
            long("a").ends_with(&long("a")[long("a").len() - 20..]) && long("a").len() < 40_000
        );
        let wide = |end: &str| shown(format!("{}{end}", "x".repeat(3 << 20)).as_bytes());
        assert_ne!(wide("a"), wide("b"));
        assert!(wide("a").len() < 300);
    }
}
