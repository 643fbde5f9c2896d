//! What one look at the broker has that an earlier one had not: held too much, or left behind.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::{ConsumerState, LeakReport, Role};
use crate::counted::counted;
use crate::e2e::record::run::{Leak, LeakKind};

/// Inboxes with a wildcard that a library keeps open on each connection: one for the replies to
/// requests, one for the acknowledgements of what it publishes to streams.
const INBOXES: usize = 2;
/// More subjects are counted, not told.
const MOST_SUBJECTS: usize = 5;

/// By its stream and its name.
pub(super) fn key(consumer: &ConsumerState) -> (String, String) {
    (consumer.stream.clone(), consumer.name.clone())
}

/// Consumers that were not there at the start.
pub(super) fn new_consumers<'a>(
    start: &'a LeakReport,
    report: &'a LeakReport,
) -> impl Iterator<Item = &'a ConsumerState> {
    report.consumers.iter().filter(|c| start.consumer(&c.stream, &c.name).is_none())
}

/// What all connections of one user and one name hold.
#[derive(Default)]
struct Held<'a> {
    connections: usize,
    /// How many subscriptions to each subject.
    subjects: BTreeMap<&'a str, usize>,
    /// How many inboxes of libraries.
    inboxes: usize,
}

/// By user and name; the harness's own are left out.
fn by_name(report: &LeakReport) -> BTreeMap<(&str, &str), Held<'_>> {
    let mut all = BTreeMap::<_, Held<'_>>::new();
    for connection in &report.connections {
        if connection.user == Role::Harness.user() {
            continue;
        }
        let held = all.entry((connection.user.as_str(), connection.name.as_str())).or_default();
        held.connections += 1;
        for subject in connection.subscriptions.iter().map(String::as_str) {
            match subject.starts_with("_INBOX") && subject.ends_with(".*") {
                true => held.inboxes += 1,
                false => *held.subjects.entry(subject).or_default() += 1,
            }
        }
    }
    all
}

/// What is held that was not held at the start.
pub(super) fn held(start: &LeakReport, report: &LeakReport, processes: usize) -> Vec<Leak> {
    let before = by_name(start);
    let mut found = Vec::new();
    for ((user, name), now) in by_name(report) {
        let nothing = Held::default();
        let then = before.get(&(user, name)).unwrap_or(&nothing);
        let is_service = user == Role::Worker.user();
        // One that says that it is ready may connect later.
        let allowed = then.connections.max(if is_service { processes } else { 0 });
        if now.connections > allowed {
            let told = format!(
                "has {} open, {allowed} at the start",
                counted(now.connections, "connection")
            );
            found.push(leak(LeakKind::Connection, user, name, told));
        }
        let mut more: Vec<(&str, usize)> = Vec::new();
        for (&subject, &count) in &now.subjects {
            let then = then.subjects.get(subject).copied().unwrap_or(0);
            // A service that waits for messages has inboxes, and subscribes when it likes to.
            let allowed = match is_service {
                true if subject.starts_with("_INBOX") => continue,
                true => then.max(now.connections),
                false => then,
            };
            if count > allowed {
                more.push((subject, count - allowed));
            }
        }
        let allowed = then.inboxes.max(INBOXES * now.connections);
        if !is_service && now.inboxes > allowed {
            more.push(("_INBOX.….*", now.inboxes - allowed));
        }
        if !more.is_empty() {
            let number: usize = more.iter().map(|(_, count)| count).sum();
            let told = format!(
                "holds {} more than at the start: {}",
                counted(number, "subscription"),
                subjects(more)
            );
            found.push(leak(LeakKind::Subscription, user, name, told));
        }
    }
    found
}

/// What is there when nobody should be.
pub(super) fn left(
    start: &LeakReport,
    report: &LeakReport,
    used: &BTreeSet<(String, String)>,
) -> Vec<Leak> {
    let mut found = Vec::new();
    for ((user, name), held) in by_name(report) {
        let mut told =
            format!("has {} open after its end", counted(held.connections, "connection"));
        if !held.subjects.is_empty() {
            told.push_str(&format!(
                ", subscribed to {}",
                subjects(held.subjects.into_iter().collect())
            ));
        }
        found.push(leak(LeakKind::Connection, user, name, told));
    }
    for consumer in new_consumers(start, report).filter(|c| !used.contains(&key(c))) {
        let how_long = if consumer.durable { "for good" } else { "for a while" };
        let told = format!(
            "of stream `{}` is new and stays {how_long}, and nobody uses it",
            consumer.stream
        );
        found.push(Leak { kind: LeakKind::Consumer, by: consumer.name.clone(), told });
    }
    for consumer in report.consumers.iter().filter(|c| c.unacknowledged > 0) {
        let messages =
            counted(usize::try_from(consumer.unacknowledged).unwrap_or(usize::MAX), "message");
        let told = format!(
            "of stream `{}` has {messages} delivered and not acknowledged",
            consumer.stream
        );
        found.push(Leak { kind: LeakKind::Unacknowledged, by: consumer.name.clone(), told });
    }
    found
}

fn leak(kind: LeakKind, user: &str, name: &str, told: String) -> Leak {
    let by = match (user == Role::Worker.user(), name) {
        (true, "") => "a service without a name".to_owned(),
        (false, "") => "a client without a name".to_owned(),
        (_, name) => name.to_owned(),
    };
    Leak { kind, by, told }
}

fn subjects(all: Vec<(&str, usize)>) -> String {
    let more = all.len().saturating_sub(MOST_SUBJECTS);
    let told = all.iter().take(MOST_SUBJECTS).map(|(subject, count)| match count {
        1 => format!("`{subject}`"),
        count => format!("`{subject}` ({count} times)"),
    });
    let mut told = told.collect::<Vec<_>>().join(", ");
    if more > 0 {
        told.push_str(&format!(" and {more} others"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ClientConnection;

    fn connection(user: &str, name: &str, cid: u64, subjects: &[&str]) -> ClientConnection {
        ClientConnection {
            name: name.to_owned(),
            cid,
            user: user.to_owned(),
            subscriptions: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            pending_bytes: 0,
        }
    }

    fn connections(all: &[(&str, &str, u64, &[&str])]) -> LeakReport {
        let connections = all.iter().map(|(user, name, cid, s)| connection(user, name, *cid, s));
        LeakReport { connections: connections.collect(), consumers: Vec::new() }
    }

    fn told(leaks: &[Leak]) -> Vec<String> {
        leaks.iter().map(Leak::to_string).collect()
    }

    #[test]
    fn a_client_may_reconnect_and_have_inboxes_but_nothing_more() {
        let start = connections(&[("client", "c", 1, &["a.*"]), ("harness", "", 2, &["x"])]);
        let mux = ["a.*", "_INBOX.q.*", "_INBOX.p.*"];
        let now = connections(&[("client", "c", 9, &mux), ("harness", "", 3, &["x", "y"])]);
        assert_eq!(held(&start, &now, 1), []);
        let two = connections(&[("client", "c", 9, &mux), ("client", "c", 10, &[])]);
        assert_eq!(told(&held(&start, &two, 1)), ["`c` has 2 connections open, 1 at the start"]);
        let more = [&mux[..], &["_INBOX.r.*", "_INBOX.s.1", "b", "a.*", "a.*"]].concat();
        assert_eq!(
            told(&held(&start, &connections(&[("client", "c", 1, &more)]), 1)),
            [
                "`c` holds 5 subscriptions more than at the start: `_INBOX.s.1`, `a.*` (2 times), `b`, \
              `_INBOX.….*`"
            ]
        );
        let unnamed = connections(&[("client", "", 4, &[])]);
        assert_eq!(
            told(&held(&start, &unnamed, 1)),
            ["`a client without a name` has 1 connection open, 0 at the start"]
        );
    }

    #[test]
    fn a_service_may_come_late_and_wait_in_inboxes_but_not_pile_up() {
        let start = connections(&[("worker", "s", 1, &["jobs"])]);
        let inbox = ["jobs", "_INBOX_worker.a", "_INBOX_worker.b", "_INBOX_worker.c.*", "_INBOX.d"];
        let late = connections(&[("worker", "s", 2, &inbox), ("worker", "s", 3, &["jobs", "new"])]);
        assert_eq!(held(&start, &late, 2), []);
        assert_eq!(told(&held(&start, &late, 1)), ["`s` has 2 connections open, 1 at the start"]);
        let twice = connections(&[("worker", "s", 1, &["jobs", "jobs", "jobs"])]);
        assert_eq!(
            told(&held(&start, &twice, 2)),
            ["`s` holds 2 subscriptions more than at the start: `jobs` (2 times)"]
        );
    }

    #[test]
    fn a_consumer_that_was_there_or_was_used_is_none() {
        let consumer = |name: &str, durable, unacknowledged| ConsumerState {
            stream: "s".to_owned(),
            name: name.to_owned(),
            durable,
            push_bound: false,
            unacknowledged,
            pending: 0,
            redelivered: 0,
            waiting: 0,
        };
        let report = |consumers| LeakReport { connections: Vec::new(), consumers };
        let start = report(vec![consumer("old", true, 0)]);
        let used = BTreeSet::from([("s".to_owned(), "lazy".to_owned())]);
        let good = report(vec![consumer("old", true, 0), consumer("lazy", true, 0)]);
        assert_eq!(left(&start, &good, &used), []);
        let bad = report(vec![consumer("old", true, 2), consumer("lazy", true, 1)]);
        let bad = left(&start, &bad, &BTreeSet::new());
        assert_eq!(
            told(&bad),
            [
                "consumer `lazy` of stream `s` is new and stays for good, and nobody uses it",
                "consumer `old` of stream `s` has 2 messages delivered and not acknowledged",
                "consumer `lazy` of stream `s` has 1 message delivered and not acknowledged",
            ]
        );
    }
}
