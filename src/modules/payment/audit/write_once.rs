//! Reads a stream from which nothing is ever removed, into records by payment.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use async_nats::jetstream::stream::Stream;
use serde::de::DeserializeOwned;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::counted::counted;
use crate::modules::payment::store::{self, Contents, StoreError};

/// What a stream holds from which nothing is ever removed, and what is wrong with it.
pub(super) struct WriteOnce<T> {
    /// By payment.
    pub(super) records: BTreeMap<String, T>,
    pub(super) problems: Vec<String>,
    /// Messages that are missing, which may be no problem.
    pub(super) gaps: Vec<String>,
}

/// Reads a stream from which nothing is ever removed: a number from 1 on without a message is a gap.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn write_once<T: DeserializeOwned + Send + 'static>(
    name: &'static str,
    prefix: &'static str,
    stream: Option<Stream>,
    id: fn(&T) -> &String,
) -> Result<WriteOnce<T>, StoreError> {
    let Some(stream) = stream else {
        let problems = vec![format!("stream `{name}` does not exist")];
        return Ok(WriteOnce { records: BTreeMap::new(), problems, gaps: Vec::new() });
    };
    let contents = store::read_found(&stream).await?;
    // While another one is read.
    let decoded = spawn_blocking(move || {
        // Only services of ours write here, and none of them wrote that.
        let mut problems: Vec<String> = contents.unreadable(name).collect();
        let mut missing = runs(contents.missing.iter().copied());
        // Whoever purges or makes a stream chooses its first number, which may be any.
        let before = contents.first.saturating_sub(1).min(contents.last);
        if before > 0 {
            missing.insert(0, 1..=before);
        }
        let gaps = unreadable(name, &missing);
        let (read, stated) = (contents.messages.len() as u64, contents.stated);
        if missing.is_empty() && read != stated {
            let stated = counted(stated, "message");
            problems.push(format!("stream `{name}` says it has {stated} and shows {read}"));
        }
        let records = decoded(name, prefix, &contents, id, &mut problems);
        WriteOnce { records, problems, gaps }
    });
    Ok(ended(decoded).await)
}

/// Ascending numbers, those that follow each other as one.
pub(super) fn runs(numbers: impl Iterator<Item = u64>) -> Vec<RangeInclusive<u64>> {
    let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end() + 1 == number => *run = *run.start()..=number,
            _ => runs.push(number..=number),
        }
    }
    runs
}

/// One line for each run of numbers.
pub(super) fn unreadable(stream: &str, missing: &[RangeInclusive<u64>]) -> Vec<String> {
    let told = |run: &RangeInclusive<u64>| match (run.start(), run.end()) {
        (one, end) if one == end => {
            format!("stream `{stream}`: message {one} is missing or unreadable")
        }
        (start, end) => {
            format!("stream `{stream}`: messages {start} to {end} are missing or unreadable")
        }
    };
    missing.iter().map(told).collect()
}

/// What services wrote, by id; what lies on another subject than theirs is read by none of them, as
/// where somebody has had the stream transform subjects.
fn decoded<T: DeserializeOwned>(
    name: &str,
    prefix: &str,
    contents: &Contents,
    id: impl Fn(&T) -> &String,
    problems: &mut Vec<String>,
) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    for message in &contents.messages {
        let read_there = |id: &str| {
            let rest = message.subject.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
            rest == Some(id)
        };
        match serde_json::from_slice::<T>(&message.body) {
            Ok(record) if read_there(id(&record)) => {
                found.insert(id(&record).clone(), record);
            }
            Ok(record) => problems.push(format!(
                "stream `{name}`: message `{}` on `{}` is about `{}`, which is read on `{prefix}.{}`",
                message.sequence,
                message.subject,
                id(&record),
                id(&record)
            )),
            Err(e) => problems.push(format!(
                "stream `{name}`: message {} on `{}` cannot be read: {e}",
                message.sequence, message.subject
            )),
        }
    }
    found
}

/// The outcome of what runs on another thread, which goes on with its panic here.
pub(super) async fn ended<T>(work: JoinHandle<T>) -> T {
    match work.await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody cancels it but the end of the runtime.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_run_of_messages_is_one_line() {
        let lines = super::unreadable("s", &super::runs([3, 5, 6, 7, 9].into_iter()));
        let said = |what: &str| format!("stream `s`: {what} missing or unreadable");
        let expected = ["message 3 is", "messages 5 to 7 are", "message 9 is"].map(said);
        assert_eq!(lines, expected);
    }
}
