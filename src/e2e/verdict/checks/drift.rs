//! Holds every message on a subject against a schema: who drifts from it, and in which field.

use std::collections::HashSet;

use crate::broker::subject_matches as matches;
use crate::e2e::record::carried::Carried;
use crate::e2e::text::bounded::excerpt;
use crate::e2e::text::schema::Schema;
use crate::process::clean;

/// What a check on schemas comes to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::e2e) enum Found {
    /// There are messages, and replies where they are asked for, and all are valid.
    Valid,
    /// Nothing yet: it proves nothing.
    Nothing(String),
    /// It stays so, whatever comes.
    Drift(String),
}

/// Every message on the subject is valid by one of `messages`, and every reply by one of `replies`.
pub(in crate::e2e) fn hold(
    carried: &[Carried],
    subject: &str,
    messages: &[Schema],
    replies: &[Schema],
) -> Found {
    let mut asked: HashSet<&str> = HashSet::new();
    let (mut sent, mut answered) = (0, 0);
    for message in carried {
        let (what, schemas, count) = if matches(subject, &message.subject) {
            if !message.reply.is_empty() {
                asked.insert(&message.reply);
            }
            (format!("a message on {}", message.subject), messages, &mut sent)
        } else if asked.contains(message.subject.as_str()) && !replies.is_empty() {
            (format!("a reply to {subject}"), replies, &mut answered)
        } else {
            continue;
        };
        *count += 1;
        if let Some(breach) = breach(schemas, &message.body) {
            let by = message.sender.as_deref().unwrap_or("the server");
            let number = *count;
            return Found::Drift(clean(&format!(
                "{what} is not {}: {breach}; it is number {number}, from {by}: {}",
                named(schemas),
                excerpt(&String::from_utf8_lossy(&message.body))
            )));
        }
    }
    match (sent, answered) {
        (0, _) => Found::Nothing(format!("nobody has sent a message on {subject}")),
        (_, 0) if !replies.is_empty() => {
            Found::Nothing(format!("nobody has replied to a message on {subject}"))
        }
        _ => Found::Valid,
    }
}

/// What a body breaks; `None` where it is valid by one of them.
fn breach(schemas: &[Schema], body: &[u8]) -> Option<String> {
    let mut told = Vec::new();
    for schema in schemas {
        let breach = schema.breach(body)?;
        told.push(match schemas.len() {
            1 => breach,
            _ => format!("as {}, {breach}", schema.name()),
        });
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// `Order or Refusal`.
pub(in crate::e2e) fn named(schemas: &[Schema]) -> String {
    schemas.iter().map(Schema::name).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::text::schema::Schemas;
    use serde_json::json;

    fn carried(subject: &str, reply: &str, body: &str, sender: Option<&str>) -> Carried {
        Carried {
            subject: subject.into(),
            reply: reply.into(),
            body: body.into(),
            sender: sender.map(str::to_owned),
        }
    }

    fn schemas(names: &[&str]) -> Vec<Schema> {
        let document = json!({ "$defs": {
            "Order": { "required": ["id"], "properties": { "id": { "type": "string" } } },
            "Total": { "required": ["total"] },
            "Error": { "required": ["error"] },
        } });
        let all = Schemas::new(std::path::Path::new("."), document);
        names.iter().map(|name| all.find(name).unwrap()).collect()
    }

    #[test]
    fn who_drifts_is_told_with_the_field() {
        let messages = [
            carried("orders.new", "", r#"{"id": "o-1"}"#, Some("v2:python3:shop")),
            carried("others", "", "{}", None),
            carried("orders.new", "", r#"{"id": 2}"#, Some("v2:python3:shop")),
        ];
        let order = schemas(&["Order"]);
        assert_eq!(hold(&messages[..2], "orders.*", &order, &[]), Found::Valid);
        assert_eq!(
            hold(&messages, "orders.*", &order, &[]),
            Found::Drift(
                "a message on orders.new is not Order: /id: 2 is not of type \"string\"; it is number 2, from v2:python3:shop: {\"id\": 2}"
                    .into()
            )
        );
    }

    #[test]
    fn silence_proves_nothing() {
        let order = schemas(&["Order"]);
        let replies = schemas(&["Total", "Error"]);
        let asked = [carried("orders", "_INBOX.1", r#"{"id": "o"}"#, Some("a"))];
        assert!(matches!(hold(&[], "orders", &order, &[]), Found::Nothing(_)));
        assert!(matches!(hold(&asked, "order", &order, &[]), Found::Nothing(_)));
        assert!(matches!(hold(&asked, "orders", &order, &replies), Found::Nothing(_)));
    }

    #[test]
    fn replies_are_those_to_what_was_asked() {
        let order = schemas(&["Order"]);
        let replies = schemas(&["Total", "Error"]);
        let talk = |body: &str| {
            [
                carried("_INBOX.1", "", "stray", Some("b")),
                carried("orders", "_INBOX.1", r#"{"id": "o"}"#, Some("a")),
                carried("_INBOX.1", "", body, Some("b")),
            ]
        };
        assert_eq!(hold(&talk(r#"{"error": "no"}"#), "orders", &order, &replies), Found::Valid);
        let Found::Drift(told) = hold(&talk("{}"), "orders", &order, &replies) else { panic!() };
        assert!(
            told.contains("a reply to orders is not Total or Error: as Total, \"total\" is a required property; as Error, "),
            "{told}"
        );
    }
}
