//! What was done outside NATS, by the journals: charges, emails, processes that aborted.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Answer;
use crate::wire::journal::{ChargeOutcome, ChargeRecord, CrashRecord, EmailRecord};

pub(in crate::e2e) fn charged_once(
    charges: &[ChargeRecord],
    ids: &[String],
    amount: Option<&str>,
) -> Answer {
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

pub(in crate::e2e) fn never_charged(charges: &[ChargeRecord], ids: &[String]) -> Answer {
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

pub(in crate::e2e) fn emails(
    records: &[EmailRecord],
    count: Option<u64>,
    workers: Option<u64>,
    each_once: bool,
    refused: Option<u64>,
) -> Answer {
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

pub(in crate::e2e) fn crashed(records: &[CrashRecord], expected: &BTreeMap<String, u64>) -> Answer {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
