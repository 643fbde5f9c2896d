//! How a promise of payments and emails is broken, in one word each.

/// Acknowledged, and it came to nothing.
pub const LOST: &str = "lost";
/// Acknowledged with other content than the outcome's, and no conflict is on record.
pub const CONFLICT_LOST: &str = "conflict_lost";
/// Two final outcomes.
pub const SECOND_OUTCOME: &str = "second_outcome";
/// One message, two dead letters.
pub const SECOND_DEAD_LETTER: &str = "second_dead_letter";
/// Charged more than once.
pub const CHARGED_TWICE: &str = "charged_twice";
/// Charged for an amount or a content that nobody submitted.
pub const CHARGED_OTHER: &str = "charged_other";
/// Charged, and nobody submitted it.
pub const CHARGED_UNASKED: &str = "charged_unasked";
/// Charged, and the submit had certainly not happened.
pub const HAPPENED_AFTER_FAIL: &str = "happened_after_fail";
/// Completed, and not charged.
pub const COMPLETED_UNCHARGED: &str = "completed_uncharged";
/// Completed for another amount than was charged.
pub const COMPLETED_OTHER: &str = "completed_other";
/// Failed, and charged.
pub const FAILED_CHARGED: &str = "failed_charged";
/// Charged, and not final.
pub const CHARGED_WITHOUT_OUTCOME: &str = "charged_without_outcome";
/// One message, two workers or twice the same.
pub const DELIVERED_TWICE: &str = "delivered_twice";
/// One email, sent twice.
pub const SENT_TWICE: &str = "sent_twice";
/// A queue message that reached no worker, where none may be lost.
pub const LOST_IN_QUEUE: &str = "lost_in_queue";
/// An email that nobody published.
pub const EMAIL_UNASKED: &str = "email_unasked";
/// A delivery of a message that nobody published.
pub const DELIVERED_UNASKED: &str = "delivered_unasked";
/// A ledger entry of a payment that nobody submitted.
pub const OUTCOME_UNASKED: &str = "outcome_unasked";
/// A ledger entry of a content that nobody submitted.
pub const OUTCOME_OTHER: &str = "outcome_other";
/// A dead letter of a message that nobody submitted.
pub const LETTER_UNASKED: &str = "letter_unasked";
/// Charged before it was submitted.
pub const CHARGED_EARLY: &str = "charged_early";
/// The gateway had settled it, and was asked for something else after that.
pub const SETTLED_AGAIN: &str = "settled_again";
/// An outcome, a dead letter, a delivery or an email, before what it is of was sent.
pub const EARLY: &str = "early";
/// Charged nothing, or less.
pub const CHARGED_NOTHING: &str = "charged_nothing";
/// Delivered on another subject than it was published on.
pub const DELIVERED_ELSEWHERE: &str = "delivered_elsewhere";
/// Sent by another worker than the one that had it.
pub const SENT_BY_OTHER: &str = "sent_by_other";
/// Sent, and a dead letter too.
pub const SENT_DEAD: &str = "sent_dead";
/// A dead letter of a message with another payment, or another content, than that has.
pub const LETTER_OTHER: &str = "letter_other";
/// Given up on record, and its dead letter was filed only after that.
pub const LETTER_AFTER: &str = "letter_after";
/// A final status was told before there was an outcome.
pub const TOLD_EARLY: &str = "told_early";
/// Charged, or tried again, after it was final.
pub const CHARGED_AFTER: &str = "charged_after";
/// Completed, and a dead letter too.
pub const COMPLETED_DEAD: &str = "completed_dead";
/// The same content again, filed as a conflict.
pub const FALSE_CONFLICT: &str = "false_conflict";
/// A dead letter that does not say why.
pub const LETTER_WITHOUT_REASON: &str = "letter_without_reason";
/// Failed, and nothing on record says why.
pub const FAILED_WITHOUT_REASON: &str = "failed_without_reason";
/// Given up, and no dead letter of it.
pub const GIVEN_UP_WITHOUT_LETTER: &str = "given_up_without_letter";
/// Of two contents the second stands.
pub const SECOND_CONTENT: &str = "second_content";
/// A status for another amount, currency or content than the outcome's.
pub const STATUS_OTHER: &str = "status_other";
/// A status that is not final, long after the outcome was on record.
pub const STALE: &str = "stale";
/// A final status was told, and there is no outcome on record.
pub const TOLD_UNRECORDED: &str = "told_unrecorded";
/// A later reading has an earlier status.
pub const WENT_BACK: &str = "went_back";
/// A final status became the other one.
pub const FINAL_CHANGED: &str = "final_changed";
/// Final, and too long after the last fault.
pub const FINAL_LATE: &str = "final_late";

/// Each of them: a mutation of a valid history shows it.
pub const ALL: &[&str] = &[
    LOST,
    CONFLICT_LOST,
    SECOND_OUTCOME,
    SECOND_DEAD_LETTER,
    CHARGED_TWICE,
    CHARGED_OTHER,
    CHARGED_UNASKED,
    HAPPENED_AFTER_FAIL,
    COMPLETED_UNCHARGED,
    COMPLETED_OTHER,
    FAILED_CHARGED,
    CHARGED_WITHOUT_OUTCOME,
    DELIVERED_TWICE,
    SENT_TWICE,
    LOST_IN_QUEUE,
    EMAIL_UNASKED,
    DELIVERED_UNASKED,
    OUTCOME_UNASKED,
    OUTCOME_OTHER,
    LETTER_UNASKED,
    CHARGED_EARLY,
    SETTLED_AGAIN,
    CHARGED_AFTER,
    COMPLETED_DEAD,
    FALSE_CONFLICT,
    LETTER_WITHOUT_REASON,
    FAILED_WITHOUT_REASON,
    GIVEN_UP_WITHOUT_LETTER,
    SECOND_CONTENT,
    STATUS_OTHER,
    STALE,
    TOLD_UNRECORDED,
    WENT_BACK,
    FINAL_CHANGED,
    FINAL_LATE,
    EARLY,
    CHARGED_NOTHING,
    DELIVERED_ELSEWHERE,
    SENT_BY_OTHER,
    SENT_DEAD,
    LETTER_OTHER,
    LETTER_AFTER,
    TOLD_EARLY,
];
