//! What `[[check]]` may ask of payments and emails.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::checks;
use super::gather;
use crate::e2e::run::Probe;
use crate::e2e::scenario::{Asked, CheckWord, Form, Key, key};
use crate::e2e::text::Data;
use crate::e2e::verdict::Answer;

const REPEAT: Key = key("repeat", Form::Count(1), "So many ids, made with `{{n}}` from 1.");
const AMOUNT: Key = key("amount", Form::Text, "Of `charged_once`: exact decimal.");
const ENTRY: Key = key("entry", Form::Pattern, "Of `ledger`: what is in the entry.");

/// All of them.
pub const CHECKS: &[CheckWord] = &[
    CheckWord {
        key: key("charged_once", Form::Ids, "The gateway approved each payment exactly once."),
        beside: &[REPEAT, AMOUNT],
    },
    CheckWord {
        key: key("never_charged", Form::Ids, "Submitted, and never approved by the gateway."),
        beside: &[REPEAT],
    },
    CheckWord {
        key: key(
            "crashed",
            Form::Table(STEPS),
            "How often processes aborted, by the step of a payment.",
        ),
        beside: &[],
    },
    CheckWord {
        key: key("dead_letters", Form::Tables(LETTER), "Exactly these dead letters, in any order."),
        beside: &[],
    },
    CheckWord { key: key("emails", Form::Table(EMAILS), "The mailer's journal."), beside: &[] },
    CheckWord {
        key: key("ledger", Form::Text, "Exactly one ledger entry for this payment."),
        beside: &[ENTRY],
    },
];

/// The steps of a payment after which a process can be made to abort.
const STEPS: &[Key] = &[
    key("A", Form::Count(0), "The client has published its submission."),
    key("B", Form::Count(0), "The message was delivered."),
    key("C", Form::Count(0), "It was parsed and validated."),
    key("D", Form::Count(0), "The id is claimed."),
    key("E", Form::Count(0), "The gateway has answered."),
    key("F", Form::Count(0), "The outcome is in the ledger."),
    key("G", Form::Count(0), "The message is acknowledged."),
];

/// A dead letter of `dead_letters`.
const LETTER: &[Key] = &[
    key("kind", Form::Pattern, "`malformed`, `conflict`, `exhausted`, …"),
    key("reason", Form::Pattern, "Why, in words."),
    key("subject", Form::Pattern, "Where the message was sent."),
    key("deliveries", Form::Pattern, "How often it was delivered."),
    key("body", Form::Pattern, "The message."),
    key("headers", Form::Pattern, "Its headers."),
];

/// `emails`.
const EMAILS: &[Key] = &[
    key("count", Form::Count(0), "Handed over, in all."),
    key("workers", Form::Count(0), "By so many different workers."),
    key("each_once", Form::Truth, "No two for the same recipient and subject."),
    key("refused", Form::Count(0), "Refused by the mailer."),
];

/// Looks whether a check holds.
///
/// # Errors
/// A journal or a stream cannot be read.
pub(super) async fn look(probe: &Probe<'_>, asked: &Asked) -> Result<Answer, String> {
    let Asked { word, value, beside } = asked;
    Ok(match *word {
        "charged_once" => {
            let amount = beside.get("amount").and_then(Value::as_str);
            checks::charged_once(
                &gather::charges(probe)?,
                &read::<Vec<String>>(word, value)?,
                amount,
            )
        }
        "never_charged" => {
            let submitted = gather::submitted(probe).await?;
            let ids: Vec<String> = read(word, value)?;
            checks::never_charged(&gather::charges(probe)?, &submitted, &ids)
        }
        "crashed" => {
            let expected: BTreeMap<String, u64> = read(word, value)?;
            checks::crashed(&gather::crashes(probe)?, &expected)
        }
        "emails" => checks::emails(&gather::emails(probe)?, &read(word, value)?),
        "dead_letters" => {
            let letters = gather::dead_letters(probe).await?;
            let letters: Vec<Data> = letters.iter().map(gather::with_all_digits).collect();
            checks::dead_letters(&letters, &read::<Vec<Value>>(word, value)?)
        }
        "ledger" => {
            let id: String = read(word, value)?;
            let anything = Value::Object(Map::new());
            let entries = gather::ledger(probe, &id).await?;
            checks::ledger(&entries, &id, beside.get("entry").unwrap_or(&anything))
        }
        _ => return Err(format!("payments and emails have no check `{word}`")),
    })
}

/// The reader of fixtures has seen to the form; saved values are only known now.
fn read<T: DeserializeOwned>(word: &str, value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| format!("`{word}`: {error}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::e2e::scenario::documented::column;
    use crate::e2e::scenario::keys;

    #[test]
    fn the_document_has_every_word_and_each_says_what_it_is_in_one_line() {
        let page = include_str!("../../docs/scenarios.md");
        let code: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
        let documented = |word: &str| {
            code.iter().any(|code| {
                code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .any(|said| said == word)
            })
        };
        let added = CHECKS.iter().flat_map(|check| check.beside.iter().chain([&check.key]));
        for Key { word, .. } in added.chain(LETTER).chain(EMAILS) {
            assert!(documented(word), "docs/scenarios.md does not speak of `{word}`");
        }
        let added = CHECKS.iter().flat_map(|check| check.beside.iter().chain([&check.key]));
        for Key { about, .. } in added.chain(STEPS).chain(LETTER).chain(EMAILS) {
            assert!(about.ends_with(['.', '…']) && about.len() <= 80, "{about}");
        }
    }

    #[test]
    fn the_table_of_checks_has_every_check_and_no_other() {
        let page = include_str!("../../docs/scenarios.md");
        let said = column(page, "## Checks", 0);
        let all: BTreeSet<&str> = keys::of_checks(CHECKS).iter().map(|key| key.word).collect();
        let strange: Vec<_> = said.difference(&all).collect();
        assert!(strange.is_empty(), "docs/scenarios.md has checks that are none: {strange:?}");
        // What stands beside a check says of which.
        let checks = keys::CHECK.iter().filter(|key| !key.about.starts_with("Of `"));
        let checks = checks.map(|key| key.word);
        let missing: Vec<&str> = checks
            .chain(CHECKS.iter().map(|check| check.key.word))
            .filter(|word| !said.contains(word))
            .collect();
        assert!(missing.is_empty(), "the table of docs/scenarios.md has no {missing:?}");
    }
}
