//! Holds the schema and the reader against each other, with every value in every place.

use super::*;
use crate::e2e::scenario::context::Context;
use crate::e2e::scenario::form::key;
use crate::e2e::scenario::parse::parse;
use crate::e2e::scenario::stored_keys;
use crate::e2e::text::name::Name;
use crate::e2e::text::schema::Schemas;
use crate::e2e::text::source::Source;
use std::path::Path;

/// Checks of every form that an oracle may add.
const ADDED: &[CheckWord] = &[
    CheckWord {
        key: key("packed", Form::Ids, "These were packed."),
        beside: &[key("repeat", Form::Count(1), "So many."), key("box", Form::Text, "In this.")],
    },
    CheckWord { key: key("shipped", Form::Table(SHIPPED), "What was shipped."), beside: &[] },
    CheckWord { key: key("returned", Form::Tables(RETURNED), "What came back."), beside: &[] },
    CheckWord {
        key: key("shelf", Form::Text, "What a shelf has."),
        beside: &[key("holds", Form::Pattern, "Its content.")],
    },
];
const SHIPPED: &[Key] =
    &[key("count", Form::Count(0), "So many."), key("whole", Form::Truth, "Nothing broke.")];
const RETURNED: &[Key] = &[key("reason", Form::Pattern, "Why.")];

/// A value of every type that TOML has, and of every form.
const VALUES: [&str; 21] = [
    "\"text\"",
    "\"5s\"",
    "\"client\"",
    "\"to-server\"",
    "\"#any\"",
    "\"#uid\"",
    "\"kill-broker\"",
    "\"timeout\"",
    "{ \"#unordered\" = [1] }",
    "{ \"#unodered\" = [1] }",
    "{ \"#contains\" = 1 }",
    "true",
    "-1",
    "0",
    "7",
    "1.5",
    "[]",
    "[1]",
    "[\"a\"]",
    "{}",
    "{ a = 1 }",
];

/// For each key of each table, a fixture in which only its value is missing.
fn places() -> Vec<String> {
    let begin = "description = \"d\"\n";
    let settle = "[[step]]\nsettle = true\n";
    let mut places = Vec::new();
    for key in keys::words(keys::TOP) {
        let others = if key == "description" { "" } else { begin };
        let step = match key {
            "step" => "",
            "row" => "[[step]]\nsettle = \"{{a}}\"",
            _ => settle,
        };
        places.push(format!("{key} = VALUE\n{others}{step}"));
    }
    for (name, keys) in [
        ("broker", keys::BROKER),
        ("proxy", keys::PROXY),
        ("processes", keys::PROCESSES),
        ("explore", keys::EXPLORE),
    ] {
        for key in keys::words(keys) {
            places.push(format!("{begin}[{name}]\n{key} = VALUE\n{settle}"));
        }
    }
    for (table, keys) in [
        ("streams.A", stored_keys::STREAM),
        ("streams.A.consumers.c", stored_keys::CONSUMER),
        ("kv.a", stored_keys::KV),
        ("objects.a", stored_keys::OBJECTS),
    ] {
        for key in keys::words(keys) {
            places.push(format!("{begin}[{table}]\n{key} = VALUE\n{settle}"));
        }
    }
    for (verb, takes) in verbs::verbs() {
        let usual = match verb {
            "call" => "\"sums.add\"",
            "run" => "[\"true\"]",
            "kv" => "{ bucket = \"b\", put = \"k\" }",
            "object" => "{ store = \"s\", put = \"o\" }",
            "http" => "{ post = \"http://127.0.0.1:1/\" }",
            "fault" => "\"kill-broker\"",
            "settle" => "true",
            "expect_message" => "{ subject = \"s\" }",
            "expect_messages" => "{ subject = \"s\", count = 1 }",
            _ => "\"subject\"",
        };
        places.push(format!("{begin}[[step]]\n{verb} = VALUE\n"));
        for key in takes {
            let repeat = if key == "concurrency" { "repeat = 9\n" } else { "" };
            places.push(format!("{begin}[[step]]\n{verb} = {usual}\n{repeat}{key} = VALUE\n"));
        }
    }
    for key in keys::words(keys::MESSAGE) {
        let subject = if key == "subject" { "" } else { "subject = \"s\", " };
        places.push(format!("{begin}[[step]]\nexpect_message = {{ {subject}{key} = VALUE }}\n"));
    }
    for key in keys::words(keys::MESSAGES) {
        let subject = if key == "subject" { "" } else { "subject = \"s\", " };
        let count = if ["count", "unordered"].contains(&key) { "" } else { "count = 1, " };
        places.push(format!(
            "{begin}[[step]]\nexpect_messages = {{ {subject}{count}{key} = VALUE }}\n"
        ));
    }
    for key in keys::words(keys::ERROR) {
        places.push(format!("{begin}[[step]]\npublish = \"s\"\nerror = {{ {key} = VALUE }}\n"));
    }
    for (word, takes) in checks::words(ADDED) {
        let usual = match word {
            "shipped" | "history" => "{}",
            "final_within" | "recovered_within" => "\"5s\"",
            "returned" => "[]",
            _ => "\"pay-1\"",
        };
        places.push(format!("{begin}{settle}[[check]]\n{word} = VALUE\n"));
        for key in takes {
            places.push(format!("{begin}{settle}[[check]]\n{word} = {usual}\n{key} = VALUE\n"));
        }
    }
    for (word, keys, open, close) in
        [("shipped", SHIPPED, "{", "}"), ("returned", RETURNED, "[{", "}]")]
    {
        for key in keys::words(keys) {
            places
                .push(format!("{begin}{settle}[[check]]\n{word} = {open} {key} = VALUE {close}\n"));
        }
    }
    for key in keys::words(keys::UNDER) {
        for fault in ["kill-broker", "delay"] {
            let under = format!("under = {{ {fault} = {{ {key} = VALUE }} }}");
            places.push(format!("{begin}[[step]]\nsubmit = \"s\"\n{under}\n"));
        }
    }
    places
}

/// Why the reader does not take it, if that is a matter of form.
fn read(text: &str) -> Result<(), Vec<String>> {
    let context = Context {
        checks: ADDED,
        leaders: true,
        schema: &|_| Schemas::new(Path::new("."), json!({ "$defs": { "Any": true } })).find("Any"),
        ..Context::default()
    };
    let source = Source::new("a.toml", text);
    parse(Name::new("a").unwrap(), source, &context)
        .map(drop)
        .map_err(|error| error.problems.into_iter().map(|problem| problem.message).collect())
}

fn is_of_form(message: &str) -> bool {
    // Only the suite knows which services there are.
    !message.starts_with("unknown service")
        && [
            "must be",
            "is not a duration",
            "unknown",
            "has no key",
            "is not a matcher",
            "JSON pointer",
        ]
        .iter()
        .any(|words| message.contains(words))
}

/// With every value in every place: what the reader takes the schema takes, and what the reader
/// refuses for its form the schema refuses.
#[test]
fn the_schema_and_the_reader_agree() {
    let validator = jsonschema::draft7::new(&schema(ADDED)).unwrap();
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for place in places() {
        for value in VALUES {
            let text = place.replace("VALUE", value);
            let table: toml::Table = text.parse().unwrap();
            let allowed = validator.is_valid(&serde_json::to_value(table).unwrap());
            match read(&text) {
                Ok(()) => {
                    taken += 1;
                    if !allowed {
                        wrong.push(format!(
                            "the reader takes it, the schema does not:
{text}"
                        ));
                    }
                }
                Err(messages) if messages.iter().any(|message| is_of_form(message)) => {
                    refused += 1;
                    if allowed {
                        wrong.push(format!(
                            "{messages:?}, but the schema takes it:
{text}"
                        ));
                    }
                }
                Err(_) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} disagreements\n{}", wrong.len(), wrong.join("\n"));
    assert!(taken > 300 && refused > 600, "{taken} {refused}");
}
