//! The results of checks on charges, emails, aborted processes, dead letters and the ledger. They
//! depend on the given evidence only, so that tests can pass a doctored journal.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::e2e::text::{Data, canonical, compare};
use crate::e2e::verdict::Answer;
use crate::wire::journal::{ChargeOutcome, ChargeRecord, CrashRecord, EmailRecord};

/// What `emails` expects.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Numbers {
    pub(super) count: Option<u64>,
    pub(super) workers: Option<u64>,
    pub(super) each_once: bool,
    pub(super) refused: Option<u64>,
}

pub(super) fn charged_once(
    charges: &[ChargeRecord],
    ids: &[String],
    amount: Option<&str>,
) -> Answer {
    let approved = approved(charges);
    let mut by_amount: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for id in ids {
        let approved = approved.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let [charge] = approved else {
            return Err(format!("{id} was charged {} times, not once", approved.len()));
        };
        if let Some(wanted) = amount
            && !same_decimal(wanted, &charge.amount)
        {
            return Err(format!("{id} was charged {}, not {wanted}", charge.amount));
        }
        by_amount.entry(format!("{} {}", charge.amount, charge.currency)).or_default().push(id);
    }
    Ok(by_amount
        .iter()
        .map(|(amount, ids)| match ids.as_slice() {
            [first, .., last] => {
                format!("{} payments charged once each, {amount}: {first} … {last}", ids.len())
            }
            ids => format!("{} charged once, {amount}", ids.join("")),
        })
        .collect())
}

/// The approved charges of each payment.
fn approved(charges: &[ChargeRecord]) -> HashMap<&str, Vec<&ChargeRecord>> {
    let mut by_id: HashMap<&str, Vec<&ChargeRecord>> = HashMap::new();
    for charge in charges.iter().filter(|charge| charge.outcome == ChargeOutcome::Approved) {
        by_id.entry(&charge.key).or_default().push(charge);
    }
    by_id
}

pub(super) fn never_charged(
    charges: &[ChargeRecord],
    submitted: &HashSet<String>,
    ids: &[String],
) -> Answer {
    let approved = approved(charges);
    for id in ids {
        if let Some(charges) = approved.get(id.as_str()) {
            let times = charges.len();
            return Err(format!("{id} was charged {times} times, and must never be"));
        }
        if !submitted.contains(id) {
            return Err(format!("nobody submitted {id}: that it was not charged proves nothing"));
        }
    }
    Ok(ids.iter().map(|id| format!("{id} never charged")).collect())
}

/// Exact decimals; a text that is none is compared as it is.
fn same_decimal(a: &str, b: &str) -> bool {
    let decimal = |text: &str| text.parse::<rust_decimal::Decimal>();
    match (decimal(a), decimal(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

pub(super) fn emails(records: &[EmailRecord], expected: &Numbers) -> Answer {
    let Numbers { count, workers, each_once, refused } = *expected;
    let sent: Vec<&EmailRecord> = records.iter().filter(|record| record.sent).collect();
    let refused_seen = (records.len() - sent.len()) as u64;
    let by: BTreeSet<&str> = sent.iter().map(|record| record.worker.as_str()).collect();
    let mut lines = Vec::new();
    if each_once && sent.is_empty() {
        return Err("no email was sent: that none was sent twice proves nothing".to_owned());
    }
    if each_once {
        let mut seen = BTreeSet::new();
        for EmailRecord { to, subject, .. } in &sent {
            if !seen.insert((to, subject)) {
                return Err(format!("the email {subject:?} to {to} was sent twice"));
            }
        }
        lines.push("no email sent twice".to_owned());
    }
    let mut number = |wanted: Option<u64>, seen: u64, what: &str| match wanted {
        Some(wanted) if wanted != seen => Err(format!("{what}: {seen}, not {wanted}")),
        Some(_) => {
            lines.push(format!("{what}: {seen}"));
            Ok(())
        }
        None => Ok(()),
    };
    number(count, sent.len() as u64, "emails sent")?;
    number(workers, by.len() as u64, "workers that sent some")?;
    number(refused, refused_seen, "refused by the mailer")?;
    Ok(lines)
}

pub(super) fn crashed(records: &[CrashRecord], expected: &BTreeMap<String, u64>) -> Answer {
    let mut lines = Vec::new();
    for (step, wanted) in expected {
        let seen = records.iter().filter(|record| record.step == *step).count() as u64;
        if seen != *wanted {
            return Err(format!("processes that aborted after step {step}: {seen}, not {wanted}"));
        }
        lines.push(format!("aborted after step {step}: {seen}"));
    }
    Ok(lines)
}

/// Each expected letter is one of those seen, and the other way round, in any order.
pub(super) fn dead_letters(letters: &[Data], expected: &[Value]) -> Answer {
    let mut left: Vec<&Data> = letters.iter().collect();
    for pattern in expected {
        let found = left.iter().position(|letter| compare(pattern, letter, false, "").is_ok());
        let Some(index) = found else {
            let others: String =
                left.iter().map(|letter| format!("; stored: {}", summary(letter))).collect();
            return Err(format!("no dead letter matches {}{others}", canonical(pattern)));
        };
        left.remove(index);
    }
    if let Some(letter) = left.first() {
        return Err(format!(
            "{} dead letters are stored, not {}; one too many: {}",
            letters.len(),
            expected.len(),
            summary(letter)
        ));
    }
    if letters.is_empty() {
        return Ok(vec!["none".to_owned()]);
    }
    let mut lines: Vec<String> = letters.iter().map(summary).collect();
    lines.sort();
    Ok(lines)
}

fn summary(letter: &Data) -> String {
    let text = |key: &str| letter.get(key).and_then(Data::as_str).unwrap_or_default();
    let body = letter.get("body").map(Data::to_string).unwrap_or_default();
    format!("{}: {}, {body}", text("kind"), text("reason"))
}

pub(super) fn ledger(entries: &[Data], id: &str, pattern: &Value) -> Answer {
    let [entry] = entries else {
        return Err(format!("the ledger has {} entries for {id}, not one", entries.len()));
    };
    match compare(pattern, entry, false, "entry") {
        Ok(()) => Ok(vec![format!("one entry for {id}")]),
        Err(difference) => Err(format!("the ledger's entry for {id}: {difference}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::e2e::run::Stored;
    use crate::wire::driver::Headers;

    fn charge(key: &str, outcome: ChargeOutcome, amount: &str) -> ChargeRecord {
        ChargeRecord {
            at: "2026-07-01T10:00:00Z".to_owned(),
            key: key.to_owned(),
            content: "c".to_owned(),
            outcome,
            amount: amount.to_owned(),
            currency: "USD".to_owned(),
            reason: None,
            worker: "w".to_owned(),
        }
    }

    #[test]
    fn crashed_goes_red_for_one_too_few_and_one_too_many() {
        let record = |step: &str| CrashRecord { step: step.to_owned(), key: "p".to_owned() };
        let wanted = BTreeMap::from([("E".to_owned(), 2)]);
        let good = [record("E"), record("F"), record("E")];
        assert_eq!(crashed(&good, &wanted), Ok(vec!["aborted after step E: 2".to_owned()]));
        assert!(crashed(&good[..2], &wanted).is_err());
        assert!(crashed(&[record("E"), record("E"), record("E")], &wanted).is_err());
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn charged_once_goes_red_for_none_two_and_another_amount() {
        use ChargeOutcome::{Approved, Declined, Unavailable};
        let good = [charge("a", Unavailable, "9.99"), charge("a", Approved, "9.99")];
        assert_eq!(
            charged_once(&good, &ids(&["a"]), Some("9.990")),
            Ok(vec!["a charged once, 9.99 USD".to_owned()])
        );
        let twice = [charge("a", Approved, "9.99"), charge("a", Approved, "9.99")];
        assert_eq!(
            charged_once(&twice, &ids(&["a"]), None),
            Err("a was charged 2 times, not once".to_owned())
        );
        let none = [charge("a", Declined, "9.99"), charge("b", Approved, "9.99")];
        assert!(charged_once(&none, &ids(&["a"]), None).is_err());
        assert!(charged_once(&good, &ids(&["a"]), Some("9.98")).is_err());
        let many = [charge("a", Approved, "1.00"), charge("b", Approved, "1.00")];
        assert_eq!(
            charged_once(&many, &ids(&["a", "b"]), None),
            Ok(vec!["2 payments charged once each, 1.00 USD: a … b".to_owned()])
        );
    }

    #[test]
    fn never_charged_goes_red_for_one_and_for_what_nobody_submitted() {
        let charges =
            [charge("a", ChargeOutcome::Declined, "1"), charge("b", ChargeOutcome::Approved, "1")];
        let submitted = ["a", "b"].map(str::to_owned).into();
        let said = |of: &[&str]| never_charged(&charges, &submitted, &ids(of));
        assert_eq!(said(&["a"]), Ok(vec!["a never charged".to_owned()]));
        assert!(said(&["a", "b"]).unwrap_err().contains("b was charged 1 times"));
        assert!(said(&["a", "c"]).unwrap_err().starts_with("nobody submitted c: "));
    }

    #[test]
    fn emails_go_red_for_a_lost_one_a_second_one_and_an_idle_worker() {
        let email = |to: &str, worker: &str, sent| EmailRecord {
            at: "t".to_owned(),
            to: to.to_owned(),
            subject: "s".to_owned(),
            worker: worker.to_owned(),
            sent,
        };
        let good = [email("a", "1", true), email("b", "2", true), email("c", "1", false)];
        assert!(
            emails(
                &good,
                &Numbers { count: Some(2), workers: Some(2), each_once: true, refused: Some(1) }
            )
            .is_ok()
        );
        assert!(
            emails(
                &good,
                &Numbers { count: Some(3), workers: None, each_once: false, refused: None }
            )
            .is_err()
        );
        assert!(
            emails(
                &good,
                &Numbers { count: None, workers: Some(3), each_once: false, refused: None }
            )
            .is_err()
        );
        assert!(
            emails(
                &good,
                &Numbers { count: None, workers: None, each_once: false, refused: Some(0) }
            )
            .is_err()
        );
        let only_refused = [email("c", "1", false)];
        let each_once = Numbers { each_once: true, ..Numbers::default() };
        assert!(emails(&only_refused, &each_once).unwrap_err().contains("proves nothing"));
        let twice = [email("a", "1", true), email("a", "2", true)];
        assert_eq!(
            emails(
                &twice,
                &Numbers { count: Some(2), workers: Some(2), each_once: true, refused: None }
            ),
            Err("the email \"s\" to a was sent twice".to_owned())
        );
    }

    #[test]
    fn dead_letters_go_red_for_a_missing_one_and_one_too_many() {
        let letter =
            |kind: &str| Data::from(&json!({"kind": kind, "reason": "r", "body": {"a": 1}}));
        let letters = [letter("malformed"), letter("conflict")];
        let expected = [json!({"kind": "conflict"}), json!({"kind": "malformed"})];
        assert_eq!(
            dead_letters(&letters, &expected).unwrap(),
            ["conflict: r, {\"a\":1}", "malformed: r, {\"a\":1}"]
        );
        assert!(dead_letters(&letters, &expected[..1]).unwrap_err().contains("one too many"));
        assert!(dead_letters(&letters[..1], &expected).unwrap_err().contains("no dead letter"));
        assert_eq!(dead_letters(&[], &[]), Ok(vec!["none".to_owned()]));
    }

    #[test]
    fn bodies_and_entries_are_compared_with_all_their_digits() {
        let amount = json!({ "amount": 0.1 });
        let (same, other) = (r#"{"amount":0.10}"#, r#"{"amount":0.10000000000000000001}"#);
        let held = |text: &str| ledger(&[Data::read(text.as_bytes())], "a", &amount);
        assert!(held(same).is_ok() && held(other).is_err());
        let letter = |text: &str| {
            let body = json!({"kind": "rejected", "reason": "r", "body": {"amount": 0.1}});
            crate::proof::gather::with_all_digits(&stored(body, text))
        };
        let expected = [json!({ "body": amount })];
        assert!(dead_letters(&[letter(same)], &expected).is_ok());
        assert!(dead_letters(&[letter(other)], &expected).is_err());
    }

    fn stored(body: Value, bytes: &str) -> Stored {
        Stored {
            sequence: 1,
            subject: "s".to_owned(),
            at: "2026-07-01T10:00:00Z".parse().unwrap(),
            headers: Headers::default(),
            body,
            bytes: bytes.to_owned().into(),
        }
    }

    #[test]
    fn the_ledger_goes_red_for_none_two_and_another_outcome() {
        let entry = Data::from(&json!({"outcome": "completed"}));
        let one = std::slice::from_ref(&entry);
        assert!(ledger(one, "a", &json!({"outcome": "completed"})).is_ok());
        assert!(ledger(&[], "a", &json!({})).is_err());
        assert!(ledger(&[entry.clone(), entry.clone()], "a", &json!({})).is_err());
        assert!(ledger(one, "a", &json!({"outcome": "failed"})).is_err());
    }
}
