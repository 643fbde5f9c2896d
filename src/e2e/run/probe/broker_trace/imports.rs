//! The names that the broker gives to reply subjects between accounts, undone.
//!
//! A client asks with reply `_INBOX.a.1`; the worker, in another account, sees and answers `_R_.x.y`.
//! The trace has both and nowhere says that they are one.

use std::collections::{HashMap, VecDeque};

use super::line::Way;
use super::said::{Heard, Said};

/// How every name begins that the broker gives.
const GIVEN: &str = "_R_.";
/// So many questions on one subject may wait to be delivered; older ones never were.
const MOST_WAITING: usize = 4096;

/// A question that was sent and not yet delivered: where its reply is to come, and its body.
type Waiting<'a> = VecDeque<(&'a str, &'a [u8])>;

/// Puts the asker's own reply subject in the place of each name that the broker gave.
///
/// A question is known again by its subject and its body; of two that are alike in both, either
/// answer fits.
pub(in crate::e2e) fn undone<'a>(mut heard: Vec<Heard<'a>>) -> Vec<Heard<'a>> {
    let mut waiting = HashMap::<&str, Waiting<'a>>::new();
    let mut given = HashMap::<&str, &str>::new();
    for Heard { what, .. } in &mut heard {
        let Said::Message { way, subject, reply, body, is_shown, .. } = what else { continue };
        match way {
            Way::In if reply.is_empty() || reply.starts_with(GIVEN) => {}
            Way::In => {
                let all = waiting.entry(subject).or_default();
                if all.len() == MOST_WAITING {
                    all.pop_front();
                }
                all.push_back((reply, body));
            }
            Way::Out if reply.starts_with(GIVEN) && !given.contains_key(reply) => {
                let all = waiting.entry(subject).or_default();
                // Where a server does not trace what it delivers, the first that waits.
                let unknown = (!*is_shown && !all.is_empty()).then_some(0);
                let alike = all.iter().position(|(_, asked)| alike(asked, body));
                if let Some(at) = alike.or(unknown) {
                    given.extend(all.remove(at).map(|(asked, _)| (*reply, asked)));
                }
            }
            Way::Out => {}
        }
        for name in [subject, reply] {
            if let Some(asked) = given.get(name) {
                *name = asked;
            }
        }
    }
    heard
}

/// Whether two bodies are the same as far as both were traced: the delivered one is cut earlier, for
/// the header that the broker adds.
fn alike(sent: &[u8], delivered: &[u8]) -> bool {
    sent == delivered || delivered.strip_suffix(b"...").is_some_and(|cut| sent.starts_with(cut))
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn a_body_that_was_cut_is_like_the_one_that_was_cut_later() {
        assert!(alike(b"{}", b"{}"));
        assert!(alike(b"", b""));
        assert!(alike(b"abcdef", b"abc..."));
        assert!(alike(b"abcdef...", b"abc..."));
        assert!(!alike(b"abd", b"abc"));
        assert!(!alike(b"abcdef", b"abc"));
    }
}
