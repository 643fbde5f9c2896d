//! Subjects with wildcards (NATS docs, "Subject-Based Messaging").

/// Whether a subject is one of those that `pattern` means. What begins with a wildcard does not mean
/// the server's own subjects and inboxes.
pub fn matches(pattern: &str, subject: &str) -> bool {
    if pattern.starts_with(['*', '>']) && subject.starts_with(['$', '_']) {
        return false;
    }
    let (mut wanted, mut tokens) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), tokens.next()) {
            (Some(">"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(token)) if wanted == token => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_mean_tokens() {
        for (pattern, subject) in [("a.b", "a.b"), ("a.*", "a.b"), ("a.>", "a.b.c"), (">", "a")] {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in
            [("a.*", "a"), ("a.>", "a"), ("a.*", "a.b.c"), (">", "_INBOX.1"), ("*.API", "$JS.API")]
        {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
        assert!(matches("_INBOX.>", "_INBOX.1"));
    }
}
