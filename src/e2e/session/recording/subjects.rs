//! Which subjects are heard: those of the services, and none of the server's own.

use crate::broker::subject_matches;
use crate::wire::subjects::{SubjectError, check_subscription};

/// Where a server has the replies of other accounts.
pub(super) const OTHERS: &str = "_R_";
/// Where replies come that no library was told to have elsewhere.
const INBOXES: [&str; 2] = ["_INBOX", OTHERS];

/// What is to be heard, and what is known about it before.
#[derive(Debug, Clone)]
pub struct Asked {
    pub(super) subjects: Vec<String>,
    /// What clients send, by whoever knows it.
    pub(super) send: Vec<String>,
    /// What services send.
    pub(super) expect: Vec<String>,
    /// The first words of the subjects on which replies come.
    pub(super) inboxes: Vec<String>,
    /// More messages are not heard.
    pub(super) most: usize,
    /// What is among the subjects and says nothing of the services.
    without: Option<String>,
}

/// Why a subject cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// It is no subject.
    #[error("{0}")]
    Subject(#[from] SubjectError),
    /// It is not one of the services.
    #[error(
        "`{0}` means subjects of the server itself and of client libraries ({1}), which are not recorded"
    )]
    Own(String, &'static str),
    /// Everything on it would be heard twice.
    #[error("`{0}` and `{1}` overlap: what is on both would be recorded twice")]
    Twice(String, String),
    /// Nothing on it would be heard.
    #[error("{0} `{1}` is not among the subjects that are recorded: {2}")]
    Outside(&'static str, String, String),
    /// It is no word of a subject.
    #[error("`{0}` cannot be the first word of a reply subject, as `_INBOX` is")]
    Inbox(String),
}

impl Asked {
    /// Hears these subjects. Of those among them, `send` is known to come from clients and `expect` from
    /// services; `inboxes` are first words of reply subjects beside the usual ones.
    ///
    /// # Errors
    /// [`AskedError`].
    pub fn new(
        subjects: Vec<String>,
        send: Vec<String>,
        expect: Vec<String>,
        inboxes: Vec<String>,
        most: usize,
    ) -> Result<Self, AskedError> {
        for subject in &subjects {
            check(subject)?;
        }
        for (n, subject) in subjects.iter().enumerate() {
            let other =
                subjects.iter().enumerate().find(|(m, other)| n != *m && collide(subject, other));
            if let Some((_, other)) = other {
                return Err(AskedError::Twice(subject.clone(), other.clone()));
            }
        }
        for (flag, subject) in
            send.iter().map(|one| ("--send", one)).chain(expect.iter().map(|one| ("--expect", one)))
        {
            check(subject)?;
            if !subjects.iter().any(|known| collide(known, subject)) {
                return Err(AskedError::Outside(flag, subject.clone(), subjects.join(", ")));
            }
        }
        for inbox in &inboxes {
            if inbox.contains(['.', '*', '>', '$']) || check_subscription(inbox, None).is_err() {
                return Err(AskedError::Inbox(inbox.clone()));
            }
        }
        let mut all = INBOXES.map(str::to_owned).to_vec();
        all.extend(inboxes.into_iter().filter(|inbox| !INBOXES.contains(&inbox.as_str())));
        Ok(Self { subjects, send, expect, inboxes: all, most, without: None })
    }

    /// Leaves out what is on this subject, wildcards allowed.
    #[must_use]
    pub fn without(self, subject: &str) -> Self {
        Self { without: Some(subject.to_owned()), ..self }
    }

    /// Whether a message on this subject is not recorded.
    pub(super) fn leaves_out(&self, subject: &str) -> bool {
        self.without.as_ref().is_some_and(|without| subject_matches(without, subject))
    }

    /// Whether somebody knows that clients send it, or that services do.
    pub(super) fn is_sent(&self, subject: &str) -> Option<bool> {
        let is_in = |list: &[String]| list.iter().any(|one| subject_matches(one, subject));
        match (is_in(&self.send), is_in(&self.expect)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// What to listen to for replies to this subject, if that is not heard anyway: everything with its
    /// first word, where that is an inbox's.
    pub(super) fn unheard_inbox(&self, reply_to: &str) -> Option<String> {
        let is_heard = self.subjects.iter().any(|subject| subject_matches(subject, reply_to));
        let first = reply_to.split('.').next().unwrap_or_default();
        if is_heard || first.starts_with('$') || self.inboxes.iter().any(|inbox| inbox == first) {
            return None;
        }
        Some(match first.starts_with('_') {
            true => format!("{first}.>"),
            false => reply_to.to_owned(),
        })
    }
}

fn check(subject: &str) -> Result<(), AskedError> {
    check_subscription(subject, None)?;
    let tokens: Vec<&str> = subject.split('.').collect();
    let is_open = |token: Option<&&str>| matches!(token, Some(&"*" | &">"));
    let own = match tokens[0] {
        first if first.starts_with('$') => "what begins with `$`, as $JS and $SYS",
        "_INBOX" | "_R_" => "inboxes",
        ">" => "$JS, $SYS, inboxes",
        "*" if is_open(tokens.get(1)) => "$JS, $SYS, inboxes",
        _ => return Ok(()),
    };
    Err(AskedError::Own(subject.to_owned(), own))
}

/// Whether there is a subject that both mean.
fn collide(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        match (a.next(), b.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subjects: &[&str], send: &[&str]) -> Result<Asked, String> {
        let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let asked = Asked::new(owned(subjects), owned(send), Vec::new(), owned(&["_MY"]), 10);
        asked.map_err(|error| error.to_string())
    }

    #[test]
    fn the_servers_own_subjects_are_refused() {
        for own in ["$JS.API.>", "$SYS.>", "$KV.a.>", ">", "*.>", "*.*", "_INBOX.>", "_INBOX.a"] {
            let error = asked(&[own], &[]).unwrap_err();
            assert!(
                error.contains(&format!("`{own}`")) && error.contains("not recorded"),
                "{error}"
            );
        }
        for good in ["orders.>", "*", "*.orders.>", "a", "a.*.b"] {
            asked(&[good], &[]).unwrap();
        }
        assert!(asked(&["a..b"], &[]).unwrap_err().contains("empty token"));
        assert!(asked(&["a.>.b"], &[]).unwrap_err().contains("not its last"));
    }

    #[test]
    fn no_message_is_heard_twice_and_none_is_named_that_is_not_heard() {
        let error = asked(&["orders.>", "orders.new"], &[]).unwrap_err();
        assert!(error.contains("`orders.>` and `orders.new` overlap"), "{error}");
        assert!(asked(&["orders.*.new", "orders.a.*"], &[]).is_err());
        asked(&["orders.>", "users.>"], &["users.new", "*.new"]).unwrap();
        let error = asked(&["orders.>"], &["users.new"]).unwrap_err();
        assert!(error.contains("--send `users.new`"), "{error}");
    }

    #[test]
    fn replies_are_heard_where_they_come() {
        let asked = asked(&["orders.>"], &[]).unwrap();
        for heard in ["_INBOX.a.1", "_R_.x", "_MY.1", "orders.replies.1", "$JS.ACK.x"] {
            assert_eq!(asked.unheard_inbox(heard), None, "{heard}");
        }
        assert_eq!(asked.unheard_inbox("_INBOX_w.1.2").as_deref(), Some("_INBOX_w.>"));
        assert_eq!(asked.unheard_inbox("users.replies.1").as_deref(), Some("users.replies.1"));
    }
}
