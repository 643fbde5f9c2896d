//! Decides checks, from evidence alone, so that each can be shown a doctored journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Stop,
    drift::{self, Found},
    evidence, recovery,
    world::World,
};
use crate::{
    e2e::{
        fixture::{Check, CheckKind, Fixture},
        history::{History, Property, Report, Verdict},
        matcher::{canonical, compare},
        schemas::Schema,
    },
    wire::journal::{ChargeOutcome, ChargeRecord, CrashRecord, EmailRecord},
};

/// What holds, a line each for the transcript; or why it does not.
type Finding = Result<Vec<String>, String>;

/// Waits until a check holds.
pub(super) async fn comes_true(
    world: &World,
    fixture: &Fixture,
    check: &Check,
) -> Result<(), Stop> {
    if judges_the_history(&check.kind) {
        return Ok(()); // a history is judged when it is whole
    }
    let deadline = Instant::now() + check.within;
    loop {
        let Err(reason) = look(world, fixture, check, None).await? else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            let message = format!("{reason} (looked for {:?})", check.within);
            return Err(Stop::failed(fixture, &check.span, message));
        }
        // A journal is a file of another process: it is read again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Looks once more, after everything has drained.
pub(super) async fn still_true(
    world: &World,
    fixture: &Fixture,
    check: &Check,
    report: &Report,
) -> Result<Vec<String>, Stop> {
    look(world, fixture, check, Some(report)).await?.map_err(|reason| {
        let message = match judges_the_history(&check.kind) {
            true => reason,
            false => format!("{reason} (it held before the services had drained)"),
        };
        Stop::failed(fixture, &check.span, message)
    })
}

/// Whether a check is about the history, which is whole only at the end.
pub(super) fn judges_the_history(kind: &CheckKind) -> bool {
    use CheckKind::{FinalWithin, History, RecoveredWithin};
    matches!(kind, History { .. } | FinalWithin { .. } | RecoveredWithin { .. })
}

async fn look(
    world: &World,
    fixture: &Fixture,
    check: &Check,
    report: Option<&Report>,
) -> Result<Finding, Stop> {
    let charges = || evidence::charges(world.journal_dir()).map_err(Stop::Broken);
    Ok(match &check.kind {
        CheckKind::ChargedOnce { ids, amount } => charged_once(&charges()?, ids, amount.as_deref()),
        CheckKind::NeverCharged { ids } => never_charged(&charges()?, ids),
        CheckKind::Emails { count, workers, each_once, refused } => {
            let records = evidence::emails(world.journal_dir()).map_err(Stop::Broken)?;
            emails(&records, *count, *workers, *each_once, *refused)
        }
        CheckKind::DeadLetters { expected } => {
            let letters = evidence::dead_letters(&world.harness()).await.map_err(Stop::Broken)?;
            let letters: Vec<Value> = letters.into_iter().map(|letter| letter.record).collect();
            dead_letters(&letters, expected)
        }
        CheckKind::Crashed { expected } => {
            let records = evidence::crashes(world.journal_dir()).map_err(Stop::Broken)?;
            crashed(&records, expected)
        }
        CheckKind::History { expected } => match report {
            Some(report) => history(report, expected),
            None => Err("the history is not whole yet".to_owned()),
        },
        CheckKind::FinalWithin { limit } => match report {
            Some(report) => final_within(report, *limit),
            None => Err("the history is not whole yet".to_owned()),
        },
        CheckKind::RecoveredWithin { limit } => {
            let history = History::open(world.history_path());
            let history = history.map_err(|e| Stop::broken("judge the recovery", e))?;
            recovery::recovered(&history, *limit)
                .map(|_| vec![format!("after each fault something succeeded within {limit:?}")])
        }
        CheckKind::Schema { subject, messages, replies } => {
            if report.is_some() {
                drift::until_all_is_traced(world).await.map_err(Stop::Broken)?;
            }
            let found = drift::look(world, subject, messages, replies).map_err(Stop::Broken)?;
            match found {
                Found::Valid => Ok(valid(subject, messages, replies)),
                Found::Nothing(reason) => Err(reason),
                // Nothing that comes later makes it good.
                Found::Drift(reason) => return Err(Stop::failed(fixture, &check.span, reason)),
            }
        }
        CheckKind::Stream { name, messages, subjects, each } => {
            match evidence::held(&world.harness(), name, each.is_some()).await {
                Ok(held) => stream(name, &held, *messages, *subjects, each.as_ref()),
                // One that is not there yet may still come.
                Err(reason) => Err(reason),
            }
        }
        CheckKind::Ledger { id, entry } => {
            let entries = evidence::ledger(&world.harness(), id).await.map_err(Stop::Broken)?;
            ledger(&entries, id, entry)
        }
    })
}

fn valid(subject: &str, messages: &[Schema], replies: &[Schema]) -> Vec<String> {
    let mut lines = vec![format!("each message on {subject} is {}", drift::named(messages))];
    if !replies.is_empty() {
        lines.push(format!("each reply is {}", drift::named(replies)));
    }
    lines
}

fn stream(
    name: &str,
    held: &evidence::Held,
    messages: Option<u64>,
    subjects: Option<u64>,
    each: Option<&Value>,
) -> Finding {
    for (wanted, seen, what) in
        [(messages, held.messages, "messages"), (subjects, held.subjects, "subjects")]
    {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != seen) {
            return Err(format!("{name} holds {seen} {what}, not {wanted}"));
        }
    }
    if let Some(pattern) = each {
        for (subject, body) in &held.bodies {
            compare(pattern, body, false, "each")
                .map_err(|difference| format!("{name}, on {subject}: {difference}"))?;
        }
    }
    let mut lines = Vec::new();
    lines.extend(messages.map(|messages| format!("{name}: {messages} messages")));
    lines.extend(subjects.map(|subjects| format!("{name}: {subjects} subjects")));
    lines.extend(each.map(|pattern| format!("{name}: each is {}", canonical(pattern))));
    if lines.is_empty() {
        lines.push(format!("{name} is there"));
    }
    Ok(lines)
}

fn charged_once(charges: &[ChargeRecord], ids: &[String], amount: Option<&str>) -> Finding {
    let mut by_amount: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for id in ids {
        let approved: Vec<&ChargeRecord> = charges
            .iter()
            .filter(|charge| charge.key == *id && charge.outcome == ChargeOutcome::Approved)
            .collect();
        let [charge] = approved.as_slice() else {
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

fn never_charged(charges: &[ChargeRecord], ids: &[String]) -> Finding {
    for id in ids {
        let approved = |c: &&ChargeRecord| c.key == *id && c.outcome == ChargeOutcome::Approved;
        let times = charges.iter().filter(approved).count();
        if times > 0 {
            return Err(format!("{id} was charged {times} times, and must never be"));
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

fn emails(
    records: &[EmailRecord],
    count: Option<u64>,
    workers: Option<u64>,
    each_once: bool,
    refused: Option<u64>,
) -> Finding {
    let sent: Vec<&EmailRecord> = records.iter().filter(|record| record.sent).collect();
    let refused_seen = (records.len() - sent.len()) as u64;
    let by: BTreeSet<&str> = sent.iter().map(|record| record.worker.as_str()).collect();
    let mut lines = Vec::new();
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

/// Each expected letter is one of those seen, and the other way round, in any order.
fn dead_letters(letters: &[Value], expected: &[Value]) -> Finding {
    let mut left: Vec<&Value> = letters.iter().collect();
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

fn summary(letter: &Value) -> String {
    let text = |key: &str| letter[key].as_str().unwrap_or_default();
    format!("{}: {}, {}", text("kind"), text("reason"), canonical(&letter["body"]))
}

fn crashed(records: &[CrashRecord], expected: &BTreeMap<String, u64>) -> Finding {
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

/// The verdict and the figures, as far as they are expected; the rest differs from run to run.
fn history(report: &Report, expected: &Value) -> Finding {
    let mut seen = serde_json::to_value(&report.figures).unwrap_or_default();
    seen["verdict"] = report.word().into();
    if let Err(difference) = compare(expected, &seen, false, "history") {
        return Err(format!("{difference}\n{report}"));
    }
    let keys = expected.as_object().into_iter().flatten();
    Ok(keys.map(|(key, _)| format!("{key} {}", canonical(&seen[key]))).collect())
}

/// What was late is in the verdict on the history already; here is what leaves it open.
fn final_within(report: &Report, limit: Duration) -> Finding {
    match report.verdict(Property::Final) {
        Some(Verdict::Valid) => Ok(vec![format!("final within {limit:?} of the last fault")]),
        Some(Verdict::Unknown { why }) => Err(why.join("; ")),
        _ => Err(format!("not everything was final within {limit:?} of the last fault\n{report}")),
    }
}

fn ledger(entries: &[Value], id: &str, pattern: &Value) -> Finding {
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
    fn never_charged_goes_red_for_one() {
        let charges =
            [charge("a", ChargeOutcome::Declined, "1"), charge("b", ChargeOutcome::Approved, "1")];
        assert!(never_charged(&charges, &ids(&["a"])).is_ok());
        assert!(never_charged(&charges, &ids(&["a", "b"])).is_err());
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
        assert!(emails(&good, Some(2), Some(2), true, Some(1)).is_ok());
        assert!(emails(&good, Some(3), None, false, None).is_err());
        assert!(emails(&good, None, Some(3), false, None).is_err());
        assert!(emails(&good, None, None, false, Some(0)).is_err());
        let twice = [email("a", "1", true), email("a", "2", true)];
        assert_eq!(
            emails(&twice, Some(2), Some(2), true, None),
            Err("the email \"s\" to a was sent twice".to_owned())
        );
    }

    #[test]
    fn dead_letters_go_red_for_a_missing_one_and_one_too_many() {
        let letter = |kind: &str| json!({"kind": kind, "reason": "r", "body": {"a": 1}});
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
    fn final_within_goes_red_for_late_open_and_unbroken() {
        use crate::e2e::history::{History, Policy, check};
        let limit = Duration::from_secs(10);
        let judged = |lines: &[&str]| {
            let numbered = lines
                .iter()
                .zip(1..)
                .map(|(line, n)| format!("{{\"seq\":{n},\"at_ns\":{n}000000000,\"{line}}}\n"));
            let history = History::read(numbered.collect::<String>().as_bytes()).unwrap();
            check(&history, Policy { final_within: Some(limit), ..Policy::default() })
        };
        let fault = r#"fault":{"name":"kill-broker","phase":"end"}"#;
        let done = r#"outcome":{"payment_id":"p","reading":{"status":"completed"}}"#;
        let end = r#"end":{"whole":["outcomes"]}"#;
        let good = judged(&[fault, done, end]);
        assert_eq!(
            final_within(&good, limit),
            Ok(vec!["final within 10s of the last fault".to_owned()])
        );
        let between = r#"fault":{"name":"other","phase":"begin"}"#;
        assert!(final_within(&judged(&[fault, between, done, end]), limit).is_ok());
        let mut late = vec![r#"invoke":{"process":"c","op":1,"kind":"request","subject":"s"}"#; 11];
        late.insert(0, fault);
        late.extend([done, end]);
        assert!(
            final_within(&judged(&late), limit).unwrap_err().contains("p was final 12.0s after")
        );
        assert!(
            final_within(&judged(&[done, end]), limit).unwrap_err().contains("nothing was broken")
        );
        let open = [
            fault,
            r#"invoke":{"process":"c","op":1,"kind":"submit","subject":"s","payment":{"id":"p"}}"#,
            r#"ok":{"process":"c","op":1,"sequence":1}"#,
            r#"end":{"whole":[]}"#,
        ];
        assert!(final_within(&judged(&open), limit).unwrap_err().contains("no final outcome"));
    }

    #[test]
    fn the_ledger_goes_red_for_none_two_and_another_outcome() {
        let entry = json!({"outcome": "completed"});
        let one = std::slice::from_ref(&entry);
        assert!(ledger(one, "a", &json!({"outcome": "completed"})).is_ok());
        assert!(ledger(&[], "a", &json!({})).is_err());
        assert!(ledger(&[entry.clone(), entry.clone()], "a", &json!({})).is_err());
        assert!(ledger(one, "a", &json!({"outcome": "failed"})).is_err());
    }
}
