//! Recordings for tests, a line for each thing that was heard.

use super::gathering::{Came, Gathering, PULL};
use super::heard::{End, Heard, Holding, Recording};
use super::subjects::Asked;
use crate::e2e::record::delivery::ACKNOWLEDGE;
use crate::wire::driver::Headers;

/// Hears `SUBJECT > REPLY [HEADER=VALUE] : BODY`; what is on an inbox is a reply or a delivery.
pub(super) fn recording(lines: &[&str]) -> Recording {
    let mut gathering = Gathering::default();
    for line in lines {
        let (head, body) = line.split_once(" : ").unwrap_or((line, ""));
        let (head, headers) = head.split_once(" [").unwrap_or((head, ""));
        let headers = headers.trim_end_matches(']').split("; ").filter_map(|header| {
            let (name, value) = header.split_once('=')?;
            Some((name.to_owned(), vec![value.to_owned()]))
        });
        let (subject, reply_to) = match head.split_once(" > ") {
            Some((subject, reply_to)) => (subject, Some(reply_to.to_owned())),
            None => (head, None),
        };
        let came = Came {
            subject: subject.trim_start_matches("inbox ").to_owned(),
            reply_to,
            headers: headers.collect::<Headers>(),
            body: body.as_bytes().to_vec(),
            is_status: false,
        };
        if subject.starts_with(PULL) {
            gathering.pulled(subject, came.reply_to.as_deref());
        } else if subject.starts_with(ACKNOWLEDGE) {
            gathering.acknowledged(subject, body.as_bytes());
        } else if subject.starts_with("_INBOX") || subject.starts_with("inbox ") {
            gathering.in_inbox(came);
        } else {
            gathering.message(came);
        }
    }
    gathering.end(End::Asked, Vec::new(), u64::MAX)
}

pub(super) fn messages(lines: &[&str]) -> Vec<Heard> {
    recording(lines).messages
}

pub(super) fn asked() -> Asked {
    asked_with(&[], &[])
}

pub(super) fn asked_with(send: &[&str], expect: &[&str]) -> Asked {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let subjects = owned(&["shop.>", "orders.>", "users.>"]);
    Asked::new(subjects, owned(send), owned(expect), Vec::new(), 1000).unwrap()
}

pub(super) fn stream(name: &str, subjects: &[&str]) -> Holding {
    let config =
        serde_json::json!({ "name": name, "subjects": subjects, "retention": "workqueue" });
    let config = config.as_object().cloned().unwrap_or_default();
    Holding { name: name.to_owned(), config, messages: 0, consumers: Vec::new() }
}
