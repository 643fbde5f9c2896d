//! Messages that are valid.

use super::drift::named;
use crate::e2e::text::schema::Schema;

pub(in crate::e2e) fn valid(subject: &str, messages: &[Schema], replies: &[Schema]) -> Vec<String> {
    let mut lines = vec![format!("each message on {subject} is {}", named(messages))];
    if !replies.is_empty() {
        lines.push(format!("each reply is {}", named(replies)));
    }
    lines
}
