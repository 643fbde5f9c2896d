//! Bad input and its good neighbours, through the Rust side; Python, Node and Go read the same file.

use std::collections::BTreeMap;

use base64::Engine as _;
use mono_demo::e2e::text::Name;
use mono_demo::modules::duration;
use mono_demo::modules::notification::{self, Email};
use mono_demo::modules::payment::{Money, Payment, PaymentId, PaymentRequest};
use mono_demo::mono;
use mono_demo::wire::{headers, subjects};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    groups: BTreeMap<String, Group>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Group {
    languages: Vec<String>,
    why: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Vector {
    group: String,
    verdict: String,
    /// What a rejection names.
    field: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
    input: Text,
    form: String,
    currency: Text,
    /// What an accepted one is worth.
    value: Option<Text>,
    fields: BTreeMap<String, Text>,
    to: Text,
    subject: Text,
    body: Text,
    name: Text,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Parts { parts: Vec<(String, usize)> },
    Base64 { base64: String },
}

impl Default for Text {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Plain(text) => text.clone().into_bytes(),
            Self::Parts { parts } => {
                parts.iter().map(|(text, times)| text.repeat(*times)).collect::<String>().into()
            }
            Self::Base64 { base64 } => {
                base64::engine::general_purpose::STANDARD.decode(base64).unwrap()
            }
        }
    }

    /// As a Rust text; bytes that are none can never be one, and that is the refusal.
    fn text(&self, field: &str) -> Result<String, String> {
        String::from_utf8(self.bytes()).map_err(|error| format!("{field}: {error}"))
    }
}

/// What became of a vector: its value where it has one, or the words of the refusal.
type Judged = Result<Option<String>, String>;

fn judge(vector: &Vector) -> Judged {
    let input = |field: &str| vector.input.text(field);
    let nothing = |()| None;
    match vector.group.as_str() {
        "payment_id" => PaymentId::new(&input("payment_id")?).map(|_| None),
        "amount" if vector.form == "string" => {
            let money = Money::parse(&input("amount")?, &vector.currency.text("currency")?);
            let money = money.map_err(|error| error.to_string())?;
            Ok(Some(money.amount_text()))
        }
        "amount" => {
            let currency = serde_json::to_string(&vector.currency.text("currency")?).unwrap();
            let amount = input("amount")?;
            payment(format!(r#"{{"payment_id":"p","amount":{amount},"currency":{currency}}}"#))
        }
        "payment" => {
            let field =
                |name: &str| vector.fields.get(name).map(|text| text.text(name)).transpose();
            Payment::new(
                &field("payment_id")?.unwrap_or_default(),
                &field("amount")?.unwrap_or_default(),
                field("currency")?.as_deref().unwrap_or("USD"),
                field("user_id")?.as_deref(),
                field("subscription_id")?.as_deref(),
            )
            .map(|_| None)
        }
        "email" => notification::check(&Email {
            to: vector.to.text("to")?,
            subject: vector.subject.text("subject")?,
            body: vector.body.text("body")?,
        })
        .map(nothing),
        "json" => mono::decode::<Map<String, Value>>(&vector.input.bytes()).map(|_| None),
        "payment_json" => payment(vector.input.bytes()),
        "subject" => subjects::check_publish_subject(&input("subject")?)
            .map(nothing)
            .map_err(|error| error.to_string()),
        "token" => {
            subjects::Token::new(&input("token")?).map(|_| None).map_err(|error| error.to_string())
        }
        "header" => {
            let (name, value) = (vector.name.text("name")?, header_value(vector)?);
            headers::check(&name, &value).map_err(|error| error.to_string())?;
            // What is let through never makes async-nats panic.
            let mut map = async_nats::HeaderMap::new();
            map.append(name.as_str(), value.as_str());
            Ok(None)
        }
        "fixture_name" => Name::new(&input("name")?).map(|_| None).map_err(|e| e.to_string()),
        "duration" => {
            duration::parse(&input("duration")?).map(|read| Some(read.as_millis().to_string()))
        }
        other => panic!("no such group: {other}"),
    }
}

fn header_value(vector: &Vector) -> Result<String, String> {
    vector.value.as_ref().map_or(Ok(String::new()), |value| value.text("value"))
}

/// As the service reads it.
fn payment(body: impl AsRef<[u8]>) -> Judged {
    let mono::Object(request): mono::Object<PaymentRequest> = mono::decode(body.as_ref())?;
    Payment::check(&request).map(|payment| Some(payment.money.amount_text()))
}

fn file() -> File {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/bad-input.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What is wrong with a verdict, or nothing.
fn wrong(vector: &Vector, expected: bool) -> Option<String> {
    let judged = judge(vector);
    let value = vector.value.as_ref().filter(|_| vector.group != "header");
    let value = value.map(|text| text.text("value").unwrap());
    let agrees = match &judged {
        Ok(seen) => expected && value.is_none_or(|value| seen.as_ref() == Some(&value)),
        // A text that is no JSON has no fields.
        Err(_) if expected => false,
        Err(error) => vector
            .field
            .as_ref()
            .is_none_or(|field| error.contains(field) || error.contains("is not valid JSON")),
    };
    let shown = || format!("{vector:?}").chars().take(400).collect::<String>();
    (!agrees).then(|| format!("{judged:?} for {}", shown()))
}

fn expected(vector: &Vector) -> bool {
    match vector.verdict.as_str() {
        "accept" => true,
        "reject" => false,
        other => panic!("no such verdict: {other}"),
    }
}

#[test]
fn every_vector_gets_its_verdict_here() {
    let file = file();
    for vector in &file.vectors {
        let group = &file.groups[&vector.group];
        assert!(group.languages.iter().any(|language| language == "rust"), "{vector:?}");
    }
    let wrong: Vec<_> = file.vectors.iter().filter_map(|v| wrong(v, expected(v))).collect();
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_vector_with_the_opposite_verdict_is_told() {
    for vector in &file().vectors {
        assert!(wrong(vector, !expected(vector)).is_some(), "{vector:?}");
    }
}

#[test]
fn there_are_enough_vectors_and_none_is_left_to_nobody() {
    let file = file();
    assert!(file.vectors.len() >= 250, "{}", file.vectors.len());
    for (name, group) in &file.groups {
        let of_it = || file.vectors.iter().filter(|vector| vector.group == *name);
        for verdict in ["accept", "reject"] {
            assert!(of_it().any(|vector| vector.verdict == verdict), "{name}: none to {verdict}");
        }
        let both = ["rust", "python"].iter().all(|l| group.languages.iter().any(|have| have == l));
        assert!(both || group.why.is_some(), "{name} does not say why one language leaves it out");
    }
}

#[test]
fn no_refusal_is_long_or_has_control_characters() {
    for vector in &file().vectors {
        // What a person reads; names of fields are quoted as Rust text.
        if let Err(error) = judge(vector) {
            assert!(error.len() < 700, "{} bytes: {vector:?}", error.len());
            assert!(!error.chars().any(char::is_control), "{error:?}: {vector:?}");
        }
    }
}

#[test]
fn the_table_of_currencies_is_the_shared_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/currencies.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let table = file["decimals"].as_object().unwrap();
    let letters = || 'A'..='Z';
    for code in letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))))
    {
        let amount = |decimals: u64| match decimals {
            0 => "1".to_owned(),
            n => format!("1.{}1", "0".repeat(usize::try_from(n).unwrap() - 1)),
        };
        let accepted = |decimals| Money::parse(&amount(decimals), &code).is_ok();
        let has = table.get(&code).map(|decimals| decimals.as_u64().unwrap());
        assert_eq!(accepted(0), has.is_some(), "{code}");
        if let Some(has) = has {
            assert!(accepted(has) && !accepted(has + 1), "{code} has {has}");
        }
    }
}

/// What may be subscribed to, and in which queue group; the same file for all languages.
#[derive(Debug, Deserialize)]
struct Subscription {
    name: String,
    subject: Text,
    queue_group: Option<Text>,
    verdict: String,
}

impl Subscription {
    fn is_as_said(&self, verdict: &str) -> bool {
        let judged = self.subject.text("subject").and_then(|subject| {
            let group = self.queue_group.as_ref().map(|group| group.text("group")).transpose()?;
            let checked = subjects::check_subscription(&subject, group.as_deref());
            checked.map_err(|error| error.to_string())
        });
        judged.is_ok() == (verdict == "accept")
    }
}

#[test]
fn every_subscription_gets_its_verdict_here_and_the_opposite_one_is_told() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/subscriptions.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let rows: Vec<Subscription> = serde_json::from_value(file["rows"].clone()).unwrap();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let opposite = if row.verdict == "accept" { "reject" } else { "accept" };
        assert!(row.is_as_said(&row.verdict) && !row.is_as_said(opposite), "{}", row.name);
    }
}
