//! Text that is safe to show in a terminal.

/// Removes escape sequences, control characters and direction overrides from one line.
///
/// A child's output is shown to a person when something fails; it must not be able to move the
/// cursor, set the window's title, or reverse what the person reads. A tab becomes a space.
///
/// ```
/// assert_eq!(mono_demo::process::clean("\u{1b}[31mred\u{1b}[0m\tand\rplain"), "red andplain");
/// ```
#[must_use]
pub fn clean(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.peek() {
                // CSI: parameters and intermediates up to one final byte.
                Some('[') => {
                    chars.next();
                    skip_through(&mut chars, |c| ('\u{40}'..='\u{7e}').contains(&c));
                }
                // OSC, DCS, SOS, PM, APC: a string up to BEL or ST.
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut chars),
                // Anything else: intermediates, then one final character.
                Some(_) => skip_through(&mut chars, |c| c >= '\u{30}'),
                None => {}
            },
            '\u{9b}' => skip_through(&mut chars, |c| ('\u{40}'..='\u{7e}').contains(&c)),
            '\t' => out.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_through(chars: &mut Chars<'_>, last: impl Fn(char) -> bool) {
    for c in chars.by_ref() {
        if last(c) {
            return;
        }
    }
}

fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if chars.peek() == Some(&'\\') => {
                chars.next();
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn plain_text_is_unchanged() {
        assert_eq!(clean("[1] 2026 [INF] grüße 日本"), "[1] 2026 [INF] grüße 日本");
    }

    #[test]
    fn sequences_are_removed_whole() {
        assert_eq!(clean("a\u{1b}[1;31mb\u{1b}[0m"), "ab");
        assert_eq!(clean("a\u{1b}]0;title\u{7}b"), "ab");
        assert_eq!(clean("a\u{1b}]8;;x\u{1b}\\b"), "ab");
        assert_eq!(clean("a\u{1b}(Bb"), "ab");
        assert_eq!(clean("a\u{9b}2Jb"), "ab");
        assert_eq!(clean("a\u{1b}"), "a");
        assert_eq!(clean("a\u{1b}[12"), "a");
    }

    #[test]
    fn controls_and_direction_overrides_are_removed() {
        assert_eq!(clean("a\u{0}\u{8}\u{7f}\r\u{85}\u{202e}b\u{2066}c"), "abc");
    }
}
