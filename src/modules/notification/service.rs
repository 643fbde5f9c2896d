//! Which emails are acceptable. Pure.

use super::types::Email;

/// Checks an email before it is queued or handed over.
///
/// # Errors
/// A text that names the field. Line breaks in `to` or `subject` would forge headers (RFC 5322,
/// section 2.2), so they are refused.
pub fn check(email: &Email) -> Result<(), String> {
    for (name, value) in [("to", &email.to), ("subject", &email.subject)] {
        if value.trim().is_empty() {
            return Err(format!("field `{name}` must not be empty"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("field `{name}` must not have control characters or line breaks"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(to: &str, subject: &str) -> Email {
        Email { to: to.into(), subject: subject.into(), body: String::new() }
    }

    #[test]
    fn to_and_subject_are_required_single_lines() {
        assert_eq!(check(&email("a@example.com", "Hi")), Ok(()));
        assert!(check(&email("", "Hi")).unwrap_err().contains("`to`"));
        assert!(check(&email("  ", "Hi")).unwrap_err().contains("`to`"));
        assert!(check(&email("a@example.com", "")).unwrap_err().contains("`subject`"));
        assert!(check(&email("a@example.com\r\nBcc: x", "Hi")).unwrap_err().contains("`to`"));
    }
}
