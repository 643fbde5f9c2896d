//! What came instead of a message that somebody waited for: read from the broker's trace, since
//! whoever listened on other subjects would answer for services that are not there.

use std::collections::BTreeMap;

use super::broker_trace::reading::Reading;
use super::broker_trace::{carried, end, level};
use crate::e2e::run::stage::brokers::Brokers;
use crate::e2e::run::stage::harness::Harness;
use crate::e2e::scenario::ast::scenario::Fixture;

/// More of the broker's trace is not read for it.
const MOST_BYTES: u64 = 16 << 20;
/// More subjects are counted, not told.
const MOST_SUBJECTS: usize = 8;
/// What libraries and the server say to each other.
const NOT_OF_SERVICES: [&str; 4] = ["$", "_INBOX", "_R_.", "_E2E."];

/// What came, in words; `None` where it is not traced.
pub(in crate::e2e) async fn instead(
    harness: &Harness,
    brokers: &Brokers,
    fixture: &Fixture,
) -> Option<String> {
    if brokers.is_elsewhere() || !level::tells_what_came(fixture) {
        return None;
    }
    // What is there is told, even if a broker is away.
    let _ = end::until_all_is_traced(harness, brokers).await;
    let mut reading = Reading::default();
    for path in brokers.log_paths() {
        reading.read_on(path, MOST_BYTES).ok()?;
    }
    let carried = carried::carried(reading.lines());
    Some(told(carried.iter().map(|message| message.subject.as_str())))
}

fn told<'a>(subjects: impl Iterator<Item = &'a str>) -> String {
    let mut many: BTreeMap<&str, usize> = BTreeMap::new();
    let of_services =
        |subject: &&str| !NOT_OF_SERVICES.iter().any(|begin| subject.starts_with(begin));
    subjects.filter(of_services).for_each(|subject| *many.entry(subject).or_default() += 1);
    let told = many.iter().take(MOST_SUBJECTS).map(|(subject, many)| format!("{many} × {subject}"));
    let told = told.collect::<Vec<_>>().join(", ");
    match many.len() {
        0 => "nothing was sent on any subject".to_owned(),
        all if all > MOST_SUBJECTS => {
            format!("what was sent: {told}, and on {} other subjects", all - MOST_SUBJECTS)
        }
        _ => format!("what was sent: {told}"),
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn subjects_are_counted_without_those_of_libraries() {
        let subjects = ["b", "_INBOX.x", "a", "$JS.API.INFO", "b"];
        assert_eq!(told(subjects.into_iter()), "what was sent: 1 × a, 2 × b");
        assert_eq!(told(["_R_.x"].into_iter()), "nothing was sent on any subject");
        let many: Vec<String> = (0..12).map(|n| format!("s{n:02}")).collect();
        assert!(
            told(many.iter().map(String::as_str)).ends_with("1 × s07, and on 4 other subjects")
        );
    }
}
