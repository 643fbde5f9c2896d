//! Texts as Go quotes them (`strconv.Quote`), which is how nats-server names subjects in its refusals.

/// The first quoted text of a line, as it was before.
pub(super) fn first(line: &str) -> Option<String> {
    let mut rest = line.split_once('"')?.1.chars();
    let mut bytes = Vec::new();
    loop {
        let c = rest.next()?;
        let escaped = match c {
            '"' => return Some(String::from_utf8_lossy(&bytes).into_owned()),
            '\\' => rest.next()?,
            plain => {
                push(plain, &mut bytes);
                continue;
            }
        };
        let digits = match escaped {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let mut code = 0;
        for _ in 0..digits {
            code = code * 16 + rest.next()?.to_digit(16)?;
        }
        match escaped {
            // A byte that is not UTF-8.
            'x' => bytes.push(u8::try_from(code).ok()?),
            'u' | 'U' => push(char::from_u32(code)?, &mut bytes),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            itself => push(itself, &mut bytes),
        }
    }
}

fn push(c: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn what_go_has_quoted_is_as_it_was() {
        for (line, text) in [
            (r#"Publish to "a.B""#, Some("a.B")),
            (r#"to "a.x\"y" using queue "q""#, Some("a.x\"y")),
            (r#"to "a\\b""#, Some("a\\b")),
            (r#"to "a\u00adb\u200b""#, Some("a\u{ad}b\u{200b}")),
            (r#"to "\U0001f600é\x7f\a""#, Some("😀é\u{7f}\u{7}")),
            (r#"to "\xff""#, Some("\u{fffd}")),
            (r#"to "" , too many tokens"#, Some("")),
            (r#"to "never ends\""#, None),
            (r#"to "\u12"#, None),
            ("to nothing", None),
        ] {
            assert_eq!(first(line).as_deref(), text, "{line}");
        }
    }
}
