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
/// A later reading has an earlier status.
pub const WENT_BACK: &str = "went_back";
/// A final status became the other one.
pub const FINAL_CHANGED: &str = "final_changed";
/// Final, and too long after the last fault.
pub const FINAL_LATE: &str = "final_late";
