//! The refusals of the server on a connection. The server reports a refusal as a connection event
//! and not as a reply, so that the operation itself would only time out.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::go_quoted;

/// How many refusals are kept; a waiting operation sees its refusal long before this many more
/// come.
const KEPT: usize = 256;

/// The refusals of one connection, in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Denials {
    log: Arc<watch::Sender<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    /// How many came before the first that is kept.
    forgotten: u64,
    kept: VecDeque<Denial>,
}

/// One refusal.
#[derive(Debug, Clone)]
struct Denial {
    /// The refused subject, as the server names it; empty for one subscription too many, because
    /// the server does not say which.
    subject: String,
    /// Whether it was a subscription; a publish otherwise.
    subscription: bool,
    /// The server's words, one line.
    words: String,
}

/// The server does not let this user do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Denied {
    /// The server's words, which name the subject.
    pub words: String,
    /// True if it certainly did not happen; false where the server refused only the inbox that the
    /// answer would have come to.
    pub definite: bool,
}

/// What a refusal must be about to concern an operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The subjects that it publishes or subscribes to.
    pub(super) subjects: &'a [&'a str],
    /// Whether it makes a subscription.
    pub(super) subscribes: bool,
    /// Whether it publishes nothing to these subjects, so that only a refused subscription is about it.
    pub(super) only_listens: bool,
    /// Where its answer comes: if that subscription was ever refused, none does.
    pub(super) inboxes: &'a str,
}

impl About<'_> {
    fn concerns(&self, denial: &Denial, since_mark: bool) -> bool {
        let named = self.subjects.contains(&denial.subject.as_str())
            && (denial.subscription || !self.only_listens);
        let unnamed = self.subscribes && denial.subject.is_empty();
        self.is_inbox(denial) || since_mark && (named || unnamed)
    }

    fn is_inbox(&self, denial: &Denial) -> bool {
        let prefix = self.inboxes;
        denial.subscription
            && !prefix.is_empty()
            && denial.subject.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
    }
}

impl Denials {
    pub(super) fn new() -> Self {
        Self { log: Arc::new(watch::channel(Log::default()).0) }
    }

    /// Notes what the server reports, if it is a refusal.
    pub(super) fn note(&self, report: &str) {
        let Some(denial) = read(report) else { return };
        self.log.send_modify(|log| {
            log.kept.push_back(denial);
            if log.kept.len() > KEPT {
                log.kept.pop_front();
                log.forgotten += 1;
            }
        });
    }

    /// A new connection has subscriptions and permissions of its own.
    pub(super) fn begin_anew(&self) {
        self.log.send_modify(|log| {
            log.forgotten += log.kept.len() as u64;
            log.kept.clear();
        });
    }

    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        self.log.borrow().count()
    }

    /// The first refusal since `mark` of them had come that concerns an operation.
    pub(super) fn since(&self, mark: u64, about: About<'_>) -> Option<Denied> {
        self.log.borrow().find(mark, about)
    }

    /// Waits for one.
    pub(super) async fn hear(&self, mark: u64, about: About<'_>) -> Denied {
        let mut receiver = self.log.subscribe();
        loop {
            if let Some(denied) = receiver.borrow_and_update().find(mark, about) {
                return denied;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for any, of whatever and whenever on this connection.
    pub(super) async fn any(&self) -> String {
        let mut receiver = self.log.subscribe();
        let any = receiver.wait_for(|log| !log.kept.is_empty()).await;
        let words = any.ok().and_then(|log| log.kept.front().map(|denial| denial.words.clone()));
        match words {
            Some(words) => words,
            None => std::future::pending().await,
        }
    }
}

/// Whether the server reports a refusal.
pub(super) fn is_refusal(report: &str) -> bool {
    read(report).is_some()
}

impl Log {
    fn count(&self) -> u64 {
        self.forgotten + self.kept.len() as u64
    }

    fn find(&self, mark: u64, about: About<'_>) -> Option<Denied> {
        let numbered = (self.forgotten..).zip(&self.kept);
        let found = numbered.into_iter().find(|(n, denial)| about.concerns(denial, *n >= mark));
        found.map(|(_, denial)| Denied {
            words: denial.words.clone(),
            definite: !about.is_inbox(denial),
        })
    }
}

/// Reads `Permissions Violation for Publish to "a.b"` and `maximum subscriptions exceeded`, as the
/// server writes them.
fn read(report: &str) -> Option<Denial> {
    let lower = report.to_ascii_lowercase();
    if lower.contains("maximum subscriptions exceeded") {
        let words = crate::wire::headers::one_line(report);
        return Some(Denial { subject: String::new(), subscription: true, words });
    }
    if !lower.contains("permissions violation") {
        return None;
    }
    Some(Denial {
        subject: go_quoted::first(report)?,
        subscription: lower.contains("for subscription to"),
        words: crate::wire::headers::one_line(report),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: &str = "nats: Permissions Violation for Publish to \"a.B\"";
    const INBOX: &str =
        "nats: Permissions Violation for Subscription to \"_INBOX.x.*\" using queue \"q\"";

    fn about<'a>(subjects: &'a [&'a str], inboxes: &'a str) -> About<'a> {
        About { subjects, subscribes: false, only_listens: false, inboxes }
    }

    /// The other languages read the same file.
    #[test]
    fn the_subject_that_the_server_quotes_is_the_one_that_is_meant() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/permissions.json");
        let file: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let rows = file["rows"].as_array().unwrap();
        assert!(rows.len() > 20, "{}", rows.len());
        for row in rows {
            let read = read(row[0].as_str().unwrap()).map(|denial| denial.subject);
            assert_eq!(read.as_deref(), row[1].as_str(), "{row}");
        }
    }

    #[test]
    fn a_subscription_too_many_concerns_whoever_subscribes_since_and_nobody_else() {
        let denials = Denials::new();
        let mark = denials.count();
        denials.note("nats: maximum subscriptions exceeded");
        let subscribing = About { subscribes: true, ..about(&["a"], "_INBOX") };
        assert!(denials.since(mark, subscribing).is_some_and(|denied| denied.definite));
        assert_eq!(denials.since(mark, about(&["a"], "_INBOX")), None, "it publishes");
        assert_eq!(denials.since(denials.count(), subscribing), None, "an old one");
    }

    #[test]
    fn a_refusal_is_told_to_whom_it_concerns_and_only_once_it_has_come() {
        let denials = Denials::new();
        denials.note("slow consumer");
        assert_eq!(denials.count(), 0);
        let mark = denials.count();
        denials.note(PUBLISH);
        denials.note("nats: Permissions Violation for Publish to \"c\"");
        for subject in ["a.B", "c"] {
            let denied = denials.since(mark, about(&[subject], "_INBOX"));
            assert!(denied.is_some_and(|denied| denied.words.contains(subject) && denied.definite));
        }
        assert_eq!(denials.since(mark, about(&["a.b"], "_INBOX")), None, "another subject");
        assert_eq!(denials.since(denials.count(), about(&["a.B"], "_INBOX")), None, "an old one");
    }

    #[test]
    fn without_an_inbox_there_is_no_answer_ever_until_a_new_connection() {
        let denials = Denials::new();
        denials.note(INBOX);
        let mark = denials.count();
        let denied = denials.since(mark, about(&["a"], "_INBOX"));
        assert!(denied.is_some_and(|denied| !denied.definite), "the request may have happened");
        assert_eq!(denials.since(mark, about(&["a"], "_INBOX_worker")), None);
        denials.begin_anew();
        assert_eq!(denials.since(mark, about(&["a"], "_INBOX")), None);
    }

    #[test]
    fn marks_stay_right_when_old_refusals_are_forgotten() {
        let denials = Denials::new();
        for _ in 0..KEPT + 5 {
            denials.note(PUBLISH);
        }
        let mark = denials.count();
        assert_eq!(denials.since(mark, about(&["a.B"], "")), None);
        denials.note(PUBLISH);
        assert!(denials.since(mark, about(&["a.B"], "")).is_some());
    }
}
