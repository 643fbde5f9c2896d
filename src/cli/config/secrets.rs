//! A file as it may be shown: with stars in the place of what may be secret.

use std::sync::LazyLock;

use regex_lite::Regex;

/// The key of a line that sounds secret, with what is between it and its value; also one that is commented
/// out, and one without a `=`, since what is shown has a mistake.
static SOUNDS_SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "pass(?:w|phrase)|pwd|token|nkey|secret|cred|jwt|(?:api|private)[_-]?key";
    let key = format!(r#"[\s"'\w.\[-]*(?:{words})[\w.\]-]*["']?"#);
    Regex::new(&format!(r"(?i)(?:^|[{{,#]){key}\s*[=:]?\s*")).ok()
});

/// The login in a URL.
static LOGIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"://[^\s"']*@"#).ok());

/// Whether a value has a login in a URL.
pub fn has_login(value: &str) -> bool {
    LOGIN.as_ref().is_none_or(|login| login.is_match(value))
}

/// With stars, as many, in the place of what stands behind a key that sounds secret, up to the end of its
/// line; and of all that follows, where the value may go on there.
pub fn without_secrets(text: &str) -> String {
    let (Some(key), Some(login)) = (SOUNDS_SECRET.as_ref(), LOGIN.as_ref()) else {
        return text.lines().map(|line| stars(line) + "\n").collect();
    };
    let (mut shown, mut goes_on) = (String::with_capacity(text.len()), false);
    for line in text.split_inclusive('\n') {
        let found = key.find(line).filter(|_| !goes_on);
        let kept = found.map_or(if goes_on { 0 } else { line.len() }, |found| found.end());
        let (kept, value) = line.split_at(kept);
        goes_on |= found.is_some() && may_go_on(kept, value);
        shown += &login.replace_all(kept, |found: &regex_lite::Captures<'_>| {
            format!("://{}@", "*".repeat(found[0].len() - "://@".len()))
        });
        shown += &stars(value);
    }
    shown
}

/// Whether the next line may belong to this value: in a table of its own, a list, or a text that is open.
fn may_go_on(key: &str, value: &str) -> bool {
    let begins = key.trim_start();
    let is_odd = |quote: char| value.matches(quote).count() % 2 == 1;
    !begins.starts_with('#')
        && (begins.starts_with('[')
            || value.contains(['[', '{'])
            || value.contains("\"\"\"")
            || value.contains("'''")
            || is_odd('"')
            || is_odd('\''))
}

/// As many, and the end of the line as it was.
fn stars(line: &str) -> String {
    let text = line.trim_end();
    "*".repeat(text.len()) + &line[text.len()..]
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn no_form_of_a_value_shows_a_secret() {
        for text in [
            "password = \"abc,hunter2\"",
            "password = \"abc}hunter2\" # hunter2",
            "token = [\"a\", \"hunter2\"]",
            "token = [\n  \"a\",\n  \"hunter2\",\n]",
            "nkey = \"\"\"\na\nb = hunter2\n\"\"\"",
            "my_token = '''a\nhunter2'''",
            "token = \"abc\nhunter2",
            "creds = { a = 1, b = \"hunter2\" }",
            "serve = { port = 1, password = \"hunter2\" }",
            "serve = { token = {\na = \"hunter2\"\n} }",
            "token.mine = \"hunter2\"",
            "\"api-key\" = \"hunter2\"",
            "serve.\"PassWord\".x = 'hunter2'",
            "[token]\nmine = hunter2",
            "[[serve.secrets]]\nmine = hunter2",
            "[ \"token\" ]\nmine = hunter2",
            "password: hunter2",
            "password hunter2",
            "# password = \"hunter2\"",
            "port = 1 # token = hunter2",
            "server = \"nats://u:hunter2@h\"",
            "passphrase = \"hunter2\"",
        ] {
            let shown = without_secrets(text);
            assert!(!shown.contains("hunter2"), "{text:?}: {shown}");
            assert_eq!(shown.len(), text.len(), "places stay what they are: {shown}");
            assert_eq!(shown.lines().count(), text.lines().count(), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "[e2e]\njobz = 1\nsuites = [\"e2e/token\"]\nleaks = \"fial\"\n",
            "nats-server = \"it's\"\n",
        ] {
            assert_eq!(without_secrets(text), text);
        }
        let text = "# no token, it's for all\ntoken = \"a\"\njobs = 0\n[e2e]\n";
        assert!(without_secrets(text).ends_with("token = ***\njobs = 0\n[e2e]\n"));
    }
}
