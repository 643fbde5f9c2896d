//! JSON pointers (RFC 6901) as they are written: what points to nothing is told before anything runs.

use super::findings::Findings;
use crate::e2e::text::span::Span;

/// How each begins and how `~` is written, for the schema of editors.
pub(in crate::e2e) const PATTERN: &str = "^(/([^~/]|~[01])*)+$";

/// The same, or the empty one: the whole value.
pub(in crate::e2e) const PATTERN_OR_ALL: &str = "^(/([^~/]|~[01])*)*$";

/// Notes a text that is no pointer.
pub(in crate::e2e) fn check(text: &str, span: Span, findings: &mut Findings) {
    let why = match text.starts_with('/') {
        false => "it begins with `/`, as in \"/items/0/id\"",
        true if escapes_well(text) => return,
        true => "in a name `~0` stands for `~` and `~1` for `/`, and there is no other `~`",
    };
    findings.add(span, format!("`{text}` is not a JSON pointer: {why}"));
}

/// Whether each `~` is followed by what it stands for.
fn escapes_well(text: &str) -> bool {
    text.split('~').skip(1).all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_that_stands_for_nothing_is_no_pointer() {
        for (text, mistakes) in [
            ("/id", 0),
            ("/", 0),
            ("/a~0b/c~1d", 0),
            ("/~01", 0),
            ("id", 1),
            ("", 1),
            ("/a~2b", 1),
            ("/a~", 1),
            ("/~0~", 1),
            ("/~/x", 1),
        ] {
            let mut findings = Findings::default();
            check(text, 0..0, &mut findings);
            assert_eq!(findings.problems.len(), mistakes, "{text}");
            let by_schema = regex_lite::Regex::new(PATTERN).unwrap().is_match(text);
            assert_eq!(by_schema, mistakes == 0, "{text}");
        }
    }
}
