//! Values that nobody may read, by the name that they have or by their form: passwords, tokens, keys,
//! numbers of cards. Each gets a placeholder in its place, and equal ones the same.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use super::data::Data;
use super::words::words;

/// A word in a name, whose value is secret if it is a text.
const TEXTS: [&str; 16] = [
    "token",
    "secret",
    "secrets",
    "auth",
    "authorization",
    "authentication",
    "credential",
    "credentials",
    "cookie",
    "jwt",
    "bearer",
    "seed",
    "apikey",
    "passkey",
    "session",
    "signature",
];
/// The same, whatever the value is.
const ANY: [&str; 12] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pin",
    "otp",
    "cvv",
    "cvc",
    "cvc2",
    "cvv2",
];
/// Two words beside each other that are such a word.
const PAIRS: [[&str; 2]; 6] = [
    ["api", "key"],
    ["access", "key"],
    ["private", "key"],
    ["signing", "key"],
    ["encryption", "key"],
    ["account", "key"],
];

/// Forms of secrets. Where there is a group, that is the secret; otherwise it is the whole.
const FORMS: [&str; 12] = [
    // A JSON Web Token.
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
    // An nkey seed.
    r"\bS[UAONCX][A-Z2-7]{56}\b",
    // A key or a creds file, to its end.
    r"-----BEGIN [A-Z ]*(?:PRIVATE KEY|SEED|JWT)-----[^~]*",
    // Keys of well-known services.
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    r"\b[srpw][khk]_(?:live|test)_[0-9A-Za-z]{10,}",
    r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}",
    r"\bAIza[0-9A-Za-z_-]{35}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    // `Authorization: Bearer …`
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9+/=._~-]{8,})",
    // The login of a URL.
    r"[A-Za-z][A-Za-z0-9+.-]*://([^\s/@]+)@",
    // `password=…`
    r#"(?i)\b(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key)["']?\s*[=:]\s*["']?([^\s&"',;]+)"#,
];

static RULES: LazyLock<Vec<Regex>> =
    LazyLock::new(|| FORMS.iter().filter_map(|form| Regex::new(form).ok()).collect());
/// Digits as they are on a card, in groups or not.
static CARD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b\d(?:[ -]?\d){12,18}\b").ok());

/// How secret the value of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Degree {
    Open,
    Text,
    Any,
}

fn degree(name: &str) -> Degree {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let pair = words.windows(2).any(|two| PAIRS.iter().any(|pair| two == pair.as_slice()));
    match (has(&ANY), pair || has(&TEXTS)) {
        (true, _) => Degree::Any,
        (_, true) => Degree::Text,
        _ => Degree::Open,
    }
}

/// What stands in the place of a secret.
const INSTEAD: &str = "<left-out:";
/// A shorter secret is in many a word: only where it was found is it taken out.
const EVERYWHERE: usize = 6;

/// Puts placeholders in the place of secrets, and remembers where there were any.
#[derive(Debug, Default)]
pub(in crate::e2e) struct Redactor {
    found: Vec<String>,
    places: Vec<(String, usize)>,
}

impl Redactor {
    /// One that takes these out wherever they are: the connection's own password, for example.
    pub(in crate::e2e) fn knowing(known: impl IntoIterator<Item = String>) -> Self {
        let found = known.into_iter().filter(|text| text.len() >= EVERYWHERE).collect();
        Self { found, places: Vec::new() }
    }

    /// Whether there is a placeholder in it.
    pub(in crate::e2e) fn is_in(text: &str) -> bool {
        text.contains(INSTEAD)
    }

    /// Where there were secrets, and how many.
    pub(in crate::e2e) fn places(&self) -> &[(String, usize)] {
        &self.places
    }

    /// One that knows all that this one has found, and has looked at nothing yet: what is known to be
    /// secret by its name in one place is then taken out in all.
    pub(in crate::e2e) fn once_more(self) -> Self {
        Self { found: self.found, places: Vec::new() }
    }

    /// A text that has no name, as a subject; `of` says of what, for people.
    pub(in crate::e2e) fn text(&mut self, of: &str, text: &str) -> String {
        self.of_degree(Degree::Open, of, text)
    }

    /// A header's value.
    pub(in crate::e2e) fn header(&mut self, of: &str, name: &str, value: &str) -> String {
        self.of_degree(degree(name), &format!("header {name} of {of}"), value)
    }

    /// A body.
    pub(in crate::e2e) fn data(&mut self, of: &str, value: Data) -> Data {
        self.below(Degree::Open, of, "", value)
    }

    fn below(&mut self, degree: Degree, of: &str, path: &str, value: Data) -> Data {
        let place = match path {
            "" => format!("the body of {of}"),
            path => format!("{path} of {of}"),
        };
        match value {
            Data::String(text) => Data::String(self.of_degree(degree, &place, &text)),
            Data::Text(text) => Data::Text(self.of_degree(degree, &place, &text)),
            Data::Number(digits) if degree == Degree::Any || is_card(&digits) => {
                Data::String(self.placeholder(&place, &digits))
            }
            Data::Bytes(bytes) => {
                // Byte by byte: what is put in is ASCII.
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                let told = self.of_degree(degree, &place, &text);
                Data::Bytes(told.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect())
            }
            Data::Array(items) => {
                let path = format!("{path}/*");
                items.into_iter().map(|item| self.below(degree, of, &path, item)).collect()
            }
            Data::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| {
                    let (degree, path) =
                        (degree.max(self::degree(&name)), format!("{path}/{name}"));
                    let value = self.below(degree, of, &path, value);
                    (name, value)
                });
                Data::Object(fields.collect())
            }
            other => other,
        }
    }

    fn of_degree(&mut self, degree: Degree, place: &str, text: &str) -> String {
        let inside = self.inside(place, text);
        match degree {
            // Nothing could be guessed from nothing.
            Degree::Text | Degree::Any if inside == text && !text.is_empty() => {
                self.placeholder(place, text)
            }
            _ => inside,
        }
    }

    /// Without the secrets that it has among other words.
    fn inside(&mut self, place: &str, text: &str) -> String {
        let mut out = text.to_owned();
        for secret in self.found.clone() {
            if secret.len() >= EVERYWHERE && out.contains(&secret) {
                out = out.replace(&secret, &self.placeholder(place, &secret));
            }
        }
        for rule in RULES.iter() {
            let replaced = rule.replace_all(&out, |found: &Captures<'_>| {
                let whole = &found[0];
                let secret = found.get(1).map_or(whole, |group| group.as_str());
                match Self::is_in(secret) {
                    true => whole.to_owned(),
                    false => whole.replace(secret, &self.placeholder(place, secret)),
                }
            });
            out = replaced.into_owned();
        }
        let Some(card) = CARD.as_ref() else { return out };
        let replaced = card.replace_all(&out, |found: &Captures<'_>| match is_card(&found[0]) {
            true => self.placeholder(place, &found[0]),
            false => found[0].to_owned(),
        });
        replaced.into_owned()
    }

    /// The same for the same secret.
    fn placeholder(&mut self, place: &str, secret: &str) -> String {
        match self.places.iter_mut().find(|(known, _)| known == place) {
            Some((_, count)) => *count += 1,
            None => self.places.push((place.to_owned(), 1)),
        }
        let known = self.found.iter().position(|found| found == secret);
        let number = known.unwrap_or_else(|| {
            self.found.push(secret.to_owned());
            self.found.len() - 1
        });
        format!("{INSTEAD}{}>", number + 1)
    }
}

/// Whether these digits could be the number of a card: 13 to 19 of them, that begin as those do, and the
/// last of which fits the others (ISO/IEC 7812).
fn is_card(text: &str) -> bool {
    let digits: Option<Vec<u32>> =
        text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits else { return false };
    if !(13..=19).contains(&digits.len()) || !(2..=6).contains(&digits[0]) {
        return false;
    }
    let sum = digits.iter().rev().enumerate().map(|(at, digit)| match at % 2 {
        1 => digit * 2 / 10 + digit * 2 % 10,
        _ => *digit,
    });
    sum.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> (String, Redactor) {
        let mut redactor = Redactor::default();
        let data = redactor.data("orders.new", Data::read(json.as_bytes()));
        (data.to_string(), redactor)
    }

    #[test]
    fn a_secret_is_known_by_its_name() {
        for name in [
            "password",
            "Passwd",
            "user_password",
            "apiKey",
            "api-key",
            "token",
            "accessToken",
            "client_secret",
            "pwd",
            "AWS_ACCESS_KEY",
            "Set-Cookie",
            "jwt",
            "privateKey",
        ] {
            let (said, _) = redacted(&format!("{{\"{name}\":\"hunter22\"}}"));
            assert!(!said.contains("hunter22") && said.contains("<left-out:1>"), "{name}: {said}");
        }
        for (name, value) in [("pin", "1234"), ("cvv", "123"), ("otp", "998877")] {
            let (said, _) = redacted(&format!("{{\"{name}\":{value}}}"));
            assert_eq!(said, format!("{{\"{name}\":\"<left-out:1>\"}}"));
        }
        // All that is below such a name.
        let (said, redactor) = redacted(r#"{"credentials":{"user":"ada","keys":["x-1-y-2"]}}"#);
        assert_eq!(said, r#"{"credentials":{"keys":["<left-out:1>"],"user":"<left-out:2>"}}"#);
        let places: Vec<&str> = redactor.places().iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(
            places,
            ["/credentials/keys/* of orders.new", "/credentials/user of orders.new"]
        );
        for open in [
            r#"{"author":"ada","pinned":true,"tokens":5,"max_tokens":100,"key":"a"}"#,
            r#"{"password":"","token":7,"token_ok":true}"#,
        ] {
            assert_eq!(redacted(open).0, Data::read(open.as_bytes()).to_string());
        }
    }

    #[test]
    fn a_secret_is_known_by_its_form() {
        let seed = format!("SU{}", "A".repeat(56));
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        for (text, left) in [
            (jwt.to_owned(), "<left-out:1>"),
            (seed, "<left-out:1>"),
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "<left-out:1>"),
            ("Bearer abcdefgh12".to_owned(), "Bearer <left-out:1>"),
            (format!("Bearer {jwt}"), "Bearer <left-out:1>"),
            ("nats://ada:pw@host:4222/x".to_owned(), "nats://<left-out:1>@host:4222/x"),
            ("user=ada&password=pw12&x=1".to_owned(), "user=ada&password=<left-out:1>&x=1"),
            ("card 4111 1111 1111 1111 ok".to_owned(), "card <left-out:1> ok"),
            ("4111111111111111".to_owned(), "<left-out:1>"),
        ] {
            let mut redactor = Redactor::default();
            assert_eq!(redactor.text("x", &text), left);
            assert_eq!(redactor.text("x", left), left, "what stands for a secret is none");
        }
        assert_eq!(redacted(r#"{"n":4111111111111111}"#).0, r#"{"n":"<left-out:1>"}"#);
        let bytes = b"\xff password=hunter2 \xfe".to_vec();
        let told = Redactor::default().data("x", Data::Bytes(bytes));
        assert_eq!(told, Data::Bytes(b"\xff password=<left-out:1> \xfe".to_vec()));
        for open in [
            "4111111111111112",
            "1796034000123",
            "ada@example.com",
            "https://example.com/a@b",
            "a secret garden",
            "basic",
            "nats://host:4222",
            "2026-11-30 10:00:00",
        ] {
            assert_eq!(Redactor::default().text("x", open), open);
        }
    }

    #[test]
    fn what_is_secret_in_one_place_is_taken_out_in_all() {
        let message = || Data::read(br#"{"a":"s3cr3t-9 of ada","token":"s3cr3t-9"}"#);
        let mut first = Redactor::knowing(["own-password".to_owned(), "abc".to_owned()]);
        first.data("x", message());
        let mut again = first.once_more();
        let said = again.data("x", message()).to_string();
        assert_eq!(said, r#"{"a":"<left-out:2> of ada","token":"<left-out:2>"}"#);
        assert_eq!(again.text("x", "own-password, abc"), "<left-out:1>, abc");
        assert_eq!(again.places().len(), 3);
    }
}
