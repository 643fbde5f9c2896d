//! Tells the refusal of a compare-and-set from any other failure of a publish.

use std::error::Error as _;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};

/// True if the server refused the message because its subject has one already.
///
/// There are two codes for it: 10071 (wrong last sequence) and, while the server of a replicated
/// stream has another write of the subject in hand, 10164 (wrong last sequence constant). The client
/// library has a kind for the first one only.
pub fn is_wrong_last_sequence(error: &PublishError) -> bool {
    let refusal = || error.source()?.downcast_ref::<jetstream::Error>();
    error.kind() == PublishErrorKind::WrongLastSequence
        || refusal().is_some_and(|refusal| {
            let codes = [
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
                ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT,
            ];
            codes.contains(&refusal.error_code())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: PublishErrorKind, code: u64) -> PublishError {
        let text = format!(r#"{{"code":400,"err_code":{code},"description":"refused"}}"#);
        let error: jetstream::Error = serde_json::from_str(&text).unwrap();
        PublishError::with_source(kind, error)
    }

    #[test]
    fn both_codes_of_a_compare_and_set_are_refusals_and_nothing_else_is() {
        assert!(is_wrong_last_sequence(&refused(PublishErrorKind::WrongLastSequence, 10071)));
        assert!(is_wrong_last_sequence(&refused(PublishErrorKind::Other, 10164)));
        assert!(!is_wrong_last_sequence(&refused(PublishErrorKind::WrongLastMessageId, 10070)));
        assert!(!is_wrong_last_sequence(&refused(PublishErrorKind::Other, 10077)));
        assert!(!is_wrong_last_sequence(&PublishError::new(PublishErrorKind::TimedOut)));
    }
}
