//! Journals and streams, written down at the end of a run.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::facts::{
    CHARGE, CHARGES, Charge, DEAD_LETTER, DEAD_LETTERS, DeadLetter, EMAIL, EMAILS, Email, OUTCOME,
    OUTCOMES, Outcome, payment_id,
};
use super::operations::reading_of;
use crate::e2e::record::history::{Kind, RecordError, Recorder, What};
use crate::e2e::record::seen::headers;
use crate::e2e::run::{Probe, Stored};
use crate::e2e::text::Data;
use crate::wire::headers as h;
use crate::wire::journal::{ChargeRecord, CrashRecord, EmailRecord};
use crate::wire::subjects::LEDGER_PREFIX;

const LETTER_STREAM: &str = "payment-dead-letters";
const LEDGER: &str = "payment-ledger";

/// The gateway's journal.
pub(super) fn charges(probe: &Probe<'_>) -> Result<Vec<ChargeRecord>, String> {
    probe.journal("gateway.jsonl")
}

/// The mailer's journal.
pub(super) fn emails(probe: &Probe<'_>) -> Result<Vec<EmailRecord>, String> {
    probe.journal("mailer.jsonl")
}

/// The journal of crash points.
pub(super) fn crashes(probe: &Probe<'_>) -> Result<Vec<CrashRecord>, String> {
    probe.journal("crashes.jsonl")
}

/// All dead letters, oldest first, as `kind`, `reason`, `subject`, `deliveries`, `sequence`, `body`,
/// `headers`; with when each was stored.
pub(super) async fn dead_letters(probe: &Probe<'_>) -> Result<Vec<Stored>, String> {
    let messages = probe.stored(LETTER_STREAM, None).await?;
    Ok(messages.into_iter().map(dead_letter).collect())
}

fn dead_letter(stored: Stored) -> Stored {
    let mut all = stored.headers;
    let mut take = |name: &str| {
        let values = all.remove(name).unwrap_or_default();
        values.into_iter().next().map_or(Value::Null, Value::from)
    };
    let kind = take(h::DEAD_KIND);
    let reason = take(h::DEAD_REASON);
    let subject = take(h::DEAD_SUBJECT);
    let deliveries = take(h::DEAD_DELIVERIES);
    let sequence = take(h::DEAD_SEQUENCE);
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let (deliveries, sequence) = (number(&deliveries), number(&sequence));
    let body = json!({
        "kind": kind,
        "reason": reason,
        "subject": subject,
        "deliveries": deliveries,
        "sequence": sequence,
        "body": stored.body,
        "headers": headers(&all).nearest(),
    });
    Stored { headers: all, body, ..stored }
}

/// A dead letter as it is compared: its message's body with all digits and keys.
pub(super) fn with_all_digits(letter: &Stored) -> Data {
    let mut data = Data::from(&letter.body);
    if let Data::Object(fields) = &mut data {
        let body = fields.iter_mut().find(|(name, _)| name == "body");
        body.into_iter().for_each(|(_, body)| *body = Data::read(&letter.bytes));
    }
    data
}

/// The ledger's entries for one payment, with all digits and keys.
pub(super) async fn ledger(probe: &Probe<'_>, id: &str) -> Result<Vec<Data>, String> {
    let entries = probe.stored(LEDGER, Some(&format!("{LEDGER_PREFIX}.{id}"))).await?;
    Ok(entries.iter().map(|entry| Data::read(&entry.bytes)).collect())
}

/// The ids that somebody has submitted, as far as that is on record: by a client, in the gateway's
/// journal, in the ledger, or as a dead letter.
pub(super) async fn submitted(probe: &Probe<'_>) -> Result<HashSet<String>, String> {
    let history = probe.history()?;
    let by_clients = history.events.iter().filter_map(|event| match &event.what {
        What::Invoke(invoke) if invoke.kind != Kind::Status => payment_id(invoke.about.as_ref()?),
        _ => None,
    });
    let mut ids: HashSet<String> = by_clients.map(str::to_owned).collect();
    ids.extend(charges(probe)?.into_iter().map(|charge| charge.key));
    let id = |stored: &Stored| {
        Data::read(&stored.bytes).pointer("/payment_id")?.as_str().map(str::to_owned)
    };
    for stream in [LEDGER, LETTER_STREAM] {
        ids.extend(probe.stored(stream, None).await?.iter().filter_map(id));
    }
    Ok(ids)
}

/// Everything that is on record; which of it is whole.
pub(super) async fn all(
    probe: &Probe<'_>,
    recorder: &Recorder,
    content: impl Fn(&[u8]) -> Option<String>,
) -> Result<&'static [&'static str], String> {
    let text = |error: RecordError| error.to_string();
    write_charges(&charges(probe)?, recorder).map_err(text)?;
    let clock = recorder.clock();
    for Stored { at, body, .. } in probe.stored(LEDGER, None).await? {
        let payment_id = body["payment_id"].as_str().unwrap_or_default().to_owned();
        if let Some(reading) = body.as_object().and_then(reading_of) {
            let sequence = body["request_sequence"].as_u64();
            let outcome = Outcome { payment_id, sequence, reading };
            recorder.fact(clock.ns_at(at), OUTCOME, &outcome).map_err(text)?;
        }
    }
    for Stored { at, body: letter, bytes, .. } in dead_letters(probe).await? {
        let letter = DeadLetter {
            kind: letter["kind"].as_str().unwrap_or_default().to_owned(),
            sequence: letter["sequence"].as_u64(),
            message: None,
            payment_id: letter["body"]["payment_id"].as_str().map(str::to_owned),
            content: content(&bytes),
            reason: Some(letter["reason"].as_str().unwrap_or_default().to_owned()),
        };
        recorder.fact(clock.ns_at(at), DEAD_LETTER, &letter).map_err(text)?;
    }
    write_emails(&emails(probe)?, recorder).map_err(text)?;
    Ok(&[CHARGES, EMAILS, OUTCOMES, DEAD_LETTERS])
}

/// The journals alone, as far as they can be read: files are there at once.
pub(super) fn journals(probe: &Probe<'_>, recorder: &Recorder) {
    let _ = charges(probe).map(|journal| write_charges(&journal, recorder));
    let _ = emails(probe).map(|journal| write_emails(&journal, recorder));
}

fn write_charges(journal: &[ChargeRecord], recorder: &Recorder) -> Result<(), RecordError> {
    for record in journal {
        let charge = Charge::try_from(record).map_err(|_| RecordError::Journal {
            journal: "gateway",
            text: record.amount.clone(),
            expected: "an exact decimal",
        })?;
        recorder.journaled("gateway", &record.at, CHARGE, &charge)?;
    }
    Ok(())
}

fn write_emails(journal: &[EmailRecord], recorder: &Recorder) -> Result<(), RecordError> {
    for record in journal {
        recorder.journaled("mailer", &record.at, EMAIL, &Email::from(record))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_without_an_exact_amount_is_quoted() {
        let recorder = Recorder::new(Vec::new());
        let charge = |amount: &str| ChargeRecord {
            at: "2026-07-01T10:00:00Z".to_owned(),
            key: "p".to_owned(),
            content: "c".to_owned(),
            outcome: crate::wire::journal::ChargeOutcome::Approved,
            amount: amount.to_owned(),
            currency: "USD".to_owned(),
            reason: None,
            worker: "w".to_owned(),
        };
        assert!(write_charges(&[charge("9.99")], &recorder).is_ok());
        let wrong = write_charges(&[charge("many")], &recorder).unwrap_err().to_string();
        assert!(wrong.contains("gateway has \"many\""), "{wrong}");
    }
}
