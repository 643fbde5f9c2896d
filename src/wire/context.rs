//! A NATS context: a file with a server's address and the login for it, as natscli writes and reads
//! it (ADR-21).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::subjects::{SubjectError, check_publish_subject};

/// A context; empty is the same as missing. Its `Debug` shows no secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NatsContext {
    /// Description, shown in lists of contexts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Servers, comma separated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// User name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Its password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// A token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Path of a credentials file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub creds: String,
    /// Path of a file with an nkey's seed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nkey: String,
    /// Path of the client's certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert: String,
    /// Path of the client's key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Path of a root certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca: String,
    /// Replies come on `<prefix>.…`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub inbox_prefix: String,
    /// A user's JWT, which the seed in `user_seed`, or at `nkey`, proves.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_jwt: String,
    /// The seed of its key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_seed: String,
    /// The domain of JetStream.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jetstream_domain: String,
    /// The prefix of JetStream's API.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jetstream_api_prefix: String,
    /// Start TLS before the server sends anything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_first: bool,
}

/// The texts above, by name.
const TEXTS: [&str; 15] = [
    "description",
    "url",
    "user",
    "password",
    "token",
    "creds",
    "nkey",
    "cert",
    "key",
    "ca",
    "inbox_prefix",
    "user_jwt",
    "user_seed",
    "jetstream_domain",
    "jetstream_api_prefix",
];

/// The fields that are prefixes of subjects.
const SUBJECTS: [&str; 3] = ["inbox_prefix", "jetstream_domain", "jetstream_api_prefix"];

/// Fields that only natscli uses: its colours, its monitor of events, its name for the context; and
/// the kind of match, which means nothing without a match.
const OF_NO_CONCERN: [&str; 4] =
    ["name", "color_scheme", "jetstream_event_prefix", "windows_cert_match_by"];

/// Fields that a connection would need and that this program does not support, and what to do
/// instead.
const REFUSED: [(&str, &str); 5] = [
    ("socks_proxy", "no SOCKS proxy can be used here: reach the server directly, or by a tunnel"),
    ("nsc", "write a creds file with `nsc generate creds`, and name it as `creds`"),
    (
        "windows_cert_store",
        "export the certificate and key to PEM files, named as `cert` and `key`",
    ),
    (
        "windows_cert_match",
        "export the certificate and key to PEM files, named as `cert` and `key`",
    ),
    ("windows_ca_certs_match", "export the authority to a PEM file, named as `ca`"),
];

/// Why a text is not a usable context. The error contains no value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// It is no JSON object.
    #[error("no JSON object: {0}")]
    Json(String),
    /// A field has a value of another kind.
    #[error("field `{field}`: expected {expected}")]
    Kind {
        /// Its name.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A field that no subject can begin with.
    #[error("field `{field}`: {source}")]
    Subject {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        source: SubjectError,
    },
    /// A field that cannot be honoured.
    #[error("field `{field}` cannot be honoured: {instead}")]
    Refused {
        /// Its name.
        field: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

impl fmt::Debug for NatsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may carry a secret too.
        write!(f, "NatsContext({}, …)", self.description)
    }
}

impl NatsContext {
    /// Reads a context as natscli does, with or without a byte order mark; `null` is the same as
    /// missing. Also returns the names of unknown fields.
    ///
    /// # Errors
    /// [`ContextError`]: an unsupported field that a connection would need is refused by name.
    pub fn parse(text: &[u8]) -> Result<(Self, Vec<String>), ContextError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let fields: serde_json::Map<String, Value> = serde_json::from_slice(text).map_err(|e| {
            // The parser quotes a value of the wrong kind, which may be a secret.
            ContextError::Json(format!("line {} column {}", e.line(), e.column()))
        })?;
        // natscli's parser takes `URL` for `url`.
        let fields: serde_json::Map<String, Value> = fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let mut unknown = Vec::new();
        for (name, value) in &fields {
            let kind = |expected| ContextError::Kind { field: name.clone(), expected };
            if TEXTS.contains(&name.as_str()) {
                if !value.is_string() {
                    return Err(kind("a text"));
                }
            } else if name == "tls_first" {
                if !value.is_boolean() {
                    return Err(kind("true or false"));
                }
            } else if let Some((field, instead)) = REFUSED.iter().find(|(field, _)| field == name) {
                let empty = [Value::from(""), Value::Array(Vec::new())].contains(value);
                if !empty {
                    return Err(ContextError::Refused { field, instead });
                }
            } else if !OF_NO_CONCERN.contains(&name.as_str()) {
                unknown.push(name.clone());
            }
        }
        for field in SUBJECTS {
            let text = fields.get(field).and_then(Value::as_str).unwrap_or_default();
            // natscli takes a dot at the end of this one, where it would add it.
            let text = match field {
                "jetstream_api_prefix" => text.strip_suffix('.').unwrap_or(text),
                _ => text,
            };
            if !text.is_empty() {
                check_publish_subject(text)
                    .map_err(|source| ContextError::Subject { field, source })?;
            }
        }
        let read = serde_json::from_value(Value::Object(fields));
        let mut read: Self = read.map_err(|_| ContextError::Json("line 1 column 1".to_owned()))?;
        read.jetstream_api_prefix.truncate(read.jetstream_api_prefix.trim_end_matches('.').len());
        Ok((read, unknown))
    }

    /// As natscli reads it. It has secrets in it: write it for this user only.
    pub fn text(&self) -> String {
        format!("{:#}\n", serde_json::json!(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_read_back_and_shows_no_secret() {
        let context = NatsContext {
            user: "client".into(),
            password: "secret".into(),
            ..NatsContext::default()
        };
        assert_eq!(
            NatsContext::parse(context.text().as_bytes()).unwrap(),
            (context.clone(), vec![])
        );
        assert!(!format!("{context:?}").contains("secret"));
    }

    #[test]
    fn what_natscli_writes_is_read_and_what_cannot_be_honoured_is_refused_by_name() {
        let natscli = "\u{feff}{\"description\": \"\", \"url\": \"u\", \"socks_proxy\": \"\", \
            \"color_scheme\": \"\", \"tls_first\": true, \"windows_ca_certs_match\": null, \"nsc\": \"\"}";
        let (read, unknown) = NatsContext::parse(natscli.as_bytes()).unwrap();
        assert_eq!((read.url.as_str(), read.tls_first, unknown), ("u", true, Vec::new()));
        let (read, _) = NatsContext::parse(br#"{"jetstream_api_prefix": "JS.hub.API."}"#).unwrap();
        assert_eq!(read.jetstream_api_prefix, "JS.hub.API");
        let (_, unknown) = NatsContext::parse(br#"{"colour": 1}"#).unwrap();
        assert_eq!(unknown, ["colour"]);
        for (field, value) in [
            ("socks_proxy", "\"socks5://h\""),
            ("nsc", "\"nsc://o/a/u\""),
            ("windows_cert_store", "\"user\""),
            ("windows_cert_match", "\"x\""),
            ("windows_ca_certs_match", "[\"x\"]"),
            ("password", "12345"),
            ("tls_first", "\"yes\""),
            ("url", "[\"12345\"]"),
            ("inbox_prefix", "\"a b\""),
            ("inbox_prefix", "\"_INBOX.\""),
            ("inbox_prefix", "\"_INBOX.*\""),
            ("jetstream_api_prefix", "\"JS..API\""),
            ("jetstream_api_prefix", "\"JS.>\""),
            ("jetstream_domain", "\"hub\\r\\nPUB x\""),
        ] {
            let text = format!("{{\"{field}\": {value}}}");
            let error = NatsContext::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("field `{field}`")), "{error}");
            assert!(!error.contains("12345"), "{error}");
        }
        for text in ["", "[]", "\"12345\"", "{\"password\": 12345"] {
            let error = NatsContext::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("no JSON object") && !error.contains("12345"), "{error}");
        }
    }
}
